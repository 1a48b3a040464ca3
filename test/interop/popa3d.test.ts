import { appendFile, chmod, chown, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { hasPopa3d, Popa3d } from '../support/popa3d.js'
import { LONG, randomOf, seedOf } from '../support/random.js'
import { RawClient } from '../support/raw-client.js'
import { RawPop3 } from '../support/raw-pop3.js'
import { startServer, type RunningServer } from '../support/running-server.js'

const ALICE = 64_001
const RECORD = "DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA"
const letter = (subject: string): string => `From bob@example.org Mon Nov 23 01:44:50 2026\nFrom: bob@example.org\nSubject: ${subject}\nMessage-ID: <${subject}@example.org>\n\nText of ${subject}.\n.\nlast\n\n`

describe.skipIf(!(await hasPopa3d()))('popa3d on the same spool (FAQ 1.2, 7.44)', () => {
  let server: RunningServer
  let theirs: Popa3d
  const spool = (): string => join(server.folder, 'spool/alice')
  beforeAll(async () => {
    server = await startServer({
      namespaces: "[ { use: mailboxfile, inboxPath: '{home}/../../spool/{user}' } ]",
      prepare: async (folder) => {
        await mkdir(join(folder, 'spool'))
        // As /var/mail is: everybody may make lock files.
        await chmod(join(folder, 'spool'), 0o3777)
        await chmod(folder, 0o755)
      },
    })
    theirs = await Popa3d.start(server.folder, join(server.folder, 'spool'), { alice: ALICE })
  })
  afterAll(async () => {
    await theirs?.[Symbol.asyncDispose]()
    await server?.remove()
  })
  beforeEach(async () => {
    await writeFile(spool(), ['one', 'two', 'three'].map(letter).join(''), { mode: 0o600 })
    await chown(spool(), ALICE, ALICE)
  })
  const open: RawPop3[] = []
  afterEach(() => {
    // What a test that failed left open would keep the maildrop from the next.
    for (const client of open.splice(0)) client.drop()
  })
  const ours = async (): Promise<RawPop3> => {
    const client = await RawPop3.login(server.ports.pop3, 'alice')
    open.push(client)
    return client
  }
  const imap = (): Promise<RawClient> => RawClient.login(server.ports.imap, 'alice')
  const seenBy = async (login: Promise<RawPop3>): Promise<readonly string[]> => {
    const client = await login
    const subjects = await client.subjects()
    await client.quit()
    return subjects
  }

  test('both serve the same messages whole, and what one removes is gone for the other', async () => {
    const [mine, other] = [await ours(), await theirs.login('alice')]
    const text = (lines: readonly string[]): string => lines.filter((line) => !/^(?:Status|X-[A-Za-z-]+):/.test(line)).join('\n').trimEnd()
    for (const n of [1, 2, 3]) expect(text(await mine.lines(`RETR ${n}`))).toBe(text(await other.lines(`RETR ${n}`)))
    const uidl = await mine.lines('UIDL')
    await other.do('DELE 1')
    expect(await other.quit()).toMatch(/^\+OK/)
    // The session that is open finds number 1 missing, and the others keep theirs.
    expect(await mine.do('RETR 1')).toBe('-ERR No such message')
    expect(await mine.lines('LIST')).toEqual([expect.stringMatching(/^2 /), expect.stringMatching(/^3 /)])
    expect(await mine.do('STAT')).toMatch(/^\+OK 2 /)
    await mine.do('DELE 3')
    expect(await mine.quit()).toBe('+OK Sayonara')
    expect(await seenBy(theirs.login('alice'))).toEqual(['two'])
    const again = await ours()
    expect(await again.lines('UIDL')).toEqual([`1 ${uidl[1]?.slice(2)}`])
    await again.quit()
  })

  test('its session does not delete the wrong messages after ours has changed the file, nor ours after its', async () => {
    const other = await theirs.login('alice')
    await other.do('DELE 2')
    const client = await imap()
    await client.do('SELECT INBOX')
    await client.do('STORE 1 +FLAGS (\\Deleted)')
    expect((await client.do('EXPUNGE')).status).toBe('OK')
    // It finds that the file is another one, and gives up (its DESIGN, "Interaction with other MUAs").
    expect(await other.do('QUIT')).not.toMatch(/^\+OK/)
    other.drop()
    expect(await seenBy(ours())).toEqual(['two', 'three'])
    const mine = await ours()
    await mine.do('DELE 2')
    const next = await theirs.login('alice')
    await next.do('DELE 1')
    expect(await next.quit()).toMatch(/^\+OK/)
    expect(await mine.quit()).toBe('+OK Sayonara')
    expect(await seenBy(ours())).toEqual([])
    await client.logout()
  })

  test('the internal first message is hidden by ours and shown by it; it is kept while it is kept, and mail goes on when it is deleted', async () => {
    const client = await imap()
    await client.do('SELECT INBOX')
    await client.do('STORE 1:* +FLAGS (\\Deleted)')
    await client.do('EXPUNGE')
    const emptied = (await client.do('SELECT INBOX')).untagged.join('\n')
    const [validity, next] = [/UIDVALIDITY (\d+)/.exec(emptied)?.[1], /UIDNEXT (\d+)/.exec(emptied)?.[1]]
    expect(await seenBy(ours())).toEqual([])
    expect(await seenBy(theirs.login('alice'))).toEqual([RECORD])
    await appendFile(spool(), letter('four') + letter('five'))
    const other = await theirs.login('alice')
    expect(await other.subjects()).toEqual([RECORD, 'four', 'five'])
    await other.do('DELE 2')
    expect(await other.quit()).toMatch(/^\+OK/)
    // Numbers go on: the record is there.
    expect(await seenBy(ours())).toEqual(['five'])
    expect((await client.do('SELECT INBOX')).untagged.join('\n')).toContain(`UIDVALIDITY ${validity}`)
    expect((await client.do('FETCH 1 UID')).untagged).toEqual([`* 1 FETCH (UID ${next})`])
    await client.do('STORE 1 +FLAGS (\\Deleted)')
    await client.do('EXPUNGE')
    const last = await theirs.login('alice')
    await last.do('DELE 1')
    expect(await last.quit()).toMatch(/^\+OK/)
    expect(await readFile(spool(), 'latin1')).toBe('')
    await appendFile(spool(), letter('six'))
    expect(await seenBy(ours())).toEqual(['six'])
    await client.logout()
  })

  test('deletions by both at once, between deliveries: nothing lost, nothing doubled, only what was marked is gone', async () => {
    const random = randomOf(seedOf('popa3d'))
    const rounds = LONG ? 40 : 6
    const delivered: string[] = ['one', 'two', 'three']
    const gone = new Set<string>()
    const maybe = new Set<string>()
    const state = { ended: false }
    /** A session of one of the servers that removes what ends with its letter. */
    const drain = async (login: () => Promise<RawPop3>, mark: string): Promise<void> => {
      while (!state.ended) {
        let client: RawPop3 | undefined
        const marked: string[] = []
        try {
          client = await login()
          for (const [i, subject] of (await client.subjects()).entries()) {
            if (!subject.endsWith(mark)) continue
            marked.push(subject)
            maybe.add(subject)
            await client.do(`DELE ${i + 1}`)
          }
          // What QUIT was not answered with +OK is not known to be done.
          if ((await client.quit()).startsWith('+OK')) for (const subject of marked) gone.add(subject)
        } catch {
          // Its session ends when the file has changed under it; it is only looked at what became of the mail.
          client?.drop()
        }
      }
    }
    const both = [drain(() => theirs.login('alice'), 'x'), drain(ours, 'y')]
    const client = await imap()
    await client.do('SELECT INBOX')
    for (let round = 0; round < rounds; round++) {
      for (const mark of ['x', 'y', 'z']) {
        const subject = `m${round}${mark}`
        delivered.push(subject)
        const { status } = await client.append('INBOX', letter(subject).slice(letter('').indexOf('\n') + 1).replaceAll('\n', '\r\n'))
        expect([subject, status]).toEqual([subject, 'OK'])
      }
      await client.do(`STORE * ${random() < 0.5 ? '+' : '-'}FLAGS (\\Flagged)`)
    }
    state.ended = true
    await Promise.all(both)
    await client.logout()
    const left = [...(await seenBy(ours()))]
    expect(left.filter((s, i) => left.indexOf(s) !== i)).toEqual([])
    expect(delivered.filter((s) => !maybe.has(s) && !left.includes(s)), 'lost').toEqual([])
    expect(left.filter((s) => gone.has(s)), 'back again').toEqual([])
    expect(left.filter((s) => !delivered.includes(s)), 'never delivered').toEqual([])
    expect(gone.size).toBeGreaterThan(0)
    expect(await seenBy(theirs.login('alice'))).toEqual(left)
  }, 600_000)
})
