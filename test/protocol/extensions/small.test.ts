import { describe, expect, test } from 'vitest'
import { LIMITS } from '../../../core/wire/limits.js'
import { ImapFixture } from '../../support/imap.js'
import { CUTS } from '../../support/imap-client.js'
import { deliverNotes } from '../../support/mail.js'

async function selected(...subjects: readonly string[]): Promise<Awaited<ReturnType<typeof open>>> {
  return open(subjects)
}
async function open(subjects: readonly string[]) {
  const server = await ImapFixture.make()
  const mail = await server.access()
  await deliverNotes(mail, 'INBOX', ...subjects)
  const client = await server.session()
  await client.command('s', 'SELECT INBOX')
  return { server, client, mail }
}

describe('UNSELECT (RFC 3691)', () => {
  test('leaves the mailbox and removes nothing', async () => {
    const { server, client } = await selected('one')
    await using _ = server
    await client.command('d', String.raw`STORE 1 +FLAGS.SILENT (\Deleted)`)
    await client.play(`
      C: a0 UNSELECT x
      S: a0 BAD <any>
      C: a1 UNSELECT
      S: a1 OK UNSELECT completed
      C: a2 UNSELECT
      S: a2 BAD Command unrecognized: UNSELECT
      C: a3 STATUS INBOX (MESSAGES)
      S: * STATUS INBOX (MESSAGES 1)
      S: a3 OK STATUS completed
    `)
  })
})

describe('UIDPLUS (RFC 4315)', () => {
  test('UID EXPUNGE removes what is named and deleted, and nothing else', async () => {
    const { server, client } = await selected('one', 'two', 'three')
    await using _ = server
    await client.command('d', String.raw`STORE 1:2 +FLAGS.SILENT (\Deleted)`)
    await client.play(`
      C: a1 UID EXPUNGE 2:*
      S: * 2 EXPUNGE
      S: * 2 RECENT
      S: a1 OK UID EXPUNGE completed
      C: a2 UID EXPUNGE 77
      S: a2 OK UID EXPUNGE completed
      C: a3 UID EXPUNGE
      S: a3 BAD <any>
      C: a4 FETCH 1:* UID
      S: * 1 FETCH (UID 1)
      S: * 2 FETCH (UID 3)
      S: a4 OK FETCH completed
    `)
  })
  test('COPY and APPEND tell the new uids, and do not without the extension', async () => {
    const { server, client } = await selected('one', 'two')
    await using _ = server
    await client.command('c', 'CREATE Archive')
    await client.play(String.raw`
      C: a1 COPY 1:2 Archive
      S: a1 OK [COPYUID <any> 1:2 1:2] COPY completed
      C: a2 APPEND Archive {4+}\r\na: b
      S: a2 OK [APPENDUID <any> 3] APPEND completed
    `)
    await using without = await ImapFixture.make({ without: ['uidplus'] })
    await deliverNotes(await without.access(), 'INBOX', 'one')
    const plain = await without.session()
    await plain.command('c', 'CREATE Archive')
    await plain.command('s', 'SELECT INBOX')
    await plain.play(String.raw`
      C: a1 COPY 1 Archive
      S: a1 OK COPY completed
      C: a2 UID EXPUNGE 1
      S: a2 BAD Command unrecognized: UID EXPUNGE
    `)
  })
})

