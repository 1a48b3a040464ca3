import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SYSTEM, uids, type Files } from '../../../core/api/index.js'
import { SystemFiles } from '../../../core/os/files.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import { TextFormat } from '../../../plugins/formats/shared/text/format.js'
import { alice, never, OpenUnix, unixContext } from '../../support/unix.js'

process.env['TZ'] = 'UTC'
const FROM = 'From bob@example.net Mon Jan  5 09:08:07 2015\n'
/** What the source's file says, and what the copies' file then says between From line and text. */
const messages = [
  { name: 'internal lines are made anew', source: 'Status: RO\nSubject: one\nX-UID: 9\n\nbody\n', copy: 'Subject: one\nSTATUS\n\nbody\n' },
  { name: 'no text', source: 'Subject: two\n\n', copy: 'Subject: two\nSTATUS\n\n' },
  { name: 'line ends with CR', source: 'Subject: three\r\nX-Keywords: a\r\n\r\nb\r\nc\r\n', copy: 'Subject: three\nSTATUS\n\nb\nc\n' },
  { name: 'quoted From lines stay as they are', source: 'Subject: four\n\n>From me\n>>From you\nFrom here on no date\n', copy: 'Subject: four\nSTATUS\n\n>From me\n>>From you\nFrom here on no date\n' },
  { name: 'no header', source: '\ntext\n', copy: 'STATUS\n\ntext\n' },
  { name: 'the file ends within a line', source: 'Subject: last\n\nno end', copy: 'Subject: last\nSTATUS\n\nno end\n' },
]

