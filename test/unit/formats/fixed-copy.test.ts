import { join } from 'node:path'
import { readFile, stat, utimes, writeFile } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SYSTEM, uids, type FileLane, type Files, type TakenMessage, type UidSet } from '../../../core/api/index.js'
import { SystemFiles } from '../../../core/os/files.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import { mbxDialect } from '../../../plugins/formats/mbx/dialect.js'
import { mtxDialect } from '../../../plugins/formats/mtx/dialect.js'
import { tenexDialect } from '../../../plugins/formats/tenex/dialect.js'
import { FixedFormat } from '../../../plugins/formats/shared/fixed/format.js'
import { countingFiles } from '../../support/counting-files.js'
import { withOpened } from '../../support/changed-files.js'
import { fixedContextOf } from '../../support/fixed.js'
import { itemOf, OpenBox, placeOf, temporaryFolder } from '../../support/open-box.js'
import { never, TestClock } from '../../support/unix.js'

const system = new SystemFiles(await nativeLocks())
/** Without text, without a header's end, larger than one piece, and ordinary ones. */
const texts = ['\r\nno header\r\n', 'Subject: no text\r\n', `Subject: large\r\n\r\n${'0123456789abcdef\r\n'.repeat(1 << 16)}`, 'Subject: a\r\n\r\na\r\n', 'Subject: b\r\n\r\nb\r\n']
async function* whole(text: string): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(Buffer.from(text))
}
const day = { date: { ms: Date.UTC(2020, 1, 3, 4, 5, 6), zone: 120 } }

