import { expect, test } from 'vitest'
import type { OpenFile } from '../../../core/api/index.js'
import { kitUser, Storage } from '../../../core/testing/storage.js'
import { mbxDialect } from '../../../plugins/formats/mbx/dialect.js'
import { FixedFile } from '../../../plugins/formats/shared/fixed/fixed-file.js'
import { FixedFormat } from '../../../plugins/formats/shared/fixed/format.js'
import { fixedContext } from '../../../plugins/formats/shared/fixed/plugin.js'
import { itemOf, OpenBox, placeOf } from '../../support/open-box.js'
import { never } from '../../support/unix.js'

/** A machine whose mailbox file, on a file system of the network, says EIO when it is closed; and what is logged. */
async function machine(): Promise<{ storage: Storage; format: FixedFormat; context: ReturnType<typeof fixedContext>; path: string; logged: string[] }> {
  const storage = await Storage.create(1)
  const path = `${storage.services().home}/box`
  const { files } = storage
  const open = files.open.bind(files)
  files.open = async (...args): Promise<OpenFile> => {
    const file = await open(...args)
    if (args[0] !== path) return file
    const close = file.close.bind(file)
    return Object.assign(file, {
      async close() {
        await close()
        throw Object.assign(new Error('EIO: i/o error, close'), { code: 'EIO' })
      },
    })
  }
  const logged: string[] = []
  const context = fixedContext({ ...storage.services(), logger: { info: () => undefined, warn: (text) => void logged.push(text) } }, { watch: false })
  return { storage, path, logged, context, format: new FixedFormat(mbxDialect, context) }
}

test('a mailbox that fails to close is logged, and costs no operation and no process', async () => {
  const { storage, format, path, logged } = await machine()
  using _machine = storage
  await format.create({ ...placeOf(path), user: kitUser })
  const box = await OpenBox.open(format, path)
  // The delivery opens the file for itself, and closes it.
  const delivery = await format.append(placeOf(path))
  await delivery.add(itemOf('Subject: one\r\n\r\nhello\r\n'), never)
  await delivery.commit(undefined, never)
  expect(logged).toEqual([`Mailbox ${path} close failure: EIO: i/o error, close`])
  await box.refresh(true)
  expect((await box.messages()).map(({ text }) => text)).toEqual(['Subject: one\r\n\r\nhello\r\n'])
  await box.source.close()
  expect(logged).toHaveLength(2)
  expect([...storage.files.open_]).toEqual([])
})

test('so is one that is given up while somebody reads it, and closed by the last reader', async () => {
  const { storage, format, context, path, logged } = await machine()
  using _machine = storage
  await format.create({ ...placeOf(path), user: kitUser })
  const file = new FixedFile({ ...placeOf(path), user: kitUser }, true, context)
  await file.locked(never, () => undefined, () => Promise.resolve())
  let read = (): void => undefined
  const reading = file.using(() => new Promise<void>((resolve) => (read = resolve)))
  file.release()
  expect([...storage.files.open_]).toHaveLength(1)
  read()
  await reading
  await expect.poll(() => logged).toEqual([`Mailbox ${path} close failure: EIO: i/o error, close`])
  expect([...storage.files.open_]).toEqual([])
  await file.close()
})
