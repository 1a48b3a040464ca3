import type { MailError } from 'mailwright/api'
import { describe, expect, test } from 'vitest'
import { answering, gateFor, held, never, octets, peers } from '../../support/auth.js'

const utf16 = Uint8Array.from([0, 0x61, 0, 0x61, 0])

async function outcome(mechanism: string, initial: string | Uint8Array | undefined, ...answers: readonly (string | Uint8Array)[]): Promise<unknown> {
  const { gate, clock, log } = gateFor()
  const client = answering(...answers)
  const first = typeof initial === 'string' ? octets(initial) : initial
  const { value, ms } = await held(clock, gate.sasl(mechanism, first, client.ask, peers.encrypted, never))
  const reason = /reason=(\S+)/.exec(log.lines.join('\n'))?.[1]
  return { kind: value.kind, ms, challenges: client.challenges, ...(reason === undefined ? {} : { reason }) }
}

describe('PLAIN (RFC 4616)', () => {
  const tooLong = 'a'.repeat(4 * 3 * 255)
  test.each([
    { name: 'initial response', initial: '\0alice\0secret', expected: { kind: 'in', ms: 0, challenges: [] } },
    { name: 'answer to the empty challenge', initial: undefined, answers: ['\0alice\0secret'], expected: { kind: 'in', ms: 0, challenges: [''] } },
    { name: 'authzid equal to authcid', initial: 'alice\0alice\0secret', expected: { kind: 'in', ms: 0, challenges: [] } },
    { name: 'another authzid', initial: 'bob\0alice\0secret', expected: { kind: 'out', ms: 3000, challenges: [], reason: 'not-permitted' } },
    { name: 'authzid root', initial: 'root\0alice\0secret', expected: { kind: 'out', ms: 3000, challenges: [], reason: 'not-permitted' } },
    { name: 'wrong password', initial: '\0alice\0x', expected: { kind: 'out', ms: 3000, challenges: [], reason: 'wrong-password' } },
    { name: 'unknown user', initial: '\0bob\0secret', expected: { kind: 'out', ms: 3000, challenges: [], reason: 'unknown-user' } },
    { name: 'star is a plain character', initial: '\0alice*bob\0secret', expected: { kind: 'out', ms: 3000, challenges: [], reason: 'unknown-user' } },
    ...[
      { name: 'empty', initial: '' },
      { name: 'one NUL', initial: 'alice\0secret' },
      { name: 'three NULs', initial: '\0alice\0secret\0' },
      { name: 'NUL in the password', initial: '\0alice\0sec\0ret' },
      { name: 'empty authcid', initial: 'alice\0\0secret' },
      { name: 'empty password', initial: '\0alice\0' },
      { name: 'only NULs', initial: '\0\0' },
      { name: 'not UTF-8', initial: Uint8Array.from([0, 0xff, 0xfe, 0, 97]) },
      { name: 'overlong encoding of a NUL', initial: Uint8Array.from([0, 97, 0xc0, 0x80, 0, 97]) },
      { name: 'UTF-16', initial: utf16 },
      { name: 'oversized', initial: `${tooLong}\0alice\0secret` },
      { name: 'line ends in the name', initial: '\0alice\r\n\0secret' },
    ].map((row) => ({ ...row, expected: { kind: 'out', ms: 3000, challenges: [], reason: 'malformed' } })),
  ])('$name', async ({ initial, expected, ...row }) => {
    const answers = 'answers' in row ? row.answers : []
    expect(await outcome('PLAIN', initial, ...answers)).toEqual(expected)
  })
})

describe('LOGIN (draft-murchison-sasl-login)', () => {
  const prompts = ['User Name\0', 'Password\0']
  test.each([
    { name: 'two answers', initial: undefined, answers: ['alice', 'secret'], expected: { kind: 'in', ms: 0, challenges: prompts } },
    { name: 'name as initial response', initial: 'alice', answers: ['secret'], expected: { kind: 'in', ms: 0, challenges: prompts.slice(1) } },
    { name: 'empty initial response', initial: '', answers: ['alice', 'secret'], expected: { kind: 'in', ms: 0, challenges: prompts } },
    { name: 'C strings', initial: undefined, answers: ['alice\0', 'secret\0'], expected: { kind: 'in', ms: 0, challenges: prompts } },
    { name: 'wrong password', initial: undefined, answers: ['alice', 'x'], expected: { kind: 'out', ms: 3000, challenges: prompts, reason: 'wrong-password' } },
    { name: 'for somebody else', initial: undefined, answers: ['bob*alice', 'secret'], expected: { kind: 'out', ms: 3000, challenges: prompts, reason: 'not-permitted' } },
    ...[
      { name: 'empty password', answers: ['alice', ''] },
      { name: 'empty name', answers: ['', 'secret'] },
      { name: 'NUL in the name', answers: ['al\0ice', 'secret'] },
      { name: 'NUL in the password', answers: ['alice', 'sec\0ret'] },
      { name: 'two NULs at the end', answers: ['alice', 'secret\0\0'] },
      { name: 'name not UTF-8', answers: [Uint8Array.of(0xff), 'secret'] },
      { name: 'oversized name', answers: ['a'.repeat(1025), 'secret'] },
      { name: 'oversized password', answers: ['alice', 'a'.repeat(1025)] },
    ].map((row) => ({ ...row, initial: undefined, expected: { kind: 'out', ms: 3000, challenges: prompts, reason: 'malformed' } })),
  ])('$name', async ({ initial, answers, expected }) => {
    expect(await outcome('LOGIN', initial, ...answers)).toEqual(expected)
  })

  test('a password that is not UTF-8 reaches the backend as it is', async () => {
    const seen: number[][] = []
    const { gate } = gateFor({
      backends: [{ verify: (claim) => (claim.kind === 'password' && seen.push([...claim.password.reveal()]), Promise.resolve({ kind: 'accepted', user: 'alice', alerts: ['password expires today'] })) }],
    })
    expect(await gate.sasl('LOGIN', undefined, answering('alice', Uint8Array.of(0xfc, 0x20)).ask, peers.encrypted, never)).toMatchObject({ alerts: ['password expires today'] })
    expect(seen).toEqual([[0xfc, 0x20]])
  })
})

test.each(['PLAIN', 'LOGIN'])('%s that the client cancels throws what the client said, uncounted and without delay', async (name) => {
  const { gate, clock, log } = gateFor({ settings: { maxAttempts: 1 } })
  for (let i = 0; i < 3; i++) await expect(gate.sasl(name, undefined, answering().ask, peers.encrypted, never)).rejects.toThrow('cancelled by the client')
  expect(clock.pending).toEqual([])
  expect(log.lines).toEqual([])
  expect(await gate.sasl('PLAIN', octets('\0alice\0secret'), answering().ask, peers.encrypted, never)).toMatchObject({ kind: 'in' })
})

test('an outage in the middle of a dialogue is an outage', async () => {
  const { gate } = gateFor({ backends: [{ verify: () => Promise.reject(new Error('connection refused')) }] })
  const attempt = gate.sasl('LOGIN', undefined, answering('alice', 'secret').ask, peers.encrypted, never)
  await expect(attempt).rejects.toMatchObject({ kind: 'unavailable' } satisfies Partial<MailError>)
})
