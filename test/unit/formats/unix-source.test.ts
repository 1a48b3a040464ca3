import { appendFile, chmod, copyFile, mkdir, mkdtemp, open, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { MailError, SYSTEM, uids, type AppendItem, type FileLane, type Files, type FileStat, type OpenFile } from '../../../core/api/index.js'
import { SystemFiles } from '../../../core/os/files.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import { TextFormat } from '../../../plugins/formats/shared/text/format.js'
import { fixture } from '../../support/formats.js'
import { decodeRows, encodeRows } from '../../../core/mail/cache/rows-codec.js'
import { alice, never, OpenUnix, TestClock, unixContext } from '../../support/unix.js'

process.env['TZ'] = 'UTC'
const FROM = 'From bob@example.net Mon Jan  5 09:08:07 2015\n'

/** The same files, with reads of their octets in other hands. */
function withReads(files: Files, read: (file: OpenFile, into: Uint8Array, at: number) => Promise<number>): Files {
  const wrap = (file: OpenFile): OpenFile =>
    new Proxy(file, {
      get(target, key) {
        if (key === 'read') return (into: Uint8Array, at: number) => read(target, into, at)
        const value: unknown = Reflect.get(target, key)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  return new Proxy(files, {
    get(target, key) {
      if (key === 'open') return async (...how: Parameters<Files['open']>) => wrap(await target.open(...how))
      const value: unknown = Reflect.get(target, key)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
/** Something happens before each read that is not of a file's beginning. */
function beforeReads(files: Files, happens: () => Promise<void>): Files {
  return withReads(files, async (file, into, at) => {
    if (at > 0) await happens()
    return file.read(into, at)
  })
}
/** Counts octets read, so that a test sees what was scanned. */
function counting(files: Files): { files: Files; read: () => number } {
  let octets = 0
  const counted = withReads(files, async (file, into, at) => {
    const n = await file.read(into, at)
    octets += n
    return n
  })
  return { files: counted, read: () => octets }
}
function item(bytes: Uint8Array, change: Partial<AppendItem> = {}): AppendItem {
  return {
    size: bytes.length,
    async *bytes() {
      for (let at = 0; at < bytes.length; at += 7) yield bytes.subarray(at, at + 7)
    },
    binary: false,
    system: 0,
    keywords: [],
    facts: new Map(),
    ...change,
  } as unknown as AppendItem
}

describe('unix mailboxes', () => {
  let dir = ''
  let path = ''
  let files: Files = new SystemFiles(undefined)
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'mailwright-unix-'))
    path = join(dir, 'box')
    files = new SystemFiles(await nativeLocks())
  })
  afterEach(async () => {
    await chmod(dir, 0o755)
    await rm(dir, { recursive: true, force: true })
  })
  const place = () => ({ path, user: alice, fileMode: 0o640, directoryMode: 0o700 })
  async function sample(name: string): Promise<void> {
    await copyFile(fileURLToPath(new URL(`../../fixtures/unix/${name}`, import.meta.url)), path)
  }
  async function append(format: TextFormat, items: readonly AppendItem[], box?: OpenUnix) {
    const delivery = await format.append(place())
    for (const one of items) {
      const bytes = (one.bytes as unknown as () => AsyncIterable<Uint8Array>)()
      await delivery.add({ ...one, bytes }, never)
    }
    if (box === undefined) return delivery.commit(undefined, never)
    return (await box.edit((edit) => delivery.commit({ source: box.source, edit }, never))).value
  }

  test('CREATE makes the record as the reference makes it, with the mode asked for', async () => {
    const format = new TextFormat(unixContext(files, dir, { clock: new TestClock(1795398290_000) }))
    await format.create(place())
    expect((await readFile(path)).toString('latin1')).toBe(fixture('fresh').toString('latin1'))
    expect((await stat(path)).mode & 0o777).toBe(0o640)
    await expect(format.create(place())).rejects.toMatchObject({ code: 'EEXIST' })
    expect(await format.recognise(place())).toBe('mine')
  })

  test.each([
    ['open', true],
    ['closed', false],
  ])('APPEND to an %s mailbox writes what the reference writes', async (_name, isOpen) => {
    const ctx = unixContext(files, dir, { clock: new TestClock(1795398294_000) })
    const format = new TextFormat(ctx)
    await format.create(place())
    const box = isOpen ? await OpenUnix.open(ctx, path) : undefined
    await box?.refresh(false)
    const at = (text: string, zone: number) => ({ date: { ms: Date.parse(text), zone } })
    const given = [
      await append(format, [item(fixture('source/m1.eml'), { system: SYSTEM.flagged, ...at('2015-01-05T09:08:07+01:00', 60) })], box),
      await append(format, [item(fixture('source/m3.eml'), at('2016-03-01T12:00:00Z', 0)), item(fixture('source/m4.eml'), { system: SYSTEM.draft | SYSTEM.deleted, ...at('2000-02-01T00:00:00Z', 0) })], box),
    ]
    // The sample's record was made anew by a rewrite, which adds a Message-ID.
    const wanted = fixture('awkward').toString('latin1').replace(/^Message-ID: <1795398294@.*\n/m, '')
    expect((await readFile(path)).toString('latin1')).toBe(wanted)
    expect(given.map((g) => g && [g.uidValidity, ...g.uids.ranges])).toEqual([
      [1795398294, 1, 1],
      [1795398294, 2, 3],
    ])
    const again = await OpenUnix.open(unixContext(files, dir), path)
    await again.refresh(false)
    expect(again.sizes).toEqual([220, 39, 130])
    if (box !== undefined) expect([box.uids, box.sizes]).toEqual([again.uids, again.sizes])
    const read = await again.messages()
    expect([...read.values()].map((m) => m.length)).toEqual([220, 39, 130])
    expect(read.get(1)).toContain('\r\n>From here on we quote.\r\n>From already quoted\r\n')
  })

  test('internal names in appended headers are renamed, in every message (the original protected the first alone)', async () => {
    const ctx = unixContext(files, dir)
    const format = new TextFormat(ctx)
    await format.create(place())
    await append(format, [item(fixture('source/m2.eml')), item(fixture('source/m2.eml'))])
    const box = await OpenUnix.open(ctx, path)
    await box.refresh(true)
    expect([box.uids, box.table.uidValidity]).toEqual([[1, 2], Math.floor(ctx.clock.now() / 1000)])
    for (const text of (await box.messages()).values()) {
      expect(text.match(/^X-Original-[A-Za-z-]+:/gm)).toEqual(['X-Original-Status:', 'X-Original-X-Status:', 'X-Original-X-UID:', 'X-Original-X-IMAPbase:', 'X-Original-X-Keywords:'])
    }
  })

  test('APPEND to an empty file starts a mailbox without record, and its base is kept', async () => {
    await writeFile(path, '')
    const ctx = unixContext(files, dir, { clock: new TestClock(1795398294_000) })
    const format = new TextFormat(ctx)
    expect(await format.recognise(place())).toBe('empty')
    const first = await append(format, [item(Buffer.from('Subject: a\r\n\r\nx\r\n'), { keywords: ['$Label1'] })])
    const second = await append(format, [item(Buffer.from('Subject: b\r\n\r\ny\r\n'), { keywords: ['Other'] })])
    expect([first?.uidValidity, first?.uids.ranges[0], second?.uidValidity, second?.uids.ranges[0]]).toEqual([1795398294, 1, 1795398294, 2])
    const box = await OpenUnix.open(ctx, path)
    await box.refresh(false)
    expect([box.uids, box.flags(0).keywords, box.flags(1).keywords, box.table.keywords.defined]).toEqual([[1, 2], ['$Label1'], ['Other'], ['$Label1', 'Other']])
    expect(await readFile(path, 'latin1')).toContain('X-IMAPbase: 1795398294 2 $Label1 Other\n')
  })

  test('a mailbox that another program has open is appended to without numbers, and not rewritten', async () => {
    await sample('opened')
    const before = await readFile(path)
    const { dev, ino } = await stat(path, { bigint: true })
    const lock = join(dir, `.${dev.toString(16)}.${ino.toString(16)}`)
    await writeFile(lock, '4712')
    const theirs = await files.open(lock, { write: true })
    const canLock = theirs.lock('flock', 'exclusive') === 'locked'
    const ctx = unixContext(files, dir)
    const box = await OpenUnix.open(ctx, path)
    await box.refresh(true)
    if (canLock) {
      const result = await append(box.format, [item(Buffer.from('Subject: a\r\n\r\nx\r\n'), { system: SYSTEM.seen })], box)
      expect(result).toBeUndefined()
      const after = (await readFile(path)).subarray(before.length).toString('latin1')
      expect(after).toMatch(/^From alice@mail\.example\.org .*\nStatus: R\nX-Status: \nX-Keywords:\nSubject: a\n\nx\n\n$/)
      expect(box.uids).toEqual([2, 3, 4, 5])
      await expect(box.edit((edit) => box.source.expunge(uids.all, { always: true }, edit, never))).rejects.toMatchObject({ kind: 'in-use' })
    }
    await theirs.close()
    await box.refresh(true)
    expect(box.uids).toEqual(canLock ? [2, 3, 4, 5] : [2, 3, 4])
  })

  test('a look is spared where the file was found as it is known, and only there', async () => {
    const looks: string[] = []
    class Watched extends SystemFiles {
      override stat(at: string): Promise<FileStat | undefined> {
        looks.push(at)
        return super.stat(at)
      }
    }
    await writeFile(path, `${FROM}Subject: one\n\nhello\n\n`)
    const box = await OpenUnix.open(unixContext(new Watched(await nativeLocks()), dir), path)
    const refresh = (found: FileStat | undefined) => box.edit((edit) => box.source.refresh(edit, { claimRecent: false, ...(found && { found }) }, never))
    const before = await files.stat(path)
    await refresh(before)
    expect(box.uids.length).toBe(1)
    looks.length = 0
    const now = await files.stat(path)
    await refresh(now)
    expect(looks).toEqual([])
    await refresh(undefined)
    expect(looks).toEqual([path])
    // Found with the message of another program, or before what this process did since: the file itself is looked at.
    await appendFile(path, `${FROM}Subject: two\n\nhello\n\n`)
    await refresh(await files.stat(path))
    expect(box.uids.length).toBe(2)
    await append(box.format, [item(Buffer.from('Subject: three\r\n\r\nhello\r\n'))], box)
    const uids = [...box.uids]
    await refresh(now)
    expect([uids.length, box.uids]).toEqual([3, uids])
  })
  test('an append to a mailbox in a known state is one task; what others wrote since, or lock, goes the general way', async () => {
    const tasks: string[] = []
    const lane: FileLane = {
      async run(task, args) {
        const done = await task.run({ files, clock: new TestClock(), random: (n) => new Uint8Array(n).fill(128) }, args)
        tasks.push(done === undefined ? 'refused' : 'done')
        return done
      },
    }
    const ctx = unixContext(files, dir, { lane })
    const format = new TextFormat(ctx)
    await format.create(place())
    const box = await OpenUnix.open(ctx, path)
    await box.refresh(true)
    const text = Buffer.from('Subject: x\r\n\r\nhello\r\n')
    await append(format, [item(text)], box)
    await append(format, [item(text), item(text)], box)
    expect(tasks).toEqual(['done', 'done'])
    await appendFile(path, `${FROM}Subject: theirs\n\nhello\n\n`)
    await append(format, [item(text)], box)
    expect(tasks).toEqual(['done', 'done', 'refused'])
    await writeFile(`${path}.lock`, '')
    await append(format, [item(text)], box)
    expect(tasks).toEqual(['done', 'done', 'refused', 'refused'])
    expect(box.uids).toEqual([1, 2, 3, 4, 5, 6])
    const again = await OpenUnix.open(unixContext(files, dir), path)
    await again.refresh(false)
    expect(again.uids).toEqual(box.uids)
    expect([...(await again.messages()).values()].map((m) => /Subject: (\w+)/.exec(m)?.[1])).toEqual(['x', 'x', 'x', 'theirs', 'x', 'x'])
  })
  test('a mailbox without messages whose record does not end with an empty line is mended on the general way', async () => {
    const tasks: unknown[] = []
    const lane: FileLane = {
      async run(task, args) {
        const done = await task.run({ files, clock: new TestClock(), random: (n) => new Uint8Array(n).fill(128) }, args)
        tasks.push(done)
        return done
      },
    }
    const ctx = unixContext(files, dir, { lane })
    const format = new TextFormat(ctx)
    await format.create(place())
    await truncate(path, (await readFile(path)).length - 1)
    const box = await OpenUnix.open(ctx, path)
    await box.refresh(true)
    await append(format, [item(Buffer.from('Subject: x\r\n\r\nhello\r\n'))], box)
    expect(tasks).toEqual([undefined])
    expect(await readFile(path, 'latin1')).toMatch(/initial values\.\n\nFrom alice/)
    expect([...(await box.messages()).values()]).toEqual(['Subject: x\r\n\r\nhello\r\n'])
  })

  test('a mailbox that grew is read from its last message on, and one that did not is not read at all', async () => {
    const body = `Subject: x\n\n${'text of a line\n'.repeat(2000)}\n`
    await writeFile(path, Array.from({ length: 50 }, () => FROM + body).join(''))
    const counted = counting(files)
    const box = await OpenUnix.open(unixContext(counted.files, dir), path)
    await box.refresh(true)
    const settled = counted.read()
    await box.refresh(true)
    expect(counted.read()).toBe(settled)
    await appendFile(path, FROM + body)
    await box.refresh(false)
    expect(box.uids.length).toBe(51)
    expect(counted.read() - settled).toBeLessThan(4 * body.length)
    expect([...(await box.messages([51])).values()][0]).toBe(body.slice(0, -1).replaceAll('\n', '\r\n'))
  })

  test('a mailbox of 100 000 messages that did not change is not read at all after a restart', async () => {
    const count = 100_000
    await writeFile(path, `${FROM}Subject: x\n\nhello\n\n`.repeat(count))
    const before = await OpenUnix.open(unixContext(files, dir), path)
    await before.refresh(true)
    const rows = encodeRows('key', before.table)
    const counted = counting(files)
    const after = await OpenUnix.open(unixContext(counted.files, dir), path)
    expect(rows !== undefined && decodeRows(rows, 'key', after.table)).toBe(true)
    await after.refresh(true)
    expect(counted.read()).toBe(0)
    expect([after.table.length, after.table.uidNext]).toEqual([count, count + 1])
    // Not by looking away: one message more is found, without reading the others.
    await appendFile(path, `${FROM}Subject: y\n\nhello\n\n`)
    await after.refresh(false)
    expect(after.table.length).toBe(count + 1)
    expect(counted.read()).toBeLessThan(10_000)
  })

  test('what others delete, flag and deliver is found under the same uids', async () => {
    await sample('dovecot-touched')
    const box = await OpenUnix.open(unixContext(files, dir), path)
    await box.refresh(true)
    expect(box.uids).toEqual([2, 3, 4, 5])
    const text = await readFile(path, 'latin1')
    const parts = text.split(/^(?=From )/m)
    expect(parts.length).toBe(5)
    const changed = [parts[0], parts[2]?.replace('X-Status: DA\n', 'X-Status: DF\n'), parts[3], parts[4], `${FROM}Subject: new\n\nhello\n\n`].join('')
    const file = await open(path, 'r+')
    await file.write(changed, 0, 'latin1')
    await file.truncate(Buffer.byteLength(changed, 'latin1'))
    await file.close()
    const { commit } = await box.refresh(false)
    expect([box.uids, [...commit.removed.ranges], [...commit.changed.ranges], commit.reset]).toEqual([[3, 4, 5, 6], [2, 2], [3, 3], false])
    expect(box.flags(0).system).toBe(SYSTEM.seen | SYSTEM.deleted | SYSTEM.flagged)
  })

  test('uids that only memory knows stay with their messages when others delete one', async () => {
    const message = (n: number): string => `From bob@example.net Mon Jan  5 09:08:0${n} 2015\nSubject: ${n}\n\nx\n\n`
    await writeFile(path, [1, 2, 3, 4].map(message).join(''))
    const box = await OpenUnix.open(unixContext(files, dir), path)
    await box.refresh(false)
    const validity = box.table.uidValidity
    await writeFile(path, [1, 3, 4, 5].map(message).join(''))
    await box.refresh(false)
    expect([box.uids, box.table.uidValidity]).toEqual([[1, 3, 4, 5], validity])
    await box.refresh(true)
    expect((await readFile(path, 'latin1')).match(/^X-(UID|IMAPbase): .*$/gm)).toEqual([`X-IMAPbase: ${validity} 5`, 'X-UID: 1', 'X-UID: 3', 'X-UID: 4', 'X-UID: 5'])
  })

  test('a delivered message that bears internal lines of its own does not cost the others their uids', async () => {
    await sample('opened')
    const box = await OpenUnix.open(unixContext(files, dir), path)
    await box.refresh(true)
    await appendFile(path, `${FROM}X-UID: 2\nX-IMAPbase: 1 1\nSubject: evil\n\nx\n\n${FROM}X-UID: 4000000000\nSubject: worse\n\ny\n\n`)
    await box.refresh(true)
    expect([box.uids, box.table.uidValidity]).toEqual([[2, 3, 4, 5, 6], 1795398290])
    const again = await OpenUnix.open(unixContext(files, dir), path)
    await again.refresh(true)
    expect([again.uids, again.table.uidValidity]).toEqual([[2, 3, 4, 5, 6], 1795398290])
  })

  test('flags and expunges are written into the same inode, and header padding keeps texts in place', async () => {
    await sample('opened')
    const { ino } = await stat(path)
    const box = await OpenUnix.open(unixContext(files, dir), path)
    await box.refresh(true)
    const size = (await stat(path)).size
    const change = { uids: uids.from([2, 4]), how: 'add', system: SYSTEM.answered, keywords: [] } as const
    await box.edit((edit) => box.source.store(change, edit, never))
    expect([(await stat(path)).size, box.flags(2)]).toEqual([size, { system: SYSTEM.answered | SYSTEM.draft, keywords: [] }])
    expect(await readFile(path, 'latin1')).toContain('Status: RO\nX-Status: FA\nX-Keywords: $Label1       \nX-UID: 2\n')
    const kept = await box.messages([2, 4])
    await box.edit((edit) => box.source.expunge(uids.from([2, 3]), { always: false }, edit, never))
    expect(box.uids).toEqual([2, 4])
    expect(await box.messages()).toEqual(kept)
    expect((await stat(path)).ino).toBe(ino)
    const again = await OpenUnix.open(unixContext(files, dir), path)
    await again.refresh(true)
    expect([again.uids, await again.messages()]).toEqual([[2, 4], kept])
    expect((await readdir(dir)).sort()).toEqual(['box'])
  })

  test('after a restart rows and columns are enough: an unchanged mailbox is not read', async () => {
    await sample('opened')
    const counted = counting(files)
    const ctx = unixContext(counted.files, dir)
    const box = await OpenUnix.open(ctx, path)
    await box.refresh(true)
    const before = counted.read()
    const later = await OpenUnix.open(unixContext(counted.files, dir), path)
    Object.assign(later, { table: box.table })
    await later.refresh(true)
    expect(counted.read()).toBe(before)
    expect((await later.messages()).size).toBe(3)
    expect(counted.read() - before).toBeLessThan(2 * (await stat(path)).size)
  })

  test('long messages come in pieces from any place, whatever their line ends', async () => {
    const lines = Array.from({ length: 9000 }, (_, n) => `line ${n} ${'.'.repeat(n % 70)}`)
    await writeFile(path, `${FROM}Subject: long\r\nX-Status: F\r\n\r\n${lines.join('\r\n')}\r\n\r\n${FROM}Subject: b\n\nshort\n\n`)
    const box = await OpenUnix.open(unixContext(files, dir), path)
    await box.refresh(false)
    const whole = `Subject: long\r\n\r\n${lines.join('\r\n')}\r\n`
    expect(box.sizes).toEqual([whole.length, 21])
    expect((await box.messages()).get(1)).toBe(whole)
    for await (const batch of box.source.read(uids.one(1), { bytes: 'header', sections: [], facts: [] }, box.table.generation, never)) {
      for (const m of batch) {
        const into = new Uint8Array(1000)
        for (const at of [whole.length - 500, 0, 100_000, 99_000, m.headerSize - 3]) {
          const n = await m.bytes.read(at, into, never)
          expect(Buffer.from(into.subarray(0, n)).toString('latin1')).toBe(whole.slice(at, at + 1000))
        }
        expect(m.headerSize).toBe('Subject: long\r\n\r\n'.length)
      }
    }
  })

  test.each(['before a piece is read', 'while a piece is read'])('another program writes a keyword %s, which moves a long message: its octets are found where they are', async (when) => {
    const text = Array.from({ length: 9000 }, (_, n) => `line ${n} ${'.'.repeat(n % 70)}\n`).join('')
    const before = `${FROM}Subject: first\nX-Keywords: a\nX-UID: 1\n\nx\n\n${FROM}Subject: long\nX-UID: 2\n\n${text}\n${FROM}Subject: last\nX-UID: 3\n\nx\n\n`
    await writeFile(path, before)
    let rewrite = async (): Promise<void> => undefined
    const disturbed = beforeReads(files, () => rewrite())
    const box = await OpenUnix.open(unixContext(disturbed, dir), path)
    await box.refresh(false)
    const whole = `Subject: long\r\n\r\n${text.replaceAll('\n', '\r\n')}`
    for await (const batch of box.source.read(uids.one(2), { bytes: 'header', sections: [], facts: [] }, box.table.generation, never)) {
      for (const m of batch) {
        const once = async (): Promise<void> => {
          rewrite = async () => undefined
          await writeFile(path, before.replace('X-Keywords: a', 'X-Keywords: a work'))
        }
        if (when === 'before a piece is read') await once()
        else rewrite = once
        const into = new Uint8Array(1000)
        expect(Buffer.from(into.subarray(0, await m.bytes.read(100_000, into, never))).toString('latin1')).toBe(whole.slice(100_000, 101_000))
      }
    }
  })

  test('a mailbox cut off under its readers says so instead of giving out the wrong octets', async () => {
    await writeFile(path, `${FROM}Subject: a\n\n${'x'.repeat(70_000)}\n\n${FROM}Subject: b\n\ny\n\n`)
    const box = await OpenUnix.open(unixContext(files, dir), path)
    await box.refresh(true)
    for await (const batch of box.source.read(uids.one(1), { bytes: 'whole', sections: [], facts: [] }, box.table.generation, never)) {
      await truncate(path, 300)
      for (const m of batch) await expect(m.bytes.read(1000, new Uint8Array(10), never)).rejects.toMatchObject({ kind: 'vanished' })
    }
    expect([...(await box.messages()).keys()]).toEqual([])
    await box.refresh(false)
    expect(box.uids).toEqual([1])
  })

  test('a full disk leaves the mailbox as it was', async () => {
    await sample('opened')
    const before = await readFile(path)
    let left = 3
    const full = new Proxy(files, {
      get(target, key) {
        if (key === 'open')
          return async (...args: Parameters<Files['open']>) => {
            const file = await target.open(...args)
            if (args[0] !== path) return file
            return new Proxy(file, {
              get(f, k) {
                if (k === 'write')
                  return async (chunks: readonly Uint8Array[], at: number) => {
                    if (at < before.length && left-- > 0) return f.write(chunks, at)
                    await f.write([chunks[0]?.subarray(0, 5) ?? new Uint8Array()], at)
                    throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
                  }
                const value: unknown = Reflect.get(f, k)
                return typeof value === 'function' ? value.bind(f) : value
              },
            })
          }
        const value: unknown = Reflect.get(target, key)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    const box = await OpenUnix.open(unixContext(full, dir), path)
    await box.refresh(true)
    await expect(append(box.format, [item(Buffer.from('Subject: a\r\n\r\nx\r\n'))], box)).rejects.toMatchObject({ kind: 'unavailable' })
    expect(await readFile(path)).toEqual(before)
    const change = { uids: uids.all, how: 'add', system: 0, keywords: ['ANewKeywordThatTakesRoom'] } as const
    left = 0
    await expect(box.edit((edit) => box.source.store(change, edit, never))).rejects.toBeInstanceOf(MailError)
    left = 1000
    const again = await OpenUnix.open(unixContext(files, dir), path)
    await again.refresh(true)
    expect([again.uids, [...(await again.messages()).values()].length]).toEqual([[2, 3, 4], 3])
  })

  test('while another program has the mailbox open, nothing overwrites what an interrupted rewrite still has to write', async () => {
    await sample('opened')
    let isBroken = false
    const breaking = new Proxy(files, {
      get(target, key) {
        if (key === 'open')
          return async (...args: Parameters<Files['open']>) => {
            const file = await target.open(...args)
            if (args[0] !== path) return file
            return new Proxy(file, {
              get(f, k) {
                if (k === 'write') {
                  return (chunks: readonly Uint8Array[], at: number) => (isBroken && at < size - 1 ? Promise.reject(Object.assign(new Error('EIO: i/o error, write'), { code: 'EIO' })) : f.write(chunks, at))
                }
                const value: unknown = Reflect.get(f, k)
                return typeof value === 'function' ? value.bind(f) : value
              },
            })
          }
        const value: unknown = Reflect.get(target, key)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    const box = await OpenUnix.open(unixContext(breaking, dir), path)
    await box.refresh(true)
    // Room behind what there is can be had, and the last octet, which is tried first; others that are there cannot be written.
    const { size } = await stat(path)
    isBroken = true
    await expect(box.edit((edit) => box.source.store({ uids: uids.all, how: 'add', system: SYSTEM.flagged, keywords: [] }, edit, never))).rejects.toThrow('EIO')

    const { dev, ino } = await stat(path, { bigint: true })
    const lock = join(dir, `.${dev.toString(16)}.${ino.toString(16)}`)
    await writeFile(lock, '4712')
    const theirs = await files.open(lock, { write: true })
    const canLock = theirs.lock('flock', 'exclusive') === 'locked'
    const half = await readFile(path)
    const format = new TextFormat(unixContext(files, dir))
    const one = [item(Buffer.from('Subject: a\r\n\r\nx\r\n'))]
    if (canLock) {
      await expect(append(format, one)).rejects.toMatchObject({ kind: 'in-use' })
      expect(await readFile(path)).toEqual(half)
    }
    await theirs.close()
    expect((await append(format, one))?.uids.ranges).toEqual(Uint32Array.of(5, 5))
    const again = await OpenUnix.open(unixContext(files, dir), path)
    await again.refresh(true)
    expect(again.uids).toEqual([2, 3, 4, 5])
    expect([0, 1, 2, 3].map((row) => again.flags(row).system & SYSTEM.flagged)).toEqual([SYSTEM.flagged, SYSTEM.flagged, SYSTEM.flagged, 0])
  })
  test('a file that is no mailbox is not taken for one, and a zero-length message is refused', async () => {
    await writeFile(path, 'just text\n')
    const format = new TextFormat(unixContext(files, dir))
    expect(await format.recognise(place())).toBe('not-mine')
    await mkdir(join(dir, 'folder'))
    expect(await format.recognise({ ...place(), path: join(dir, 'folder') })).toBe('not-mine')
    const box = await OpenUnix.open(unixContext(files, dir), path)
    await expect(box.refresh(false)).rejects.toMatchObject({ kind: 'corrupt' })
    await expect(append(format, [item(new Uint8Array())])).rejects.toThrow('Append of zero-length message')
  })
})
