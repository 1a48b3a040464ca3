import { describe, expect, test } from 'vitest'
import { ImapFixture } from '../support/imap.js'
import type { ScriptClient } from '../support/imap-client.js'
import { fill, notes } from '../support/imap-scenes.js'

interface Scene extends AsyncDisposable {
  readonly server: ImapFixture
  readonly one: ScriptClient
  readonly other: ScriptClient
}
/** Two sessions on INBOX with three messages, of which the other session has removed the first. */
async function removed(): Promise<Scene> {
  const server = await ImapFixture.make()
  await fill(server, 'INBOX', notes('1', '2', '3'))
  const one = await server.session()
  const other = await server.session()
  for (const session of [one, other]) await session.command('s', 'SELECT INBOX')
  await one.command('c', 'CREATE copies')
  await other.command('d', String.raw`STORE 1 +FLAGS.SILENT (\Deleted)`)
  await one.command('n', 'NOOP')
  await other.command('e', 'EXPUNGE')
  return { server, one, other, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() }
}

describe('messages that another session removed, before this one is told (RFC 2180 §4)', () => {
  test('STORE changes the others, and answers for what is there; numbers stay', async () => {
    await using s = await removed()
    await s.one.command('a', String.raw`STORE 1:3 +FLAGS.SILENT (\Flagged)`)
    expect(await s.other.command('b', 'SEARCH FLAGGED')).toContain('* SEARCH 1 2')
    const lines = await s.one.command('c', String.raw`STORE 1:3 +FLAGS (\Answered)`)
    expect(lines.filter((line) => line.endsWith(' EXPUNGE'))).toEqual([])
    for (const n of [2, 3]) expect(lines.some((line) => line.startsWith(`* ${n} FETCH `) && line.includes(String.raw`\Answered`))).toBe(true)
    expect(lines.at(-1)).toMatch(/^c (?:OK|NO) /)
  })
  test('COPY is all or nothing: what it says is what is there afterwards (RFC 3501 §6.4.7)', async () => {
    await using s = await removed()
    const answer = (await s.one.command('a', 'COPY 1:3 copies')).at(-1) ?? ''
    const [status = ''] = await s.one.command('b', 'STATUS copies (MESSAGES)')
    expect(status).toBe(`* STATUS copies (MESSAGES ${answer.startsWith('a OK') ? 3 : 0})`)
  })
  test('a set by uid passes over them (RFC 3501 §6.4.8)', async () => {
    await using s = await removed()
    expect((await s.one.command('a', String.raw`UID STORE 1 +FLAGS (\Flagged)`)).at(-1)).toBe('a OK UID STORE completed')
    expect((await s.one.command('b', 'UID EXPUNGE 1')).at(-1)).toBe('b OK UID EXPUNGE completed')
  })
  test.each(['UID EXPUNGE 3', 'DELETE copies', 'RENAME copies more', 'RLIST "" x', 'FIND ALL.MAILBOXES x', 'APPEND copies {14+}\r\nSubject: x\r\n\r\n'])('%s tells of the removal', async (command) => {
    await using s = await removed()
    expect((await s.one.command('a', command)).filter((line) => line.endsWith('EXPUNGE'))).toEqual(['* 1 EXPUNGE'])
  })
  test.each(['UID FETCH 1:* FLAGS', 'UID SEARCH ALL', 'UID COPY 2 copies', String.raw`UID STORE 2 +FLAGS (\Seen)`, 'SEARCH ALL'])('%s does not', async (command) => {
    await using s = await removed()
    expect((await s.one.command('a', command)).filter((line) => line.endsWith('EXPUNGE'))).toEqual([])
    expect(await s.one.command('b', 'NOOP')).toContain('* 1 EXPUNGE')
  })
  test('SELECT again begins anew, and never tells of it', async () => {
    await using s = await removed()
    const lines = await s.one.command('a', 'SELECT INBOX')
    expect(lines[0]).toBe('* 2 EXISTS')
    expect(lines.filter((line) => line.endsWith('EXPUNGE'))).toEqual([])
    expect(await s.one.command('b', 'NOOP')).toEqual(['b OK NOOP completed'])
  })
  test('nothing new, nothing told: one NOOP tells all, the next one nothing (RFC 3501 §5.2)', async () => {
    await using s = await removed()
    await fill(s.server, 'INBOX', notes('4'))
    await s.other.command('f', String.raw`STORE 1 +FLAGS (\Flagged)`)
    const lines = await s.one.command('a', 'NOOP')
    expect(lines.filter((line) => !line.endsWith('RECENT'))).toEqual(['* 1 EXPUNGE', '* 3 EXISTS', expect.stringMatching(/^\* 1 FETCH \(FLAGS \(.*\\Flagged.*\)\)$/), 'a OK NOOP completed'])
    expect(await s.one.command('b', 'NOOP')).toEqual(['b OK NOOP completed'])
  })
})

describe('UIDs and UIDVALIDITY (RFC 3501 §2.3.1.1)', () => {
  const validity = async (client: ScriptClient, name: string): Promise<number> => Number(/UIDVALIDITY (\d+)/.exec((await client.command('v', `STATUS ${name} (UIDVALIDITY)`)).join(' '))?.[1])
  test('a mailbox that is made again has another UIDVALIDITY, a greater one', async () => {
    await using server = await ImapFixture.make()
    const client = await server.session()
    await client.command('a', 'CREATE x')
    const before = await validity(client, 'x')
    await client.command('b', 'DELETE x')
    server.clock.advance(2000)
    await client.command('c', 'CREATE x')
    expect(await validity(client, 'x')).toBeGreaterThan(before)
  })
  test('RENAME keeps both', async () => {
    await using server = await ImapFixture.make()
    await fill(server, 'x', notes('1', '2'))
    const client = await server.session()
    const before = await validity(client, 'x')
    await client.command('a', 'RENAME x y')
    expect(await validity(client, 'y')).toBe(before)
    await client.command('b', 'EXAMINE y')
    expect(await client.command('c', 'UID SEARCH ALL')).toContain('* SEARCH 1 2')
  })
  test('a uid is never used again, whoever removed its message', async () => {
    await using s = await removed()
    await s.other.command('a', String.raw`STORE 1:* +FLAGS.SILENT (\Deleted)`)
    await s.other.command('b', 'EXPUNGE')
    expect((await s.one.command('c', 'APPEND INBOX {14+}\r\nSubject: x\r\n\r\n')).at(-1)).toMatch(/^c OK \[APPENDUID \d+ 4\] /)
    expect((await s.one.command('d', 'STATUS INBOX (UIDNEXT MESSAGES)')).join(' ')).toContain('(MESSAGES 1 UIDNEXT 5)')
  })
  test('UIDNEXT of SELECT is never above the next uid, and EXAMINE of the same mailbox says the same', async () => {
    await using s = await removed()
    for (const command of ['SELECT INBOX', 'EXAMINE INBOX']) expect(await s.one.command('a', command)).toContain('* OK [UIDNEXT 4] Predicted next UID')
  })
})
