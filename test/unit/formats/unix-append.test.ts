import { appendFile, mkdir, readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { SYSTEM, uids, type FileLane } from '../../../core/api/index.js'
import { TextFormat } from '../../../plugins/formats/shared/text/format.js'
import { fixture } from '../../support/formats.js'
import { FROM, item, unixFolder } from '../../support/unix-folder.js'
import { never, OpenUnix, TestClock, unixContext } from '../../support/unix.js'

// How a mailbox begins, and how messages are added to it.

process.env['TZ'] = 'UTC'

const here = unixFolder()
/** Work of many calls, done here, with what came of each. */
function notingLane(): { readonly lane: FileLane; readonly tasks: readonly ('done' | 'refused')[] } {
  const tasks: ('done' | 'refused')[] = []
  const lane: FileLane = {
    async run(task, args) {
      const done = await task.run({ files: here.files, clock: new TestClock(), random: (n) => new Uint8Array(n).fill(128) }, args)
      tasks.push(done === undefined ? 'refused' : 'done')
      return done
    },
  }
  return { lane, tasks }
}

test('CREATE makes the record as the reference makes it, with the mode asked for', async () => {
  const format = new TextFormat(unixContext(here.files, here.dir, { clock: new TestClock(1795398290_000) }))
  await format.create(here.place())
  expect((await readFile(here.path)).toString('latin1')).toBe(fixture('fresh').toString('latin1'))
  expect((await stat(here.path)).mode & 0o777).toBe(0o640)
  await expect(format.create(here.place())).rejects.toMatchObject({ code: 'EEXIST' })
  expect(await format.recognise(here.place())).toBe('mine')
})

test.each([
  ['open', true],
  ['closed', false],
])('APPEND to an %s mailbox writes what the reference writes', async (_name, isOpen) => {
  const ctx = unixContext(here.files, here.dir, { clock: new TestClock(1795398294_000) })
  const format = new TextFormat(ctx)
  await format.create(here.place())
  const box = isOpen ? await OpenUnix.open(ctx, here.path) : undefined
  await box?.refresh(false)
  const at = (text: string, zone: number) => ({ date: { ms: Date.parse(text), zone } })
  const given = [
    await here.append(format, [item(fixture('source/m1.eml'), { system: SYSTEM.flagged, ...at('2015-01-05T09:08:07+01:00', 60) })], box),
    await here.append(format, [item(fixture('source/m3.eml'), at('2016-03-01T12:00:00Z', 0)), item(fixture('source/m4.eml'), { system: SYSTEM.draft | SYSTEM.deleted, ...at('2000-02-01T00:00:00Z', 0) })], box),
  ]
  // The sample's record was made anew by a rewrite, which adds a Message-ID.
  const wanted = fixture('awkward').toString('latin1').replace(/^Message-ID: <1795398294@.*\n/m, '')
  expect((await readFile(here.path)).toString('latin1')).toBe(wanted)
  expect(given.map((g) => g && [g.uidValidity, ...g.uids.ranges])).toEqual([
    [1795398294, 1, 1],
    [1795398294, 2, 3],
  ])
  const again = await OpenUnix.open(unixContext(here.files, here.dir), here.path)
  await again.refresh(false)
  expect(again.sizes).toEqual([220, 39, 130])
  if (box !== undefined) expect([box.uids, box.sizes]).toEqual([again.uids, again.sizes])
  const read = await again.messages()
  expect([...read.values()].map((m) => m.length)).toEqual([220, 39, 130])
  expect(read.get(1)).toContain('\r\n>From here on we quote.\r\n>From already quoted\r\n')
})

test('internal names in appended headers are renamed, in every message (the original protected the first alone)', async () => {
  const ctx = unixContext(here.files, here.dir)
  const format = new TextFormat(ctx)
  await format.create(here.place())
  await here.append(format, [item(fixture('source/m2.eml')), item(fixture('source/m2.eml'))])
  const box = await OpenUnix.open(ctx, here.path)
  await box.refresh(true)
  expect([box.uids, box.table.uidValidity]).toEqual([[1, 2], Math.floor(ctx.clock.now() / 1000)])
  for (const text of (await box.messages()).values()) {
    expect(text.match(/^X-Original-[A-Za-z-]+:/gm)).toEqual(['X-Original-Status:', 'X-Original-X-Status:', 'X-Original-X-UID:', 'X-Original-X-IMAPbase:', 'X-Original-X-Keywords:'])
  }
})

test('APPEND to an empty file starts a mailbox without record, and its base is kept', async () => {
  await writeFile(here.path, '')
  const ctx = unixContext(here.files, here.dir, { clock: new TestClock(1795398294_000) })
  const format = new TextFormat(ctx)
  expect(await format.recognise(here.place())).toBe('empty')
  const first = await here.append(format, [item(Buffer.from('Subject: a\r\n\r\nx\r\n'), { keywords: ['$Label1'] })])
  const second = await here.append(format, [item(Buffer.from('Subject: b\r\n\r\ny\r\n'), { keywords: ['Other'] })])
  expect([first?.uidValidity, first?.uids.ranges[0], second?.uidValidity, second?.uids.ranges[0]]).toEqual([1795398294, 1, 1795398294, 2])
  const box = await OpenUnix.open(ctx, here.path)
  await box.refresh(false)
  expect([box.uids, box.flags(0).keywords, box.flags(1).keywords, box.table.keywords.defined]).toEqual([[1, 2], ['$Label1'], ['Other'], ['$Label1', 'Other']])
  expect(await readFile(here.path, 'latin1')).toContain('X-IMAPbase: 1795398294 2 $Label1 Other\n')
})

test('a mailbox that another program has open is appended to without numbers, and not rewritten', async () => {
  await here.sample('opened')
  const before = await readFile(here.path)
  const { dev, ino } = await stat(here.path, { bigint: true })
  const lock = join(here.dir, `.${dev.toString(16)}.${ino.toString(16)}`)
  await writeFile(lock, '4712')
  const theirs = await here.files.open(lock, { write: true })
  const canLock = theirs.lock('flock', 'exclusive') === 'locked'
  const ctx = unixContext(here.files, here.dir)
  const box = await OpenUnix.open(ctx, here.path)
  await box.refresh(true)
  if (canLock) {
    const result = await here.append(box.format, [item(Buffer.from('Subject: a\r\n\r\nx\r\n'), { system: SYSTEM.seen })], box)
    expect(result).toBeUndefined()
    const after = (await readFile(here.path)).subarray(before.length).toString('latin1')
    expect(after).toMatch(/^From alice@mail\.example\.org .*\nStatus: R\nX-Status: \nX-Keywords:\nSubject: a\n\nx\n\n$/)
    expect(box.uids).toEqual([2, 3, 4, 5])
    await expect(box.edit((edit) => box.source.expunge(uids.all, { always: true }, edit, never))).rejects.toMatchObject({ kind: 'in-use' })
  }
  await theirs.close()
  await box.refresh(true)
  expect(box.uids).toEqual(canLock ? [2, 3, 4, 5] : [2, 3, 4])
})

test('an append to a mailbox in a known state is one task; what others wrote since, or lock, goes the general way', async () => {
  const { lane, tasks } = notingLane()
  const ctx = unixContext(here.files, here.dir, { lane })
  const format = new TextFormat(ctx)
  await format.create(here.place())
  const box = await OpenUnix.open(ctx, here.path)
  await box.refresh(true)
  const text = Buffer.from('Subject: x\r\n\r\nhello\r\n')
  await here.append(format, [item(text)], box)
  await here.append(format, [item(text), item(text)], box)
  expect(tasks).toEqual(['done', 'done'])
  await appendFile(here.path, `${FROM}Subject: theirs\n\nhello\n\n`)
  await here.append(format, [item(text)], box)
  expect(tasks).toEqual(['done', 'done', 'refused'])
  await writeFile(`${here.path}.lock`, '')
  await here.append(format, [item(text)], box)
  expect(tasks).toEqual(['done', 'done', 'refused', 'refused'])
  expect(box.uids).toEqual([1, 2, 3, 4, 5, 6])
  const again = await OpenUnix.open(unixContext(here.files, here.dir), here.path)
  await again.refresh(false)
  expect(again.uids).toEqual(box.uids)
  expect([...(await again.messages()).values()].map((m) => /Subject: (\w+)/.exec(m)?.[1])).toEqual(['x', 'x', 'x', 'theirs', 'x', 'x'])
})

test('a mailbox without messages whose record does not end with an empty line is mended on the general way', async () => {
  const { lane, tasks } = notingLane()
  const ctx = unixContext(here.files, here.dir, { lane })
  const format = new TextFormat(ctx)
  await format.create(here.place())
  await truncate(here.path, (await readFile(here.path)).length - 1)
  const box = await OpenUnix.open(ctx, here.path)
  await box.refresh(true)
  await here.append(format, [item(Buffer.from('Subject: x\r\n\r\nhello\r\n'))], box)
  expect(tasks).toEqual(['refused'])
  expect(await readFile(here.path, 'latin1')).toMatch(/initial values\.\n\nFrom alice/)
  expect([...(await box.messages()).values()]).toEqual(['Subject: x\r\n\r\nhello\r\n'])
})

test('a file that is no mailbox is not taken for one, and a zero-length message is refused', async () => {
  await writeFile(here.path, 'just text\n')
  const format = new TextFormat(unixContext(here.files, here.dir))
  expect(await format.recognise(here.place())).toBe('not-mine')
  await mkdir(join(here.dir, 'folder'))
  expect(await format.recognise({ ...here.place(), path: join(here.dir, 'folder') })).toBe('not-mine')
  const box = await OpenUnix.open(unixContext(here.files, here.dir), here.path)
  await expect(box.refresh(false)).rejects.toMatchObject({ kind: 'corrupt' })
  await expect(here.append(format, [item(new Uint8Array())])).rejects.toThrow('Append of zero-length message')
})
