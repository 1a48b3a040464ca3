import { appendFile, mkdir, mkdtemp, readdir, readFile, rename, rm, unlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SYSTEM, uids, type Files, type FileStat, type OpenFile, type OpenHow } from '../../../core/api/index.js'
import { SystemFiles } from '../../../core/os/files.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import { Box, never } from '../../../core/testing/box.js'
import { itemOf, sampleMessage, type SampleMessage } from '../../../core/testing/messages.js'
import type { MhFormat } from '../../../plugins/formats/mh/format.js'
import { mhPath, pathIn } from '../../../plugins/formats/mh/profile.js'
import { keywordOf, sequenceOf, Sequences } from '../../../plugins/formats/mh/sequences.js'
import { TestClock } from '../../support/unix.js'
import { goldenMailboxes, rowsOfGolden } from '../../support/golden.js'
import { MhSite } from '../../support/mh.js'

const files = new SystemFiles(await nativeLocks())

describe('mh', () => {
  let site: MhSite
  beforeEach(async () => void (site = await MhSite.begin()))
  afterEach(() => site.end())

  test('the golden folder is read as the reference library reads it, but for \\Seen, which is a matter of times', async () => {
    const [golden] = await goldenMailboxes('mh')
    expect(await site.format().recognise(site.at('Mail/sample'))).toBe('mine')
    const box = await site.open('Mail/sample')
    const wanted = golden === undefined ? [] : rowsOfGolden(golden)
    expect(box.rows.map((r) => ({ ...r, flags: '' }))).toEqual(wanted.map((r) => ({ ...r, flags: '' })))
    for await (const batch of box.source.read(uids.all, { bytes: 'header', sections: [], facts: [] }, box.table.generation, never)) {
      expect(batch.map((m) => [m.uid, m.headerSize])).toEqual(golden?.messages.map((m) => [m.uid, m.header]))
    }
    await box.close()
  })

  const ways = (['renamed', 'deleted'] as const).flatMap((how) => (['this process', 'another'] as const).map((maker) => [how, maker] as const))
  test.each(ways)('a folder that is made under the name of another one of the same second has a UIDVALIDITY of its own: %s, made by %s', async (how, maker) => {
    // Its clock stands still.
    const format = site.format()
    const make = async (format: MhFormat): Promise<number> => {
      await format.create(site.at('Mail/new'))
      const box = await site.open('Mail/new', format)
      await box.close()
      return box.table.uidValidity
    }
    const before = await make(maker === 'another' ? site.format() : format)
    await (how === 'renamed' ? format.rename(site.at('Mail/new'), site.at('Mail/kept')) : format.remove(site.at('Mail/new')))
    expect(await make(format)).toBeGreaterThan(before)
  })
  test('a CREATE for which the disk has no room leaves no folder behind', async () => {
    class FullDisk extends SystemFiles {
      override open(path: string, how: OpenHow = {}): Promise<OpenFile> {
        return how.create === undefined ? super.open(path, how) : Promise.reject(Object.assign(new Error('ENOSPC: no space left on device, open'), { code: 'ENOSPC' }))
      }
    }
    await expect(site.format(new FullDisk(await nativeLocks())).create(site.at('Mail/new'))).rejects.toThrow('ENOSPC')
    expect(await readdir(site.path('Mail'))).not.toContain('new')
    await site.format().create(site.at('Mail/new'))
    expect(await readdir(site.path('Mail'))).toContain('new')
  })
  test('a message that another program edits in its place is noticed by the next look, where the kernel tells of it', async () => {
    const box = await site.open('Mail/sample')
    // What changed just now is looked at again in any case.
    const clock = new TestClock(Date.now() + 60_000)
    const later = new Box('Mail/sample', await site.format(files, clock).open(site.at('Mail/sample')))
    await later.refresh({ claimRecent: true })
    await later.refresh()
    const [uid = 0] = later.uids.ranges
    const { uidValidity } = later.table
    let tell = (): void => undefined
    const told = new Promise<void>((resolve) => (tell = resolve))
    using _watching = later.source.watch?.(() => tell())
    await appendFile(site.path('Mail/sample', String(uid)), 'One more line.\n')
    await told
    await later.refresh()
    const octets = (await later.messages())[0]?.bytes ?? Buffer.alloc(0)
    expect([later.table.uidValidity > uidValidity, Buffer.from(octets).toString().endsWith('One more line.\r\n'), later.rows[0]?.size]).toEqual([true, true, octets.length])
    await later.close()
    await box.close()
  })
  test('a folder that another process keeps locked is not waited for without end', async () => {
    const box = await site.open('Mail/sample')
    const records = site.path('.mailwright/mh')
    const [record = ''] = await readdir(records)
    const other = await files.open(join(records, record), { write: true })
    expect(other.lock('flock', 'exclusive')).toBe('locked')
    const clock = new TestClock(Date.now())
    const waiting = new Box('Mail/sample', await site.format(files, clock).open(site.at('Mail/sample')))
    await expect(waiting.refresh({ claimRecent: true })).rejects.toMatchObject({ kind: 'in-use', message: expect.stringContaining('is locked by another process of this server for 300 s') })
    await other.close()
    await waiting.refresh({ claimRecent: true })
    expect(waiting.rows.length).toBe(box.rows.length)
    await waiting.close()
    await box.close()
  })
  test('without anybody who keeps track, what was read since it was written is seen; with `unseen`, its word counts', async () => {
    const now = new Date()
    await utimes(site.path('Mail/sample/2'), now, new Date('2020-10-21T07:29:58Z'))
    await utimes(site.path('Mail/sample/3'), new Date('2000-02-01T00:00:00Z'), new Date('2000-02-01T00:00:00Z'))
    const box = await site.open('Mail/sample')
    expect(box.rows.filter((r) => r.uid === 2 || r.uid === 3).map((r) => r.flags)).toEqual(['seen', ''])
    await box.close()
    await rm(site.path('.mailwright'), { recursive: true })
    await writeFile(site.path('Mail/sample/.mh_sequences'), 'unseen: 2\ncur: 1\nflagged: 1 3-4\nmine: 4\n')
    const again = await site.open('Mail/sample')
    expect(again.rows.map((r) => r.flags)).toEqual(['seen flagged', '', 'seen flagged', 'seen flagged'])
    await again.close()
  })

  test('flags and keywords are sequences; those of others stay', async () => {
    await writeFile(site.path('Mail/sample/.mh_sequences'), 'cur: 3\nunseen: 1-4\npseq: 2-3\n')
    const box = await site.open('Mail/sample')
    await box.store({ uids: uids.from([2, 3]), system: SYSTEM.seen | SYSTEM.answered, keywords: ['$Label1'] })
    expect(await site.sequences()).toBe('cur: 3\nunseen: 1 4\npseq: 2-3\nreplied: 2-3\nimapz24label1: 2-3\n')
    await box.expunge(uids.one(2), { always: true })
    expect(await site.sequences()).toBe('cur: 3\nunseen: 1 4\npseq: 3\nreplied: 3\nimapz24label1: 3\n')
    await box.close()
    const again = await site.open('Mail/sample')
    expect(again.rows.map((r) => [r.uid, r.flags])).toEqual([[1, ''], [3, 'seen answered $label1'], [4, '']])
    await again.close()
  })

  test('numbers and UIDVALIDITY stay over a restart; a number is not given twice, also after its message went', async () => {
    const box = await site.open('Mail/sample')
    const { uidValidity } = box.table
    await box.expunge(uids.one(4), { always: true })
    await box.close()
    await site.deliver('Mail/sample', sampleMessage(1), sampleMessage(2))
    const again = await site.open('Mail/sample')
    expect([again.table.uidValidity, ...again.rows.map((r) => r.uid)]).toEqual([uidValidity, 1, 2, 3, 5, 6])
    await again.close()
  })

  test('a folder that MH packed gets a new UIDVALIDITY, and so does one in which a number means another message', async () => {
    const box = await site.open('Mail/sample')
    const first = box.table.uidValidity
    await unlink(site.path('Mail/sample/2'))
    await rename(site.path('Mail/sample/3'), site.path('Mail/sample/2'))
    await box.refresh()
    const second = box.table.uidValidity
    expect(second).toBeGreaterThan(first)
    expect(box.rows.map((r) => r.uid)).toEqual([1, 2, 4])
    await rename(site.path('Mail/sample/1'), site.path('Mail/sample/x'))
    await rename(site.path('Mail/sample/2'), site.path('Mail/sample/1'))
    await rename(site.path('Mail/sample/x'), site.path('Mail/sample/2'))
    await box.refresh()
    expect(box.table.uidValidity).toBeGreaterThan(second)
    await box.close()
  })

  test('what another program delivers while the folder is looked at is found by the next look', async () => {
    const clock = new TestClock(Date.now())
    let arriving = ''
    class Late extends SystemFiles {
      override async stat(path: string): Promise<FileStat | undefined> {
        const stat = await super.stat(path)
        if (arriving === '' || !path.endsWith('/Mail/sample/1')) return stat
        await writeFile(site.path('Mail/sample', arriving), 'Subject: theirs\n\nhello\n')
        arriving = ''
        // A long list.
        clock.ms += 10_000
        return stat
      }
    }
    const box = new Box('Mail/sample', await site.format(new Late(await nativeLocks()), clock).open(site.at('Mail/sample')))
    arriving = '7'
    await box.refresh()
    expect([arriving, ...box.rows.map((r) => r.uid)]).toEqual(['', 1, 2, 3, 4])
    await box.refresh()
    expect(box.rows.map((r) => r.uid)).toEqual([1, 2, 3, 4, 7])
    await box.close()
  })

  test('a folder that is put in the place of another one while the lock is waited for has its own numbers', async () => {
    const made = site.format()
    await made.create(site.at('Mail/new'))
    await site.deliver('Mail/new', sampleMessage(1), sampleMessage(2))
    let due = true
    class Late extends SystemFiles {
      override async open(path: string, how?: OpenHow): Promise<OpenFile> {
        const file = await super.open(path, how)
        if (due && path.includes('/.mailwright/mh/')) {
          due = false
          await rename(site.path('Mail/new'), site.path('Mail/old'))
          await made.create(site.at('Mail/new'))
        }
        return file
      }
    }
    const late = site.format(new Late(await nativeLocks()))
    const delivery = await late.append(site.at('Mail/new'))
    await delivery.add(itemOf(sampleMessage(3)), never)
    const told = await delivery.commit(undefined, never)
    expect([due, ...(told?.uids.ranges ?? [])]).toEqual([false, 1, 1])
    await site.deliver('Mail/old', sampleMessage(4))
    expect((await readdir(site.path('Mail/old'))).filter((n) => /^\d/.test(n)).sort()).toEqual(['1', '2', '3'])
  })

  test('a number that another program takes at the same moment is left to it', async () => {
    let stolen = 0
    class Thief extends SystemFiles {
      override async link(from: string, to: string): Promise<void> {
        if (stolen++ === 0) await writeFile(to, 'Subject: theirs\n\nhello\n')
        await super.link(from, to)
      }
    }
    const delivery = await site.format(new Thief(await nativeLocks())).append(site.at('Mail/sample'))
    await delivery.add(itemOf(sampleMessage(1)), never)
    await delivery.add(itemOf(sampleMessage(2)), never)
    const told = await delivery.commit(undefined, never)
    expect([...(told?.uids.ranges ?? [])]).toEqual([6, 7])
    expect((await readFile(site.path('Mail/sample/5'))).toString()).toBe('Subject: theirs\n\nhello\n')
    expect((await readdir(site.path('Mail/sample'))).filter((n) => n.startsWith('.mailwright'))).toEqual([])
  })

  /** Files of a machine on which some calls fail. */
  const failing = (calls: Partial<Files>): Files =>
    new Proxy(files, {
      get(target, key) {
        const value: unknown = Reflect.get(calls, key) ?? Reflect.get(target, key)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  const failure = (code: string): Error => Object.assign(new Error(code), { code })
  const into = async (over: Files, ...messages: readonly SampleMessage[]): Promise<void> => {
    const delivery = await site.format(over).append(site.at('Mail/sample'))
    for (const m of messages) await delivery.add(itemOf(m), never)
    await delivery.commit(undefined, never)
  }
  const names = async (): Promise<string[]> => (await readdir(site.path('Mail/sample'))).filter((n) => n !== '.mh_sequences').toSorted()

  test.each(['EPERM', 'EOPNOTSUPP'])('where a file has one name only (%s), messages come all the same, and no number is taken from another program', async (code) => {
    const linkless = failing({ link: () => Promise.reject(failure(code)) })
    await into(linkless, sampleMessage(1, { system: SYSTEM.flagged }))
    let raced = false
    const racing = failing({
      link: () => Promise.reject(failure(code)),
      open: async (path, how) => {
        // Another program delivers between our look and our try.
        if (path.endsWith('/7') && !raced) {
          raced = true
          await writeFile(path, 'Subject: theirs\n\n')
        }
        return files.open(path, how)
      },
    })
    await into(racing, sampleMessage(2), sampleMessage(3))
    expect(await names()).toEqual(['1', '2', '3', '4', '5', '7', '8', '9'])
    const box = await site.open('Mail/sample')
    const text = new Map([...(await box.read(uids.all))].map(([uid, bytes]) => [uid, Buffer.from(bytes).toString('latin1')]))
    expect([5, 7, 8, 9].map((n) => /Subject: ([^\r]*)/.exec(text.get(n) ?? '')?.[1])).toEqual(['message 1', 'theirs', 'message 2', 'message 3'])
    expect(box.rows.find((r) => r.uid === 5)?.flags).toBe('flagged')
    await box.close()
  })
  const interrupted: readonly { readonly name: string; readonly calls: Partial<Files>; readonly there: readonly string[] }[] = [
    { name: 'the second name', calls: { link: async (from, to) => (to.endsWith('/6') ? Promise.reject(failure('EIO')) : files.link(from, to)) }, there: [] },
    { name: 'the second rename, without links', calls: { link: () => Promise.reject(failure('EPERM')), rename: async (from, to) => (to.endsWith('/6') ? Promise.reject(failure('EIO')) : files.rename(from, to)) }, there: [] },
    { name: 'removing the first name', calls: {}, there: ['5', '6', '7'] },
  ]
  test.each(interrupted)('a server that ends at $name of a delivery of several leaves all or none, and what another program delivered meanwhile', async ({ calls, there }) => {
    // Nothing that is done afterwards to put things right happens.
    const dying = failing({ ...calls, unlink: () => Promise.reject(failure('EIO')) })
    const record = async (): Promise<string> => {
      const folder = site.path('.mailwright/mh')
      return join(folder, (await readdir(folder))[0] ?? '')
    }
    const box = await site.open('Mail/sample')
    await box.close()
    const before = await readFile(await record())
    await expect(into(dying, sampleMessage(1), sampleMessage(2), sampleMessage(3))).rejects.toThrow('EIO')
    // The record as it was when the server ended: messages 5 to 7 are under way.
    const fields = before.toString().trim().split(' ')
    await writeFile(await record(), `${[fields[0], '00000007', fields[2], '00000007', '00000005', '00000007'].join(' ')}\n`)
    const theirs = there.length === 0 ? '7' : '8'
    if (there.length === 0) {
      await rm(site.path('Mail/sample/7'), { force: true })
      await writeFile(site.path('Mail/sample/7'), 'Subject: theirs\n\n')
    } else await writeFile(site.path('Mail/sample/8'), 'Subject: theirs\n\n')
    const again = await site.open('Mail/sample')
    expect(again.rows.map((r) => String(r.uid))).toEqual(['1', '2', '3', '4', ...there, theirs])
    await again.close()
    expect((await names()).filter((n) => !/^\d+$/.test(n))).toEqual([])
  })
  test('only folders below the MH path are mailboxes; names of digits alone are none', async () => {
    await mkdir(site.path('other'))
    await mkdir(site.path('Mail/sample/17'))
    expect(await site.format().recognise(site.at('other'))).toBe('not-mine')
    expect(await site.format().recognise(site.at('Mail/sample/17'))).toBe('not-mine')
    await expect(site.format().create(site.at('Mail/18'))).rejects.toThrow('invalid MH-format name')
    await expect(site.format().create(site.at('elsewhere'))).rejects.toThrow('invalid MH-format name')
    await unlink(site.path('.mh_profile'))
    await expect(site.format().create(site.at('Mail/new'))).rejects.toThrow('.mh_profile not found, mh format names disabled')
  })

  test('a mailbox with files that are no messages is not deleted; one with messages and what MH calls removed is', async () => {
    await writeFile(site.path('Mail/sample/notes'), 'mine')
    await expect(site.format().remove(site.at('Mail/sample'))).rejects.toThrow('notes')
    await unlink(site.path('Mail/sample/notes'))
    await writeFile(site.path('Mail/sample/,3'), 'old')
    await site.format().remove(site.at('Mail/sample'))
    expect(await readdir(site.path('Mail'))).toEqual([])
  })

  /** Somebody puts something into a folder just before it gets another name. */
  async function meeting(comes: (path: string) => Promise<unknown>): Promise<Files> {
    class Met extends SystemFiles {
      override async rename(from: string, to: string): Promise<void> {
        if (to.includes('.mailwright-removed-')) await comes(from)
        return super.rename(from, to)
      }
    }
    return new Met(await nativeLocks())
  }
  test('a message that comes while its mailbox is deleted goes with it; so does what was left of one whose deletion was interrupted', async () => {
    await mkdir(site.path('Mail/.mailwright-removed-1'))
    await writeFile(site.path('Mail/.mailwright-removed-1/7'), 'Subject: left\n\n')
    await site.format(await meeting((path) => writeFile(join(path, '99'), 'Subject: late\n\n'))).remove(site.at('Mail/sample'))
    expect(await readdir(site.path('Mail'))).toEqual([])
  })
  test('a mailbox below that is made while its mailbox is deleted stays, and everything else does', async () => {
    const before = await readdir(site.path('Mail/sample'))
    await expect(site.format(await meeting((path) => mkdir(join(path, 'below')))).remove(site.at('Mail/sample'))).rejects.toMatchObject({ kind: 'in-use' })
    expect(await readdir(site.path('Mail'))).toEqual(['sample'])
    expect((await readdir(site.path('Mail/sample'))).sort()).toEqual([...before, 'below'].sort())
  })
  test('a mailbox that is being deleted is not listed, at the top either', async () => {
    const format = site.format()
    expect(await format.recognise(site.at('Mail/sample'))).toBe('mine')
    expect(format.claims({ path: site.path('Mail/.mailwright-removed-1'), names: ['7'] })).toBe('inside')
  })

  const profiles = [
    { name: 'relative to the home', text: 'Path: Mail\n', path: 'Mail' },
    { name: 'any letter case, behind other lines', text: 'Editor: vi\nPATH:\tmy mail \n', path: 'my mail' },
    { name: 'no such line', text: 'Draft-Folder: drafts\n', path: undefined },
    { name: 'the first counts', text: 'path: a\npath: b\n', path: 'a' },
    { name: 'without a value', text: 'Path:\n', path: undefined },
  ]
  test.each(profiles)('profile: $name', ({ text, path }) => expect(pathIn(text)).toBe(path))
  test('the path of the site needs no profile, and may be absolute', async () => {
    const nobody = { ...site.at('Mail').user, home: await mkdtemp(join(tmpdir(), 'mailwright-mh-')) }
    expect(await mhPath(files, nobody, { profile: '.mh_profile' })).toBeUndefined()
    expect(await mhPath(files, nobody, { profile: '.mh_profile', path: '/var/mh/alice' })).toBe('/var/mh/alice')
    await rm(nobody.home, { recursive: true })
  })

  test.each(['$Label1', 'work', 'NonJunk', '$MDNSent', 'zz'])('keyword %s as a sequence and back', (keyword) => {
    expect(sequenceOf(keyword)).toMatch(/^[a-z][a-z0-9]*$/)
    expect(keywordOf(sequenceOf(keyword))).toBe(keyword.toLowerCase())
  })
  test('lines that are no sequences are kept', () => expect(Sequences.parse('cur: 1\nodd: x-3\n??\n').text).toBe('cur: 1\nodd: x-3\n??\n'))
})
