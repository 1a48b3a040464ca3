import { X509Certificate } from 'node:crypto'

/** Where in a certificate a login name may stand. */
export type NameSource = 'email' | 'common-name' | 'dns'

/**
 * Names that a certificate gives its owner, from the places in their order; nothing when a place holds something that is no plain name.
 * The certificate was verified by TLS.
 */
export function namesIn(der: Uint8Array, sources: readonly NameSource[]): readonly string[] {
  let certificate: X509Certificate
  try {
    certificate = new X509Certificate(der)
  } catch {
    return []
  }
  // Alternative names with quotes or commas in them are quoted by Node, so that none can imitate a second one.
  const alternatives = (certificate.subjectAltName ?? '').split(', ').filter((part) => !part.includes('"'))
  const of = (label: string): string[] => alternatives.filter((part) => part.startsWith(label)).map((part) => part.slice(label.length))
  const places: Readonly<Record<NameSource, () => string[]>> = {
    email: () => of('email:'),
    dns: () => of('DNS:'),
    // One line per attribute; a line end inside a value is escaped.
    'common-name': () => certificate.subject.split('\n').filter((line) => line.startsWith('CN=')).map((line) => line.slice(3)),
  }
  return sources.flatMap((source) => places[source]()).filter((name) => name !== '' && !/[\\\0]/.test(name))
}
