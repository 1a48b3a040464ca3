import { isIP } from 'node:net'
import { z } from 'zod'
import { fileMode, filePath } from '../../api/settings.js'

const address = z.string().refine((a) => isIP(a) !== 0 || a === 'localhost', 'expected an IP address or "localhost"')

/** Protocols without a login: whoever connects may write to everybody, so without an address they are on loopback alone. */
export const loopbackProtocols: ReadonlySet<string> = new Set(['lmtp'])

const account = z.string().regex(/^[\w.][\w.-]*$/, 'expected the name of an account or a group, or its number')

/** Protocols that cannot begin TLS on an open connection; it can lie under them all the same. */
export const withoutStartTls: ReadonlySet<string> = new Set(['pop2'])

/** One of `listeners`. */
export const listenerSection = z.strictObject({
  protocol: z.string().min(1).describe('What is spoken: imap4, pop3, pop2, lmtp, or the name of a protocol that a plugin brings.'),
  address: z
    .union([address, z.array(address).min(1)], 'expected an IP address or a list of them')
    .transform((a) => (typeof a === 'string' ? [a] : a))
    .optional()
    .describe('Local addresses to listen on; without it all, and for lmtp, which has no login, those of loopback.'),
  port: z.int().min(0).max(65_535).optional().describe('TCP port; required unless "unix" is given.'),
  unix: filePath().optional().describe('Path of a socket file, in place of address and port: programs of this machine connect to it.'),
  mode: fileMode().optional().describe('Permission bits of the socket file; whoever may write to it may connect. Without it 0600.'),
  owner: account.optional().describe('Account that the socket file belongs to; without it the one that the server was started as.'),
  group: account.optional().describe('Group of the socket file.'),
  tls: z
    .enum(['none', 'starttls', 'implicit'])
    .optional()
    .describe('none: never encrypted; starttls: encrypted when the client asks, where the host has a certificate; implicit: encrypted from the first octet. Without it starttls, and none for pop2, which has no STARTTLS.'),
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
