import { expect, test } from 'vitest'
import { takeInheritedSockets } from '../../../core/net/activation.js'

const rows = [
  { name: 'no activation', env: {}, expected: {} },
  { name: 'for another process', env: { LISTEN_PID: '41', LISTEN_FDS: '1', LISTEN_FDNAMES: 'imap' }, expected: {} },
  { name: 'two names', env: { LISTEN_PID: '42', LISTEN_FDS: '2', LISTEN_FDNAMES: 'imap:imaps' }, expected: { imap: [3], imaps: [4] } },
  { name: 'several sockets of one name', env: { LISTEN_PID: '42', LISTEN_FDS: '3', LISTEN_FDNAMES: 'imap:imaps:imap' }, expected: { imap: [3, 5], imaps: [4] } },
  { name: 'no names', env: { LISTEN_PID: '42', LISTEN_FDS: '1' }, expected: { '': [3] } },
]
test.each(rows)('sockets of a service manager: $name', ({ env, expected }) => {
  const given: NodeJS.ProcessEnv = { ...env, PATH: '/bin' }
  expect(Object.fromEntries(takeInheritedSockets(given, 42))).toEqual(expected)
  expect(given).toEqual({ PATH: '/bin' })
})