describe('MOVE (RFC 6851)', () => {
  test.each(['MOVE', 'UID MOVE'])('%s tells the new uids before the removals', async (command) => {
    const { server, client } = await selected('one', 'two', 'three')
    await using _ = server
    await client.command('c', 'CREATE Archive')
    await client.play(`
      C: a1 ${command} 1,3 Archive
      S: * OK [COPYUID <any> 1,3 1:2] Moved
      S: * 1 EXPUNGE
      S: * 2 EXPUNGE
      S: * 1 RECENT
      S: a1 OK ${command} completed
      C: a2 STATUS Archive (MESSAGES)
      S: * STATUS Archive (MESSAGES 2)
      S: a2 OK STATUS completed
    `)
  })
  test('a second session sees the messages go, and none is lost', async () => {
    const { server, client } = await selected('one', 'two')
    await using _ = server
    const other = await server.session()
    await other.command('s', 'SELECT INBOX')
    await client.command('c', 'CREATE Archive')
    await client.command('m', 'MOVE 1 Archive')
    await other.play(`
      C: n1 NOOP
      S: * 1 EXPUNGE
      S: n1 OK NOOP completed
      C: n2 STATUS Archive (MESSAGES)
      S: * STATUS Archive (MESSAGES 1)
      S: n2 OK STATUS completed
    `)
  })
  test('what cannot be moved', async () => {
    const { server, client } = await selected('one')
    await using _ = server
    await client.play(`
      C: a1 MOVE 1 Nowhere
      S: a1 NO [TRYCREATE] <any>
      C: a2 MOVE 2 INBOX
      S: a2 BAD <any>
      C: a3 UID MOVE 77 INBOX
      S: a3 OK UID MOVE completed
      C: a4 MOVE 1
      S: a4 BAD <any>
      C: a5 EXAMINE INBOX
      S: * 1 EXISTS
      S: * 0 RECENT
      S: * OK <any>
      S: * OK <any>
      S: * FLAGS <any>
      S: * OK <any>
      S: * OK <any>
      S: * OK <any>
      S: a5 OK [READ-ONLY] EXAMINE completed
      C: a6 CREATE Archive
      S: a6 OK CREATE completed
      C: a7 MOVE 1 Archive
      S: a7 NO <any>
      C: a8 STATUS Archive (MESSAGES)
      S: * STATUS Archive (MESSAGES 0)
      S: a8 OK STATUS completed
    `)
  })
})

describe('ID (RFC 2971)', () => {
  test('is answered in every state, and what the client says is known', async () => {
    await using server = await ImapFixture.make()
    const client = server.connect()
    await client.line()
    await client.play(String.raw`
      C: a1 ID ("name" "Mutt" "version" NIL "os" {5+}\r\nLinux)
      S: * ID ("name" "Mailwright")
      S: a1 OK ID completed
      C: a2 ID NIL
      S: * ID ("name" "Mailwright")
      S: a2 OK ID completed
      C: a3 ID ()
      S: * ID ("name" "Mailwright")
      S: a3 OK ID completed
      C: a4 ID (name Mutt)
      S: a4 BAD <any>
      C: a5 ID
      S: a5 BAD <any>
      C: a6 ID ("name")
      S: a6 BAD <any>
    `)
  })
  test.each([
    { what: 'fields', at: LIMITS.idPairs, text: (n: number) => Array.from({ length: n }, (_, i) => `"f${i}" "v"`).join(' ') },
    { what: 'octets of a field name', at: LIMITS.idField, text: (n: number) => `"${'f'.repeat(n)}" "v"` },
    { what: 'octets of a value', at: LIMITS.idValue, text: (n: number) => `"f" "${'v'.repeat(n)}"` },
  ])('$at $what, and one more', async ({ at, text }) => {
    await using server = await ImapFixture.make()
    const client = await server.session()
    expect((await client.command('a', `ID (${text(at)})`)).at(-1)).toBe('a OK ID completed')
    expect((await client.command('b', `ID (${text(at + 1)})`)).at(-1)).toMatch(/^b BAD /)
  })
  test('a workaround for that client begins to work', async () => {
    const quiet = { reason: 'test', applies: (c: { id: ReadonlyMap<string, string> }) => c.id.get('name') === 'Old', without: ['idle'] }
    await using server = await ImapFixture.make({ workarounds: [quiet] })
    const client = await server.session()
    expect((await client.command('a', 'CAPABILITY'))[0]).toContain(' IDLE')
    await client.command('i', 'ID ("NAME" "Old")')
    expect((await client.command('b', 'CAPABILITY'))[0]).not.toContain(' IDLE')
    expect(await client.command('c', 'IDLE')).toEqual(['c BAD Command unrecognized: IDLE'])
  })
})

