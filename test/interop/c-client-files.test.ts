import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SYSTEM, uids } from '../../core/api/index.js'
import { SystemFiles } from '../../core/os/files.js'
import { nativeLocks } from '../../core/os/native-locks.js'
import type { BoxMessage } from '../../core/testing/box.js'
import { sampleMessage } from '../../core/testing/messages.js'
import { mbxDialect } from '../../plugins/formats/mbx/dialect.js'
import { mtxDialect } from '../../plugins/formats/mtx/dialect.js'
import { FixedFormat } from '../../plugins/formats/shared/fixed/format.js'
import { fixedContext } from '../../plugins/formats/shared/fixed/plugin.js'
import { tenexDialect } from '../../plugins/formats/tenex/dialect.js'
import { accountOf, crowdOn, subjectOf } from '../support/crowd.js'
import { deliverTo, familyHome, mailutil, openBox, placeAt } from '../support/directory-formats.js'
import { has } from '../support/programs.js'
import { lockSettings, mailboxSettings, memorySpool, quiet, TestClock } from '../support/unix.js'

const LONG = process.env['MAILWRIGHT_LONG'] === '1'
const files = new SystemFiles(await nativeLocks())
const dialects = [
  { name: 'mbx', dialect: mbxDialect, numbers: true },
  { name: 'mtx', dialect: mtxDialect, numbers: false },
  { name: 'tenex', dialect: tenexDialect, numbers: false },
] as const

const essence = (m: BoxMessage): unknown => [m.flags, m.size, m.ms, m.zone, Buffer.from(m.bytes).toString('latin1')]

/**
 * How `mailutil` refuses to append when the lock file in /tmp is removed by its holder just while `mailutil` looks for it, as system calls show: `lstat` finds it
 * with no links left, which `mailutil` takes for a symbolic link; or `lstat` finds it, `open` does not, and the next `lstat` finds the one of the next holder,
 * which it takes for an error. Holders remove it as `mailutil` itself does, so it happens to `mailutil` processes alone too. Nothing is written then. The mbx
 * driver takes the lock while it looks whether the file is of its format, and reports the one as the other.
 */
const refusals = { mbx: 'Not a MBX-format mailbox: box\n', mtx: 'Unable to lock append mailbox\n', tenex: 'Unable to lock append mailbox\n' } as const

