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
    .default('starttls')
    .describe('none: never encrypted; starttls: encrypted when the client asks, where the host has a certificate; implicit: encrypted from the first octet.'),
  proxy: z
    .array(z.string().refine((text) => networkProblem(text) === undefined, 'expected an IP address or a network such as "192.0.2.0/24"'))
    .default([])
    .describe('Proxies whose connections begin with a PROXY header (version 1 or 2) that says who the client is; others are refused here.'),
  maxPerMinute: z.int().min(0).default(0).describe('New connections within a minute; more are closed at once. 0: no limit.'),
  maxPerMinuteAndAddress: z.int().min(0).default(0).describe('The same for one address.'),
})

function networkProblem(text: string): string | undefined {
  const [address = '', bits, ...more] = text.split('/')
  const most = isIP(address) === 4 ? 32 : isIP(address) === 6 ? 128 : -1
  return more.length > 0 || most < 0 || (bits !== undefined && (!/^\d{1,3}$/.test(bits) || Number(bits) > most)) ? 'no network' : undefined
}
