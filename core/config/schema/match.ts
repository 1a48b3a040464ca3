import { isIP } from 'node:net'
import { z } from 'zod'

const domain = z.string().regex(/^(?:\*\.)?[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*$/, 'expected a domain name')

/** `hosts.*.match`. */
export const matchSection = z.strictObject({
  addresses: z
    .array(z.string().refine((a) => isIP(a) !== 0, 'expected an IP address'))
    .default([])
    .describe('Local addresses whose connections belong to this host.'),
  names: z.array(domain).default([]).describe('TLS server names of this host; the first is the name it greets with.'),
  domains: z.array(domain).default([]).describe('Domains of user names (alice@example.org) that log in here.'),
})
