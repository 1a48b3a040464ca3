import { expect, test } from 'vitest'
import { ImapFixture } from '../support/imap.js'
import type { ScriptClient } from '../support/imap-client.js'
import { deliverNotes } from '../support/mail.js'
import { LONG, randomOf, seedOf } from '../support/random.js'
import { command, damaged, pick, pieces } from './input.js'
import type { Random } from './input.js'

const SESSIONS = LONG ? 3000 : 120

/** Ways into each state of a session; what is sent then is the same. */
const states: readonly { readonly name: string; readonly enter: (server: ImapFixture) => Promise<ScriptClient> }[] = [
  {
    name: 'not authenticated',
    async enter(server) {
      const client = server.connect()
      await client.line()
      return client
    },
  },
  { name: 'authenticated', enter: (server) => server.session() },
  {
    name: 'selected',
    async enter(server) {
      const client = await server.session()
      await client.command('s', 'SELECT INBOX')
      return client
    },
  },
  {
    name: 'examined, with mod-sequences',
    async enter(server) {
      const client = await server.session()
      await client.command('s', 'EXAMINE INBOX (CONDSTORE)')
      return client
    },
  },
  {
    name: 'idling',
    async enter(server) {
      const client = await server.session()
      await client.command('s', 'SELECT INBOX')
      await client.send('i IDLE\r\n')
      await client.line()
      return client
    },
  },
  {
    name: 'authenticating',
    async enter(server) {
      const client = server.connect()
      await client.line()
      await client.send('i AUTHENTICATE PLAIN\r\n')
      await client.line()
      return client
    },
  },
  {
    name: 'within a message',
    async enter(server) {
      const client = await server.session()
      await client.send('i APPEND INBOX {50}\r\n')
      await client.line()
      await client.send('From: alice')
      return client
    },
  },
]

/** One session: a state, then damaged commands in awkward pieces, then silence. */
async function session(server: ImapFixture, random: Random): Promise<string> {
  const state = pick(random, states)
  const client = await state.enter(server)
  let text = ''
  for (let n = 1 + Math.floor(random() * 12); n > 0; n--) text += command(random, `a${n}`)
  for (const piece of pieces(random, damaged(random, text))) await client.send(piece.toString('latin1'))
  const output = await client.unread()
  await client.end()
  return output
}
/** Octets of literals taken out, so that what is left is lines of the protocol. */
function lines(output: string): readonly string[] {
  let rest = output
  let text = ''
  for (;;) {
    const found = /~?\{(\d+)\}\r\n/.exec(rest)
    if (found === null) return (text + rest).split('\r\n').slice(0, -1)
    text += rest.slice(0, found.index)
    rest = rest.slice(found.index + found[0].length + Number(found[1]))
  }
}

test(
  'whatever comes in whatever state is answered, and harms nobody else',
  async () => {
    const seed = seedOf('fuzz/sessions')
    const random = randomOf(seed)
    await using server = await ImapFixture.make()
    const mail = await server.access()
    await deliverNotes(mail, 'INBOX', 'one', 'two', 'three')
    const observer = await server.session('bob')
    for (let n = 0; n < SESSIONS; n++) {
      const output = await session(server, random)
      const where = `seed ${seed}, session ${n}`
      for (const line of lines(output)) expect(line, where).toMatch(/^(?:\* |\+ |[!#$&',\-./0-9:;<=>?@A-Z[\]^_`a-z|}~]{1,50} (?:OK|NO|BAD) )[ -~]*$/)
      expect(output, where).not.toContain('SERVERBUG')
      expect(server.logged.filter((line) => /^(?:error|failed)/.test(line)), where).toEqual([])
      if (n % 10 === 0) expect(await observer.command('o', 'STATUS INBOX (MESSAGES)'), where).toHaveLength(2)
    }
    expect(await (await server.session()).command('s', 'SELECT INBOX')).toContainEqual(expect.stringMatching(/^s OK /))
  },
  300_000,
)
