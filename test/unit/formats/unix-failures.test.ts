import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { MailError, SYSTEM, uids } from '../../../core/api/index.js'
import { TextFormat } from '../../../plugins/formats/shared/text/format.js'
import { withWrites } from '../../support/changed-files.js'
import { item, unixFolder } from '../../support/unix-folder.js'
import { never, OpenUnix, unixContext } from '../../support/unix.js'

// A change that fails leaves a mailbox that is whole.

const here = unixFolder()

test('a full disk leaves the mailbox as it was', async () => {
  await here.sample('opened')
  const before = await readFile(here.path)
  let left = 3
  const full = withWrites(here.files, here.path, async (file, chunks, at) => {
    if (at < before.length && left-- > 0) return file.write(chunks, at)
    await file.write([chunks[0]?.subarray(0, 5) ?? new Uint8Array()], at)
    throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
  })
  const box = await OpenUnix.open(unixContext(full, here.dir), here.path)
  await box.refresh(true)
  await expect(here.append(box.format, [item(Buffer.from('Subject: a\r\n\r\nx\r\n'))], box)).rejects.toMatchObject({ kind: 'unavailable' })
  expect(await readFile(here.path)).toEqual(before)
  const change = { uids: uids.all, how: 'add', system: 0, keywords: ['ANewKeywordThatTakesRoom'] } as const
  left = 0
  await expect(box.edit((edit) => box.source.store(change, edit, never))).rejects.toBeInstanceOf(MailError)
  left = 1000
  const again = await OpenUnix.open(unixContext(here.files, here.dir), here.path)
  await again.refresh(true)
  expect([again.uids, [...(await again.messages()).values()].length]).toEqual([[2, 3, 4], 3])
})

test('while another program has the mailbox open, nothing overwrites what an interrupted rewrite still has to write', async () => {
  await here.sample('opened')
  let isBroken = false
  const breaking = withWrites(here.files, here.path, (file, chunks, at) =>
    isBroken && at < size - 1 ? Promise.reject(Object.assign(new Error('EIO: i/o error, write'), { code: 'EIO' })) : file.write(chunks, at),
  )
  const box = await OpenUnix.open(unixContext(breaking, here.dir), here.path)
  await box.refresh(true)
  // Room behind what there is can be had, and the last octet, which is tried first; others that are there cannot be written.
  const { size } = await stat(here.path)
  isBroken = true
  await expect(box.edit((edit) => box.source.store({ uids: uids.all, how: 'add', system: SYSTEM.flagged, keywords: [] }, edit, never))).rejects.toThrow('EIO')

  const { dev, ino } = await stat(here.path, { bigint: true })
  const lock = join(here.dir, `.${dev.toString(16)}.${ino.toString(16)}`)
  await writeFile(lock, '4712')
  const theirs = await here.files.open(lock, { write: true })
  const canLock = theirs.lock('flock', 'exclusive') === 'locked'
  const half = await readFile(here.path)
  const format = new TextFormat(unixContext(here.files, here.dir))
  const one = [item(Buffer.from('Subject: a\r\n\r\nx\r\n'))]
  if (canLock) {
    await expect(here.append(format, one)).rejects.toMatchObject({ kind: 'in-use' })
    expect(await readFile(here.path)).toEqual(half)
  }
  await theirs.close()
  expect((await here.append(format, one))?.uids.ranges).toEqual(Uint32Array.of(5, 5))
  const again = await OpenUnix.open(unixContext(here.files, here.dir), here.path)
  await again.refresh(true)
  expect(again.uids).toEqual([2, 3, 4, 5])
  expect([0, 1, 2, 3].map((row) => again.flags(row).system & SYSTEM.flagged)).toEqual([SYSTEM.flagged, SYSTEM.flagged, SYSTEM.flagged, 0])
})
