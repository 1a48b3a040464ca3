import { definePlugin, namespaceResolvers } from 'mailwright/api'
import { z } from 'zod'
import { RestrictBox } from './restrict-box.js'

const settings = z.strictObject({
  deny: z
    .array(z.enum(['root', 'other-users', 'all']))
    .min(1, 'expected what is denied: root, other-users or all')
    .default(['all'])
    .describe('root: absolute paths other than the own INBOX; other-users: ~user names and homes of others; all: both. Names with "..", "//" or "/~" are refused in every case.'),
  store: z.string().min(1).default('files').describe('Store of the denied names, as in the entry they belong to.'),
})

/** Keeps users within their own mail. */
export default definePlugin({
  id: 'namespace-restrict-box',
  api: '1.0',
  summary: 'Refuses absolute paths and names of other users',
  setup(p) {
    p.to(namespaceResolvers).contribute({
      name: 'restrict-box',
      settings,
      create({ deny, store }, _needs, site) {
        const all = deny.includes('all')
        const [root, others] = [all || deny.includes('root'), all || deny.includes('other-users')]
        if (/\[[1-9]\d*\]$/.test(site.path)) throw new Error(`${site.path}: restrict-box must stand first in the list, because what stands before it would answer unrestricted`)
        if (others && !root) site.warn('other-users without root leaves the homes of others open by their absolute paths')
        return new RestrictBox({ root, others, store })
      },
    })
  },
})
