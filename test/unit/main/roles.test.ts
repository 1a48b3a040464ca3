import { expect, test } from 'vitest'
import type { Role } from '../../../core/api/index.js'
import { configOf } from '../../../core/config/config.js'
import { wire } from '../../../core/kernel/lifecycle/wire.js'
import { LogHub } from '../../../core/log/log-hub.js'
import { kernelOptions } from '../../../core/main/kernel-options.js'
import { quickstartConfig } from '../../../core/main/quickstart.js'
import { StartFailure } from '../../../core/api/index.js'
import { knownPoints } from '../../../core/main/always.js'
import { accountsNotServed, modelOf } from '../../../core/main/processes/model.js'

const silent = new LogHub({ write: () => undefined })

test.each<Role>(['main', 'front', 'auth', 'mail'])('all that is on by default can be created in a process that plays "%s" alone', async (role) => {
  const wired = await wire({ ...kernelOptions(configOf(quickstartConfig(), '/tmp'), silent), roles: [role] })
  expect(wired.problems.filter((p) => p.severity === 'error')).toEqual([])
})

const models = [
  { name: 'virtual accounts: one process', users: 'virtual', model: 'auto', root: true, expected: 'single' },
  { name: 'system accounts, as root: one per user', users: 'system', model: 'auto', root: true, expected: 'per-user' },
  { name: 'accounts that may have a uid, as root: one per user', users: 'ldap', model: 'auto', root: true, expected: 'per-user' },
  { name: 'the same from another account: one process', users: 'sql', model: 'auto', root: false, expected: 'single' },
  { name: 'system accounts of somebody who is not root: one process', users: 'system', model: 'auto', root: false, expected: 'single' },
  { name: 'what is said counts', users: 'virtual', model: 'per-user', root: true, expected: 'per-user' },
  { name: 'one process of root for system accounts is refused', users: 'system', model: 'single', root: true, expected: 'PRC_NEEDS_PER_USER' },
  { name: 'workers of root for system accounts are refused', users: 'system', model: 'workers', root: true, mailUser: 'mail', expected: 'PRC_NEEDS_PER_USER' },
  { name: 'workers of root need an account', users: 'virtual', model: 'workers', root: true, expected: 'PRC_NO_MAIL_USER' },
  { name: 'workers of root with an account', users: 'virtual', model: 'workers', root: true, mailUser: 'mail', expected: 'workers' },
  { name: 'workers of another account', users: 'virtual', model: 'workers', root: false, expected: 'workers' },
] as const satisfies readonly { readonly name: string; readonly users: string; readonly model: string; readonly root: boolean; readonly mailUser?: string; readonly expected: string }[]
test.each<(typeof models)[number] & { readonly mailUser?: string }>(models)('process model: $name', ({ users, model, mailUser, root, expected }) => {
  const plan = configOf({ version: 1, processes: { model, ...(mailUser === undefined ? {} : { mailUser }) }, hosts: { default: { auth: { users: [users] } } } }, '/tmp').plan(knownPoints)
  const choose = (): string => {
    try {
      return modelOf(plan, root)
    } catch (error) {
      return error instanceof StartFailure ? (error.problems[0]?.code ?? '') : String(error)
    }
  }
  expect(choose()).toBe(expected)
})

test.each([
  { name: 'accounts that may have no uid', users: ['system', 'sql'], root: true, mailUser: undefined, told: true },
  { name: 'accounts of the machine alone', users: ['system'], root: true, mailUser: undefined, told: false },
  { name: 'an account is named for them', users: ['sql'], root: true, mailUser: 'mail', told: false },
  { name: 'nobody has more rights than one account', users: ['sql'], root: false, mailUser: undefined, told: false },
  { name: 'virtual accounts, in one process', users: ['virtual'], root: true, mailUser: undefined, told: false },
])('check tells who could not log in for want of a uid: $name', ({ users, root, mailUser, told }) => {
  const plan = configOf({ version: 1, processes: mailUser === undefined ? {} : { mailUser }, hosts: { default: { auth: { users } } } }, '/tmp').plan(knownPoints)
  expect(accountsNotServed(plan, root)?.code).toBe(told ? 'PRC_NO_MAIL_USER' : undefined)
})
