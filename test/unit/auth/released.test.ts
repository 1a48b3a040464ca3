import type { LoginOutcome, LoginPolicy, PasswordBackend } from 'mailwright/api'
import { expect, test } from 'vitest'
import { gateFor, held, never, peers, tableBackend, turns, words } from '../../support/auth.js'

/** A backend that keeps something per login until it is told of the end. */
function keeping(users: Readonly<Record<string, string>>, more: Partial<PasswordBackend> = {}): { readonly backend: PasswordBackend; readonly released: string[] } {
  const released: string[] = []
  return {
    released,
    backend: tableBackend(users, {
      released(user) {
        released.push(user)
        return Promise.resolve()
      },
      ...more,
    }),
  }
}
const isIn = (outcome: LoginOutcome): Extract<LoginOutcome, { kind: 'in' }> => {
  if (outcome.kind !== 'in') throw new Error('not let in')
  return outcome
}

test('the backend that vouched, and no other, hears of the end of the session', async () => {
  const first = keeping({ carol: 'x' })
  const second = keeping({ alice: 'secret' })
  const { gate } = gateFor({ backends: [first.backend, second.backend] })
  const login = isIn(await gate.password('alice', words('secret'), peers.encrypted, never))
  expect(login.authcid).toBe('alice')
  expect(second.released).toEqual([])
  await gate.ended(peers.encrypted)
  await gate.ended(peers.encrypted)
  await turns()
  expect([first.released, second.released]).toEqual([[], ['alice']])
})
test('a login that a policy refuses after the proof is over at once; a wrong password was none', async () => {
  const policies: readonly LoginPolicy[] = [{ decide: () => Promise.resolve({ kind: 'refuse', refusal: { kind: 'disabled' } }) }]
  const { backend, released } = keeping({ alice: 'secret' })
  const { gate, clock } = gateFor({ backends: [backend], policies })
  await held(clock, gate.password('alice', words('wrong'), peers.encrypted, never))
  expect(released).toEqual([])
  await held(clock, gate.password('alice', words('secret'), peers.encrypted, never))
  expect(released).toEqual(['alice'])
})
test('a login that ends in an outage is over too', async () => {
  const policies: readonly LoginPolicy[] = [{ decide: () => Promise.reject(new Error('no database')) }]
  const { backend, released } = keeping({ alice: 'secret' })
  const { gate } = gateFor({ backends: [backend], policies })
  await expect(gate.password('alice', words('secret'), peers.encrypted, never)).rejects.toMatchObject({ kind: 'unavailable' })
  await turns()
  expect(released).toEqual(['alice'])
})
test('a failure of it is logged with the name of the backend, and the end of the host waits for it', async () => {
  let finish = (): void => undefined
  const slow = keeping({ alice: 'secret' }, { released: () => new Promise<void>((_, reject) => (finish = () => reject(new Error('no token server')))) })
  const { gate, log } = gateFor({ backends: [slow.backend] })
  await gate.password('alice', words('secret'), peers.encrypted, never)
  await gate.ended(peers.encrypted)
  let closed = false
  const closing = gate[Symbol.asyncDispose]().then(() => (closed = true))
  await turns()
  expect(closed).toBe(false)
  finish()
  await closing
  expect(log.lines.at(-1)).toBe('error auth plugin failed what=password backend "b0": released error=Error: no token server')
})