describe.runIf(has('mailutil')).each(dialects)('$name files shared with programs of the c-client family', ({ name, dialect, numbers }) => {
  let home = ''
  let path = ''
  beforeEach(async () => {
    home = await familyHome()
    path = join(home, 'box')
  })
  afterEach(() => rm(home, { recursive: true, force: true }))
  function make(): FixedFormat {
    const clock = new TestClock(Date.now())
    const random = (n: number): Uint8Array => Uint8Array.from({ length: n }, () => Math.floor(256 * Math.random()))
    return new FixedFormat(dialect, fixedContext({ files, clock, random, locks: lockSettings, mailbox: mailboxSettings(join(home, 'own-state')), spool: memorySpool, logger: quiet }, { watch: false }))
  }
  async function see(at = path): Promise<{ readonly validity: number; readonly messages: readonly BoxMessage[] }> {
    const box = await openBox(make(), at)
    await box.refresh()
    const messages = await box.messages()
    const { uidValidity } = box.table
    await box.close()
    return { validity: uidValidity, messages }
  }
  const mustCount = async (total: number): Promise<void> => expect((await mailutil(home, 'check', 'box')).stdout).toContain(`${total} total`)

  test('what we write is what they read, with flags, keywords and dates', async () => {
    const format = make()
    await format.create(placeAt(path))
    const box = await openBox(format, path)
    for (let n = 1; n <= 8; n++) await deliverTo(format, path, [sampleMessage(n, n === 4 && numbers ? { keywords: ['$Label1', 'work'] } : {})], box)
    await box.refresh({ claimRecent: true })
    await box.store({ uids: uids.from([2, 3]), system: SYSTEM.seen | SYSTEM.flagged })
    await box.store({ uids: uids.one(5), system: SYSTEM.answered, keywords: numbers ? ['work'] : [] })
    await box.expunge(uids.from([1, 3, 6, 8]), { always: true })
    const before = await box.messages()
    await box.close()
    const octets = await readFile(path)
    expect((await mailutil(home, 'copy', '-kw', 'box', `#driver.${name}/theirs`)).stderr).toBe('')
    expect((await see(join(home, 'theirs'))).messages.map(essence)).toEqual(before.map(essence))
    // And nothing that counts changed by being read: whoever wrote flags last may have left its name.
    expect((await readFile(path)).subarray(numbers ? 2048 : 0)).toEqual(octets.subarray(numbers ? 2048 : 0))
    expect((await see()).messages.map(essence)).toEqual(before.map(essence))
  })

  test('a message with a date that they cannot read keeps nobody from the mailbox', async () => {
    const format = make()
    await format.create(placeAt(path))
    // Local times, an hour and a half west.
    const dates = [
      { given: Date.UTC(1904, 0, 1), kept: Date.UTC(1970, 0, 1) },
      { given: Date.UTC(1970, 0, 1), kept: Date.UTC(1970, 0, 1) },
      { given: Date.UTC(2097, 11, 31, 23, 59, 59), kept: Date.UTC(2097, 11, 31, 23, 59, 59) },
      { given: Date.UTC(2098, 0, 1), kept: Date.UTC(2097, 11, 31, 23, 59, 59) },
    ]
    const west = 90 * 60_000
    for (const [i, { given }] of dates.entries()) await deliverTo(format, path, [sampleMessage(i + 1, { date: { ms: given + west, zone: -90 } })])
    await mustCount(4)
    expect((await see()).messages.map(({ ms, zone }) => ({ ms, zone }))).toEqual(dates.map(({ kept }) => ({ ms: kept + west, zone: -90 })))
  })
  test('what they change is what we see while we have it open: UIDs, flags and keywords of the rest stay', async () => {
    const format = make()
    await format.create(placeAt(path))
    const box = await openBox(format, path)
    await deliverTo(format, path, Array.from({ length: 6 }, (_, n) => sampleMessage(n + 1, n === 1 && numbers ? { keywords: ['$Label1'] } : {})), box)
    await box.store({ uids: uids.from([2, 5]), system: SYSTEM.flagged })
    await box.expunge(uids.one(4), { always: true })
    const before = await box.messages()
    const validity = box.table.uidValidity
    const pruned = await mailutil(home, 'prune', 'box', 'subject "message 3"')
    await box.refresh()
    // Formats without hidden messages are for one at a time.
    expect(pruned.stderr).toBe(numbers ? '' : "Can't expunge because mailbox is in use by another process\n")
    const left = numbers ? before.filter((m) => m.uid !== 3) : before.map((m) => (m.uid === 3 ? { ...m, flags: 'deleted' } : m))
    expect(await box.messages()).toEqual(left)
    await writeFile(join(home, 'more'), 'From bob@example.org Mon Jan  5 09:08:07 2015\nSubject: theirs\n\nhello\n')
    expect((await mailutil(home, 'append', 'more', 'box')).stderr).toBe('')
    await box.refresh({ claimRecent: true })
    expect((await box.messages()).map((m) => [m.uid, subjectOf(m)])).toEqual([...left.map((m) => [m.uid, subjectOf(m)]), [7, 'theirs']])
    await box.store({ uids: uids.one(7), system: SYSTEM.seen, keywords: numbers ? ['late'] : [] })
    await deliverTo(format, path, [sampleMessage(9)], box)
    expect(box.rows.at(-1)?.uid).toBe(8)
    const now = await box.messages()
    await box.close()
    await mustCount(now.length)
    const seen = await see()
    expect(seen.messages.map(essence)).toEqual(now.map(essence))
    if (numbers) expect({ validity: seen.validity, uids: seen.messages.map((m) => m.uid) }).toEqual({ validity, uids: now.map((m) => m.uid) })
    // They are alone, and take back what room there is.
    expect((await mailutil(home, 'prune', 'box', 'subject "message 5"')).stderr).toBe('')
    const rest = now.filter((m) => m.uid !== 5 && !m.flags.includes('deleted'))
    expect((await see()).messages.map(essence)).toEqual(rest.map(essence))
    if (numbers) expect((await see()).messages.map((m) => m.uid)).toEqual(rest.map((m) => m.uid))
  })

  test('a mailbox that they made is ours to use, and numbers that we gave are theirs', async () => {
    await writeFile(join(home, 'more'), 'From bob@example.org Mon Jan  5 09:08:07 2015\nSubject: one\n\nhello\n\nFrom bob@example.org Mon Jan  5 09:08:07 2015\nSubject: two\n\nhello\n')
    expect((await mailutil(home, 'copy', 'more', `#driver.${name}/box`)).stderr).toBe('')
    expect(await make().recognise(placeAt(path))).toBe('mine')
    await deliverTo(make(), path, [sampleMessage(1), sampleMessage(2)])
    expect((await mailutil(home, 'check', 'box')).stdout).toMatch(/4 total/)
    const { messages } = await see()
    expect(messages.map(subjectOf)).toEqual(['one', 'two', 'message 1', 'message 2'])
    expect((await mailutil(home, 'rename', 'box', 'elsewhere')).stderr).toBe('')
    expect((await see(join(home, 'elsewhere'))).messages.map(essence)).toEqual(messages.map(essence))
  })

  test('they read the rest after each expunge, hidden messages or not, and after room was taken back', async () => {
    const format = make()
    await format.create(placeAt(path))
    const box = await openBox(format, path)
    await deliverTo(format, path, Array.from({ length: 20 }, (_, n) => sampleMessage(n)), box)
    for (const uid of [1, 20, 7, 8, 9, 15]) {
      await box.expunge(uids.one(uid), { always: true })
      await mustCount(box.rows.length)
      await box.source.reclaim?.(new AbortController().signal)
      await mustCount(box.rows.length)
    }
    const now = await box.messages()
    await box.close()
    expect((await see()).messages.map(essence)).toEqual(now.map(essence))
  })

  test(
    'processes of ours and of theirs work on one mailbox at once, and every message is accounted for',
    async () => {
      await make().create(placeAt(path))
      // An empty file is of no format; theirs would make it one of another.
      await deliverTo(make(), path, [sampleMessage(0)])
      await mustCount(1)
      // What it refuses must not be there.
      const excused = (complaint: string): string | undefined => (complaint === refusals[name] ? undefined : complaint)
      const crowd = await crowdOn({ home, format: name, path, rounds: LONG ? 600 : 30, excused })
      expect(crowd.complaints).toEqual([])
      expect(crowd.theirs).toBeGreaterThan(0)
      const [first, ...messages] = (await see()).messages
      expect(Buffer.from(first?.bytes ?? [])).toEqual(Buffer.from(sampleMessage(0).bytes))
      expect(accountOf(crowd, messages, { flags: true })).toEqual([])
      await mustCount(1 + messages.length)
    },
    LONG ? 3_600_000 : 240_000,
  )
})
