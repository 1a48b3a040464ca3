import { describe, expect, test } from 'vitest'
import type { MailboxFormat } from '../../../core/api/index.js'
import { afterCrash } from '../../../core/testing/disk/crash.js'
import { SeededRandom } from '../../../core/testing/random.js'
import { kitUser, Storage } from '../../../core/testing/storage.js'
import { mbxDialect } from '../../../plugins/formats/mbx/dialect.js'
import { mtxDialect } from '../../../plugins/formats/mtx/dialect.js'
import { FixedFormat } from '../../../plugins/formats/shared/fixed/format.js'
import { fixedContext } from '../../../plugins/formats/shared/fixed/plugin.js'
import { tenexDialect } from '../../../plugins/formats/tenex/dialect.js'
import { itemOf, OpenBox, placeOf } from '../../support/open-box.js'

const FIRST = 'Subject: first\r\n\r\nit was there before\r\n'
const SECOND = 'Subject: second\r\n\r\nit could not be written, nor taken back\r\n'

/** The disk refuses every change of the wanted files until it is mended. */
function broken(storage: Storage, from: number, where: (path: string) => boolean): { readonly refused: number; [Symbol.dispose](): void } {
  const { files } = storage
  const change = files.change.bind(files)
  let refused = 0
  files.change = (op, path) => {
    if (files.log.length < from || !where(path)) return change(op, path)
    refused++
    // A failed write may have written a part (POSIX).
    if (op.op === 'write' && op.bytes.length > 1) change({ ...op, bytes: op.bytes.slice(0, op.bytes.length >>> 1) }, path)
    throw Object.assign(new Error(`EIO: ${op.op} '${path}'`), { code: 'EIO' })
  }
  return {
    get refused() {
      return refused
    },
    [Symbol.dispose]: () => void (files.change = change),
  }
}

describe.each([mbxDialect, mtxDialect, tenexDialect].map((dialect) => ({ name: dialect.title, dialect })))('an append to $name that fails, and cannot be taken back', ({ dialect }) => {
  const make = (on: Storage): MailboxFormat => new FixedFormat(dialect, fixedContext(on.services(), { watch: false }))
  async function filled(storage: Storage): Promise<OpenBox> {
    const format = make(storage)
    const path = `${storage.services().home}/box`
    await format.create({ ...placeOf(path), user: kitUser })
    const box = await OpenBox.open(format, path)
    await box.append([itemOf(FIRST)])
    await box.refresh(true)
    return box
  }
  const texts = async (box: OpenBox): Promise<string[]> => {
    await box.refresh(true)
    expect(box.notices).toEqual([])
    return (await box.messages()).map(({ text }) => text)
  }

  test('is taken back by the next operation, and a second try is the only one (RFC 9051 §6.3.12)', async () => {
    using storage = await Storage.create(1)
    const box = await filled(storage)
    const whole = Buffer.from(storage.files.contents(box.path) ?? [])
    {
      using disk = broken(storage, storage.log.length, (path) => path === box.path)
      await expect(box.append([itemOf(SECOND)])).rejects.toThrow('EIO')
      expect(disk.refused).toBeGreaterThan(1)
      expect(Buffer.from(storage.files.contents(box.path) ?? []).equals(whole)).toBe(false)
    }
    using restarted = storage.restarted(afterCrash(storage.files.start, storage.log, storage.log.length, 'dropped', new SeededRandom(1)))
    const other = await OpenBox.open(make(restarted), box.path)
    expect(await texts(other)).toEqual([FIRST])
    expect(restarted.files.contents(box.path)?.length).toBe(whole.length)
    await other.source.close()
    // The process that failed goes on.
    await box.append([itemOf(SECOND)])
    expect(await texts(box)).toEqual([FIRST, SECOND])
    await box.source.close()
    expect([...storage.files.open_]).toEqual([])
  })

  test('keeps what another program appended behind the torn message', async () => {
    using storage = await Storage.create(1)
    const box = await filled(storage)
    {
      using _disk = broken(storage, storage.log.length, (path) => path === box.path)
      await expect(box.append([itemOf(SECOND)])).rejects.toThrow('EIO')
    }
    const whole = Buffer.from(storage.files.contents(box.path) ?? [])
    const at = whole.indexOf(';', dialect.header?.length ?? 0)
    const foreign = whole.subarray(dialect.header?.length ?? 0, whole.indexOf('first', at) + 'first'.length)
    const file = await storage.files.open(box.path, { write: true })
    await file.write([foreign], whole.length)
    await file.close()
    const again = await OpenBox.open(make(storage), box.path)
    await again.refresh(true)
    expect(Buffer.from(storage.files.contents(box.path) ?? []).includes(foreign, whole.length)).toBe(true)
    await again.source.close()
    await box.source.close()
  })

  test('is ended by another process, at whatever change the disk broke down', async () => {
    using rehearsal = await Storage.create(1)
    const before = await filled(rehearsal)
    const from = rehearsal.log.length
    await before.append([itemOf(SECOND)])
    const changes = rehearsal.log.length - from
    await before.source.close()
    for (let at = 0; at < changes; at++) {
      using storage = await Storage.create(1)
      const box = await filled(storage)
      const start = storage.log.length
      {
        using _disk = broken(storage, start + at, () => true)
        await box.append([itemOf(SECOND)]).catch(() => undefined)
      }
      for (const mode of ['kept', 'dropped', 'torn'] as const) {
        using restarted = storage.restarted(afterCrash(storage.files.start, storage.log, storage.log.length, mode, new SeededRandom(at)))
        const other = await OpenBox.open(make(restarted), box.path)
        // None of it, or all.
        expect([[FIRST], [FIRST, SECOND]], `change ${at}, ${mode}`).toContainEqual(await texts(other))
        await other.source.close()
      }
      await box.source.close()
    }
  })
})
