import type { SaslContext, SaslMechanism, SaslResult } from 'mailwright/api'
import { utf8 } from '../../shared/names.js'
import { namesIn, type NameSource } from './certificate-names.js'

const MAX_AUTHZID_OCTETS = 254

/**
 * EXTERNAL (RFC 4422 Appendix A): who TLS, the operating system or a trusted proxy says the client is. An answer that is not empty asks
 * to act for somebody, which may also be one of the certificate's own names.
 */
export class External implements SaslMechanism {
  readonly #sources: readonly NameSource[]
  readonly #stripDomain: boolean
  constructor(sources: readonly NameSource[], stripDomain: boolean) {
    this.#sources = sources
    this.#stripDomain = stripDomain
  }

  async authenticate(x: SaslContext): Promise<SaslResult> {
    const answer = x.initial ?? (await x.ask(new Uint8Array(0)))
    const authzid = answer.length > MAX_AUTHZID_OCTETS || answer.includes(0) ? undefined : utf8(answer)
    if (authzid === undefined) return { kind: 'malformed' }
    const names = this.#names(x)
    const own = names.includes(authzid) ? authzid : names[0]
    if (own === undefined) return { kind: 'unknown-user' }
    return { kind: 'proved', authcid: own, authzid: authzid === own ? '' : authzid, alerts: [] }
  }

  #names({ peer }: SaslContext): readonly string[] {
    if (peer.externalIdentity !== undefined) return [peer.externalIdentity]
    const der = peer.tls?.clientCertificate
    const names = der === undefined ? [] : namesIn(der, this.#sources)
    return this.#stripDomain ? names.map((name) => name.replace(/@[^@]*$/, '')) : names
  }
}
