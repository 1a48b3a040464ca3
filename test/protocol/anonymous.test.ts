import { describe, expect, test } from 'vitest'
import { ImapFixture } from '../support/imap.js'
import type { ScriptClient } from '../support/imap-client.js'
import { deliverNotes } from '../support/mail.js'

const nobody = { name: 'ANONYMOUS', kind: 'anonymous', home: '/home/anonymous', facts: {} } as const
/** Commands that do not exist for an anonymous user, as if nobody had them. */
const HIDDEN = [
  'APPEND INBOX {3}', 'CREATE x', 'DELETE x', 'RENAME x y', 'SUBSCRIBE x', 'UNSUBSCRIBE x', 'EXPUNGE', 'UID EXPUNGE 1', 'COPY 1 x', 'UID COPY 1 x', 'MOVE 1 x', 'UID MOVE 1 x', 'FIND MAILBOXES *',
] as const
const nameOf = (command: string): string => (/^(?:UID |FIND )?\w+/.exec(command) ?? [''])[0]
/** Commands with a name, or a reference, that only users have. */
const FORBIDDEN = ['SELECT #shared/x', 'EXAMINE #shared/x', 'STATUS #shared/x (MESSAGES)', 'LIST "#shared/" *', 'LIST "" #shared/*', 'RLIST "#shared/" *', 'LSUB "#shared/" *', 'RLSUB "#shared/" *', 'SCAN "#shared/" * x'] as const

describe('anonymous users (RFC 4505)', () => {
  async function open(): Promise<{ readonly server: ImapFixture; readonly client: ScriptClient }> {
    const server = await ImapFixture.make()
    const client = server.preauthenticated(nobody)
    await client.line()
    return { server, client }
  }
  test.each(HIDDEN)('%s is unknown to them', async (command) => {
    const { server, client } = await open()
    await using _ = server
    await client.command('s', 'SELECT INBOX')
    expect(await client.command('a', command)).toEqual([`a BAD Command unrecognized: ${nameOf(command)}`])
  })
  test.each(FORBIDDEN)('%s is not theirs to name', async (command) => {
    const { server, client } = await open()
    await using _ = server
    expect(await client.command('a', command)).toEqual([`a NO [NOPERM] Anonymous may not ${nameOf(command)} this name`])
  })
  test('what they select is read-only, CHECK and CLOSE do nothing to it, and the log has its name', async () => {
    const { server, client } = await open()
    await using _ = server
    expect((await client.command('a', 'SELECT INBOX')).at(-1)).toBe('a OK [READ-ONLY] SELECT completed')
    expect(await client.command('b', 'CHECK')).toEqual(['b OK CHECK completed'])
    expect(await client.command('c', 'CLOSE')).toEqual(['c OK CLOSE completed'])
    expect(server.logged.filter((line) => line.includes('Anonymous select'))).toEqual(['info Anonymous select of INBOX host=[127.0.0.1] session=s1'])
  })
  test('MULTIAPPEND is not listed for them, and users are not logged so', async () => {
    const { server, client } = await open()
    await using _ = server
    expect((await client.command('a', 'CAPABILITY'))[0]).not.toContain('MULTIAPPEND')
    await deliverNotes(await server.access(), 'INBOX', 'one')
    const user = await server.session()
    await user.command('s', 'SELECT INBOX')
    expect((await user.command('a', 'CAPABILITY'))[0]).toContain('MULTIAPPEND')
    expect(server.logged.filter((line) => line.includes('Anonymous select'))).toEqual([])
  })
})
