import { appendFile, readFile, truncate, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { LinkLost, RawClient } from '../support/raw-client.js'
import { RawPop3 } from '../support/raw-pop3.js'
import { startServer, type RunningServer } from '../support/running-server.js'

/*
 * What qpopper does to a spool that it shares (FAQ 1.2, 7.44), by its documentation: it moves the mail to a file of its own and leaves the spool
 * empty while it has a session, adds X-UIDL and Status lines, and at the end writes what is left before the mail that has come meanwhile. Its
 * option for the spools of UW servers hides a first message that has From, Subject and X-IMAP of the internal data.
 */
const letter = (subject: string): string => `From bob@example.org Mon Nov 23 01:44:50 2026\nFrom: bob@example.org\nSubject: ${subject}\nMessage-ID: <${subject}@example.org>\n\nText of ${subject}.\n\n`
const UIDL = `"#!!"o,%!5[~`
/** Messages of a spool, split at their From lines. */
const split = (spool: string): readonly string[] => spool.split(/^(?=From )/m).filter((part) => part !== '')
const withLines = (message: string, n: number): string => message.replace(/^Status: .*\n/m, '').replace(/\n\n/, `\nStatus: RO\nX-UIDL: ${UIDL}${n}\n\n`)

let server: RunningServer
beforeAll(async () => {
  server = await startServer({ host: 'mailbox: { poll: 1s, checkpointDelay: 1s }' })
})
afterAll(() => server?.remove())
beforeEach(() => writeFile(server.inbox('alice'), ['one', 'two', 'three'].map(letter).join('')))

const spool = (): string => server.inbox('alice')
/** Subjects with the numbers by which clients know them. */
async function numbered(): Promise<Readonly<Record<string, string>>> {
  const client = await RawClient.login(server.ports.imap, 'alice')
  const { untagged } = await client.do('SELECT INBOX')
  const validity = /UIDVALIDITY (\d+)/.exec(untagged.join('\n'))?.[1]
  const rows = (await client.do('FETCH 1:* (UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])')).untagged
  await client.logout()
  return Object.fromEntries(rows.flatMap((row) => (row.includes('UID') ? [[/Subject: (\S+)/.exec(row)?.[1] ?? '', `${validity}/${/UID (\d+)/.exec(row)?.[1]}`]] : [])))
}

describe('a spool that qpopper works on', () => {
  test('mail that it took away and put back is all there, no number ever means two messages, and its lines stay', async () => {
    const before = await numbered()
    expect(Object.keys(before)).toEqual(['one', 'two', 'three'])
    const open = await RawClient.login(server.ports.imap, 'alice')
    await open.do('SELECT INBOX')
    const pop = await RawPop3.login(server.ports.pop3, 'alice')
    // Its session begins: everything is in its own file, and the spool is empty.
    const own = split(await readFile(spool(), 'latin1'))
    await truncate(spool(), 0)
    await appendFile(spool(), letter('late'))
    // Sessions hear that the mail is gone, or end; both are true.
    const heard = await open.do('NOOP').then(({ untagged }) => untagged, (error: unknown) => (error instanceof LinkLost ? error.heard : [String(error)]))
    expect(heard.filter((line) => /SERVERBUG|Error/.test(line))).toEqual([])
    open.drop()
    expect(await pop.do('RETR 1')).toMatch(/^-ERR /)
    pop.drop()
    const between = await numbered()
    expect(Object.keys(between)).toEqual(['late'])
    // It ends: message 2 was deleted, the others come back before what has come.
    const late = await readFile(spool(), 'latin1')
    await writeFile(spool(), [own[0], own[2]].map((message, n) => withLines(message ?? '', n)).join('') + late)
    const after = await numbered()
    expect(Object.keys(after)).toEqual(['one', 'three', 'late'])
    const meant = new Map<string, string>()
    for (const seen of [before, between, after]) {
      for (const [subject, number] of Object.entries(seen)) {
        expect([number, meant.get(number) ?? subject]).toEqual([number, subject])
        meant.set(number, subject)
      }
    }
    // A rewrite of ours leaves its lines as they are.
    const client = await RawClient.login(server.ports.imap, 'alice')
    await client.do('SELECT INBOX')
    await client.do('STORE 1 +FLAGS (\\Flagged)')
    await client.do('STORE 3 +FLAGS (\\Deleted)')
    await client.do('EXPUNGE')
    await client.logout()
    expect((await readFile(spool(), 'latin1')).match(/^X-UIDL: .*$/gm)).toEqual([`X-UIDL: ${UIDL}0`, `X-UIDL: ${UIDL}1`])
    const last = await RawPop3.login(server.ports.pop3, 'alice')
    expect(await last.subjects()).toEqual(['one', 'three'])
    expect((await last.lines('RETR 1')).filter((line) => line.startsWith('X-UIDL: '))).toEqual([`X-UIDL: ${UIDL}0`])
    await last.quit()
  })

  test('the internal first message has what its option looks for, and comes back unharmed with the lines that it adds', async () => {
    const client = await RawClient.login(server.ports.imap, 'alice')
    await client.do('SELECT INBOX')
    await client.do('STORE 1:* +FLAGS (\\Deleted)')
    await client.do('EXPUNGE')
    const state = (await client.do('STATUS INBOX (UIDNEXT UIDVALIDITY)')).untagged.at(-1)
    await client.logout()
    const [record = '', ...rest] = split(await readFile(spool(), 'latin1'))
    expect(rest).toEqual([])
    const header = record.slice(0, record.indexOf('\n\n'))
    expect(header).toMatch(/^From MAILER-DAEMON /)
    expect(header).toMatch(/^From: Mail System Internal Data <MAILER-DAEMON@/m)
    expect(header).toMatch(/^Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA$/m)
    expect(header).toMatch(/^X-IMAP: \d{10} \d{10}/m)
    await writeFile(spool(), withLines(record, 0) + letter('four'))
    const pop = await RawPop3.login(server.ports.pop3, 'alice')
    expect(await pop.subjects()).toEqual(['four'])
    await pop.quit()
    const again = await RawClient.login(server.ports.imap, 'alice')
    const [, next] = /UIDNEXT (\d+)/.exec(state ?? '') ?? []
    expect((await again.do('STATUS INBOX (UIDVALIDITY)')).untagged.at(-1)).toContain(/UIDVALIDITY \d+/.exec(state ?? '')?.[0] ?? '?')
    await again.do('SELECT INBOX')
    expect((await again.do('FETCH 1 UID')).untagged).toEqual([`* 1 FETCH (UID ${next})`])
    await again.logout()
  })
})
