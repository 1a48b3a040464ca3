import { expect, test } from 'vitest'
import fc from 'fast-check'
import { resolve, sep } from 'node:path'
import { homeOf, isSafeName } from '../../../plugins/auth/users/virtual/user-names.js'
import { createVirtualDirectory } from '../../../plugins/auth/users/virtual/index.js'
import { never } from '../../support/auth.js'

const directory = createVirtualDirectory({ home: '/srv/mail/{user}' })

test.each(['alice', 'Alice', 'alice@example.org', 'o\'brien', 'first.last+tag', 'a', '1', 'müller', 'мария', 'x_y-z=1'])('%s has a home', async (name) => {
  expect(await directory.find(name, never)).toEqual({ name, kind: 'account', home: `/srv/mail/${name}`, facts: {} })
})

test.each([
  '', '.', '..', '...', '.alice', 'alice.', 'al..ice', '../alice', 'alice/../bob', '/etc', 'a/b', 'a\\b', 'al\0ice', 'al\nice', 'al ice', 'al\u00a0ice',
  'alice*', 'ali%ce', '~alice', '-alice', '{user}', 'a{b}', '@example.org', 'a:b', 'a|b', '$HOME', 'a\u202eb', 'a\u200bb', 'mu\u0308ller', 'a'.repeat(255),
])('"%s" has none', async (name) => {
  expect(await directory.find(name, never)).toBeUndefined()
})

test('no name at all leads out of the data directory', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: fc.constantFrom('.', '/', 'a', '@', '\0', '\\', '~', ' ') })), (name) => {
      for (const template of ['/srv/mail/{user}', '/srv/mail/{domain}/{local}']) {
        const home = isSafeName(name) ? homeOf(template, name) : undefined
        if (home === undefined) continue
        expect(resolve(home)).toBe(home)
        expect(home.split(sep).length).toBe(template.split('/').length)
      }
    }),
  )
})

test.each([
  { template: '/m/{domain}/{local}', user: 'alice@example.org', home: '/m/example.org/alice' },
  { template: '/m/{domain}/{local}', user: 'alice', home: undefined },
  { template: '/m/{domain}/{local}', user: 'alice@', home: undefined },
  { template: '/m/{domain}/{local}', user: 'alice@.org', home: undefined },
  { template: '/m/{local}', user: 'a@b@example.org', home: '/m/a@b' },
])('$user in $template', ({ template, user, home }) => {
  expect(homeOf(template, user)).toBe(home)
})
