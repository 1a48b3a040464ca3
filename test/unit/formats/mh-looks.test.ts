import { appendFile, readFile, rm, truncate, unlink, utimes, writeFile } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SYSTEM, uids } from '../../../core/api/index.js'
import { SystemFiles } from '../../../core/os/files.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import { Box } from '../../../core/testing/box.js'
import { sampleMessage } from '../../../core/testing/messages.js'
import { countingFiles } from '../../support/counting-files.js'
import { MhSite } from '../../support/mh.js'
import { TestClock } from '../../support/unix.js'

const counting = countingFiles(new SystemFiles(await nativeLocks()))

describe('what a look at an mh folder finds', () => {
  let site: MhSite
  beforeEach(async () => void (site = await MhSite.begin()))
  afterEach(() => site.end())
  const at = (name: number | string): string => site.path('Mail/sample', String(name))
  const numbers = (box: Box): number[] => box.rows.map((r) => r.uid)

  test('a message whose file another program emptied is gone, and no number means another message', async () => {
    const box = await site.open('Mail/sample')
    const { uidValidity } = box.table
    await truncate(at(2))
    await writeFile(at(5), 'Subject: theirs\n\nhello\n')
    await box.refresh()
    expect([numbers(box), box.table.uidValidity]).toEqual([[1, 3, 4, 5], uidValidity])
    await box.close()
  })
  test('one that was emptied a moment ago, at which nobody has looked, is not answered with; then it is gone', async () => {
    const box = await site.open('Mail/sample')
    await box.refresh()
    await truncate(at(2))
    expect([...(await box.read(box.uids)).keys()]).toEqual([1, 3, 4])
    await box.refresh()
    expect(numbers(box)).toEqual([1, 3, 4])
    await box.close()
  })
  test('an empty file at a new number is a message when something is in it', async () => {
    const box = await site.open('Mail/sample', site.format(undefined, new TestClock(Date.now() + 60_000)))
    const { uidValidity } = box.table
    await writeFile(at(5), '')
    await box.refresh()
    expect(numbers(box)).toEqual([1, 2, 3, 4])
    // The folder's time does not tell of it.
    await appendFile(at(5), 'Subject: theirs\n\nhello\n')
    await box.refresh()
    expect([numbers(box), box.table.uidValidity]).toEqual([[1, 2, 3, 4, 5], uidValidity])
    await box.close()
    await writeFile(at(6), '')
    const again = await site.open('Mail/sample')
    await appendFile(at(6), 'Subject: theirs\n\nhello\n')
    await again.refresh()
    expect([numbers(again), again.table.uidValidity]).toEqual([[1, 2, 3, 4, 5, 6], uidValidity])
    await again.close()
  })
  test('an emptied file that is written anew is another message, under another UIDVALIDITY', async () => {
    const box = await site.open('Mail/sample')
    const { uidValidity } = box.table
    await truncate(at(2))
    await writeFile(at(5), 'Subject: theirs\n\nhello\n')
    await box.refresh()
    await writeFile(at(2), 'Subject: another\n\nhello\n')
    await unlink(at(5))
    await box.refresh()
    expect([numbers(box), box.table.uidValidity > uidValidity]).toEqual([[1, 2, 3, 4], true])
    await box.close()
  })

  test('after a restart a folder that nobody changed is neither listed nor are its messages looked at; one that was changed is', async () => {
    for (let n = 5; n <= 300; n++) await writeFile(at(n), `Subject: n${n}\n\nhello\n`)
    const clock = new TestClock(Date.now() + 60_000)
    const box = await site.open('Mail/sample', site.format(undefined, clock))
    await box.store({ uids: uids.one(7), system: SYSTEM.flagged })
    await box.refresh()
    const saved = box.save()
    await box.close()
    const reopened = async (): Promise<{ readonly box: Box; readonly calls: number; readonly names: number }> => {
      const later = new Box('Mail/sample', await site.format(counting.files, clock).open(site.at('Mail/sample')))
      later.restore(saved)
      counting.reset()
      await later.refresh({ claimRecent: true })
      return { box: later, ...counting.counts() }
    }
    const same = await reopened()
    expect([same.names, same.calls < 30, same.box.rows.length, same.box.rows[6]?.flags]).toEqual([0, true, 300, box.rows[6]?.flags])
    await same.box.close()
    await unlink(at(7))
    await writeFile(at(301), 'Subject: theirs\n\nhello\n')
    const changed = await reopened()
    expect([numbers(changed.box).slice(5, 7), numbers(changed.box).at(-1), changed.box.table.uidValidity]).toEqual([[6, 8], 301, box.table.uidValidity])
    await changed.box.close()
  })

  /** Flags of the messages that were there, as the first session sees them. */
  async function flagsAtFirst(): Promise<string[]> {
    const box = await site.open('Mail/sample')
    const flags = box.rows.slice(0, 4).map((r) => r.flags)
    await box.close()
    return flags
  }
  const before = [
    { name: 'nobody kept track: what was read since it was written', sequences: undefined, flags: ['', 'seen', 'seen', ''] },
    { name: 'somebody noted flags, and nothing of what is unseen', sequences: 'flagged: 1-2\n', flags: ['flagged', 'seen flagged', 'seen', ''] },
    { name: 'somebody keeps track of what is unseen', sequences: 'unseen: 3\nflagged: 1\n', flags: ['seen flagged', 'seen', '', 'seen'] },
  ]
  test.each(before)('a delivery to a folder that this server has not seen leaves older messages as they are: $name', async ({ sequences, flags }) => {
    for (const n of [1, 2, 3, 4]) {
      const written = new Date('2020-10-21T07:28:00Z')
      await utimes(at(n), n === 2 || n === 3 ? new Date('2020-10-22T00:00:00Z') : written, written)
    }
    await rm(at('.mh_sequences'), { force: true })
    if (sequences !== undefined) await writeFile(at('.mh_sequences'), sequences)
    await site.deliver('Mail/sample', sampleMessage(1, { system: 0 }))
    const noted = (await readFile(at('.mh_sequences'))).toString().split('\n').find((line) => line.startsWith('unseen:'))
    expect(noted).toBe(`unseen: ${[...flags, ''].flatMap((set, i) => (set.includes('seen') ? [] : [i + 1])).join(' ').replace(/4 5/, '4-5')}`)
    expect(await flagsAtFirst()).toEqual(flags)
    const box = await site.open('Mail/sample')
    expect(box.rows[4]?.flags).toBe('')
    await box.close()
  })
  test('a delivered message has its flags where one that another program brought still waits', async () => {
    await (await site.open('Mail/sample')).close()
    await writeFile(at(5), 'Subject: theirs\n\nhello\n')
    await site.deliver('Mail/sample', sampleMessage(1, { system: SYSTEM.seen | SYSTEM.flagged }))
    const box = await site.open('Mail/sample')
    expect(box.rows.slice(4).map((r) => [r.uid, r.flags])).toEqual([[5, ''], [6, 'seen flagged']])
    await box.close()
  })
})
