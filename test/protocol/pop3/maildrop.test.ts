import { describe, expect, test } from 'vitest'
import { MailError, SYSTEM, uids } from '../../../core/api/index.js'
import type { MailAccess, MailboxView, Rights } from '../../../core/api/index.js'
import { settle } from '../../support/imap-client.js'
import { named, never } from '../../support/mail.js'
import { Pop3Fixture } from '../../support/pop3.js'

async function inboxOf(mail: MailAccess): Promise<MailboxView> {
  return mail.open(await mail.locate(named('INBOX'), 'open', never), 'read-write', never)
}

describe('what a session changes (RFC 1939 §6)', () => {
  const ends = [
    { name: 'the client hangs up', end: async (_: Pop3Fixture, client: { end(): Promise<void> }) => client.end() },
    { name: 'the client says nothing for 10 minutes', end: async (server: Pop3Fixture) => server.clock.advance(600_001) },
    { name: 'the server is told to stop', end: async (server: Pop3Fixture) => server.stop() },
  ]
  test.each(ends)('nothing, when $name', async ({ end }) => {
    await using server = await Pop3Fixture.make()
    await server.deliver('one', 'two')
    const client = await server.session()
    await client.send('RETR 1\r\nDELE 1\r\nDELE 2\r\n')
    await client.unread()
    await end(server, client)
    await settle()
    expect(await server.inbox()).toEqual(['one', 'two'])
  })

  test('QUIT removes what was marked and marks what was read', async () => {
    await using server = await Pop3Fixture.make()
    await server.deliver('one', 'two', 'three', 'four')
    const client = await server.session()
    await client.send('RETR 1\r\nRETR 2\r\nTOP 3 5\r\nDELE 1\r\nDELE 4\r\nQUIT\r\n')
    await settle()
    expect(await client.unread()).toMatch(/\+OK Sayonara\r\n$/)
    expect(await server.inbox()).toEqual(['two S', 'three'])
    expect(server.logged).toContain('info Update user=alice host=[127.0.0.1] session=s1 nmsgs=2 ndele=2 nseen=1')
  })

  test('messages that were flagged over IMAP are not shown, and stay', async () => {
    await using server = await Pop3Fixture.make()
    await server.deliver('one', 'two', 'three')
    await using mail = await server.access()
    const view = await inboxOf(mail)
    await view.store({ uids: uids.one(2), how: 'add', system: SYSTEM.deleted, keywords: [] }, true, never)
    const client = await server.session()
    await client.play(`
      C: UIDL
      S: +OK Unique-ID listing follows
      S: 1 <any>00000001
      S: 2 <any>00000003
      S: .
      C: DELE 2
      S: +OK Message deleted
      C: QUIT
      S: +OK Sayonara
      S: <end>
    `)
    expect(await server.inbox()).toEqual(['one', 'two D'])
    expect(server.logged.some((line) => line.includes('nmsgs=2/3'))).toBe(true)
  })

  test('with "expungeFlagged" they go with the first deletion', async () => {
    await using server = await Pop3Fixture.make({ settings: { expungeFlagged: true } })
    await server.deliver('one', 'two', 'three')
    await using mail = await server.access()
    await (await inboxOf(mail)).store({ uids: uids.one(2), how: 'add', system: SYSTEM.deleted, keywords: [] }, true, never)
    const client = await server.session()
    await client.send('DELE 2\r\nQUIT\r\n')
    await settle()
    expect(await server.inbox()).toEqual(['one'])
  })

  test('RSET takes deletions and marks back', async () => {
    await using server = await Pop3Fixture.make()
    await server.deliver('one', 'two')
    const client = await server.session()
    await client.send('RETR 1\r\nDELE 1\r\nRSET\r\nQUIT\r\n')
    await settle()
    expect(await server.inbox()).toEqual(['one', 'two'])
  })

  const failures = [
    { name: 'the store says so', error: new MailError('unavailable', 'no space left'), code: 'SYS/TEMP', level: 'warn' },
    { name: 'another program has the mailbox', error: new MailError('in-use', 'locked'), code: 'IN-USE', level: 'warn' },
    { name: 'a driver has a bug', error: new TypeError('x is undefined'), code: 'SYS/TEMP', level: 'error' },
  ]
  test.each(failures)('QUIT answers -ERR and ends the session when the messages could not be removed, and they are there: $name', async ({ error, code, level }) => {
    await using server = await Pop3Fixture.make()
    await server.deliver('one', 'two')
    const client = await server.session()
    const source = await server.openSource()
    const { expunge } = source
    source.expunge = () => Promise.reject(error)
    // Whatever follows is not heard: the maildrop may be somebody else's by then.
    await client.send('DELE 1\r\nQUIT\r\nRSET\r\nDELE 2\r\nQUIT\r\n')
    await client.play(`
      S: +OK Message deleted
      S: -ERR [${code}] some deleted messages not removed
      S: <end>
    `)
    expect(await server.inbox()).toEqual(['one', 'two'])
    expect(server.logged.filter((l) => /^(?:warn|error)/.test(l))).toEqual([expect.stringMatching(new RegExp(`^${level} Update failed `))])
    source.expunge = expunge
    const again = await server.session()
    await again.send('DELE 1\r\nQUIT\r\n')
    await settle()
    expect(await server.inbox()).toEqual(['two'])
  })
})

