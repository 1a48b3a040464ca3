import { readdir, readFile, rename, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SYSTEM, uids, type OpenFile, type OpenHow } from '../../../core/api/index.js'
import { SystemFiles } from '../../../core/os/files.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import { never } from '../../../core/testing/box.js'
import { itemOf, sampleMessage } from '../../../core/testing/messages.js'
import { MhSite } from '../../support/mh.js'

describe('mh beside other programs, and after what failed', () => {
  let site: MhSite
  beforeEach(async () => void (site = await MhSite.begin()))
  afterEach(() => site.end())

  const flagged = (n: number) => ({ ...itemOf(sampleMessage(n)), system: SYSTEM.seen | SYSTEM.flagged })
  test('what another program notes in the sequences before kept changes of flags are written is taken', async () => {
    const box = await site.open('Mail/sample')
    await box.refresh()
    const noted = await site.sequences().catch(() => '')
    await writeFile(site.path('Mail/sample/.mh_sequences'), `${noted}flagged: 3\n`)
    await box.edit(async (edit) => {
      edit.apply({ uids: uids.one(1), how: 'add', system: SYSTEM.answered, keywords: [] })
      await box.source.checkpoint?.(uids.one(1), edit, never)
    })
    for (let n = 0; n < 3; n++) await box.refresh()
    expect([await site.sequences(), box.rows[2]?.flags.includes('flagged'), box.rows[0]?.flags.includes('answered')]).toEqual([expect.stringContaining('flagged: 3'), true, true])
    await box.close()
  })
  test.each([
    { what: 'a number that was given already is taken again', others: (at: (n: number) => string) => writeFile(at(4), 'Subject: theirs\n\nhello\n'), now: [1, 2, 3, 4], flagged: 3, fresh: 4 },
    { what: 'messages get other numbers', others: async (at: (n: number) => string) => { await unlink(at(1)); await rename(at(2), at(1)); await rename(at(3), at(2)) }, now: [1, 2], flagged: 2, fresh: undefined },
  ])('$what: all numbers end, and flags that wait to be written stay with their messages', async ({ others, now, flagged: place, fresh }) => {
    const box = await site.open('Mail/sample')
    await box.refresh({ claimRecent: true })
    const before = box.table.uidValidity
    await box.edit(async (edit) => box.source.expunge(uids.one(4), { always: true }, edit, never))
    await box.edit(async (edit) => void edit.apply({ uids: uids.one(3), how: 'add', system: SYSTEM.flagged | SYSTEM.answered, keywords: [] }))
    await others((n) => site.path(`Mail/sample/${n}`))
    for (let n = 0; n < 2; n++) await box.refresh({ claimRecent: true })
    expect([box.rows.map(({ uid }) => uid), box.table.uidValidity > before]).toEqual([now, true])
    const of = (uid: number) => box.rows.find((row) => row.uid === uid)?.flags
    expect(of(place)).toContain('flagged answered')
    expect(now.filter((uid) => of(uid)?.includes('answered'))).toEqual([place])
    if (fresh !== undefined) expect(of(fresh)).not.toContain('seen')
    expect(await site.sequences()).toMatch(new RegExp(`^replied: ${place}$`, 'm'))
    await box.close()
  })
  test('after a delivery of two that failed, and whose record could not be written, the next message of another program stays', async () => {
    let broken: 'no' | 'link' | 'all' = 'no'
    class Broken extends SystemFiles {
      override async link(from: string, to: string): Promise<void> {
        if (broken === 'link') {
          broken = 'all'
          throw Object.assign(new Error('EIO'), { code: 'EIO' })
        }
        return super.link(from, to)
      }
      override async open(path: string, how?: OpenHow): Promise<OpenFile> {
        const file = await super.open(path, how)
        const write = file.write.bind(file)
        file.write = async (chunks, at) => {
          // From here on nothing reaches the record: the process is killed after it took its files away.
          if (broken === 'all') throw Object.assign(new Error('EIO'), { code: 'EIO' })
          return write(chunks, at)
        }
        return file
      }
    }
    const made = site.format(new Broken(await nativeLocks()))
    const delivery = await made.append(site.at('Mail/sample'))
    for (const m of [sampleMessage(1), sampleMessage(2)]) await delivery.add(itemOf(m), never)
    broken = 'link'
    await expect(delivery.commit(undefined, never)).rejects.toThrow('EIO')
    // MH gives the next free number.
    await writeFile(site.path('Mail/sample/5'), 'Subject: theirs\n\nhello\n')
    const box = await site.open('Mail/sample')
    expect([(await readdir(site.path('Mail/sample'))).includes('5'), box.rows.map((r) => r.uid)]).toEqual([true, [1, 2, 3, 4, 5]])
    await box.close()
  })
  test('what another program notes between the reading and the writing of the sequences is taken', async () => {
    const box = await site.open('Mail/sample')
    await box.refresh()
    let reads = 0
    const real = SystemFiles.prototype.open
    SystemFiles.prototype.open = async function (path: string, how?: OpenHow) {
      if (path.endsWith('.mh_sequences') && how?.write === true && reads++ === 0) await writeFile(path, `${(await readFile(path).catch(() => '')).toString()}flagged: 3\n`)
      return real.call(this, path, how)
    }
    try {
      await box.store({ uids: uids.one(1), system: SYSTEM.answered })
    } finally {
      SystemFiles.prototype.open = real
    }
    for (let n = 0; n < 3; n++) await box.refresh()
    expect([await site.sequences(), box.rows[2]?.flags.includes('flagged')]).toEqual([expect.stringContaining('flagged: 3'), true])
    await box.close()
  })
  test('a message of another program that took the number of ours has no flags of ours', async () => {
    let due = true
    class Taken extends SystemFiles {
      override async link(from: string, to: string): Promise<void> {
        if (due) {
          due = false
          await writeFile(to, 'Subject: theirs\n\nhello\n')
        }
        return super.link(from, to)
      }
    }
    const delivery = await site.format(new Taken(await nativeLocks())).append(site.at('Mail/sample'))
    await delivery.add(flagged(1), never)
    await delivery.commit(undefined, never)
    const box = await site.open('Mail/sample')
    expect(box.rows.slice(4).map((r) => [r.uid, r.flags])).toEqual([[5, ''], [6, 'seen flagged']])
    await box.close()
  })
  test('after a delivery that failed, the next message of another program has no flags of ours', async () => {
    class Full extends SystemFiles {
      override async link(): Promise<void> {
        throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' })
      }
    }
    const delivery = await site.format(new Full(await nativeLocks())).append(site.at('Mail/sample'))
    await delivery.add(flagged(1), never)
    await expect(delivery.commit(undefined, never)).rejects.toThrow('ENOSPC')
    await writeFile(site.path('Mail/sample/5'), 'Subject: theirs\n\nhello\n')
    const box = await site.open('Mail/sample')
    expect(box.rows.slice(4).map((r) => [r.uid, r.flags])).toEqual([[5, '']])
    await box.close()
  })
  test('after a delivery that failed, the next message of another program leaves UIDVALIDITY as it is', async () => {
    class Full extends SystemFiles {
      override async link(): Promise<void> {
        throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' })
      }
    }
    const box = await site.open('Mail/sample')
    const { uidValidity } = box.table
    const delivery = await site.format(new Full(await nativeLocks())).append(site.at('Mail/sample'))
    await delivery.add(flagged(1), never)
    await expect(delivery.commit(undefined, never)).rejects.toThrow('ENOSPC')
    await box.refresh()
    await writeFile(site.path('Mail/sample/5'), 'Subject: theirs\n\nhello\n')
    await box.refresh()
    expect(box.table.uidValidity).toBe(uidValidity)
    await box.close()
  })
  test('flags that a client gives later do not take away what another program noted while ours were written', async () => {
    const box = await site.open('Mail/sample')
    await box.refresh()
    let reads = 0
    const real = SystemFiles.prototype.open
    SystemFiles.prototype.open = async function (path: string, how?: OpenHow) {
      if (path.endsWith('.mh_sequences') && how?.write === true && reads++ === 0) await writeFile(path, `${(await readFile(path).catch(() => '')).toString()}flagged: 3\n`)
      return real.call(this, path, how)
    }
    try {
      await box.store({ uids: uids.one(1), system: SYSTEM.answered })
    } finally {
      SystemFiles.prototype.open = real
    }
    await new Promise((resolve) => setTimeout(resolve, 100))
    await box.refresh()
    await box.store({ uids: uids.one(3), system: SYSTEM.seen })
    expect(await site.sequences()).toContain('flagged: 3')
    await box.close()
  })
  test('of a delivery of two that had ended but for the record, the one stays that nobody removed', async () => {
    const delivery = await site.format().append(site.at('Mail/sample'))
    for (const m of [sampleMessage(1), sampleMessage(2)]) await delivery.add(itemOf(m), never)
    await delivery.commit(undefined, never)
    const records = site.path('.mailwright/mh')
    const record = join(records, (await readdir(records))[0] ?? '')
    const fields = (await readFile(record)).toString().trim().split(' ')
    await writeFile(record, `${[...fields.slice(0, 4), '00000005', '00000006'].join(' ')}\n`)
    await unlink(site.path('Mail/sample/6'))
    const box = await site.open('Mail/sample')
    expect(box.rows.map((r) => r.uid)).toEqual([1, 2, 3, 4, 5])
    await box.close()
  })
  test('a renumbering after an operation that failed is noticed', async () => {
    const box = await site.open('Mail/sample')
    const { uidValidity } = box.table
    await box.edit(async (edit) => {
      await box.source.refresh(edit, { claimRecent: false }, never)
      throw new Error('ENOSPC')
    }).catch(() => undefined)
    await rename(site.path('Mail/sample/1'), site.path('Mail/sample/x'))
    await rename(site.path('Mail/sample/2'), site.path('Mail/sample/1'))
    await rename(site.path('Mail/sample/x'), site.path('Mail/sample/2'))
    await box.refresh()
    expect(box.table.uidValidity).toBeGreaterThan(uidValidity)
    await box.close()
  })
  test('a delivery that has arrived is not refused because the rows could not be told', async () => {
    const box = await site.open('Mail/sample')
    const delivery = await site.format().append(site.at('Mail/sample'))
    await delivery.add(flagged(1), never)
    const real = SystemFiles.prototype.list
    let lists = 0
    SystemFiles.prototype.list = function (path: string) {
      if (path.endsWith('Mail/sample') && ++lists === 2) return Promise.reject(Object.assign(new Error('EMFILE'), { code: 'EMFILE' }))
      return real.call(this, path)
    }
    let outcome = 'done'
    try {
      await box.edit((edit) => delivery.commit({ source: box.source, edit }, never)).catch((error: unknown) => (outcome = String(error)))
    } finally {
      SystemFiles.prototype.list = real
    }
    expect([outcome, (await readdir(site.path('Mail/sample'))).includes('5'), lists]).toEqual(['done', true, 2])
    await box.refresh()
    expect(box.rows.slice(4).map((r) => [r.uid, r.flags])).toEqual([[5, 'seen flagged']])
    await box.close()
  })
})
