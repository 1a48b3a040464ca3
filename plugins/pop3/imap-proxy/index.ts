import { readFile } from 'node:fs/promises'
import { definePlugin, duration, filePath, pop3Extensions } from 'mailwright/api'
import { z } from 'zod'
import type { RemoteHost } from './remote-imap.js'
import { RemoteMaildrop } from './remote-maildrop.js'

const NAME_OCTETS = 128

const remote = z.strictObject({
  host: z.string().min(1).max(NAME_OCTETS).describe('Name of the server, as users write it in front of the colon.'),
  port: z.int().min(1).max(65_535).optional().describe('143, or 993 for "implicit".'),
  tls: z.enum(['starttls', 'implicit', 'none']).default('starttls').describe('How the password is protected on its way there.'),
})
const settings = z.strictObject({
  allowedHosts: z.array(remote).default([]).describe('IMAP servers to which users may log in as HOST:USER; without any there is no proxy.'),
  timeout: duration().prefault('1m').describe('How long one of them may take to answer.'),
  trust: filePath().optional().describe('PEM file of the certificates that are trusted there; without it what the machine trusts.'),
})

/** `USER host:user`: the maildrop is the INBOX of an account on another IMAP server, and whether the password is right is for that server to say. */
export default definePlugin({
  id: 'pop3-imap-proxy',
  api: '1.0',
  summary: 'Logins as HOST:USER, whose mail is on another IMAP server; off until hosts are allowed',
  setup(p) {
    p.to(pop3Extensions).contribute({
      name: 'imap-proxy',
      settings,
      about: { requires: [], capabilities: () => [] },
      async create({ allowedHosts, timeout, trust }, _needs, site) {
        if (allowedHosts.length === 0) return {}
        const ca = trust === undefined ? undefined : await readFile(site.resolve(trust), 'utf8')
        const hosts = new Map(allowedHosts.map(({ host, port, tls }): [string, RemoteHost] => [host.toLowerCase(), { host, port: port ?? (tls === 'implicit' ? 993 : 143), tls, ca }]))
        return {
          async password(name, password, session) {
            const colon = name.indexOf(':')
            const at = colon < 1 ? undefined : hosts.get(name.slice(0, colon).toLowerCase())
            const user = name.slice(colon + 1)
            if (at === undefined || user === '' || Buffer.byteLength(user) > NAME_OCTETS) return undefined
            return await RemoteMaildrop.open(at, user, password, timeout, session.signal)
          },
        }
      },
    })
  },
})
