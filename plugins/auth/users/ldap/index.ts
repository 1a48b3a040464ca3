import { definePlugin, userDirectories, type Closing, type UserDirectory } from 'mailwright/api'
import { z } from 'zod'
import { accountOf } from '../../shared/account-fields.js'
import { ldapDirectory, ldapSettings } from '../../shared/ldap/settings.js'
import { remoteSettings } from '../../shared/remote-settings.js'
import { CallLimit, withinTime } from '../../shared/time-limit.js'

const attribute = (fallback: string, what: string): z.ZodDefault<z.ZodString> => z.string().min(1).default(fallback).describe(what)

/** Accounts in a directory. */
export default definePlugin({
  id: 'users-ldap',
  api: '1.0',
  summary: 'Accounts in an LDAP directory (RFC 2307)',
  setup(p) {
    p.to(userDirectories).contribute({
      name: 'ldap',
      settings: z.strictObject({
        ...ldapSettings,
        nameAttribute: attribute('uid', 'Attribute with the name of the account.'),
        homeAttribute: attribute('homeDirectory', 'Attribute with its home.'),
        uidAttribute: attribute('uidNumber', 'Attribute with its user number.'),
        gidAttribute: attribute('gidNumber', 'Attribute with its group number.'),
        facts: z.array(z.string().min(1)).default([]).describe('Further attributes that namespaces and policies may want.'),
        timeout: remoteSettings.timeout,
        parallel: remoteSettings.parallel,
      }),
      async create(s, _needs, site): Promise<Closing<UserDirectory>> {
        const directory = await ldapDirectory(s, s.timeout, site)
        const turns = new CallLimit(s.parallel)
        const attributes = [s.nameAttribute, s.homeAttribute, s.uidAttribute, s.gidAttribute, ...s.facts]
        return {
          find: (user, signal) =>
            withinTime('directory', s.timeout, signal, async (both) => {
              const entry = await turns.run(both, () => directory.find(user, attributes))
              if (entry === undefined) return undefined
              const first = (name: string): string | undefined => entry.attributes.get(name.toLowerCase())?.[0]
              const facts = Object.fromEntries(s.facts.flatMap((name) => (first(name) === undefined ? [] : [[name, first(name) ?? '']])))
              return accountOf({ name: first(s.nameAttribute) ?? user, home: first(s.homeAttribute), uid: first(s.uidAttribute), gid: first(s.gidAttribute), facts })
            }),
          [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
        }
      },
    })
  },
})
