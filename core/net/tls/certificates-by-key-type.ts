import { X509Certificate } from 'node:crypto'
import type { CertificateSource, ServedCertificate } from '../../api/index.js'

type Served = ServedCertificate & { readonly also: readonly ServedCertificate[] }

/** Certificates of several key types as one, the preferred first. */
export class CertificatesByKeyType implements CertificateSource {
  readonly #parts: readonly { find(): Promise<ServedCertificate> }[]
  #found: { readonly parts: readonly ServedCertificate[]; readonly served: Served } | undefined

  constructor(parts: readonly { find(): Promise<ServedCertificate> }[]) {
    this.#parts = parts
  }

  /** @throws Error when two have a key of the same type, of which the client could only be shown one. */
  async find(): Promise<Served | undefined> {
    const parts = await Promise.all(this.#parts.map((part) => part.find()))
    const known = this.#found
    if (known !== undefined && known.parts.every((part, i) => part === parts[i])) return known.served
    const [first, ...also] = parts
    if (first === undefined) return undefined
    const types = parts.map(({ chain }) => new X509Certificate(chain).publicKey.asymmetricKeyType)
    const twice = types.find((type, i) => types.indexOf(type) !== i)
    if (twice !== undefined) throw new Error(`two of the certificates have keys of the type "${twice}"`)
    const served = { ...first, also }
    this.#found = { parts, served }
    return served
  }
}
