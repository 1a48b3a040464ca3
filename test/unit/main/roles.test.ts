import { expect, test } from 'vitest'
import type { Role } from '../../../core/api/index.js'
import { configOf } from '../../../core/config/config.js'
import { wire } from '../../../core/kernel/lifecycle/wire.js'
import { LogHub } from '../../../core/log/log-hub.js'
import { kernelOptions } from '../../../core/main/kernel-options.js'
import { quickstartConfig } from '../../../core/main/quickstart.js'
import { StartFailure } from '../../../core/api/index.js'
import { knownPoints } from '../../../core/main/always.js'
import { modelOf } from '../../../core/main/start-server.js'

const silent = new LogHub({ write: () => undefined })

test.each<Role>(['main', 'front', 'auth', 'mail'])('all that is on by default can be created in a process that plays "%s" alone', async (role) => {
  const wired = await wire({ ...kernelOptions(configOf(quickstartConfig(), '/tmp'), silent), roles: [role] })
  expect(wired.problems.filter((p) => p.severity === 'error')).toEqual([])
})

const models = [
  { name: 'virtual accounts: one process', users: 'virtual', model: 'auto', root: true, expected: 'single' },
  { name: 'system accounts, as root: one per user', users: 'system', model: 'auto', root: true, expected: 'per-user' },
  { name: 'system accounts of somebody who is not root: one process', users: 'system', model: 'auto', root: false, expected: 'single' },
  { name: 'what is said counts', users: 'virtual', model: 'per-user', root: true, expected: 'per-user' },
  { name: 'one process of root for system accounts is refused', users: 'system', model: 'single', root: true, expected: 'PRC_NEEDS_PER_USER' },
] as const
test.each(models)('process model: $name', ({ users, model, root, expected }) => {
  const plan = configOf({ version: 1, processes: { model }, hosts: { default: { auth: { users: [users] } } } }, '/tmp').plan(knownPoints)
  const choose = (): string => {
    try {
      return modelOf(plan, root)
    } catch (error) {
      return error instanceof StartFailure ? (error.problems[0]?.code ?? '') : String(error)
    }
  }
  expect(choose()).toBe(expected)
})
