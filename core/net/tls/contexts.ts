import { constants, X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import type { SecureContext } from 'node:tls'
import type { CertificateSource } from '../../api/index.js'
import { endPointBinding } from './end-point.js'

/** What decides about TLS on one virtual host. */
export interface TlsSettings {
  readonly sources: readonly CertificateSource[]
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3'
  /** PEM of the authorities of client certificates; absent: none is asked for. */
  readonly clientAuthority?: () => Promise<Buffer>
}

/** A context with what is known of its certificate. */
export interface ReadyContext {
  readonly context: SecureContext
  readonly certificate: X509Certificate
  /** RFC 5929 §4; undefined where the signature algorithm has no single hash. */
  readonly endPoint: Uint8Array | undefined
  /** Clients are asked for a certificate. */
  readonly asksClients: boolean
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
   * @throws what the source throws, and when certificate and key cannot be used.
   */
  async find(serverName: string | undefined, localAddress: string): Promise<ReadyContext | undefined> {
    for (const source of this.#settings.sources) {
      const found = await source.find(serverName, localAddress)
      if (found === undefined) continue
      const made = this.#made.get(found)
      if (made !== undefined) return made
      const certificate = new X509Certificate(found.chain)
      const ca = await this.#settings.clientAuthority?.()
      const context = createSecureContext({
        ...(ca === undefined ? {} : { ca }),
        cert: found.chain,
        key: Buffer.from(found.key.reveal()),
        minVersion: this.#settings.minVersion,
        honorCipherOrder: true,
        secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
      })
      const ready = { context, certificate, endPoint: endPointBinding(certificate.raw), asksClients: ca !== undefined }
      this.#made.set(found, ready)
      return ready
    }
    return undefined
  }
}
