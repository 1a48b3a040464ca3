import { describe, expect, test } from 'vitest'
import { sealCommand } from '../../core/api/index.js'
import { settle } from '../support/imap-client.js'
import { ImapFixture } from '../support/imap.js'

const NOT_BEFORE_LOGIN = [
  'SELECT INBOX', 'EXAMINE INBOX', 'CREATE x', 'DELETE x', 'RENAME x y', 'SUBSCRIBE x', 'UNSUBSCRIBE x', 'LIST "" *', 'LSUB "" *', 'STATUS INBOX (MESSAGES)', 'APPEND INBOX {3}',
  'CHECK', 'CLOSE', 'EXPUNGE', 'SEARCH ALL', 'FETCH 1 FLAGS', 'STORE 1 FLAGS ()', 'COPY 1 x', 'UID FETCH 1 FLAGS', 'UID', 'IDLE', 'MOVE 1 x',
  'UID STORE 1 FLAGS ()', 'UID SEARCH ALL', 'SORT (DATE) UTF-8 ALL', 'UID SORT (DATE) UTF-8 ALL', 'THREAD REFERENCES UTF-8 ALL', 'UID THREAD REFERENCES UTF-8 ALL', 'UID COPY 1 x', 'UID MOVE 1 x', 'UID EXPUNGE 1', 'UNSELECT', 'NAMESPACE', 'ENABLE CONDSTORE', 'BBOARD x', 'FIND ALL.MAILBOXES *', 'RLIST "" *', 'RLSUB "" *',
]
const NOT_UNSELECTED = ['CHECK', 'CLOSE', 'EXPUNGE', 'SEARCH ALL', 'FETCH 1 FLAGS', 'STORE 1 FLAGS ()', 'COPY 1 x', 'UID FETCH 1 FLAGS', 'UNSELECT', 'MOVE 1 x', 'UID STORE 1 FLAGS ()', 'UID SEARCH ALL', 'SORT (DATE) UTF-8 ALL', 'UID SORT (DATE) UTF-8 ALL', 'THREAD REFERENCES UTF-8 ALL', 'UID THREAD REFERENCES UTF-8 ALL', 'UID COPY 1 x', 'UID MOVE 1 x', 'UID EXPUNGE 1']
const NOT_AFTER_LOGIN = ['LOGIN alice secret', 'AUTHENTICATE PLAIN', 'STARTTLS']
const nameOf = (command: string): string => (/^UID \w+/.exec(command) ?? /^\w+/.exec(command) ?? [''])[0]

describe('commands out of their state are unknown (RFC 3501 §3)', () => {
  test.each(NOT_BEFORE_LOGIN)('%s before the login', async (command) => {
    await using server = await ImapFixture.make()
    const client = server.connect()
    await client.line()
    expect(await client.command('a', command)).toEqual([`a BAD Command unrecognized: ${nameOf(command)}`])
    expect(await client.command('b', 'NOOP')).toEqual(['b OK NOOP completed'])
  })
  test.each(NOT_UNSELECTED)('%s without a mailbox', async (command) => {
    await using server = await ImapFixture.make()
    const client = await server.session()
    expect(await client.command('a', command)).toEqual([`a BAD Command unrecognized: ${nameOf(command)}`])
  })
  test.each(NOT_AFTER_LOGIN.flatMap((command) => [{ command, selected: false }, { command, selected: true }]))('$command after the login (selected: $selected)', async ({ command, selected }) => {
    await using server = await ImapFixture.make()
    const client = await server.session()
    if (selected) await client.command('s', 'SELECT INBOX')
    expect(await client.command('a', command)).toEqual([`a BAD Command unrecognized: ${nameOf(command)}`])
    // Still somebody's session.
    expect(await client.command('b', 'CREATE x')).toEqual(['b OK CREATE completed'])
  })
  test.each(['CAPABILITY', 'NOOP', 'LOGOUT', 'CHECK', 'CLOSE', 'EXPUNGE', 'STARTTLS'])('%s takes no argument', async (command) => {
    await using server = await ImapFixture.make()
    const client = command === 'STARTTLS' ? server.connect() : await server.session()
    if (command === 'STARTTLS') await client.line()
    else await client.command('s', 'SELECT INBOX')
    expect(await client.command('a', `${command} x`)).toEqual([`a BAD Argument given to ${command} when none expected`])
  })
  test('words that are no commands', async () => {
    await using server = await ImapFixture.make()
    const client = await server.session()
    await client.play(String.raw`
      C: a1 FROBNICATE
      S: a1 BAD Command unrecognized: FROBNICATE
      C: a2 UID FROBNICATE 1
      S: a2 BAD Command unrecognized: UID FROBNICATE
      C: a3
      S: a3 BAD Missing command
      C:
      S: * BAD Null command
      C:    a4    noop
      S: a4 OK NOOP completed
      C> a5 NOOP\n
      S: a5 OK NOOP completed
      C: ${'t'.repeat(51)} NOOP
      S: * BAD Excessively long tag
      C: a6 __proto__
      S: a6 BAD Command unrecognized: __PROTO__
    `)
  })
})

describe('LOGOUT (RFC 3501 §6.1.3)', () => {
  test('says BYE first, and closes', async () => {
    await using server = await ImapFixture.make()
    const client = await server.session()
    await client.play(`
      C: a1 LOGOUT
      S: * BYE mail.example.org IMAP4rev1 server terminating connection
      S: a1 OK LOGOUT completed
      S: <end>
    `)
    await settle()
    expect(server.logged.filter((line) => line.includes('Logout'))).toEqual(['info Logout user=alice host=[127.0.0.1] session=s1'])
  })
  test('before the login too; what follows it is not run', async () => {
    await using server = await ImapFixture.make()
    const client = server.connect()
    await client.line()
    await client.send('a1 LOGOUT\r\na2 NOOP\r\n')
    await client.play(`
      S: * BYE <any>
      S: a1 OK LOGOUT completed
      S: <end>
    `)
  })
})

describe('a bug is one command\'s answer and no more', () => {
  test('NO [SERVERBUG] with an id that the log has too', async () => {
    const broken = sealCommand({
      name: 'BREAK',
      states: ['authenticated'],
      uidForm: 'no',
      mayReportExpunge: false,
      parse: () => undefined,
      run: () => Promise.reject(new TypeError('x is not a function')),
    })
    const more = [{ name: 'broken', plugin: 'test', about: { requires: [], capabilities: () => [] }, made: { commands: [broken] } }]
    await using server = await ImapFixture.make({ more })
    const client = await server.session()
    await client.play(`
      C: a1 BREAK
      S: a1 NO [SERVERBUG] Internal error, reference abababab
      C: a2 NOOP
      S: a2 OK NOOP completed
    `)
    expect(server.logged.filter((line) => line.startsWith('error'))).toEqual([
      'error Internal error user=alice host=[127.0.0.1] session=s1 command=BREAK plugin=test id=abababab error=TypeError: x is not a function',
    ])
  })
})
