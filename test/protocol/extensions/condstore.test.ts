import { describe, expect, test } from 'vitest'
import { ImapFixture } from '../../support/imap.js'
import type { ScriptClient } from '../../support/imap-client.js'
import { deliverNotes, named, never } from '../../support/mail.js'

/** INBOX with three messages, and alice in it. */
async function scene(select = 'SELECT INBOX'): Promise<{ server: ImapFixture; client: ScriptClient; highest: number }> {
  const server = await ImapFixture.make()
  const mail = await server.access()
  await deliverNotes(mail, 'INBOX', 'one', 'two', 'three')
  const client = await server.session()
  const lines = await client.command('s', select)
  return { server, client, highest: highestIn(lines) }
}
function highestIn(lines: readonly string[]): number {
  const found = lines.map((l) => /^\* OK \[HIGHESTMODSEQ (\d+)\]/.exec(l)?.[1]).filter((n) => n !== undefined)
  return found.length === 1 ? Number(found[0]) : -1
}
function modseqs(lines: readonly string[]): ReadonlyMap<number, number> {
  return new Map(lines.flatMap((l) => {
    const found = /^\* (\d+) FETCH .*MODSEQ \((\d+)\)/.exec(l)
    return found === null ? [] : [[Number(found[1]), Number(found[2])] as const]
  }))
}

