import { expect, test } from 'vitest'
import { Turns, uids, type MessageBytes } from '../../../core/api/index.js'
import { kitUser, Storage } from '../../../core/testing/storage.js'
import { MixFormat } from '../../../plugins/formats/mix/format.js'
import { itemOf, OpenBox, placeOf } from '../../support/open-box.js'
import { directoryContext } from '../../support/directory-formats.js'
import { never } from '../../support/unix.js'

const DATA = /\/\.mix[0-9a-f]{8}$/
const TEXT = (n: number): string => `Subject: ${n}\r\n\r\n${String(n).repeat(40_000)}\r\n`

async function machine(): Promise<{ storage: Storage; box: OpenBox; make: () => MixFormat }> {
  const storage = await Storage.create(1)
  const make = (): MixFormat => new MixFormat({ ...directoryContext(storage.files), turns: new Turns() })
  const path = `${storage.services().home}/box`
  const format = make()
  await format.create({ ...placeOf(path), user: kitUser })
  const box = await OpenBox.open(format, path)
  await box.append([1, 2, 3].map((n) => itemOf(TEXT(n))))
  await box.refresh()
  return { storage, box, make }
}

test('sessions that read at the same moment, the first of all, share one lock and give it back', async () => {
  const { storage, box, make } = await machine()
  using _machine = storage
  const all = await Promise.all(Array.from({ length: 4 }, () => box.messages()))
  for (const seen of all) expect(seen.map(({ text }) => text)).toEqual([1, 2, 3].map(TEXT))
  // Another process takes space back, which it does while nobody reads.
  const other = await OpenBox.open(make(), box.path)
  await other.refresh()
  await other.expunge(other.uids)
  await other.source.reclaim?.(never)
  const data = (await storage.files.list(box.path)).map(({ name }) => `${box.path}/${name}`).filter((path) => DATA.test(path))
  expect(data.map((path) => storage.files.contents(path)?.length)).toEqual(data.map(() => 0))
  await other.source.close()
  await box.source.close()
  expect([...storage.files.open_]).toEqual([])
})

test('who reads when the mailbox is closed ends with the file that was open', async () => {
  const { storage, box } = await machine()
  using _machine = storage
  let bytes: MessageBytes | undefined
  for await (const batch of box.source.read(uids.from([2]), { bytes: 'header', sections: [], facts: [] }, box.table.generation, never)) bytes = batch[0]?.bytes
  const whole = new Uint8Array(bytes?.size ?? 0)
  const head = (await bytes?.read(0, whole, never)) ?? 0
  // In the middle of the next read the mailbox is closed.
  const stopped: (() => void)[] = []
  const closedUnderRead: string[] = []
  for (const file of storage.files.open_) {
    if (!DATA.test(file.path)) continue
    let reading = 0
    const [read, close] = [file.read.bind(file), file.close.bind(file)]
    file.read = async (into, at) => {
      reading++
      await new Promise<void>((resolve) => stopped.push(resolve))
      reading--
      return read(into, at)
    }
    file.close = async () => {
      if (reading > 0) closedUnderRead.push(file.path)
      await close()
    }
  }
  const read = bytes?.read(head, whole.subarray(head), never)
  await expect.poll(() => stopped.length).toBeGreaterThan(0)
  await box.source.close()
  for (const go of stopped) go()
  expect(await read).toBe(whole.length - head)
  expect(Buffer.from(whole).toString('latin1')).toBe(TEXT(2))
  expect(closedUnderRead).toEqual([])
  expect([...storage.files.open_]).toEqual([])
})
