import { expect, test } from 'vitest'
import { secret } from '../../../core/api/index.js'
import type { LoginGate, PeerFacts } from '../../../core/api/index.js'
import { DomainGate } from '../../../core/main/domain-gate.js'

const peer: PeerFacts = { address: '192.0.2.1', localAddress: '192.0.2.10', localPort: 143, service: 'imap' }
const signal = new AbortController().signal

function gates(): { gate: DomainGate; heard: string[] } {
  const heard: string[] = []
  const make = (host: string, mechanisms: readonly string[]): LoginGate => ({
    mechanisms: () => mechanisms,
    sasl(mechanism, initial) {
      heard.push(`${host} ${mechanism} ${initial === undefined ? '-' : Buffer.from(initial).toString().replaceAll('\0', '|')}`)
      return Promise.resolve({ kind: 'out' })
    },
    password(user) {
      heard.push(`${host} LOGIN ${user}`)
      return Promise.resolve({ kind: 'out' })
    },
    change: () => Promise.resolve({ kind: 'not-permitted' }),
  })
  const first = make('default', ['PLAIN', 'CRAM-MD5'])
  const org = make('org', ['PLAIN'])
  return { gate: new DomainGate({ gateFor: (_peer, domain) => (domain === 'example.org' ? org : first) }), heard }
}
const never = (): Promise<Uint8Array> => Promise.reject(new Error('nobody may be asked'))
const plain = (user: string): Uint8Array => Buffer.from(`\0${user}\0hunter2`)

test('the domain of the name chooses the host, for LOGIN and PLAIN', async () => {
  const { gate, heard } = gates()
  await gate.password('alice', secret(Buffer.from('x')), peer, signal)
  await gate.password('alice@example.org', secret(Buffer.from('x')), peer, signal)
  await gate.sasl('plain', plain('bob@example.org'), never, peer, signal)
  await gate.sasl('PLAIN', plain('bob'), never, peer, signal)
  expect(heard).toEqual(['default LOGIN alice', 'org LOGIN alice@example.org', 'org plain |bob@example.org|hunter2', 'default PLAIN |bob|hunter2'])
})
test('PLAIN without an initial response asks once, with an empty challenge (RFC 4616 §2)', async () => {
  const { gate, heard } = gates()
  const challenges: number[] = []
  const ask = (challenge: Uint8Array): Promise<Uint8Array> => {
    challenges.push(challenge.length)
    return Promise.resolve(plain('bob@example.org'))
  }
  await gate.sasl('PLAIN', undefined, ask, peer, signal)
  expect(challenges).toEqual([0])
  expect(heard).toEqual(['org PLAIN |bob@example.org|hunter2'])
})
test('other mechanisms run on the host of the connection', async () => {
  const { gate, heard } = gates()
  await gate.sasl('CRAM-MD5', undefined, never, peer, signal)
  expect(heard).toEqual(['default CRAM-MD5 -'])
})
test('a response without separators names nobody', async () => {
  const { gate, heard } = gates()
  await gate.sasl('PLAIN', Buffer.from('garbage'), never, peer, signal)
  await gate.sasl('PLAIN', Buffer.from('a\0b@example.org'), never, peer, signal)
  expect(heard.map((h) => h.split(' ', 1)[0])).toEqual(['default', 'default'])
})