describe('NAMESPACE (RFC 2342)', () => {
  test('tells the mounts of the user', async () => {
    await using server = await ImapFixture.make()
    const client = await server.session()
    await client.play(`
      C: a1 NAMESPACE
      S: * NAMESPACE (("" "/")) NIL NIL
      S: a1 OK NAMESPACE completed
      C: a2 NAMESPACE x
      S: a2 BAD <any>
    `)
  })
  test('other classes, flat mounts and prefixes that need encoding', async () => {
    const mounts = [
      { prefix: '', class: 'personal' as const, store: 'memory', root: 'a', advertised: true, listed: true },
      { prefix: 'été/', class: 'others' as const, store: 'memory', root: 'b', advertised: true, listed: true },
      { prefix: '#hidden/', class: 'others' as const, store: 'memory', root: 'c', advertised: false, listed: true },
      { prefix: '#shared/', class: 'shared' as const, store: 'memory', root: 'd', advertised: true, listed: true },
      { prefix: '#public/', class: 'shared' as const, store: 'memory', root: 'e', advertised: true, listed: true },
    ]
    await using server = await ImapFixture.make({ mail: { resolvers: [{ mounts: () => mounts }] } })
    const client = await server.session()
    await client.play(`
      C: a1 NAMESPACE
      S: * NAMESPACE (("" "/")) (("&AOk-t&AOk-/" "/")) (("#shared/" "/")("#public/" "/"))
      S: a1 OK NAMESPACE completed
    `)
  })
})

describe('IDLE (RFC 2177)', () => {
  test('tells what another session does, while it does it', async () => {
    const { server, client, mail } = await selected('one')
    await using _ = server
    await client.play(`
      C: a1 IDLE
      S: + Waiting for DONE
    `)
    await deliverNotes(mail, 'INBOX', 'two')
    expect(await client.line()).toBe('* 2 EXISTS')
    expect(await client.line()).toBe('* 2 RECENT')
    const other = await server.session()
    await other.command('s', 'SELECT INBOX')
    await other.command('d', String.raw`STORE 1 +FLAGS.SILENT (\Deleted)`)
    expect(await client.line()).toMatch(/^\* 1 FETCH \(FLAGS \(.*\\Deleted.*\)\)$/)
    await other.command('e', 'EXPUNGE')
    expect(await client.line()).toBe('* 1 EXPUNGE')
    expect(await client.line()).toBe('* 1 RECENT')
    await client.play(`
      C: DONE
      S: a1 OK IDLE completed
      C: a2 NOOP
      S: a2 OK NOOP completed
    `)
  })
  test('DONE sent together with IDLE, and a command behind it', async () => {
    for (const cut of CUTS) {
      await using server = await ImapFixture.make()
      const client = await server.session('alice', { cut })
      await client.send('a1 IDLE\r\nDONE\r\na2 NOOP\r\n')
      expect([await client.line(), await client.line(), await client.line()]).toEqual(['+ Waiting for DONE', 'a1 OK IDLE completed', 'a2 OK NOOP completed'])
    }
  })
  test('a line that is not DONE, and one of 1025 octets', async () => {
    await using server = await ImapFixture.make()
    const client = await server.session()
    await client.play(`
      C: a1 IDLE
      S: + Waiting for DONE
      C: NOOP
      S: a1 BAD Bogus IDLE continuation
      C: a2 IDLE
      S: + Waiting for DONE
      C: ${'x'.repeat(LIMITS.idleLine + 1)}
      S: a2 BAD Bogus IDLE continuation
      C: a3 NOOP
      S: a3 OK NOOP completed
    `)
  })
  test('half an hour of it ends the session', async () => {
    await using server = await ImapFixture.make()
    const client = await server.session()
    await client.play(`
      C: a1 IDLE
      S: + Waiting for DONE
    `)
    server.clock.advance(29 * 60_000)
    await client.quiet()
    server.clock.advance(60_000)
    expect(await client.line()).toBe('* BYE Autologout; idle for too long')
    expect(await client.line()).toBeUndefined()
  })
})

describe('literals (RFC 7888, RFC 3516)', () => {
  test('4096 octets unasked where LITERAL- stands alone, and 4097', async () => {
    await using server = await ImapFixture.make({ without: ['literal-plus'] })
    const client = await server.session()
    expect((await client.command('c', 'CAPABILITY'))[0]).toMatch(/ LITERAL- /)
    const append = (n: number): string => `APPEND INBOX {${n}+}\r\n${'x'.repeat(n)}`
    expect((await client.command('a', append(4096))).at(-1)).toMatch(/^a OK /)
    expect((await client.command('b', append(4097))).at(-1)).toMatch(/^b BAD /)
    expect(await client.command('d', 'NOOP')).toEqual(expect.arrayContaining(['d OK NOOP completed']))
  })
})