describe('the Status line', () => {
  test('tells what was read and what is new as it was at the opening; LAST begins with the last that was read', async () => {
    await using server = await Pop3Fixture.make()
    await server.deliver('one', 'two')
    const first = await server.session()
    await first.send('RETR 1\r\nRETR 1\r\nQUIT\r\n')
    await settle()
    expect((await first.unread()).match(/Status: ../g)).toEqual(['Status:   ', 'Status:   '])
    await server.deliver('three')
    const second = await server.session()
    await second.play(`
      C: LAST
      S: +OK 1
    `)
    await second.send('TOP 1 0\r\nTOP 2 0\r\nTOP 3 0\r\n')
    expect((await second.unread()).match(/Status: ../g)).toEqual(['Status: RO', 'Status:  O', 'Status:   '])
  })

  test('is left out, with its octets, where the settings say so', async () => {
    await using server = await Pop3Fixture.make({ settings: { statusHeader: false } })
    await server.deliver('Subject: x\n\ntext\n')
    const client = await server.session()
    await client.play(`
      C: LIST 1
      S: +OK 1 20
      C: RETR 1
      S: +OK 20 octets
      S: Subject: x
      S: 
      S: text
      S: .
    `)
  })
})

test('NUL octets go out as 0x80 where the workaround says so', async () => {
  for (const nulToEighty of [true, false]) {
    await using server = await Pop3Fixture.make({ tweaks: { nulToEighty } })
    await server.deliver('Subject: x\n\na\0b\n')
    const client = await server.session()
    await client.send('RETR 1\r\n')
    expect(await client.unread()).toContain(`\r\na${nulToEighty ? '\x80' : '\0'}b\r\n.\r\n`)
  }
})

