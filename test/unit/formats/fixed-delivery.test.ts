import { appendFile, readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SYSTEM, uids, type Files } from '../../../core/api/index.js'
import { SystemFiles } from '../../../core/os/files.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import { mbxDialect } from '../../../plugins/formats/mbx/dialect.js'
import { mtxDialect } from '../../../plugins/formats/mtx/dialect.js'
import type { Dialect } from '../../../plugins/formats/shared/fixed/dialect.js'
import { FixedFormat } from '../../../plugins/formats/shared/fixed/format.js'
import { tenexDialect } from '../../../plugins/formats/tenex/dialect.js'
import { countingFiles } from '../../support/counting-files.js'
import { fixedContextOf } from '../../support/fixed.js'
import { deliver, itemOf, OpenBox, placeOf, temporaryFolder } from '../../support/open-box.js'

// Deliveries to mailboxes that this process has not open: what is known of them stands in the file.

const system = new SystemFiles(await nativeLocks())
const message = (n: number): string => `Subject: message ${n}\r\n\r\n${'a line of the message\r\n'.repeat(40)}`
const DATE = '23-Nov-2026 01:42:08 +0000'

let folder = temporaryFolder('delivery')
let path = ''
let open: OpenBox[] = []
beforeEach(() => {
  folder = temporaryFolder('delivery')
  path = join(folder.path, 'box')
})
afterEach(async () => {
  for (const box of open) await box.source.close()
  open = []
  await folder[Symbol.asyncDispose]()
})
/** As a new process has it. */
const formatOf = (dialect: Dialect, files: Files = system): FixedFormat => new FixedFormat(dialect, fixedContextOf(files, folder.path))
async function opened(dialect = mbxDialect): Promise<OpenBox> {
  const box = await OpenBox.open(formatOf(dialect), path)
  open.push(box)
  await box.refresh(true)
  return box
}
async function mbxOf(...messages: readonly string[]): Promise<OpenBox> {
  const format = formatOf(mbxDialect)
  await format.create(placeOf(path))
  await deliver(format, path, messages.map((text) => itemOf(text)))
  return opened()
}
const deliverOne = (text: string) => deliver(formatOf(mbxDialect), path, [itemOf(text)])

const dialects = [{ dialect: mbxDialect }, { dialect: mtxDialect }, { dialect: tenexDialect }].map((row) => ({ ...row, title: row.dialect.title }))

describe('a delivery asks the same of the files', () => {
  /** Digits of offsets in the redo file. */
  const SLACK_OCTETS = 200
  async function costOf(dialect: Dialect, messages: number) {
    const text = dialect.text === 'lf' ? message(1).replaceAll('\r', '') : message(1)
    const record = (n: number): string => `${DATE},${text.length};${dialect.writeFields({ keywords: 0, flags: 0, uid: n })}${dialect.lineEnd}${text}`
    const head = dialect.header?.write({ validity: 1_700_000_000, last: messages, keywords: [], token: '' }) ?? Buffer.alloc(0)
    await writeFile(path, Buffer.concat([head, Buffer.from(Array.from({ length: messages }, (_, n) => record(n + 1)).join(''), 'latin1')]))
    const { files, counts, reset } = countingFiles(system)
    const format = formatOf(dialect, files)
    await format.recognise(placeOf(path))
    reset()
    const result = await deliver(format, path, [itemOf(message(2))])
    const cost = counts()
    const box = await opened(dialect)
    const { length } = box.uids
    await box.source.close()
    return { ...cost, given: result?.uids, length, notices: box.notices }
  }
  test.each(dialects)('$title: in a mailbox of 1000 messages and in one of 10 000', async ({ dialect }) => {
    const few = await costOf(dialect, 1000)
    const many = await costOf(dialect, 10_000)
    const numbered = dialect.header !== undefined
    expect(few).toMatchObject({ given: numbered ? uids.one(1001) : undefined, length: 1001, notices: [] })
    expect(many).toMatchObject({ given: numbered ? uids.one(10_001) : undefined, length: 10_001, notices: [] })
    expect({ calls: many.calls, more: Math.abs(many.octets - few.octets) <= SLACK_OCTETS }).toEqual({ calls: few.calls, more: true })
  })
})

