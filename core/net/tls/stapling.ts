import { createServer } from 'node:tls'
import type { SecureContextOptions } from 'node:tls'
import type { Server } from 'node:net'
import type { ServedCertificate } from '../../api/index.js'

type Status = NonNullable<ServedCertificate['status']>

/** By the certificate in DER, base64: a server is that of the address, the certificate may be that of another host, chosen by name. */
const known = new Map<string, Status>()

/** From now on clients that ask are told what `status` gives for the certificate (DER). */
export function staple(certificate: Uint8Array, status: Status): void {
  known.set(Buffer.from(certificate).toString('base64'), status)
}

/**
 * The server to name in handshakes that begin with the context of `options`; it never listens. Node tells of a client that asks what the authority
 * says of the certificate (RFC 6066 §8) by an event of it, with the certificate of the context that was chosen in the end.
 */
export function staplingServer(options: Pick<SecureContextOptions, 'cert' | 'key'>): Server {
  return createServer(options).on('OCSPRequest', (certificate: Buffer | null, _issuer: Buffer | null, answer: (error: Error | null, response: Buffer | null) => void) => {
    const status = certificate === null ? undefined : known.get(certificate.toString('base64'))
    const none = (): void => answer(null, null)
    if (status === undefined) none()
    else status().then((der) => answer(null, der === undefined ? null : Buffer.from(der)), none)
  })
}
