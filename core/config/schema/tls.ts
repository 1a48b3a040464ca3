import { z } from 'zod'
import { filePath, secretSource } from '../../api/settings.js'

const certificate = filePath().describe('PEM file with the certificate chain, the own certificate first.')
const key = secretSource().describe('Unencrypted PEM key; without it the key is looked for in the certificate file.')

/** `hosts.*.tls`, less the slot `certificates`. */
export const tlsSection = z
  .strictObject({
    certificate: certificate.optional(),
    key: key.optional(),
    status: filePath().optional().describe('File with an OCSP response (DER) about the certificate, for clients that ask; an expired one is not shown. Something else renews it.'),
    also: z
      .array(z.strictObject({ certificate, key: key.optional() }))
      .max(2)
      .default([])
      .describe('Certificates of other key types beside the first, such as RSA beside EC; what a client can decides which it is shown.'),
    byAddress: filePath().optional().describe('Folder of certificates by the address that the client connected to: NAME-ADDRESS.pem, else NAME.pem, such as imapd-192.0.2.10.pem.'),
    byAddressKeys: filePath().optional().describe('Folder of their keys, under the same names; where it has none, the key stands in the certificate file.'),
    byAddressName: z
      .string()
      .regex(/^[\w.-]+$/, 'expected the beginning of a file name')
      .default('imapd')
      .describe('What the file names begin with.'),
    selfSigned: filePath()
      .optional()
      .describe('Folder in which a self-signed certificate is made once and kept; for trying out, not for the public.'),
    clientAuthority: filePath().optional().describe('PEM file of the authorities whose client certificates are asked for, for the mechanism EXTERNAL; clients without one come in as ever.'),
    minVersion: z.enum(['TLSv1.2', 'TLSv1.3']).default('TLSv1.2').describe('Oldest TLS version that is accepted.'),
    maxVersion: z.enum(['TLSv1.2', 'TLSv1.3']).default('TLSv1.3').describe('Newest TLS version that is offered.'),
    ciphers: z.string().min(1).optional().describe('Cipher suites in the words of OpenSSL, those of TLS 1.3 among them by their full names; without it the defaults of Node.'),
    curves: z.string().min(1).optional().describe('Key exchange groups in the order of preference, such as X25519:P-256; without it the defaults of OpenSSL.'),
    tickets: z.boolean().default(true).describe('Clients may take up an earlier TLS session without a whole handshake.'),
  })
  .refine((t) => t.certificate === undefined || t.selfSigned === undefined, { path: ['selfSigned'], message: 'cannot stand beside "certificate"' })
  .refine((t) => t.byAddress === undefined || (t.certificate ?? t.selfSigned) === undefined, { path: ['byAddress'], message: 'cannot stand beside "certificate" or "selfSigned"' })
  .refine((t) => t.key === undefined || t.certificate !== undefined, { path: ['key'], message: 'needs "certificate" beside it' })
  .refine((t) => t.status === undefined || t.certificate !== undefined, { path: ['status'], message: 'needs "certificate" beside it' })
  // What Node tells of the handshake does not say which of several certificates the client will be shown.
  .refine((t) => t.status === undefined || t.also.length === 0, { path: ['status'], message: 'cannot stand beside "also"' })
  .refine((t) => t.also.length === 0 || t.certificate !== undefined, { path: ['also'], message: 'needs "certificate" beside it' })
  .refine((t) => t.byAddressKeys === undefined || t.byAddress !== undefined, { path: ['byAddressKeys'], message: 'needs "byAddress" beside it' })
  .refine((t) => t.minVersion <= t.maxVersion, { path: ['maxVersion'], message: 'is older than minVersion' })
