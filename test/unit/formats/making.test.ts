import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Files, OpenHow } from '../../../core/api/index.js'
import { SystemFiles } from '../../../core/os/files.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import { sampleMessage } from '../../../core/testing/messages.js'
import { MixFormat } from '../../../plugins/formats/mix/format.js'
import { MxFormat } from '../../../plugins/formats/mx/format.js'
import { but, withOpened } from '../../support/changed-files.js'
import { deliverTo, directoryContext, familyHome, openBox, placeAt } from '../../support/directory-formats.js'
import { TestClock } from '../../support/unix.js'

const system = new SystemFiles(await nativeLocks())
let home = ''
beforeEach(async () => {
  home = await familyHome()
})
afterEach(() => rm(home, { recursive: true, force: true }))

describe.each([
  { name: 'mix', fresh: '.mixnew', made: '.mixmeta', of: (files: Files, clock: TestClock): MixFormat => new MixFormat(directoryContext(files, clock)) },
  { name: 'mx', fresh: '.mxfresh', made: '.mxindex', of: (files: Files, clock: TestClock): MxFormat => new MxFormat(directoryContext(files, clock)) },
])('$name', ({ fresh, made, of }) => {
  const clock = new TestClock(1_700_000_000_000)
  /** A process. */
  const format = (files: Files = system): MixFormat | MxFormat => of(files, clock)
  /** What becomes of a CREATE of another process, into whose mailbox mail comes at once. */
  const createElsewhere = async (path: string): Promise<unknown> => {
    try {
      await format().create(placeAt(path))
    } catch (error) {
      return error
    }
    await deliverTo(format(), path, [sampleMessage(1)])
    return 'made'
  }
  const messages = async (path: string): Promise<number> => {
    const box = await openBox(format(), path)
    await box.refresh()
    const { length } = await box.messages()
    await box.close()
    return length
  }

  test('of two processes that make one mailbox at the same time one does, and what came into it stays', async () => {
    const path = join(home, 'box')
    let second: unknown
    const first = withOpened(system, (file) => ({
      // While the first waits for the disk the second begins and, where it can, ends, and mail comes.
      async sync() {
        await file.sync()
        if (!file.path.endsWith(`/${fresh}`) || second !== undefined) return
        second = 'begun'
        second = await createElsewhere(path)
      },
    }))
    const done = await format(first).create(placeAt(path)).then(() => 'made', (error: unknown) => error)
    expect([done, second]).toEqual(['made', expect.objectContaining({ kind: 'exists' })])
    await deliverTo(format(), path, [sampleMessage(2)])
    expect(await messages(path)).toBe(1)
  })

  test('a mailbox that is there is not made again', async () => {
    const path = join(home, 'box')
    await format().create(placeAt(path))
    await deliverTo(format(), path, [sampleMessage(1)])
    await expect(format().create(placeAt(path))).rejects.toMatchObject({ kind: 'exists' })
    expect([await messages(path), await system.stat(`${path}/${fresh}`)]).toEqual([1, undefined])
  })

  test('while a mailbox is removed nobody makes one in its place, whose files would go with it', async () => {
    const path = join(home, 'box')
    let second: unknown
    const slow = but(system, {
      async unlink(name: string) {
        if (name.startsWith(`${path}/`) && !name.endsWith(`/${made}`) && second === undefined) {
          second = 'begun'
          second = await createElsewhere(path)
        }
        await system.unlink(name)
      },
    })
    await format().create(placeAt(path))
    await deliverTo(format(), path, [sampleMessage(3)])
    await format(slow).remove(placeAt(path))
    expect(second).toMatchObject({ kind: 'exists' })
    await format().create(placeAt(path))
    await deliverTo(format(), path, [sampleMessage(2)])
    expect(await messages(path)).toBe(1)
  })

  test('a full disk keeps nobody from removing a mailbox', async () => {
    const path = join(home, 'box')
    const full = but(system, { open: (name: string, how?: OpenHow) => (how?.create === undefined ? system.open(name, how) : Promise.reject(Object.assign(new Error('ENOSPC: no space left on device, open'), { code: 'ENOSPC' }))) })
    await format().create(placeAt(path))
    await format(full).remove(placeAt(path))
    expect(await system.stat(path)).toBeUndefined()
  })
})
