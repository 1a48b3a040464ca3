import { definePlugin, filePath, userDirectories, type UserDirectory } from 'mailwright/api'
import { z } from 'zod'
import { homeOf, isSafeName, TEMPLATE_WORDS } from './user-names.js'

/** What its entry in the configuration says, with absolute paths. */
export interface VirtualUsers {
  /** With `{data}` replaced. */
  readonly home: string
}

/** Every safe name is a user with a home of its own; whether it may log in is the business of the password backends. */
export function createVirtualDirectory(settings: VirtualUsers): UserDirectory {
  return {
    find(user) {
      const home = isSafeName(user) ? homeOf(settings.home, user) : undefined
      return Promise.resolve(home === undefined ? undefined : { name: user, kind: 'account', home, facts: {} })
    },
  }
}

/** Accounts without system users. */
export default definePlugin({
  id: 'users-virtual',
  api: '1.0',
  summary: 'Accounts that exist only here, each with a home from a template',
  setup(p) {
    p.to(userDirectories).contribute({
      name: 'virtual',
      settings: z.strictObject({
        data: filePath().default('mail').describe('Directory under which the homes are: {data}.'),
        home: filePath()
          .default('{data}/{user}')
          .refine((text) => [...text.matchAll(/\{(\w*)\}/g)].every(([, word = '']) => TEMPLATE_WORDS.includes(word)), `only ${TEMPLATE_WORDS.map((w) => `{${w}}`).join(', ')} may stand in a home`)
          .refine((text) => /\{(?:user|local)\}/.test(text), 'a home must hold {user} or {local}: all users would share it')
          .describe('Home of a user; {user}, {local} and {domain} are parts of the name.'),
      }),
      create: (s, _needs, site) => createVirtualDirectory({ home: site.resolve(s.home.replaceAll('{data}', () => site.resolve(s.data))) }),
    })
  },
})
