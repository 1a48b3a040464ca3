import { describe, expect, test } from 'vitest'
import { delegate } from '../../core/api/index.js'
import type { MailDriver, MailStore } from '../../core/api/index.js'
import { MemoryDriver } from '../../plugins/drivers/memory/store.js'
import { settle } from '../support/imap-client.js'
import type { ScriptClient } from '../support/imap-client.js'
import { ImapFixture } from '../support/imap.js'
import type { ImapOptions } from '../support/imap.js'
import { fill, notes } from '../support/imap-scenes.js'

/** The memory driver without the ability to keep what was removed. */
function forgetful(): MailDriver {
  const driver = new MemoryDriver(() => 0)
  return {
    async openStore(user) {
      const store = await driver.openStore(user)
      const find: MailStore['find'] = async (at, within) => {
        const found = await store.find(at, within)
        return found === undefined ? undefined : { ...found, open: async (until) => delegate(await found.open(until), ['watch'], {}) }
      }
      return delegate(store, [], { find })
    },
  }
}
/** Two sessions of alice on INBOX; the first one took the recent messages. */
async function two(subjects: readonly string[], options: ImapOptions = {}) {
  const server = await ImapFixture.make(options)
  await fill(server, 'INBOX', notes(...subjects))
  const first = await server.session()
  const second = await server.session()
  await first.command('s', 'SELECT INBOX')
  await second.command('s', 'SELECT INBOX')
  return { server, first, second, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() }
}
/** The first removes messages; the second knows that they were marked, and not yet that they are gone. */
async function remove(s: { readonly first: ScriptClient; readonly second: ScriptClient }, set: string): Promise<void> {
  await s.first.command('d', String.raw`STORE ${set} +FLAGS.SILENT (\Deleted)`)
  await s.second.command('n', 'NOOP')
  await s.first.command('e', 'EXPUNGE')
}

describe('\\Recent belongs to one session (RFC 3501 §2.3.2)', () => {
  test('the first that selects has it; EXAMINE takes nothing', async () => {
    await using server = await ImapFixture.make()
    await fill(server, 'INBOX', notes('one'))
    const looker = await server.session()
    expect(await looker.command('e', 'EXAMINE INBOX')).toContain('* 1 RECENT')
    const first = await server.session()
    expect(await first.command('s', 'SELECT INBOX')).toContain('* 1 RECENT')
    const second = await server.session()
    expect(await second.command('s', 'SELECT INBOX')).toContain('* 0 RECENT')
    await second.play(`
      C: a1 FETCH 1 FLAGS
      S: * 1 FETCH (FLAGS ())
      S: a1 OK FETCH completed
    `)
  })
  test('a new message is recent for the first that is told', async () => {
    await using s = await two([])
    await fill(s.server, 'INBOX', notes('one'))
    await s.second.play(`
      C: a1 NOOP
      S: * 1 EXISTS
      S: * 1 RECENT
      S: a1 OK NOOP completed
    `)
    await s.first.play(`
      C: a1 NOOP
      S: * 1 EXISTS
      S: a1 OK NOOP completed
    `)
  })
})

describe('news of other sessions', () => {
  test('flags, whoever changed them; a silent change is no news for its author alone', async () => {
    await using s = await two(['one', 'two'])
    await s.first.command('f', String.raw`STORE 1 +FLAGS.SILENT (\Flagged)`)
    await s.first.play(`
      C: a1 NOOP
      S: a1 OK NOOP completed
    `)
    await s.second.play(String.raw`
      C: a1 NOOP
      S: * 1 FETCH (FLAGS (\Flagged))
      S: a1 OK NOOP completed
      C: a2 NOOP
      S: a2 OK NOOP completed
    `)
  })
  test('a new keyword is defined before a message bears it', async () => {
    await using s = await two(['one'])
    await s.first.command('f', 'STORE 1 +FLAGS.SILENT ($Work)')
    await s.second.play(String.raw`
      C: a1 NOOP
      S: * FLAGS ($Work \Answered \Flagged \Deleted \Draft \Seen)
      S: * OK [PERMANENTFLAGS ($Work \* \Answered \Flagged \Deleted \Draft \Seen)] Permanent flags
      S: * 1 FETCH (FLAGS ($Work))
      S: a1 OK NOOP completed
    `)
  })
  test('a UID command has uids in its news too (RFC 3501 §6.4.8)', async () => {
    await using s = await two(['one', 'two'])
    await s.first.command('f', String.raw`STORE 2 +FLAGS.SILENT (\Flagged)`)
    await s.second.play(String.raw`
      C: a1 UID FETCH 1 UID
      S: * 1 FETCH (UID 1)
      S: * 2 FETCH (UID 2 FLAGS (\Flagged))
      S: a1 OK UID FETCH completed
    `)
  })
})

const HOLDING = ['FETCH 1 UID', 'STORE 1 +FLAGS.SILENT ($x)', 'SEARCH 1', 'COPY 1 other', 'CHECK'] as const
const TELLING = [
  'NOOP', 'CAPABILITY', 'LIST "" x', 'LSUB "" x', 'STATUS other (MESSAGES)', 'SUBSCRIBE x', 'UNSUBSCRIBE x', 'CREATE new', 'NAMESPACE', 'EXPUNGE',
  'DELETE other', 'RENAME other new', 'RLIST "" x', 'RLSUB "" x', 'FIND MAILBOXES x', 'SCAN "" x y', 'APPEND other {8+}\r\nA: b\r\n\r\n', 'UID EXPUNGE 2',
] as const