describe('one session per maildrop', () => {
  test('a second one is refused, and the first goes on', async () => {
    await using server = await Pop3Fixture.make()
    await server.deliver('one')
    const first = await server.session()
    await server.connect().play(`
      S: +OK POP3 mail.example.org server ready
      C: USER alice
      S: +OK User name accepted, password please
      C: PASS secret
      S: -ERR [IN-USE] Can't get lock.  Mailbox in use
      S: <end>
    `)
    expect(server.logged.slice(1)).toEqual([
      'info Error opening or locking INBOX user=alice host=[127.0.0.1] session=s2',
      'info Login user=alice host=[127.0.0.1] session=s2 text=no mailbox',
      'info Update user=alice host=[127.0.0.1] session=s2 nmsgs=0 ndele=0 nseen=0',
      'info Logout user=alice host=[127.0.0.1] session=s2',
    ])
    await first.play(`
      C: NOOP
      S: +OK No-op to you too!
      C: QUIT
      S: +OK Sayonara
      S: <end>
    `)
    const third = await server.session()
    await third.play(`
      C: NOOP
      S: +OK No-op to you too!
    `)
  })

  test('a maildrop that cannot be written is refused as one in use', async () => {
    await using server = await Pop3Fixture.make({ mail: { policies: [{ rights: () => Promise.resolve('lr' as Rights) }] } })
    await server.connect().play(`
      S: +OK POP3 mail.example.org server ready
      C: USER alice
      S: +OK User name accepted, password please
      C: PASS secret
      S: -ERR [IN-USE] Can't get lock.  Mailbox in use
      S: <end>
    `)
  })

  test('is over for others when QUIT is answered, however long closing takes', async () => {
    await using server = await Pop3Fixture.make()
    await server.deliver('one')
    const first = await server.session()
    // The mailbox stays open in this process as long as the first session closes it.
    await using mail = await server.access()
    const shared = await server.mail.host.registry.borrow(await mail.keyOf(await mail.locate(named('INBOX'), 'open', never), never))
    const waiting: (() => void)[] = []
    if (shared !== undefined) shared.checkpoint = () => (waiting.length > 0 ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve)))
    await first.send('RETR 1\r\nQUIT\r\n')
    await settle()
    expect(await first.unread()).toMatch(/Sayonara\r\n$/)
    const second = await server.session()
    await second.play(`
      C: STAT
      S: +OK 1 117
    `)
    for (const go of waiting) go()
    if (shared !== undefined) server.mail.host.registry.release(shared)
  })

  test('another user has a maildrop of his own', async () => {
    await using server = await Pop3Fixture.make()
    await server.session('alice')
    const bob = await server.session('bob')
    await bob.play(`
      C: NOOP
      S: +OK No-op to you too!
    `)
  })

  test('one that has been idle for more than 5 minutes gives way, and what it marked is forgotten', async () => {
    await using server = await Pop3Fixture.make()
    await server.deliver('one')
    const first = await server.session()
    await first.play(`
      C: DELE 1
      S: +OK Message deleted
    `)
    server.clock.advance(300_001)
    const second = await server.session()
    await first.play(`
      S: -ERR Received Kiss of Death
      S: <end>
    `)
    await second.play(`
      C: STAT
      S: +OK 1 117
    `)
    expect(server.logged).toContain('info Killed (lost mailbox lock) user=alice host=[127.0.0.1] session=s1')
  })
})

describe('IMAP sessions and deliveries beside it', () => {
  test('what arrives is not shown; what others remove keeps its number and is missing', async () => {
    await using server = await Pop3Fixture.make()
    await server.deliver('one', 'two', 'three')
    const client = await server.session()
    await server.deliver('four')
    await using mail = await server.access()
    await (await inboxOf(mail)).remove(uids.one(2), never)
    await client.play(`
      C: STAT
      S: +OK 2 <any>
      C: LIST 2
      S: -ERR No such message
      C: RETR 2
      S: -ERR No such message
      C: DELE 2
      S: -ERR No such message
      C: UIDL 4
      S: -ERR No such message
      C: UIDL
      S: +OK Unique-ID listing follows
      S: 1 <any>00000001
      S: 3 <any>00000003
      S: .
      C: DELE 3
      S: +OK Message deleted
      C: QUIT
      S: +OK Sayonara
      S: <end>
    `)
    expect(await server.inbox()).toEqual(['one', 'four'])
  })

  test('a message that others remove after it was marked is no failure', async () => {
    await using server = await Pop3Fixture.make()
    await server.deliver('one', 'two')
    const client = await server.session()
    await client.send('DELE 1\r\nDELE 2\r\n')
    await client.unread()
    await using mail = await server.access()
    await (await inboxOf(mail)).remove(uids.one(1), never)
    await client.send('RSET\r\nSTAT\r\nDELE 2\r\nQUIT\r\n')
    await settle()
    expect(await client.unread()).toContain('+OK Reset state\r\n+OK 1 117\r\n+OK Message deleted\r\n+OK Sayonara')
    expect(await server.inbox()).toEqual([])
  })

  test('UIDL is the same in every session', async () => {
    await using server = await Pop3Fixture.make()
    await server.deliver('one', 'two')
    const uidl = async (): Promise<string> => {
      const client = await server.session()
      await client.send('UIDL\r\nQUIT\r\n')
      await settle()
      return client.unread()
    }
    expect(await uidl()).toBe(await uidl())
  })
})
