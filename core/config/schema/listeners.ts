import { isIP } from 'node:net'
import { z } from 'zod'

const address = z.string().refine((a) => isIP(a) !== 0 || a === 'localhost', 'expected an IP address or "localhost"')

/** One of `listeners`. */
export const listenerSection = z.strictObject({
  protocol: z.string().min(1).describe('What is spoken: imap4, pop3, or the name of a protocol that a plugin brings.'),
  address: z
    .union([address, z.array(address).min(1)], 'expected an IP address or a list of them')
    .transform((a) => (typeof a === 'string' ? [a] : a))
    .optional()
    .describe('Local addresses to listen on; without it all.'),
  port: z.int().min(0).max(65_535).describe('TCP port.'),
  tls: z
    .enum(['none', 'starttls', 'implicit'])
    .default('none')
    .describe('none: never encrypted; starttls: encrypted when the client asks; implicit: encrypted from the first octet.'),
})