describe('COPY between traditional mailboxes', () => {
  let dir = ''
  let files: Files = new SystemFiles(undefined)
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'mailwright-unix-'))
    files = new SystemFiles(await nativeLocks())
    await writeFile(join(dir, 'from'), messages.map(({ source }, i) => `${FROM}${source}${i + 1 < messages.length ? '\n' : ''}`).join(''))
  })
  afterEach(async () => rm(dir, { recursive: true, force: true }))
  const place = (name: string) => ({ path: join(dir, name), user: alice, fileMode: 0o600, directoryMode: 0o700 })
  /** As core gives them: flags of the source's table, unless told otherwise. */
  function taken(box: OpenUnix, which = box.uids) {
    const { generation: rows } = box.table
    return which.map((uid) => {
      const row = rows.find(uid)
      return { uid, ...box.flags(row), date: { ms: rows.date[row] ?? 0, zone: rows.zone[row] ?? 0 } }
    })
  }
  const block = (text: string): string => text.replace(/Status: .*\nX-Status: .*\nX-Keywords:.*\n(X-UID: \d+\n)?/, 'STATUS\n').replace(/X-IMAPbase: .*\n/, '')

  test.each(['an open mailbox', 'a closed mailbox', 'an empty file'])('octets stay as they lie, into %s', async (kind) => {
    const ctx = unixContext(files, dir)
    const format = new TextFormat(ctx)
    const from = await OpenUnix.open(ctx, join(dir, 'from'))
    await from.refresh(false)
    if (kind === 'an empty file') await writeFile(join(dir, 'to'), '')
    else await format.create(place('to'))
    const to = kind === 'an open mailbox' ? await OpenUnix.open(ctx, join(dir, 'to')) : undefined
    await to?.refresh(false)
    const delivery = await format.append(place('to'))
    const arriving = taken(from).map((m, i) => (i === 1 ? { ...m, system: SYSTEM.flagged | SYSTEM.draft, keywords: ['work'] } : m))
    expect(await delivery.take(from.source, arriving, from.table.generation, never)).toBe(true)
    const result = to === undefined ? await delivery.commit(undefined, never) : (await to.edit((edit) => delivery.commit({ source: to.source, edit }, never))).value
    expect(result && [...result.uids.ranges]).toEqual([1, messages.length])

    const written = (await readFile(join(dir, 'to'), 'latin1')).split(FROM).slice(1)
    expect(written.map(block)).toEqual(messages.map(({ copy }) => `${copy}\n`))
    expect(written[1]).toContain('X-Status: FT')
    expect(written[1]).toContain('X-Keywords: work')
    const again = await OpenUnix.open(unixContext(files, dir), join(dir, 'to'))
    await again.refresh(false)
    const [before, after] = [[...(await from.messages()).values()], [...(await again.messages()).values()]]
    expect(after).toEqual(before.map((text) => (text.endsWith('no end') ? `${text}\r\n` : text)))
    expect(again.sizes).toEqual(after.map((text) => text.length))
    expect(again.flags(1)).toEqual({ system: SYSTEM.flagged | SYSTEM.draft, keywords: ['work'] })
    if (to !== undefined) expect([to.uids, to.sizes, [...(await to.messages()).values()]]).toEqual([again.uids, again.sizes, after])
    const dates = (box: OpenUnix): number[] => [...box.table.generation.date.subarray(0, box.table.length)]
    expect(dates(again)).toEqual(dates(from))
  })

  const refusals = [
    { name: 'one of them is gone', prepare: async () => undefined, which: [1, 77] },
    { name: 'another program has rewritten the file', prepare: async () => writeFile(join(dir, 'from'), `${FROM}Subject: other\n\nother\n`), which: [1] },
    { name: 'the file is gone', prepare: async () => rm(join(dir, 'from')), which: [1] },
  ]
  test.each(refusals)('nothing is taken when $name', async ({ prepare, which }) => {
    const ctx = unixContext(files, dir)
    const from = await OpenUnix.open(ctx, join(dir, 'from'))
    await from.refresh(false)
    await prepare()
    const format = new TextFormat(ctx)
    await format.create(place('to'))
    const before = await readFile(join(dir, 'to'))
    const delivery = await format.append(place('to'))
    expect(await delivery.take(from.source, taken(from, which), from.table.generation, never)).toBe(false)
    await delivery.abort()
    expect(await readFile(join(dir, 'to'))).toEqual(before)
  })
  const longer = [
    { name: 'mail has come', to: (text: string) => `${text}\n${FROM}Subject: new\n\nnew\n` },
    { name: 'a keyword more stands in the first message', to: (text: string) => text.replace('X-Keywords: a', 'X-Keywords: a work') },
    { name: 'what the mailbox says of itself is longer', to: (text: string) => text.replace('X-IMAPbase: 5 0000000002', 'X-IMAPbase: 5 0000000002 work') },
  ]
  describe.each(longer)('where $name, the places of a source that has grown are not gone by', ({ to }) => {
    const before = `${FROM}X-IMAPbase: 5 0000000002\nSubject: one\nX-Keywords: a\nX-UID: 1\n\nbody\n\n${FROM}Subject: two\nX-UID: 2\n\nbody\n\n\n\n`
    test.each(['before', 'after'])('%s they were asked for', async (when) => {
      await writeFile(join(dir, 'from'), before)
      const ctx = unixContext(files, dir)
      const from = await OpenUnix.open(ctx, join(dir, 'from'))
      await from.refresh(false)
      const format = new TextFormat(ctx)
      await format.create(place('to'))
      const delivery = await format.append(place('to'))
      if (when === 'before') await writeFile(join(dir, 'from'), to(before))
      expect(await delivery.take(from.source, taken(from), from.table.generation, never)).toBe(when === 'after')
      if (when === 'before') return delivery.abort()
      await writeFile(join(dir, 'from'), to(before))
      const empty = await readFile(join(dir, 'to'))
      await expect(delivery.commit(undefined, never)).rejects.toMatchObject({ kind: 'vanished' })
      expect(await readFile(join(dir, 'to'))).toEqual(empty)
    })
  })
  test('a message that is too large to hold is not taken', async () => {
    await writeFile(join(dir, 'from'), `${FROM}Subject: large\n\n${'0123456789\n'.repeat(800_000)}`)
    const ctx = unixContext(files, dir)
    const from = await OpenUnix.open(ctx, join(dir, 'from'))
    await from.refresh(false)
    const format = new TextFormat(ctx)
    await format.create(place('to'))
    const delivery = await format.append(place('to'))
    expect(await delivery.take(from.source, taken(from), from.table.generation, never)).toBe(false)
  })
  test('more than is held at once is taken in pieces', async () => {
    const text = (i: number): string => `${FROM}Subject: ${i}\n\n${`${i} 0123456789\n`.repeat(30_000)}`
    await writeFile(join(dir, 'from'), Array.from({ length: 40 }, (_, i) => text(i)).join('\n'))
    const ctx = unixContext(files, dir)
    const from = await OpenUnix.open(ctx, join(dir, 'from'))
    await from.refresh(false)
    const format = new TextFormat(ctx)
    await format.create(place('to'))
    const to = await OpenUnix.open(ctx, join(dir, 'to'))
    await to.refresh(false)
    const delivery = await format.append(place('to'))
    expect(await delivery.take(from.source, taken(from), from.table.generation, never)).toBe(true)
    await to.edit((edit) => delivery.commit({ source: to.source, edit }, never))
    const written = (await readFile(join(dir, 'to'), 'latin1')).split(FROM).slice(1)
    expect(written.map((copy) => `${FROM}${block(copy)}`)).toEqual(Array.from({ length: 40 }, (_, i) => `${text(i).replace('\n\n', '\nSTATUS\n\n')}\n`))
    expect([to.uids, to.sizes]).toEqual([from.uids, from.sizes])
  })
  const changes = [
    { name: 'rewritten', change: async (path: string) => writeFile(path, `${FROM}Subject: other\n\n${'other\n'.repeat(100)}`) },
    { name: 'cut off', change: async (path: string) => truncate(path, 60) },
    { name: 'removed', change: async (path: string) => rm(path) },
  ]
  const kinds = ['an open mailbox', 'a closed mailbox']
  test.each(changes.flatMap((c) => kinds.map((kind) => ({ ...c, kind }))))('a source that is $name between take and commit leaves $kind as it was', async ({ change, kind }) => {
    const ctx = unixContext(files, dir)
    const from = await OpenUnix.open(ctx, join(dir, 'from'))
    await from.refresh(false)
    const format = new TextFormat(ctx)
    await format.create(place('to'))
    const before = await readFile(join(dir, 'to'))
    const to = await OpenUnix.open(ctx, join(dir, 'to'))
    await to.refresh(false)
    const delivery = await format.append(place('to'))
    expect(await delivery.take(from.source, taken(from), from.table.generation, never)).toBe(true)
    await change(join(dir, 'from'))
    const commit = kind === 'an open mailbox' ? to.edit((edit) => delivery.commit({ source: to.source, edit }, never)) : delivery.commit(undefined, never)
    await expect(commit).rejects.toMatchObject({ kind: 'vanished' })
    expect(await readFile(join(dir, 'to'))).toEqual(before)
    await to.refresh(false)
    expect(to.uids).toEqual([])
  })
  test('into the mailbox itself', async () => {
    const ctx = unixContext(files, dir)
    const box = await OpenUnix.open(ctx, join(dir, 'from'))
    await box.refresh(true)
    const delivery = await new TextFormat(ctx).append(place('from'))
    expect(await delivery.take(box.source, taken(box, [1, 2]), box.table.generation, never)).toBe(true)
    const { value } = await box.edit((edit) => delivery.commit({ source: box.source, edit }, never))
    expect(value && [...value.uids.ranges]).toEqual([7, 8])
    const read = await box.messages()
    expect([read.get(7), read.get(8)]).toEqual([read.get(1), read.get(2)])
    expect(uids.from(box.uids).count).toBe(8)
  })
})
