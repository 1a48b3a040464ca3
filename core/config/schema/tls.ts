import { z } from 'zod'
import { filePath, secretSource } from '../../api/settings.js'

/** `hosts.*.tls`, less the slot `certificates`. */
export const tlsSection = z
  .strictObject({
    certificate: filePath().optional().describe('PEM file with the certificate chain, the own certificate first.'),
    key: secretSource().optional().describe('Unencrypted PEM key; without it the key is looked for in the certificate file.'),
    selfSigned: filePath()
      .optional()
      .describe('Folder in which a self-signed certificate is made once and kept; for trying out, not for the public.'),
    clientAuthority: filePath().optional().describe('PEM file of the authorities whose client certificates are asked for, for the mechanism EXTERNAL; clients without one come in as ever.'),
    minVersion: z.enum(['TLSv1.2', 'TLSv1.3']).default('TLSv1.2').describe('Oldest TLS version that is accepted.'),
  })
  .refine((t) => t.certificate === undefined || t.selfSigned === undefined, { path: ['selfSigned'], message: 'cannot stand beside "certificate"' })
  .refine((t) => t.key === undefined || t.certificate !== undefined, { path: ['key'], message: 'needs "certificate" beside it' })
