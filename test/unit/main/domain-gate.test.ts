import { PASSWORD } from 'mailwright/api'
import type { BackendAbout, Entry, MechanismAbout, PasswordBackend, SaslMechanism } from 'mailwright/api'
import { expect, test } from 'vitest'
import { DomainGate } from '../../../core/main/domain-gate.js'
import { answering, builtinMechanisms, entry, gateFor, held, never, octets, peers, tableBackend, words } from '../../support/auth.js'

/** Challenge first, then a name and the password that a backend hands out: the shape of CRAM-MD5. */
const challenging: SaslMechanism = {
  async authenticate({ ask, lookup, hostName }) {
    const [user = '', given] = Buffer.from(await ask(octets(`<1@${hostName}>`))).toString().split(' ')
    const stored = await lookup(user, PASSWORD)
    return stored !== undefined && Buffer.from(stored.value.reveal()).toString() === given ? { kind: 'proved', authcid: user, authzid: '', alerts: [] } : { kind: 'wrong-password' }
  },
}
const aboutChallenging: MechanismAbout = { name: 'CHALLENGE', exposesPassword: false, verifiesBy: [], worksWith: [PASSWORD], offered: () => true }
const holdsToo: BackendAbout = { verifies: ['password'], holds: [PASSWORD], changes: false }

function hosts(orgMechanisms: readonly Entry<SaslMechanism, MechanismAbout>[] = [entry('c', challenging, aboutChallenging), ...builtinMechanisms]): {
  readonly gate: DomainGate
  readonly heard: string[]
  readonly clock: ReturnType<typeof gateFor>['clock']
  readonly orgLog: readonly string[]
} {
  const heard: string[] = []
  const backend = (host: string, users: Readonly<Record<string, string>>): PasswordBackend => {
    const table = tableBackend(users)
    return {
      verify(claim, peer, signal) {
        heard.push(`${host} verify ${'user' in claim ? claim.user : ''}`)
        return table.verify?.(claim, peer, signal) ?? Promise.resolve({ kind: 'unknown-user' })
      },
      // The one kind that these tests look up is a password.
      lookup: ((user: string) => {
        heard.push(`${host} lookup ${user}`)
        const stored = users[user]
        return Promise.resolve(stored === undefined ? undefined : { user, value: words(stored) })
      }) as unknown as NonNullable<PasswordBackend['lookup']>,
    }
  }
  const all = [entry('c', challenging, aboutChallenging), ...builtinMechanisms]
  const first = gateFor({ backends: [backend('default', { alice: 'one', 'bob@example.org': 'one' })], about: holdsToo, mechanisms: all, settings: { failureDelayMs: 0 } })
  const org = gateFor({ backends: [backend('org', { 'bob@example.org': 'two' })], about: holdsToo, mechanisms: orgMechanisms, settings: { failureDelayMs: 0 } })
  const gate = new DomainGate({ gateFor: (_peer, domain) => (domain === 'example.org' ? org.gate : first.gate) })
  return { gate, heard, clock: first.clock, orgLog: org.log.lines }
}
const plain = (user: string, password: string): Uint8Array => Buffer.from(`\0${user}\0${password}`)

test('LOGIN and PLAIN go to the host of the domain, and no other host is asked', async () => {
  const { gate, heard } = hosts()
  const { ask } = answering()
  expect(await gate.password('alice', words('one'), peers.encrypted, never)).toMatchObject({ kind: 'in', authcid: 'alice' })
  expect(await gate.password('bob@example.org', words('two'), peers.encrypted, never)).toMatchObject({ kind: 'in' })
  expect(await gate.sasl('PLAIN', plain('bob@example.org', 'two'), ask, peers.encrypted, never)).toMatchObject({ kind: 'in' })
  expect(await gate.sasl('PLAIN', plain('alice', 'one'), ask, peers.encrypted, never)).toMatchObject({ kind: 'in' })
  expect(heard).toEqual(['default verify alice', 'org verify bob@example.org', 'org verify bob@example.org', 'default verify alice'])
})
test('a mechanism that learns the name in its dialogue moves before the first backend is asked', async () => {
  const { gate, heard, orgLog } = hosts()
  const client = answering('bob@example.org two')
  expect(await gate.sasl('CHALLENGE', undefined, client.ask, peers.clear, never)).toMatchObject({ kind: 'in', authcid: 'bob@example.org' })
  expect(client.challenges).toEqual(['<1@mail.example.org>'])
  expect(heard).toEqual(['org lookup bob@example.org'])
  expect(orgLog).toEqual(['info Authenticated user=bob@example.org host=[192.0.2.7] mech=CHALLENGE'])
})
test('the password of another host does not count, and the refusal is told by the host of the name', async () => {
  const { gate, clock, heard, orgLog } = hosts()
  const { value } = await held(clock, gate.sasl('CHALLENGE', undefined, answering('bob@example.org one').ask, peers.clear, never))
  expect(value).toEqual({ kind: 'out' })
  expect(heard).toEqual(['org lookup bob@example.org'])
  expect(orgLog).toEqual(['info Login failed user=bob@example.org auth=bob@example.org host=[192.0.2.7] reason=wrong-password', 'info AUTHENTICATE CHALLENGE failure host=[192.0.2.7]'])
})
test('a host that does not offer the mechanism asks nobody', async () => {
  const { gate, heard } = hosts(builtinMechanisms)
  expect(await gate.sasl('CHALLENGE', undefined, answering('bob@example.org two').ask, peers.clear, never)).toEqual({ kind: 'out' })
  expect(heard).toEqual([])
})
test('guesses that are spread over hosts are counted together', async () => {
  const { gate, heard } = hosts()
  const guess = (name: string): Promise<unknown> => gate.sasl('CHALLENGE', undefined, answering(`${name} wrong`).ask, peers.clear, never)
  await guess('alice')
  await guess('bob@example.org')
  await guess('alice')
  expect(await guess('bob@example.org')).toEqual({ kind: 'out' })
  expect(heard).toEqual(['default lookup alice', 'org lookup bob@example.org', 'default lookup alice'])
})
test('the domain of an administrator counts before that of the mailbox', async () => {
  const { gate, heard } = hosts()
  await gate.password('alice*bob@example.org', words('wrong'), peers.encrypted, never)
  await gate.password('bob@example.org*alice', words('wrong'), peers.encrypted, never)
  expect(heard).toEqual(['org verify bob@example.org', 'org verify alice'])
})
test('PLAIN without an initial response asks once, with an empty challenge (RFC 4616 §2)', async () => {
  const { gate } = hosts()
  const client = answering(plain('bob@example.org', 'two'))
  expect(await gate.sasl('PLAIN', undefined, client.ask, peers.encrypted, never)).toMatchObject({ kind: 'in' })
  expect(client.challenges).toEqual([''])
})
