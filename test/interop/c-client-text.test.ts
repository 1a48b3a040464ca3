import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SYSTEM, uids } from '../../core/api/index.js'
import { SystemFiles } from '../../core/os/files.js'
import { nativeLocks } from '../../core/os/native-locks.js'
import type { Box, BoxMessage } from '../../core/testing/box.js'
import { sampleMessage } from '../../core/testing/messages.js'
import { mmdfDialect } from '../../plugins/formats/mmdf/dialect.js'
import { TextFormat } from '../../plugins/formats/shared/text/format.js'
import { unixDialect } from '../../plugins/formats/shared/text/dialect.js'
import { jumpInAlpine } from '../support/alpine.js'
import { accountOf, crowdOn, subjectOf } from '../support/crowd.js'
import { deliverTo, familyHome, mailutil, openBox, placeAt } from '../support/directory-formats.js'
import { has } from '../support/programs.js'
import { Screen } from '../support/screen.js'
import { TestClock, unixContext } from '../support/unix.js'

const files = new SystemFiles(await nativeLocks())
const LONG = process.env['MAILWRIGHT_LONG'] === '1'
const dialects = [
  // Each message that they append to a mailbox of MMDF gets an empty line at its end.
  { name: 'unix', dialect: unixDialect, theirEnd: '' },
  { name: 'mmdf', dialect: mmdfDialect, theirEnd: '\r\n' },
] as const
const essence = (m: BoxMessage): unknown => [m.uid, m.flags, m.size, m.ms, m.zone, Buffer.from(m.bytes).toString('latin1')]

describe.runIf(has('mailutil')).each(dialects)('$name mailboxes shared with programs of the c-client family', ({ name, dialect, theirEnd }) => {
  let home = ''
  let path = ''
  beforeEach(async () => {
    home = await familyHome()
    path = join(home, 'box')
  })
  afterEach(() => rm(home, { recursive: true, force: true }))
  const make = (): TextFormat => new TextFormat({ ...unixContext(files, '/tmp', { clock: new TestClock(Date.now()) }), dialect })
  async function see(at = path): Promise<{ readonly validity: number; readonly messages: readonly BoxMessage[] }> {
    const box = await openBox(make(), at)
    await box.refresh()
    const messages = await box.messages()
    const { uidValidity } = box.table
    await box.close()
    return { validity: uidValidity, messages }
  }
  async function filled(): Promise<Box> {
    const format = make()
    await format.create(placeAt(path))
    const box = await openBox(format, path)
    for (let n = 1; n <= 8; n++) await deliverTo(format, path, [sampleMessage(n, n === 4 ? { keywords: ['$Label1', 'work'] } : {})], box)
    await box.refresh({ claimRecent: true })
    await box.store({ uids: uids.from([2, 4]), system: SYSTEM.seen | SYSTEM.flagged, keywords: ['work'] })
    await box.store({ uids: uids.one(5), system: SYSTEM.answered | SYSTEM.draft })
    await box.expunge(uids.from([1, 3, 8]), { always: true })
    return box
  }

  test('what we write is what they read, with flags, keywords and dates, and what they read keeps its UIDs', async () => {
    const box = await filled()
    const [before, validity] = [await box.messages(), box.table.uidValidity]
    await box.close()
    expect((await mailutil(home, 'copy', '-kw', 'box', `#driver.${name}/theirs`)).stderr).toBe('')
    const theirs = await see(join(home, 'theirs'))
    const withTheirEnd = (m: BoxMessage): unknown => [m.flags, m.size + theirEnd.length, m.ms, m.zone, Buffer.from(m.bytes).toString('latin1') + theirEnd]
    expect(theirs.messages.map((m) => essence(m) as unknown[]).map((row) => row.slice(1))).toEqual(before.map(withTheirEnd))
    const after = await see()
    expect([after.validity, after.messages.map(essence)]).toEqual([validity, before.map(essence)])
  })

  test('what they delete, append and rename is what we see: UIDs, flags and keywords of the rest stay', async () => {
    const box = await filled()
    const [before, validity] = [await box.messages(), box.table.uidValidity]
    expect((await mailutil(home, 'prune', 'box', 'subject "message 5"')).stderr).toBe('')
    await box.refresh()
    const left = before.filter((m) => m.uid !== 5)
    expect((await box.messages()).map(essence)).toEqual(left.map(essence))
    await writeFile(join(home, 'more'), 'From bob@example.org Mon Jan  5 09:08:07 2015\nSubject: theirs\n\nhello\n')
    expect((await mailutil(home, 'append', 'more', 'box')).stderr).toBe('')
    await box.refresh({ claimRecent: true })
    const now = await box.messages()
    expect(now.slice(0, -1).map(essence)).toEqual(left.map(essence))
    expect(now.slice(-1).map((m) => [m.uid, Buffer.from(m.bytes).toString('latin1')])).toEqual([[9, `Subject: theirs\r\n\r\nhello\r\n${theirEnd}`]])
    await box.store({ uids: uids.one(9), system: SYSTEM.seen, keywords: ['late'] })
    const last = await box.messages()
    await box.close()
    expect((await mailutil(home, 'rename', 'box', 'elsewhere')).stderr).toBe('')
    expect((await mailutil(home, 'check', 'elsewhere')).stdout).toContain(`${last.length} total`)
    const seen = await see(join(home, 'elsewhere'))
    expect([seen.validity, seen.messages.map(essence)]).toEqual([validity, last.map(essence)])
  })

  test('processes of ours and of theirs work on one mailbox at once, and every message is accounted for', { timeout: LONG ? 3_600_000 : 240_000 }, async () => {
    await make().create(placeAt(path))
    await deliverTo(make(), path, [sampleMessage(0)])
    expect((await mailutil(home, 'check', 'box')).stdout).toContain('1 total')
    // It says when it waits, and then has its turn.
    const excused = (complaint: string): string => complaint.replaceAll(/^warning: Mailbox \S+ is locked, will override in \d+ seconds\.\.\.\n/gm, '')
    const crowd = await crowdOn({ home, format: name, path, rounds: LONG ? 600 : 24, excused })
    expect(crowd.complaints).toEqual([])
    expect(crowd.theirs).toBeGreaterThan(0)
    const [first, ...messages] = (await see()).messages
    expect(Buffer.from(first?.bytes ?? [])).toEqual(Buffer.from(sampleMessage(0).bytes))
    // Flags wait in the journal of core, which players do not have.
    expect(accountOf(crowd, messages, { flags: false, theirEnd })).toEqual([])
  })

  test('a mailbox that they made, empty or with messages, is ours to use, and they read what we leave', async () => {
    await mailutil(home, 'create', `#driver.${name}/box`)
    expect(await make().recognise(placeAt(path))).toBe('mine')
    await writeFile(join(home, 'more'), 'From bob@example.org Mon Jan  5 09:08:07 2015\nSubject: one\n\nhello\n\nFrom bob@example.org Mon Jan  5 09:08:07 2015\nSubject: two\n\nno end')
    expect((await mailutil(home, 'append', 'more', 'box')).stderr).toBe('')
    await deliverTo(make(), path, [sampleMessage(1), sampleMessage(2)])
    expect((await mailutil(home, 'check', 'box')).stdout).toMatch(/4 total/)
    const box = await openBox(make(), path)
    await box.refresh({ claimRecent: true })
    expect((await box.messages()).map((m) => [m.uid, subjectOf(m)])).toEqual([[1, 'one'], [2, 'two'], [3, 'message 1'], [4, 'message 2']])
    for (const uid of [1, 4, 2, 3]) {
      await box.expunge(uids.one(uid), { always: true })
      expect((await mailutil(home, 'check', 'box')).stdout).toContain(box.rows.length === 0 ? 'No new messages, 0 total' : `${box.rows.length} total`)
    }
    await box.close()
    expect((await readFile(path, 'latin1')).match(/^X-IMAP: \d{10} 0{9}4$/gm)).toHaveLength(1)
  })
})