describe('CONDSTORE (RFC 7162 §3.1)', () => {
  test('SELECT tells the highest mod-sequence', async () => {
    const { server, highest } = await scene()
    await using _ = server
    expect(highest).toBeGreaterThan(0)
  })
  test('a client that has not asked hears of no MODSEQ', async () => {
    const { server, client } = await scene()
    await using _ = server
    await client.play(String.raw`
      C: a1 STORE 1 +FLAGS (\Seen)
      S: * 1 FETCH (FLAGS (<any>\Seen))
      S: a1 OK STORE completed
    `)
  })
  test.each([
    { by: 'ENABLE', before: 'ENABLE CONDSTORE', select: 'SELECT INBOX' },
    { by: 'the SELECT parameter', before: 'NOOP', select: 'SELECT INBOX (CONDSTORE)' },
    { by: 'STATUS', before: 'STATUS INBOX (HIGHESTMODSEQ)', select: 'SELECT INBOX' },
  ])('after $by every flag change has a MODSEQ, whoever makes it', async ({ before, select }) => {
    await using server = await ImapFixture.make()
    await deliverNotes(await server.access(), 'INBOX', 'one', 'two')
    const client = await server.session()
    await client.command('e', before)
    expect(highestIn(await client.command('s', select))).toBeGreaterThan(0)
    const own = await client.command('o', String.raw`STORE 1 +FLAGS (\Flagged)`)
    expect(own[0]).toMatch(/^\* 1 FETCH \(FLAGS \(.*\) MODSEQ \(\d+\)\)$/)
    const other = await server.session()
    await other.command('s', 'SELECT INBOX')
    await other.command('o', String.raw`STORE 2 +FLAGS.SILENT (\Deleted)`)
    const heard = await client.command('n', 'NOOP')
    expect(heard[0]).toMatch(/^\* 2 FETCH \(FLAGS \(.*\\Deleted.*\) MODSEQ \(\d+\)\)$/)
  })
  test('ENABLE answers what it switched on, once', async () => {
    await using server = await ImapFixture.make()
    const client = await server.session()
    await client.play(`
      C: a1 ENABLE CONDSTORE X-UNKNOWN
      S: * ENABLED CONDSTORE
      S: a1 OK ENABLE completed
      C: a2 ENABLE condstore
      S: * ENABLED
      S: a2 OK ENABLE completed
      C: a3 ENABLE
      S: a3 BAD <any>
    `)
  })
  test('the first command that implies it is told the highest mod-sequence again', async () => {
    const { server, client, highest } = await scene()
    await using _ = server
    const lines = await client.command('a', 'FETCH 1 (MODSEQ)')
    expect(lines[0]).toBe(`* OK [HIGHESTMODSEQ ${highest}] Highest mod-sequence`)
    expect(lines[1]).toMatch(/^\* 1 FETCH \(MODSEQ \(\d+\)\)$/)
    expect(await client.command('b', 'FETCH 1 (MODSEQ)')).toHaveLength(2)
  })
  test('FETCH with CHANGEDSINCE names what changed, with its MODSEQ', async () => {
    const { server, client, highest } = await scene('SELECT INBOX (CONDSTORE)')
    await using _ = server
    await client.command('s', String.raw`STORE 2 +FLAGS.SILENT (\Flagged)`)
    const lines = await client.command('f', `UID FETCH 1:* (FLAGS) (CHANGEDSINCE ${highest})`)
    expect([...modseqs(lines).keys()]).toEqual([2])
    expect(await client.command('g', `FETCH 1:* (UID) (CHANGEDSINCE ${modseqs(lines).get(2) ?? 0})`)).toEqual(['g OK FETCH completed'])
  })
  test('STORE with UNCHANGEDSINCE refuses what has changed, by number or by uid', async () => {
    const { server, client, highest } = await scene('SELECT INBOX (CONDSTORE)')
    await using _ = server
    await client.command('s', String.raw`STORE 2 +FLAGS.SILENT (\Flagged)`)
    const lines = await client.command('a', String.raw`STORE 1:3 (UNCHANGEDSINCE ${highest}) +FLAGS.SILENT (\Deleted)`)
    expect([...modseqs(lines).keys()]).toEqual([1, 3])
    expect(lines.at(-1)).toMatch(/^a OK \[MODIFIED 2\] /)
    const again = await client.command('b', String.raw`UID STORE 1:3 (UNCHANGEDSINCE ${highest}) FLAGS ()`)
    expect(again).toEqual([expect.stringMatching(/^b OK \[MODIFIED 1:3\] /)])
    const now = await client.command('c', 'FETCH 1:* (FLAGS)')
    expect(now.map((l) => l.includes('Deleted'))).toEqual([true, false, true, false])
  })
  test('UNCHANGEDSINCE 0 fits no message that exists', async () => {
    const { server, client } = await scene('SELECT INBOX (CONDSTORE)')
    await using _ = server
    const lines = await client.command('a', String.raw`STORE 1 (UNCHANGEDSINCE 0) +FLAGS (\Deleted)`)
    expect(lines).toEqual([expect.stringMatching(/^a OK \[MODIFIED 1\] /)])
  })
  test('STORE .SILENT answers with the new mod-sequence and no flags, once the client has shown that it knows them', async () => {
    const { server, client } = await scene('SELECT INBOX')
    await using _ = server
    expect(await client.command('a', String.raw`STORE 2 +FLAGS.SILENT (\Flagged)`)).toEqual(['a OK STORE completed'])
    const before = modseqs(await client.command('f', 'FETCH 2 MODSEQ')).get(2) ?? 0
    const lines = await client.command('b', String.raw`UID STORE 2 +FLAGS.SILENT (\Deleted)`)
    expect(lines).toEqual([expect.stringMatching(/^\* 2 FETCH \(UID 2 MODSEQ \(\d+\)\)$/), 'b OK UID STORE completed'])
    expect(modseqs(lines).get(2)).toBeGreaterThan(before)
  })
  test('SEARCH MODSEQ finds what has at least that number, and tells the highest found', async () => {
    const { server, client, highest } = await scene('SELECT INBOX (CONDSTORE)')
    await using _ = server
    await client.command('s', String.raw`STORE 3 +FLAGS.SILENT (\Flagged)`)
    const modseq = modseqs(await client.command('f', 'FETCH 3 MODSEQ')).get(3) ?? 0
    await client.play(String.raw`
      C: a1 SEARCH MODSEQ ${highest + 1}
      S: * SEARCH 3 (MODSEQ ${modseq})
      S: a1 OK SEARCH completed
      C: a2 UID SEARCH OR MODSEQ "/flags/\\Flagged" all ${modseq} SUBJECT "one"
      S: * SEARCH 1 3 (MODSEQ ${modseq})
      S: a2 OK UID SEARCH completed
      C: a3 SEARCH MODSEQ ${modseq + 1}
      S: * SEARCH
      S: a3 OK SEARCH completed
      C: a4 SEARCH MODSEQ x
      S: a4 BAD <any>
      C: a5 SEARCH MODSEQ "flags" all 1
      S: a5 BAD <any>
    `)
  })
  test('STATUS tells the highest mod-sequence of a mailbox', async () => {
    const { server, client, highest } = await scene('NOOP')
    await using _ = server
    expect(highest).toBe(-1)
    const [line] = await client.command('a', 'STATUS INBOX (MESSAGES HIGHESTMODSEQ)')
    expect(line).toMatch(/^\* STATUS INBOX \(MESSAGES 3 HIGHESTMODSEQ \d+\)$/)
  })
  test('in a mailbox without mod-sequences the client is told so, and hears of changes without MODSEQ (RFC 7162 §3.1.2.2)', async () => {
    // The journal of INBOX cannot be had, that of the other mailbox is not kept anywhere.
    const none = { read: () => Promise.resolve(undefined), claim: () => Promise.resolve(undefined), alone: () => Promise.resolve(undefined) }
    await using server = await ImapFixture.make({ mail: { stateOf: ({ path }) => (path === 'INBOX' ? none : undefined) } })
    const mail = await server.access()
    await deliverNotes(mail, 'INBOX', 'one', 'two')
    await mail.create(named('box'), { specialUse: [] }, never)
    await deliverNotes(mail, 'box', 'three')
    const client = await server.session()
    await client.command('e', 'ENABLE CONDSTORE')
    await client.play(String.raw`
      C: a0 STATUS INBOX (HIGHESTMODSEQ)
      S: * STATUS INBOX (HIGHESTMODSEQ 0)
      S: a0 OK <any>
    `)
    expect(await client.command('s', 'SELECT INBOX')).toContain('* OK [NOMODSEQ] No mod-sequences here')
    await client.play(String.raw`
      C: a1 STORE 1 +FLAGS (\Flagged)
      S: * 1 FETCH (FLAGS (<any>\Flagged))
      S: a1 OK STORE completed
      C: a2 FETCH 1 (MODSEQ)
      S: a2 BAD <any>
      C: a3 STORE 1 (UNCHANGEDSINCE 5) +FLAGS (\Seen)
      S: a3 BAD <any>
      C: a4 SEARCH MODSEQ 5
      S: a4 BAD <any>
    `)
    expect(highestIn(await client.command('s', 'SELECT box'))).toBeGreaterThan(0)
    expect((await client.command('o', String.raw`STORE 1 +FLAGS (\Flagged)`))[0]).toMatch(/^\* 1 FETCH \(FLAGS \(.*\) MODSEQ \(\d+\)\)$/)
  })
  test('without the extension none of it is there', async () => {
    await using server = await ImapFixture.make({ without: ['condstore'] })
    await deliverNotes(await server.access(), 'INBOX', 'one')
    const client = await server.session()
    expect(highestIn(await client.command('s', 'SELECT INBOX'))).toBe(-1)
    await client.play(`
      C: a1 FETCH 1 (MODSEQ)
      S: a1 BAD <any>
      C: a2 SEARCH MODSEQ 1
      S: a2 BAD <any>
      C: a3 SELECT INBOX (CONDSTORE)
      S: a3 BAD <any>
      C: a4 STORE 1 (UNCHANGEDSINCE 1) FLAGS ()
      S: a4 BAD <any>
    `)
  })
})
