import { expect, test } from 'vitest'
import { settle } from '../support/imap-client.js'
import type { ScriptClient } from '../support/imap-client.js'
import { Pop3Fixture } from '../support/pop3.js'
import { LONG, randomOf, seedOf } from '../support/random.js'
import { damaged, pick, pieces } from './input.js'
import type { Random } from './input.js'

const SESSIONS = LONG ? 3000 : 120

const WORDS = ['USER', 'PASS', 'APOP', 'AUTH', 'STLS', 'CAPA', 'STAT', 'LIST', 'UIDL', 'RETR', 'TOP', 'DELE', 'NOOP', 'RSET', 'LAST', 'QUIT', 'RPOP', 'XTND', 'LANG', 'UTF8', '*', '=', ''] as const
const ARGUMENTS = ['1', '2', '3', '0', '4', '-1', '+1', '01', '4294967296', '99999999999', '1 1', 'alice', 'secret', 'PLAIN', 'AGFsaWNlAHNlY3JldA==', '=', '!!', 'fr', '*', 'x-none', '\0', '\xff\xfe', '\t', '\x7f', ''] as const
/** Whole commands, well formed. */
const COMMANDS = [
  'USER alice', 'PASS secret', 'AUTH', 'AUTH PLAIN', 'AUTH PLAIN AGFsaWNlAHNlY3JldA==', 'CAPA', 'STAT', 'LIST', 'LIST 2', 'UIDL', 'UIDL 3', 'RETR 1', 'RETR 2', 'RETR 3', 'TOP 1 0', 'TOP 2 5', 'TOP 3 100000', 'DELE 1', 'DELE 3', 'NOOP', 'RSET',
  'LAST', 'LANG', 'LANG fr', 'LANG *', 'UTF8', 'STLS', 'RPOP alice', 'XTND XMIT',
] as const

function command(random: Random): string {
  if (random() < 0.6) return `${pick(random, COMMANDS)}\r\n`
  let text = pick(random, WORDS) as string
  for (let n = Math.floor(random() * 4); n > 0; n--) text += (random() < 0.95 ? ' ' : pick(random, ['', '  ', '\t'])) + pick(random, ARGUMENTS)
  const end = random()
  return text + (end < 0.9 ? '\r\n' : end < 0.96 ? '\n' : pick(random, ['', '\r', '\r\r\n', `${'x'.repeat(3000)}\r\n`]))
}

const greeted = async (server: Pop3Fixture): Promise<ScriptClient> => {
  const client = server.connect()
  await client.line()
  return client
}
/** Ways into each state of a session; what is sent then is the same. */
const states: readonly { readonly name: string; readonly enter: (server: Pop3Fixture) => Promise<ScriptClient> }[] = [
  { name: 'authorization', enter: greeted },
  {
    name: 'between USER and PASS',
    async enter(server) {
      const client = await greeted(server)
      await client.send('USER alice\r\n')
      await client.line()
      return client
    },
  },
  {
    name: 'authenticating',
    async enter(server) {
      const client = await greeted(server)
      await client.send('AUTH PLAIN\r\n')
      await client.line()
      return client
    },
  },
  { name: 'transaction', enter: (server) => server.session() },
  {
    name: 'transaction, with marks',
    async enter(server) {
      const client = await server.session()
      await client.send('DELE 2\r\nRETR 1\r\n')
      await client.unread()
      return client
    },
  },
]

/** Answers with the lines of messages and lists taken out: what is left must be lines of the protocol. */
function statusLines(output: string): readonly string[] {
  const found: string[] = []
  const lines = output.split('\r\n')
  expect(lines.pop()).toBe('')
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] ?? ''
    found.push(line)
    if (!/^\+OK (?:\d+ octets|Top of message follows|.*(?:follows|suivent|:)\.?:?)$/.test(line) || line.startsWith('+OK Mailbox open')) continue
    // Dots are doubled: the first line with one alone ends it.
    while (++i < lines.length && lines[i] !== '.');
  }
  return found
}

test(
  'whatever comes in whatever state of POP3 is answered, and without QUIT nothing is changed',
  async () => {
    const seed = seedOf('fuzz/pop3')
    const random = randomOf(seed)
    await using server = await Pop3Fixture.make()
    await server.deliver('one', 'From: a@example.org\nSubject: two\n\n.\n..\n.dots\n', 'three')
    const before = await server.inbox()
    for (let n = 0; n < SESSIONS; n++) {
      const state = pick(random, states)
      const where = `seed ${seed}, session ${n}, ${state.name}`
      const client = await state.enter(server)
      let text = ''
      for (let k = 1 + Math.floor(random() * 12); k > 0; k--) text += command(random)
      for (const piece of pieces(random, damaged(random, text.replaceAll(/QUIT/gi, 'QUIX')))) await client.send(piece.toString('latin1'))
      for (const line of statusLines(await client.unread())) expect(line, where).toMatch(/^(?:\+OK|-ERR|\+ ?[\w+/=]*$)/)
      expect(server.logged.filter((line) => /^(?:error|failed)/.test(line)), where).toEqual([])
      await client.end()
      await settle()
    }
    expect((await server.inbox()).map((line) => line.replace(/ [SD]+$/, ''))).toEqual(before)
    await (await server.session()).play(`
      C: STAT
      S: +OK 3 <any>
    `)
  },
  300_000,
)