describe('mbx: numbers of what is delivered', () => {
  test('follow the last one also when its message is hidden or gone', async () => {
    const box = await mbxOf(message(1), message(2), message(3))
    await box.expunge([3])
    expect((await deliverOne(message(4)))?.uids).toEqual(uids.one(4))
    await box.refresh(true)
    await box.expunge([2, 4])
    const { size } = await stat(path)
    await box.source.reclaim?.(new AbortController().signal)
    expect((await stat(path)).size).toBeLessThan(size)
    expect((await deliverOne(message(5)))?.uids).toEqual(uids.one(5))
    await box.refresh(true)
    expect({ uids: box.uids, notices: box.notices }).toEqual({ uids: [1, 5], notices: [] })
  })

  test('follow those that messages without a number get first', async () => {
    const box = await mbxOf(message(1))
    await box.source.close()
    await appendFile(path, `${DATE},16;000000000000-00000000\r\nSubject: x\r\n\r\nx\r`)
    expect((await deliverOne(message(3)))?.uids).toEqual(uids.one(3))
    const after = await opened()
    expect({ uids: after.uids, validity: after.table.uidValidity, notices: after.notices }).toEqual({ uids: [1, 2, 3], validity: box.table.uidValidity, notices: [] })
  })

  const inner = (uid: string): string => `Subject: a mailbox in a message\r\n\r\n${DATE},18;000000000000-${uid}\r\nSubject: inner\r\n\r\n`
  test.each([
    { name: 'none', uid: '00000000' },
    { name: 'one that was given', uid: '00000001' },
    { name: 'one that was never given', uid: '0000000f' },
  ])('follow the last one when that message ends with a record of this format that has $name', async ({ uid }) => {
    await mbxOf(message(1), message(2))
    await deliverOne(inner(uid))
    expect((await deliverOne(message(4)))?.uids).toEqual(uids.one(4))
    const after = await opened()
    expect({ uids: after.uids, texts: (await after.messages()).map((m) => m.text), notices: after.notices }).toEqual({
      uids: [1, 2, 3, 4], texts: [message(1), message(2), inner(uid), message(4)], notices: [],
    })
  })

  test('are those that the record of the mailbox says after a long last message', async () => {
    const long = `Subject: long\r\n\r\n${'a line of the message\r\n'.repeat(20_000)}`
    await mbxOf(message(1), long)
    expect((await deliverOne(message(3)))?.uids).toEqual(uids.one(3))
  })

  test('ascend with those that another process gave', async () => {
    const box = await mbxOf(message(1))
    for (let n = 2; n <= 6; n += 2) {
      expect((await deliverOne(message(n)))?.uids).toEqual(uids.one(n))
      await box.append([itemOf(message(n + 1), { keywords: [`word${n}`] })])
    }
    expect({ uids: box.uids, notices: box.notices }).toEqual({ uids: [1, 2, 3, 4, 5, 6, 7], notices: [] })
  })
})

describe('mbx: damage', () => {
  test('at the end: nothing is delivered, since the message that lacks its end would swallow it', async () => {
    await mbxOf(message(1), message(2), message(3))
    await truncate(path, (await stat(path)).size - 5)
    const before = await readFile(path)
    await expect(deliverOne(message(4))).rejects.toMatchObject({ kind: 'corrupt', message: expect.stringMatching(/^Last message .* runs past end of file/) as unknown as string })
    expect(await readFile(path)).toEqual(before)
  })

  test('before the last message: what is delivered comes behind it, and all that is whole is shown', async () => {
    const box = await mbxOf(message(1), message(2), message(3))
    await box.store([3], { system: SYSTEM.flagged })
    await box.source.close()
    const octets = await readFile(path)
    octets.fill('x', octets.indexOf(message(1)) - 40, octets.indexOf(message(1)))
    await writeFile(path, octets)
    expect((await deliverOne(message(4)))?.uids).toEqual(uids.one(4))
    // In front of it only the last number has changed.
    const after = await readFile(path)
    expect(after.subarray(0, 23).toString()).toMatch(/00000004$/)
    expect(after.subarray(23, octets.length)).toEqual(octets.subarray(23))
    const now = await opened()
    expect({ uids: now.uids, notices: now.notices.length, texts: (await now.messages()).map((m) => m.text) }).toEqual({ uids: [2, 3, 4], notices: 1, texts: [message(2), message(3), message(4)] })
  })
})
