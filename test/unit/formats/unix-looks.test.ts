import { appendFile, stat, writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import type { FileStat } from '../../../core/api/index.js'
import { decodeRows, encodeRows } from '../../../core/mail/cache/rows-codec.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import { SystemFiles } from '../../../core/os/files.js'
import { countingReads } from '../../support/changed-files.js'
import { FROM, item, unixFolder } from '../../support/unix-folder.js'
import { never, OpenUnix, unixContext } from '../../support/unix.js'

// What a look at a mailbox reads: nothing of one that did not change, the end of one that grew.

const here = unixFolder()

test('a look is spared where the file was found as it is known, and only there', async () => {
  const looks: string[] = []
  class Watched extends SystemFiles {
    override stat(at: string): Promise<FileStat | undefined> {
      looks.push(at)
      return super.stat(at)
    }
  }
  await writeFile(here.path, `${FROM}Subject: one\n\nhello\n\n`)
  const box = await OpenUnix.open(unixContext(new Watched(await nativeLocks()), here.dir), here.path)
  const refresh = (found: FileStat | undefined) => box.edit((edit) => box.source.refresh(edit, { claimRecent: false, ...(found && { found }) }, never))
  const before = await here.files.stat(here.path)
  await refresh(before)
  expect(box.uids.length).toBe(1)
  looks.length = 0
  const now = await here.files.stat(here.path)
  await refresh(now)
  expect(looks).toEqual([])
  await refresh(undefined)
  expect(looks).toEqual([here.path])
  // Found with the message of another program, or before what this process did since: the file itself is looked at.
  await appendFile(here.path, `${FROM}Subject: two\n\nhello\n\n`)
  await refresh(await here.files.stat(here.path))
  expect(box.uids.length).toBe(2)
  await here.append(box.format, [item(Buffer.from('Subject: three\r\n\r\nhello\r\n'))], box)
  const uids = [...box.uids]
  await refresh(now)
  expect([uids.length, box.uids]).toEqual([3, uids])
})

test('a mailbox that grew is read from its last message on, and one that did not is not read at all', async () => {
  const body = `Subject: x\n\n${'text of a line\n'.repeat(2000)}\n`
  await writeFile(here.path, Array.from({ length: 50 }, () => FROM + body).join(''))
  const counted = countingReads(here.files)
  const box = await OpenUnix.open(unixContext(counted.files, here.dir), here.path)
  await box.refresh(true)
  const settled = counted.read()
  await box.refresh(true)
  expect(counted.read()).toBe(settled)
  await appendFile(here.path, FROM + body)
  await box.refresh(false)
  expect(box.uids.length).toBe(51)
  expect(counted.read() - settled).toBeLessThan(4 * body.length)
  expect([...(await box.messages([51])).values()][0]).toBe(body.slice(0, -1).replaceAll('\n', '\r\n'))
})

test('a mailbox of 100 000 messages that did not change is not read at all after a restart', async () => {
  const count = 100_000
  await writeFile(here.path, `${FROM}Subject: x\n\nhello\n\n`.repeat(count))
  const before = await OpenUnix.open(unixContext(here.files, here.dir), here.path)
  await before.refresh(true)
  const rows = encodeRows('key', before.table)
  const counted = countingReads(here.files)
  const after = await OpenUnix.open(unixContext(counted.files, here.dir), here.path)
  expect(rows !== undefined && decodeRows(rows, 'key', after.table)).toBe(true)
  await after.refresh(true)
  expect(counted.read()).toBe(0)
  expect([after.table.length, after.table.uidNext]).toEqual([count, count + 1])
  // Not by looking away: one message more is found, without reading the others.
  await appendFile(here.path, `${FROM}Subject: y\n\nhello\n\n`)
  await after.refresh(false)
  expect(after.table.length).toBe(count + 1)
  expect(counted.read()).toBeLessThan(10_000)
})

test('after a restart rows and columns are enough: an unchanged mailbox is not read', async () => {
  await here.sample('opened')
  const counted = countingReads(here.files)
  const ctx = unixContext(counted.files, here.dir)
  const box = await OpenUnix.open(ctx, here.path)
  await box.refresh(true)
  const before = counted.read()
  const later = await OpenUnix.open(unixContext(counted.files, here.dir), here.path)
  Object.assign(later, { table: box.table })
  await later.refresh(true)
  expect(counted.read()).toBe(before)
  expect((await later.messages()).size).toBe(3)
  expect(counted.read() - before).toBeLessThan(2 * (await stat(here.path)).size)
})
