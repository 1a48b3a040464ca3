import forge from 'node-forge'

/** id-pkix-ocsp-basic, RFC 6960 §4.2.1. */
const BASIC = '1.3.6.1.5.5.7.48.1.1'
/** OCSPResponseStatus `successful`. */
const SUCCESSFUL = 0

/** The first answer of an OCSP response. */
export interface StatusFacts {
  /** Serial number of the certificate that it is about, in hexadecimal digits as they stand. */
  readonly serial: string
  /** When it holds, in ms since 1970. `until` is Infinity where the authority names no end. */
  readonly from: number
  readonly until: number
}

/**
 * What the DER of an OCSP response says (RFC 6960 §4.2.1).
 *
 * @throws Error what is wrong with the octets, or with what the authority says.
 */
export function statusFacts(der: Uint8Array): StatusFacts {
  const [status, responseBytes] = sequence(parse(der), 'OCSPResponse')
  const answered = typeof status?.value === 'string' ? status.value.charCodeAt(0) : undefined
  if (answered !== SUCCESSFUL) throw new Error(`the authority answered with the status ${answered ?? 'none'} instead of "successful"`)
  const [type, octets] = sequence(sequence(responseBytes, 'responseBytes')[0], 'ResponseBytes')
  if (typeof type?.value !== 'string' || forge.asn1.derToOid(type.value) !== BASIC || typeof octets?.value !== 'string') throw new Error('it is not of the type "basic"')
  const [data] = sequence(parse(Buffer.from(octets.value, 'latin1')), 'BasicOCSPResponse')
  // ResponseData ::= SEQUENCE { [0] version DEFAULT v1, responderID [1] or [2], producedAt, responses SEQUENCE OF SingleResponse, ... }
  const responses = sequence(data, 'ResponseData').find((part) => part.tagClass === forge.asn1.Class.UNIVERSAL && part.type === forge.asn1.Type.SEQUENCE)
  // SingleResponse ::= SEQUENCE { certID, certStatus CHOICE, thisUpdate GeneralizedTime, [0] nextUpdate OPTIONAL, ... }
  const [id, , thisUpdate, next] = sequence(sequence(responses, 'responses')[0], 'SingleResponse')
  // CertID ::= SEQUENCE { hashAlgorithm, issuerNameHash, issuerKeyHash, serialNumber INTEGER }
  const serial = sequence(id, 'CertID')[3]?.value
  if (typeof serial !== 'string') throw new Error('it has no serialNumber')
  const hasEnd = next !== undefined && next.tagClass === forge.asn1.Class.CONTEXT_SPECIFIC && (next.type as number) === 0
  return { serial: Buffer.from(serial, 'latin1').toString('hex'), from: time(thisUpdate), until: hasEnd ? time(sequence(next, 'nextUpdate')[0]) : Infinity }
}

function parse(der: Uint8Array): forge.asn1.Asn1 {
  return forge.asn1.fromDer(forge.util.createBuffer(Buffer.from(der).toString('latin1')))
}
function sequence(node: forge.asn1.Asn1 | undefined, name: string): forge.asn1.Asn1[] {
  if (node === undefined || !Array.isArray(node.value)) throw new Error(`it has no ${name}`)
  return node.value
}
function time(node: forge.asn1.Asn1 | undefined): number {
  if (node?.type !== forge.asn1.Type.GENERALIZEDTIME || typeof node.value !== 'string') throw new Error('it has no time where one is due')
  return forge.asn1.generalizedTimeToDate(node.value).getTime()
}
