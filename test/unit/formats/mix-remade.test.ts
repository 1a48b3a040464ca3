import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { SystemFiles } from '../../../core/os/files.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import { sampleMessage } from '../../../core/testing/messages.js'
import { MixFormat } from '../../../plugins/formats/mix/format.js'
import { but } from '../../support/changed-files.js'
import { deliverTo, directoryContext, familyHome, openBox, placeAt } from '../../support/directory-formats.js'
import { TestClock } from '../../support/unix.js'

const system = new SystemFiles(await nativeLocks())
let home = ''
beforeEach(async () => {
  home = await familyHome()
})
afterEach(() => rm(home, { recursive: true, force: true }))

test('what a DELETE that was stopped half-way leaves of changes does not come back in the next mailbox of the name', async () => {
  const path = join(home, 'box')
  const at = placeAt(path)
  // Names other than of the metadata stay, as when the process is killed behind it.
  const stopped = but(system, { unlink: (name: string) => (name.endsWith('/.mixmeta') ? system.unlink(name) : Promise.reject(Object.assign(new Error('EIO: i/o error, unlink'), { code: 'EIO' }))) })
  // Numbers of changes are seconds; many changes come to numbers of seconds that are yet to come.
  const format = (files = system): MixFormat => new MixFormat(directoryContext(files, new TestClock(1_700_000_000_000)))
  await format().create(at)
  const box = await openBox(format(), path)
  await deliverTo(format(), path, [sampleMessage(1)], box)
  await box.store({ uids: box.uids, system: 1 })
  // The process ends without a last word: what it changed is in the redo file as well.
  await expect(format(stopped).remove(at)).rejects.toThrow('EIO')
  await format().create(at)
  const anew = await openBox(format(), path)
  await anew.refresh()
  expect(await anew.messages()).toEqual([])
  await anew.close()
  await box.close()
})

test('another process that is killed while it makes the changes of one that is at work once more takes none of them back', async () => {
  const path = join(home, 'box')
  const format = (): MixFormat => new MixFormat(directoryContext(system, new TestClock(1_700_000_000_000)))
  await format().create(placeAt(path))
  const box = await openBox(format(), path)
  await deliverTo(format(), path, [sampleMessage(1)], box)
  const controls = ['.mixmeta', '.mixindex', '.mixstatus'].map((name) => join(path, name))
  const early = await Promise.all(controls.map((file) => readFile(file)))
  await deliverTo(format(), path, [sampleMessage(2)], box)
  await deliverTo(format(), path, [sampleMessage(3)], box)
  // In place, as the entries are written: it came as far as the first of them.
  await Promise.all(controls.map((file, i) => writeFile(file, early[i] ?? '')))
  await box.refresh()
  expect(box.uids.count).toBe(3)
  await box.close()
  const anew = await openBox(format(), path)
  await anew.refresh()
  expect(await anew.messages()).toHaveLength(3)
  await anew.close()
})
