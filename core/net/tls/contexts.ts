import { constants, X509Certificate } from 'node:crypto'
import type { Server } from 'node:net'
import { createSecureContext } from 'node:tls'
import type { SecureContext, SecureContextOptions } from 'node:tls'
import type { CertificateSource } from '../../api/index.js'
import { endPointBinding } from './end-point.js'
import { setUp } from './setup-failure.js'
import { staple, staplingServer } from './stapling.js'

type Version = 'TLSv1.2' | 'TLSv1.3'

/** What decides about TLS on one virtual host; what is not set is left to Node and OpenSSL. */
export interface TlsSettings {
  readonly sources: readonly CertificateSource[]
  readonly minVersion: Version
  readonly maxVersion?: Version
  /** Suites in the words of OpenSSL. */
  readonly ciphers?: string | undefined
  /** Key exchange groups, the preferred first. */
  readonly curves?: string | undefined
  /** False: no session is taken up again. */
  readonly tickets?: boolean
  /** PEM of the authorities of client certificates; absent: none is asked for. */
  readonly clientAuthority?: (() => Promise<Buffer>) | undefined
}

/** A context with what is known of its certificates. */
export interface ReadyContext {
  readonly context: SecureContext
  /** The preferred one. */
  readonly certificate: X509Certificate
  /** All that a client may be shown. */
  readonly shown: readonly ShownCertificate[]
  /** Clients are asked for a certificate. */
  readonly asksClients: boolean
  /** Named in handshakes, so that Node tells of clients that ask what the authority says of the certificate. */
  readonly stapling: Server
}
export interface ShownCertificate {
  readonly der: Uint8Array
  /** RFC 5929 §4; undefined where the signature algorithm has no single hash. */
  readonly endPoint: Uint8Array | undefined
}

/** Contexts of one virtual host, made once per certificate. */
export class TlsContexts {
  readonly #settings: TlsSettings
  readonly #made = new WeakMap<object, ReadyContext>()

  constructor(settings: TlsSettings) {
    this.#settings = settings
  }

  /**
   * The context of the first source that has a certificate; undefined when none has.
   * @throws what the source throws; TlsSetupFailure when certificate, key or a setting cannot be used.
   */
  async find(serverName: string | undefined, localAddress: string): Promise<ReadyContext | undefined> {
    const { sources, clientAuthority, minVersion, maxVersion = 'TLSv1.3', ciphers, curves, tickets = true } = this.#settings
    for (const source of sources) {
      const found = await source.find(serverName, localAddress)
      if (found === undefined) continue
      const made = this.#made.get(found)
      if (made !== undefined) return made
      const all = [found, ...(found.also ?? [])]
      const pairs = { cert: all.map((one) => one.chain), key: all.map((one) => Buffer.from(one.key.reveal())) }
      const chosen = await setUp(`set cipher list ${ciphers ?? ''}`, () => understood('ciphers', ciphers, (words) => ({ ciphers: words })))
      const ca = await setUp('create SSL context', () => clientAuthority?.())
      const context = await setUp('create SSL context', () => createSecureContext({
        ...pairs,
        ...(ca === undefined ? {} : { ca }),
        ...chosen,
        ...understood('curves', curves, (words) => ({ ecdhCurve: words })),
        minVersion,
        maxVersion,
        honorCipherOrder: true,
        // Without it OpenSSL refuses to take up a session of a client that may show a certificate.
        sessionIdContext: 'mailwright',
        secureOptions: constants.SSL_OP_NO_RENEGOTIATION | (tickets ? 0 : constants.SSL_OP_NO_TICKET),
      }))
      const certificates = all.map((one) => new X509Certificate(one.chain))
      for (const [i, { raw }] of certificates.entries()) {
        const status = all[i]?.status
        if (status !== undefined) staple(raw, status)
      }
      const ready: ReadyContext = {
        context,
        certificate: certificates[0] ?? new X509Certificate(found.chain),
        shown: certificates.map(({ raw }) => ({ der: raw, endPoint: endPointBinding(raw) })),
        asksClients: ca !== undefined,
        stapling: staplingServer(pairs),
      }
      this.#made.set(found, ready)
      return ready
    }
    return undefined
  }
}

/** OpenSSL's complaint about words of a setting does not say which setting, nor which words. */
function understood(setting: string, words: string | undefined, options: (words: string) => SecureContextOptions): SecureContextOptions {
  if (words === undefined) return {}
  try {
    createSecureContext(options(words))
  } catch (cause) {
    throw new Error(`${setting} "${words}": ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
  return options(words)
}
