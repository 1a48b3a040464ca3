import { definePlugin, loginPolicies } from 'mailwright/api'
import { z } from 'zod'
import { nameService } from '../../shared/system-accounts.js'
import { Administrators } from './policy.js'

/** Administrators who may open the mail of others. */
export default definePlugin({
  id: 'policy-administrators',
  api: '1.0',
  summary: 'Lets members of a group log in for others, with their own password ("user*admin")',
  setup(p) {
    p.to(loginPolicies).contribute({
      name: 'administrators',
      settings: z.strictObject({
        group: z.union([z.string().min(1), z.literal(false)]).default('mailadm').describe('System group whose listed members are administrators; false: none. A group that does not exist has no members.'),
        members: z.array(z.string().min(1)).default([]).describe('Further administrators, by login name.'),
      }),
      async create(s, _needs, site) {
        const { group } = s
        if (group === false) return new Administrators(s.members, () => Promise.resolve([]))
        const names = await nameService()
        if (s.members.length === 0 && (await names.members(group)) === undefined) site.warn(`there is no group "${group}", so nobody is an administrator`)
        return new Administrators(s.members, async () => (await names.members(group)) ?? [])
      },
    })
  },
})
