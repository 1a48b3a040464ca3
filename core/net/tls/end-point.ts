import { createHash } from 'node:crypto'

/** Hash by signature algorithm; MD5 and SHA-1 are replaced by SHA-256 (RFC 5929 §4.1). */
const HASHES: Readonly<Record<string, string>> = {
  '2a864886f70d010104': 'sha256',
  '2a864886f70d010105': 'sha256',
  '2a864886f70d01010b': 'sha256',
  '2a864886f70d01010c': 'sha384',
  '2a864886f70d01010d': 'sha512',
  '2a8648ce3d0401': 'sha256',
  '2a8648ce3d040302': 'sha256',
  '2a8648ce3d040303': 'sha384',
  '2a8648ce3d040304': 'sha512',
}

/** The `tls-server-end-point` channel binding of a certificate in DER; undefined where RFC 5929 §4.1 defines none. */
export function endPointBinding(der: Uint8Array): Uint8Array | undefined {
  // Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm SEQUENCE { OBJECT IDENTIFIER, ... }, signature } (RFC 5280 §4.1)
  const certificate = element(der, 0)
  const tbs = certificate && element(der, certificate.from)
  const algorithm = tbs && element(der, tbs.to)
  const oid = algorithm && element(der, algorithm.from)
  if (oid === undefined) return undefined
  const hash = HASHES[Buffer.from(der.subarray(oid.from, oid.to)).toString('hex')]
  return hash === undefined ? undefined : createHash(hash).update(der).digest()
}

function element(der: Uint8Array, at: number): { readonly from: number; readonly to: number } | undefined {
  const first = der[at + 1]
  if (first === undefined) return undefined
  if (first < 0x80) return { from: at + 2, to: at + 2 + first }
  let length = 0
  for (let i = 0; i < (first & 0x7f); i++) length = length * 256 + (der[at + 2 + i] ?? 0)
  const from = at + 2 + (first & 0x7f)
  return { from, to: from + length }
}
