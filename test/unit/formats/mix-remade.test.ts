import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Files, OpenHow } from '../../../core/api/index.js'
import { SystemFiles } from '../../../core/os/files.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import { sampleMessage } from '../../../core/testing/messages.js'
import { MixFormat } from '../../../plugins/formats/mix/format.js'
import { but, withOpened } from '../../support/changed-files.js'
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

test('of two processes that make one mailbox at the same time one does, and what came into it stays', async () => {
  const path = join(home, 'box')
  const at = placeAt(path)
  const clock = new TestClock(1_700_000_000_000)
  const other = (): MixFormat => new MixFormat(directoryContext(system, clock))
  let second: unknown
  const first = withOpened(system, (file) => ({
    // While the first waits for the disk the second begins and, where it can, ends, and mail comes.
    async sync() {
      await file.sync()
      if (!file.path.endsWith('/.mixnew') || second !== undefined) return
      second = 'begun'
      second = await other().create(at).then(async () => {
        await deliverTo(other(), path, [sampleMessage(1)])
        return 'made'
      }, (error: unknown) => error)
    },
  }))
  const done = await new MixFormat(directoryContext(first, clock)).create(at).then(() => 'made', (error: unknown) => error)
  expect([done, second]).toEqual(['made', expect.objectContaining({ kind: 'exists' })])
  await deliverTo(other(), path, [sampleMessage(2)])
  const box = await openBox(other(), path)
  await box.refresh()
  expect(await box.messages()).toHaveLength(1)
  await box.close()
})

test('while a mailbox is removed nobody makes one in its place, whose files would go with it', async () => {
  const path = join(home, 'box')
  const at = placeAt(path)
  const clock = new TestClock(1_700_000_000_000)
  const other = (): MixFormat => new MixFormat(directoryContext(system, clock))
  let second: unknown
  const slow = but(system, {
    async unlink(name: string) {
      if (name.endsWith('/.mixindex')) {
        second ??= await other().create(at).then(async () => {
          await deliverTo(other(), path, [sampleMessage(1)])
          return 'made'
        }, (error: unknown) => error)
      }
      await system.unlink(name)
    },
  })
  await other().create(at)
  await new MixFormat(directoryContext(slow, clock)).remove(at)
  expect(second).toMatchObject({ kind: 'exists' })
  await other().create(at)
  await deliverTo(other(), path, [sampleMessage(2)])
  const box = await openBox(other(), path)
  await box.refresh()
  expect(await box.messages()).toHaveLength(1)
  await box.close()
})

test('a full disk keeps nobody from removing a mailbox', async () => {
  const path = join(home, 'box')
  const full = but(system, { open: (name: string, how?: OpenHow) => (how?.create === undefined ? system.open(name, how) : Promise.reject(Object.assign(new Error('ENOSPC: no space left on device, open'), { code: 'ENOSPC' }))) })
  const format = (files: Files = system): MixFormat => new MixFormat(directoryContext(files, new TestClock(1_700_000_000_000)))
  await format().create(placeAt(path))
  await format(full).remove(placeAt(path))
  expect(await system.stat(path)).toBeUndefined()
})
