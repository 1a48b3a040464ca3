import { filePath, secretSource, type Site } from 'mailwright/api'
import { z } from 'zod'
import { LdapDirectory } from './directory.js'

/** Where the directory is and how users are found in it; the same for passwords and users. */
export const ldapSettings = {
  url: z.url({ protocol: /^ldaps?$/, error: 'expected an address such as "ldaps://ldap.example.org"' }).default('ldap://localhost').describe('Where the directory is; ldaps:// is encrypted from the first octet.'),
  startTls: z.boolean().default(false).describe('Encrypt a connection that begins in clear.'),
  ca: filePath().optional().describe("PEM file of the authority that signed the directory's certificate; without it those of Node."),
  bindDn: z.string().optional().describe('Name with which users are searched; without it anonymously.'),
  bindPassword: secretSource().optional().describe('And its password.'),
  base: z.string().min(1).describe('Where users are, such as "ou=people,dc=example,dc=org".'),
  filter: z.string().min(1).refine((text) => /\{(?:user|local)\}/.test(text), 'must hold {user} or {local}').default('(&(objectClass=person)(uid={user}))').describe('What finds a user there; {user}, {local} and {domain} are parts of the login name.'),
}
const settings = z.object(ldapSettings)

/** Connects to nothing yet. */
export async function ldapDirectory(s: z.output<typeof settings>, timeoutMs: number, site: Site): Promise<LdapDirectory> {
  const ldapts = await import('ldapts')
  const { hostname, protocol } = new URL(s.url)
  if (protocol === 'ldap:' && !s.startTls && !['localhost', '127.0.0.1', '[::1]'].includes(hostname)) site.warn(`passwords go over the network in clear, to ${hostname}; set "startTls" or use ldaps://`)
  return new LdapDirectory(ldapts, {
    ...s,
    ca: s.ca === undefined ? undefined : Buffer.from((await site.secret({ file: site.resolve(s.ca) })).reveal()).toString('utf8'),
    bindDn: s.bindDn,
    bindPassword: s.bindPassword === undefined ? undefined : await site.secret(s.bindPassword),
    timeoutMs,
  })
}
