import { expect, test } from 'vitest'
import { settle } from '../support/imap-client.js'
import type { ScriptClient } from '../support/imap-client.js'
import { Pop2Server } from '../support/pop2.js'
import { LONG, randomOf, seedOf } from '../support/random.js'
import { damaged, pick, pieces } from './input.js'
import type { Random } from './input.js'

const SESSIONS = LONG ? 3000 : 150
const WORDS = ['HELO', 'FOLD', 'READ', 'RETR', 'ACKS', 'ACKD', 'NACK', 'QUIT', 'NOOP', 'helo', '*', ''] as const
const ARGUMENTS = ['alice se cret', 'alice', 'alice wrong', 'localhost:alice x', 'INBOX', 'other', '1', '2', '3', '4', '0', '-1', '99999999999', '\0', '\xff\xfe', '\t', ''] as const
/** Ways into each state; what is sent then is the same. */
const STATES = [
  { name: 'auth', lines: '' },
  { name: 'mbox', lines: 'HELO alice se cret\r\n' },
  { name: 'item', lines: 'HELO alice se cret\r\nREAD 2\r\n' },
  { name: 'next', lines: 'HELO alice se cret\r\nREAD 2\r\nRETR\r\n' },
  { name: 'item, with a deletion', lines: 'HELO alice se cret\r\nREAD 2\r\nRETR\r\nACKD\r\n' },
] as const

function command(random: Random): string {
  const text = pick(random, WORDS) + (random() < 0.7 ? ` ${pick(random, ARGUMENTS)}` : '')
  return text + (random() < 0.9 ? '\r\n' : pick(random, ['\n', '', '\r', `${'x'.repeat(3000)}\r\n`]))
}
async function entered(server: Pop2Server, lines: string): Promise<ScriptClient> {
  const client = server.connect()
  await client.line()
  await client.send(lines)
  await settle()
  return client
}

test('whatever comes in whatever state of POP2 has an answer, and without QUIT and FOLD nothing is changed', async () => {
  const seed = seedOf('fuzz/pop2')
  const random = randomOf(seed)
  await using server = await Pop2Server.make()
  await server.pop3.deliver('one', 'From: a@example.org\nSubject: two\n\n.\n- no\n=1 no\n', 'three')
  const before = await server.pop3.inbox()
  for (let n = 0; n < SESSIONS; n++) {
    const state = pick(random, STATES)
    const where = `seed ${seed}, session ${n}, ${state.name}`
    const client = await entered(server, state.lines)
    let text = ''
    for (let k = 1 + Math.floor(random() * 8); k > 0; k--) text += command(random)
    for (const piece of pieces(random, damaged(random, text.replaceAll(/QUIT|FOLD/gi, 'QUIX')))) await client.send(piece.toString('latin1'))
    await settle()
    const last = (await client.unread()).split('\r\n').at(-2) ?? ''
    // The text of a message has no end but its size: only what comes last is known to be a line of the protocol.
    if (last.startsWith('-') && last !== '- no') expect(last, where).toMatch(/^- [A-Z][\w ,!;()]+$/)
    expect(server.log.lines.filter((line) => line.startsWith('error')), where).toEqual([])
    await client.end()
    await settle()
  }
  expect(await server.pop3.inbox()).toEqual(before)
  await (await entered(server, 'HELO alice se cret\r\n')).play(`
    S: #3 messages in INBOX
  `)
}, 300_000)