describe('removals are told only where numbers are not in use (RFC 3501 §7.4.1)', () => {
  test.each(HOLDING)('%s holds them back, and numbers stay', async (command) => {
    await using s = await two(['1', '2', '3'])
    await s.first.command('c', 'CREATE other')
    await remove(s, '2')
    const lines = await s.second.command('a1', command)
    expect(lines.join('\n')).not.toContain('EXPUNGE')
    expect(lines.at(-1)).toMatch(/^a1 OK/)
    await s.second.play(`
      C: a2 FETCH 3 UID
      S: * 3 FETCH (UID 3)
      S: a2 OK FETCH completed
      C: a3 UID SEARCH 3
      S: * SEARCH 3
      S: a3 OK UID SEARCH completed
      C: a4 NOOP
      S: * 2 EXPUNGE
      S: a4 OK NOOP completed
      C: a5 FETCH 2 UID
      S: * 2 FETCH (UID 3)
      S: a5 OK FETCH completed
    `)
  })
  test.each(TELLING)('%s tells them', async (command) => {
    await using s = await two(['1', '2', '3'])
    await s.first.command('c', 'CREATE other')
    await s.first.command('x', 'SUBSCRIBE x')
    await remove(s, '1,3')
    const lines = await s.second.command('a1', command)
    expect(lines.filter((line) => line.endsWith('EXPUNGE'))).toEqual(['* 1 EXPUNGE', '* 2 EXPUNGE'])
  })
  test('new messages are told at once, with the numbers that the client has', async () => {
    await using s = await two(['1', '2', '3'])
    await remove(s, '1')
    await fill(s.server, 'INBOX', notes('4'))
    await s.second.play(`
      C: a1 FETCH 3 UID
      S: * 3 FETCH (UID 3)
      S: * 4 EXISTS
      S: * 1 RECENT
      S: a1 OK FETCH completed
      C: a2 FETCH 4 UID
      S: * 4 FETCH (UID 4)
      S: a2 OK FETCH completed
      C: a3 NOOP
      S: * 1 EXPUNGE
      S: a3 OK NOOP completed
      C: a4 FETCH 3 UID
      S: * 3 FETCH (UID 4)
      S: a4 OK FETCH completed
    `)
  })
  test('a message that is gone and not yet told can be read where the store still has it (RFC 2180 §4.1.1)', async () => {
    await using s = await two(['1', '2'])
    await remove(s, '1')
    await s.second.play(String.raw`
      C: a1 FETCH 1:2 BODY.PEEK[TEXT]
      S: * 1 FETCH (BODY[TEXT] {3}\r\n1\r\n)
      S: * 2 FETCH (BODY[TEXT] {3}\r\n2\r\n)
      S: a1 OK FETCH completed
    `)
  })
  test('where the store has it no more, the rest is answered, and the tagged line says so (RFC 2180 §4.1.2)', async () => {
    await using s = await two(['1', '2'], { mail: { driver: forgetful() } })
    await remove(s, '1')
    await s.second.play(String.raw`
      C: a1 FETCH 1:2 BODY.PEEK[TEXT]
      S: * 2 FETCH (BODY[TEXT] {3}\r\n2\r\n)
      S: a1 NO [EXPUNGEISSUED] FETCH failed: some of the messages no longer exist
      C: a2 UID FETCH 1 BODY.PEEK[TEXT]
      S: a2 OK UID FETCH completed
    `)
  })
  test('a mistake is no moment for news of removals', async () => {
    await using s = await two(['1', '2'])
    await remove(s, '1')
    await s.second.play(`
      C: a1 NOOP x
      S: a1 BAD Argument given to NOOP when none expected
      C: a2 NOOP
      S: * 1 EXPUNGE
      S: a2 OK NOOP completed
    `)
  })
  test('while more commands wait they are held where a workaround says so', async () => {
    await using s = await two(['1', '2'], { tweaks: { holdExpunge: 'never-while-busy' } })
    await remove(s, '1')
    await s.second.send('a1 NOOP\r\na2 FETCH 2 UID\r\na3 NOOP\r\n')
    await s.second.play(`
      S: a1 OK NOOP completed
      S: * 2 FETCH (UID 2)
      S: a2 OK FETCH completed
      S: * 1 EXPUNGE
      S: a3 OK NOOP completed
    `)
  })
})

describe('the end of a mailbox', () => {
  test('deleted under a session: it is told, and ends', async () => {
    await using server = await ImapFixture.make()
    await fill(server, 'box', notes('one'))
    const first = await server.session()
    await first.command('s', 'SELECT box')
    const second = await server.session()
    await second.command('d', 'DELETE box')
    const lines = await first.command('a1', 'NOOP')
    expect(lines).toEqual(['* BYE mail.example.org Fatal mailbox error: UIDVALIDITY has changed, select the mailbox again'])
    await settle()
    const ends = server.logged.filter((line) => line.startsWith('info Fatal mailbox error'))
    expect(ends).toEqual(['info Fatal mailbox error user=alice host=[127.0.0.1] session=s1 mbx=box text=the selected mailbox began anew'])
  })
})

describe('pipelining', () => {
  test('many commands in one piece, answered in order in one piece', async () => {
    await using s = await two(['1', '2'])
    const tags = Array.from({ length: 100 }, (_, i) => `t${i}`)
    await s.first.send(tags.map((t) => `${t} FETCH 1 UID\r\n`).join(''))
    for (const tag of tags) {
      expect(await s.first.line()).toBe('* 1 FETCH (UID 1)')
      expect(await s.first.line()).toBe(`${tag} OK FETCH completed`)
    }
    await s.first.quiet()
  })
})
