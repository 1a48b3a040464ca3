import { truncate, writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { uids } from '../../../core/api/index.js'
import { beforeReads } from '../../support/changed-files.js'
import { FROM, unixFolder } from '../../support/unix-folder.js'
import { never, OpenUnix, unixContext } from '../../support/unix.js'

// The octets of messages, while nobody holds a lock.

const here = unixFolder()

test('long messages come in pieces from any place, whatever their line ends', async () => {
  const lines = Array.from({ length: 9000 }, (_, n) => `line ${n} ${'.'.repeat(n % 70)}`)
  await writeFile(here.path, `${FROM}Subject: long\r\nX-Status: F\r\n\r\n${lines.join('\r\n')}\r\n\r\n${FROM}Subject: b\n\nshort\n\n`)
  const box = await OpenUnix.open(unixContext(here.files, here.dir), here.path)
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
  await writeFile(here.path, before)
  let rewrite = async (): Promise<void> => undefined
  const disturbed = beforeReads(here.files, () => rewrite())
  const box = await OpenUnix.open(unixContext(disturbed, here.dir), here.path)
  await box.refresh(false)
  const whole = `Subject: long\r\n\r\n${text.replaceAll('\n', '\r\n')}`
  for await (const batch of box.source.read(uids.one(2), { bytes: 'header', sections: [], facts: [] }, box.table.generation, never)) {
    for (const m of batch) {
      const once = async (): Promise<void> => {
        rewrite = async () => undefined
        await writeFile(here.path, before.replace('X-Keywords: a', 'X-Keywords: a work'))
      }
      if (when === 'before a piece is read') await once()
      else rewrite = once
      const into = new Uint8Array(1000)
      expect(Buffer.from(into.subarray(0, await m.bytes.read(100_000, into, never))).toString('latin1')).toBe(whole.slice(100_000, 101_000))
    }
  }
})

test('a mailbox cut off under its readers says so instead of giving out the wrong octets', async () => {
  await writeFile(here.path, `${FROM}Subject: a\n\n${'x'.repeat(70_000)}\n\n${FROM}Subject: b\n\ny\n\n`)
  const box = await OpenUnix.open(unixContext(here.files, here.dir), here.path)
  await box.refresh(true)
  for await (const batch of box.source.read(uids.one(1), { bytes: 'whole', sections: [], facts: [] }, box.table.generation, never)) {
    await truncate(here.path, 300)
    for (const m of batch) await expect(m.bytes.read(1000, new Uint8Array(10), never)).rejects.toMatchObject({ kind: 'vanished' })
  }
  expect([...(await box.messages()).keys()]).toEqual([])
  await box.refresh(false)
  expect(box.uids).toEqual([1])
})