describe.skipIf(!has('alpine') || !has('tmux')).each(dialects)('$name mailboxes in alpine', ({ dialect }) => {
  test('it flags, deletes and expunges; the rest keeps UIDs and octets', { timeout: 120_000 }, async () => {
    const home = await familyHome()
    const path = join(home, 'box')
    const rc = join(home, 'pinerc')
    await writeFile(rc, 'user-domain=example.org\nfeature-list=enable-flag-cmd,expunge-without-confirm,expunge-without-confirm-everywhere,quit-without-confirm,quell-folder-internal-msg\nlast-version-used=99.9\n')
    const format = new TextFormat({ ...unixContext(files, '/tmp', { clock: new TestClock(Date.now()) }), dialect })
    await format.create(placeAt(path))
    const box = await openBox(format, path)
    try {
      await deliverTo(format, path, [1, 2, 3].map((n) => sampleMessage(n)), box)
      await box.refresh({ claimRecent: true })
      const before = await box.messages()
      const screen = await Screen.open('alpine', ['-p', rc, '-i', '-d', '0', '-f', path], { HOME: home })
      try {
        await screen.shows(/Message \d of 3 /)
        await jumpInAlpine(screen, 2, 3)
        await screen.type('*')
        await screen.shows('[Important]')
        await screen.press('Enter')
        await screen.shows('Flagged message 2 "Important"')
        await jumpInAlpine(screen, 1, 3)
        await screen.type('d')
        await screen.shows(/D {3}1 /)
        await screen.type('x')
        await screen.shows(/Message \d of 2 /)
        await screen.type('q')
        expect((await screen.ended()).code).toBe(0)
      } finally {
        await screen.close()
      }
      await box.refresh()
      expect((await box.messages()).map(essence)).toEqual(before.filter((m) => m.uid !== 1).map((m) => essence(m.uid === 2 ? { ...m, flags: 'flagged' } : m)))
    } finally {
      await box.close()
      await rm(home, { recursive: true, force: true })
    }
  })
})