describe.each([mbxDialect, mtxDialect, tenexDialect].flatMap((dialect) => [true, false].map((threads) => ({ dialect, title: dialect.title, threads }))))('COPY between $title mailboxes, threads for files: $threads', ({ dialect, threads }) => {
  const clock = new TestClock(Date.now() + 60_000)
  const lane: FileLane = {
    run: async (task, args) => structuredClone(await task.run({ files: system, clock, random: (n) => new Uint8Array(n).fill(7) }, structuredClone(args))),
  }
  let folder = temporaryFolder('copy')
  let from: OpenBox
  let open: OpenBox[] = []
  const formatOf = (files: Files = system): FixedFormat => new FixedFormat(dialect, fixedContextOf(files, folder.path, threads ? { lane, clock } : { clock }))
  const path = (name: string): string => join(folder.path, name)
  async function opened(name: string, format = formatOf()): Promise<OpenBox> {
    const box = await OpenBox.open(format, path(name))
    open.push(box)
    await box.refresh(true)
    return box
  }
  beforeEach(async () => {
    folder = temporaryFolder('copy')
    for (const name of ['from', 'to']) await formatOf().create(placeOf(path(name)))
    from = await opened('from')
    await from.append(texts.map((text) => itemOf(text, { ...day, bytes: whole(text) })))
    await from.refresh(true)
    await from.store([2, 4], { system: SYSTEM.flagged })
  })
  afterEach(async () => {
    for (const box of open) await box.source.close()
    open = []
    await folder[Symbol.asyncDispose]()
  })
  /** As core gives them. */
  function taken(which: readonly number[], box = from): TakenMessage[] {
    const rows = box.table.generation
    return which.map((uid) => {
      const row = rows.find(uid)
      const { system: flags, keywords } = rows.flagSets[rows.flags[row] ?? 0] ?? { system: 0, keywords: [] }
      return { uid, system: flags, keywords, date: { ms: rows.date[row] ?? 0, zone: rows.zone[row] ?? 0 } }
    })
  }
  async function copy(which: readonly number[], to: OpenBox | undefined, box = from): Promise<UidSet | undefined> {
    const format = to?.format ?? formatOf()
    const delivery = await format.append(placeOf(to?.path ?? path('to')), never)
    expect(await delivery.take?.(box.source, taken(which, box), box.table.generation, never)).toBe(true)
    const result = to === undefined ? await delivery.commit(undefined, never) : (await to.edit((edit) => delivery.commit({ source: to.source, edit }, never))).value
    return result?.uids
  }
  const told = async (box: OpenBox): Promise<unknown[]> => (await box.messages()).map((m) => ({ ...m, uid: 0 }))

  test.each(['an open mailbox', 'a closed mailbox'])('octets, dates and flags stay the same, into %s', async (kind) => {
    const to = kind === 'an open mailbox' ? await opened('to') : undefined
    const given = await copy(from.uids, to)
    expect(given).toEqual(dialect.header === undefined ? undefined : uids.ranges(Uint32Array.of(1, texts.length)))
    const anew = await opened('to')
    expect(await told(anew)).toEqual(await told(from))
    if (to !== undefined) expect(await told(to)).toEqual(await told(anew))
  })

  test('some of them, into the mailbox itself, and once more', async () => {
    await copy([1, 3, 5], from)
    await copy([4], from)
    expect((await from.messages()).map((m) => m.text)).toEqual([...texts, texts[0], texts[2], texts[4], texts[3]])
    expect((await (await opened('from')).messages()).map((m) => m.text)).toEqual((await from.messages()).map((m) => m.text))
  })

  test('lines that another program wrote longer than ours become ours', async () => {
    let n = 0
    const longer = (await readFile(from.path, 'latin1')).replace(/,(\d+);/g, (line, size: string) => (n++ % 2 === 0 ? `,00${size};` : line))
    expect(n).toBe(texts.length)
    await writeFile(path('foreign'), longer, 'latin1')
    const foreign = await opened('foreign')
    await copy(foreign.uids, undefined, foreign)
    expect(await told(await opened('to'))).toEqual(await told(from))
    const [there, here] = [await readFile(path('to')), await readFile(from.path)]
    expect(there.length).toBe(here.length)
  })

  test('a message that is not there ends the copy when nothing is read any more', async () => {
    let reading = 0
    const files = withOpened(system, (file) => ({
      read: async (into, at) => {
        reading++
        const got = await file.read(into, at)
        // The first piece is looked at while the second is read.
        if (at > 1 << 16) await pause(20)
        reading--
        return got
      },
      close: () => {
        expect(reading).toBe(0)
        return file.close()
      },
    }))
    const delivery = await new FixedFormat(dialect, fixedContextOf(files, folder.path, { clock })).append(placeOf(path('to')))
    expect(await delivery.take?.(from.source, taken(from.uids), from.table.generation, never)).toBe(true)
    // In its place, and of the same length and time.
    const before = await stat(from.path)
    const octets = await readFile(from.path)
    const first = dialect.header?.length ?? 0
    octets.fill('x', first, first + 40)
    await writeFile(from.path, octets)
    await utimes(from.path, before.atimeMs / 1000, before.mtimeMs / 1000)
    await expect(delivery.commit(undefined, never)).rejects.toMatchObject({ kind: 'vanished' })
  })

  test('what was changed meanwhile is vanished, and nothing arrives', async () => {
    const before = await readFile(path('to'))
    for (const to of [await opened('to'), undefined]) {
      const delivery = await formatOf().append(placeOf(path('to')))
      expect(await delivery.take?.(from.source, taken([1, 4]), from.table.generation, never)).toBe(true)
      await from.store([1], { how: to === undefined ? 'remove' : 'add', system: SYSTEM.answered })
      const commit = to === undefined ? delivery.commit(undefined, never) : to.edit((edit) => delivery.commit({ source: to.source, edit }, never))
      await expect(commit).rejects.toMatchObject({ kind: 'vanished' })
      expect((await readFile(path('to'))).subarray(2048)).toEqual(before.subarray(2048))
    }
  })

  test('what the rows do not have is not taken, nor what lies in a mailbox of another kind', async () => {
    const delivery = await formatOf().append(placeOf(path('to')))
    expect(await delivery.take?.(from.source, [...taken([1]), { uid: 77, system: 0, keywords: [], ...day }], from.table.generation, never)).toBe(false)
    const other = dialect === mbxDialect ? mtxDialect : mbxDialect
    const foreign = new FixedFormat(other, fixedContextOf(system, folder.path, { clock }))
    await foreign.create(placeOf(path('foreign')))
    expect(await (await foreign.append(placeOf(path('foreign')))).take?.(from.source, taken([1]), from.table.generation, never)).toBe(false)
    await delivery.abort()
  })

  test('calls do not grow with the number of messages', async () => {
    await from.append(Array.from({ length: 200 }, (_, n) => itemOf(`Subject: ${n}\r\n\r\ntext ${n}\r\n`, day)))
    await from.refresh(true)
    await from.store([1], { system: SYSTEM.seen })
    const { files, counts, reset } = countingFiles(system)
    const to = await opened('to', formatOf(files))
    const calls = async (count: number): Promise<number> => {
      reset()
      await copy(Array.from({ length: count }, (_, n) => texts.length + 1 + n), to)
      return counts().calls
    }
    await calls(1)
    const one = await calls(1)
    // On a thread nothing is asked of the files here.
    if (threads) expect(one).toBe(0)
    expect(await calls(200)).toBeLessThanOrEqual(one + 3)
    expect(to.table.length).toBe(202)
  })
})
