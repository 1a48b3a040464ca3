import { appendFile, open, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { SYSTEM, uids } from '../../../core/api/index.js'
import { FROM, item, unixFolder } from '../../support/unix-folder.js'
import { never, OpenUnix, unixContext } from '../../support/unix.js'

// Messages keep their numbers, whatever other programs and sessions change.

const here = unixFolder()

test('what others delete, flag and deliver is found under the same uids', async () => {
  await here.sample('dovecot-touched')
  const box = await OpenUnix.open(unixContext(here.files, here.dir), here.path)
  await box.refresh(true)
  expect(box.uids).toEqual([2, 3, 4, 5])
  const text = await readFile(here.path, 'latin1')
  const parts = text.split(/^(?=From )/m)
  expect(parts.length).toBe(5)
  const changed = [parts[0], parts[2]?.replace('X-Status: DA\n', 'X-Status: DF\n'), parts[3], parts[4], `${FROM}Subject: new\n\nhello\n\n`].join('')
  const file = await open(here.path, 'r+')
  await file.write(changed, 0, 'latin1')
  await file.truncate(Buffer.byteLength(changed, 'latin1'))
  await file.close()
  const { commit } = await box.refresh(false)
  expect([box.uids, [...commit.removed.ranges], [...commit.changed.ranges], commit.reset]).toEqual([[3, 4, 5, 6], [2, 2], [3, 3], false])
  expect(box.flags(0).system).toBe(SYSTEM.seen | SYSTEM.deleted | SYSTEM.flagged)
})

test('uids that only memory knows stay with their messages when others delete one', async () => {
  const message = (n: number): string => `From bob@example.net Mon Jan  5 09:08:0${n} 2015\nSubject: ${n}\n\nx\n\n`
  await writeFile(here.path, [1, 2, 3, 4].map(message).join(''))
  const box = await OpenUnix.open(unixContext(here.files, here.dir), here.path)
  await box.refresh(false)
  const validity = box.table.uidValidity
  await writeFile(here.path, [1, 3, 4, 5].map(message).join(''))
  await box.refresh(false)
  expect([box.uids, box.table.uidValidity]).toEqual([[1, 3, 4, 5], validity])
  await box.refresh(true)
  expect((await readFile(here.path, 'latin1')).match(/^X-(UID|IMAPbase): .*$/gm)).toEqual([`X-IMAPbase: ${validity} 5`, 'X-UID: 1', 'X-UID: 3', 'X-UID: 4', 'X-UID: 5'])
})

test('a delivered message that bears internal lines of its own does not cost the others their uids', async () => {
  await here.sample('opened')
  const box = await OpenUnix.open(unixContext(here.files, here.dir), here.path)
  await box.refresh(true)
  await appendFile(here.path, `${FROM}X-UID: 2\nX-IMAPbase: 1 1\nSubject: evil\n\nx\n\n${FROM}X-UID: 4000000000\nSubject: worse\n\ny\n\n`)
  await box.refresh(true)
  expect([box.uids, box.table.uidValidity]).toEqual([[2, 3, 4, 5, 6], 1795398290])
  const again = await OpenUnix.open(unixContext(here.files, here.dir), here.path)
  await again.refresh(true)
  expect([again.uids, again.table.uidValidity]).toEqual([[2, 3, 4, 5, 6], 1795398290])
})

test('flags and expunges are written into the same inode, and header padding keeps texts in place', async () => {
  await here.sample('opened')
  const { ino } = await stat(here.path)
  const box = await OpenUnix.open(unixContext(here.files, here.dir), here.path)
  await box.refresh(true)
  const size = (await stat(here.path)).size
  const change = { uids: uids.from([2, 4]), how: 'add', system: SYSTEM.answered, keywords: [] } as const
  await box.edit((edit) => box.source.store(change, edit, never))
  expect([(await stat(here.path)).size, box.flags(2)]).toEqual([size, { system: SYSTEM.answered | SYSTEM.draft, keywords: [] }])
  expect(await readFile(here.path, 'latin1')).toContain('Status: RO\nX-Status: FA\nX-Keywords: $Label1       \nX-UID: 2\n')
  const kept = await box.messages([2, 4])
  await box.edit((edit) => box.source.expunge(uids.from([2, 3]), { always: false }, edit, never))
  expect(box.uids).toEqual([2, 4])
  expect(await box.messages()).toEqual(kept)
  expect((await stat(here.path)).ino).toBe(ino)
  const again = await OpenUnix.open(unixContext(here.files, here.dir), here.path)
  await again.refresh(true)
  expect([again.uids, await again.messages()]).toEqual([[2, 4], kept])
  expect((await readdir(here.dir)).sort()).toEqual(['box'])
})

test.each([
  ['the mailbox is open', true],
  ['nobody has it open', false],
])('a number above what the base line can say is not given twice after a failure, when its message is gone: %s', async (_when, isOpen) => {
  const validity = 1795398290
  const first = `${FROM}Subject: first\nX-IMAPbase: ${validity} 999999999\nX-UID: 999999999\nStatus: O\n\nx\n\n`
  await writeFile(here.path, first)
  const ctx = unixContext(here.files, here.dir)
  const box = await OpenUnix.open(ctx, here.path)
  await box.refresh(true)
  expect((await here.append(box.format, [item(Buffer.from('Subject: second\r\n\r\nx\r\n'))], box))?.uids.ranges).toEqual(Uint32Array.of(1_000_000_000, 1_000_000_000))
  // There is no room for one digit more.
  expect(await readFile(here.path, 'latin1')).toContain(`X-IMAPbase: ${validity} 999999999\n`)
  await expect(box.edit(() => Promise.reject(new Error('no disk')))).rejects.toThrow('no disk')
  await writeFile(here.path, isOpen ? `${first}${FROM}Subject: third\n\nx\n\n` : first)
  if (isOpen) {
    await box.refresh(true)
    expect([box.uids, box.table.uidValidity]).toEqual([[999_999_999, 1_000_000_001], validity])
  } else {
    const given = await here.append(box.format, [item(Buffer.from('Subject: third\r\n\r\nx\r\n'))])
    expect([given?.uidValidity, given?.uids.ranges]).toEqual([validity, Uint32Array.of(1_000_000_001, 1_000_000_001)])
  }
})

test('what is written under numbers that come before those of the mailbox begins it anew without giving one twice', async () => {
  await here.sample('opened')
  const box = await OpenUnix.open(unixContext(here.files, here.dir), here.path)
  await box.refresh(true)
  const { uidValidity: validity, uidNext } = box.table
  expect((await here.append(box.format, [item(Buffer.from('Subject: a\r\n\r\nx\r\n'))], box))?.uids.ranges[0]).toBe(uidNext)
  await expect(box.edit(() => Promise.reject(new Error('no disk')))).rejects.toThrow('no disk')
  // An old copy is put in its place, from when message 1 was there and the last number was lower.
  await writeFile(here.path, `${FROM}X-IMAPbase: ${validity} 1\nX-UID: 1\nSubject: old\n\nx\n\n${FROM}Subject: new\n\nx\n\n`)
  const { commit } = await box.refresh(true)
  expect([commit.reset, box.table.uidValidity, box.uids]).toEqual([true, validity, [1, uidNext + 1]])
})
