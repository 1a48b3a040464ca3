import { describe, expect, test } from 'vitest'
import { Turns, type Files, type OpenFile } from '../../../core/api/index.js'
import { memorySpool } from '../../../core/testing/kit-spool.js'
import { DataFiles } from '../../../plugins/formats/mix/data-files.js'
import { MetaFiles } from '../../../plugins/formats/mix/meta-files.js'
import { toldLocks } from '../../../plugins/formats/shared/locks/wait-lines.js'
import { placeAt } from '../../support/directory-formats.js'
import { lockSettings, mailboxSettings, TestClock } from '../../support/unix.js'

/** Files that are opened and cannot be closed in order; of others only their paths matter here. */
function unclosable(): { readonly files: Files; readonly closed: string[] } {
  const closed: string[] = []
  const open = (path: string): Promise<OpenFile> => {
    const file: Partial<OpenFile> = {
      path,
      close: async () => {
        closed.push(path)
        throw Object.assign(new Error('EIO'), { code: 'EIO' })
      },
    }
    // Nothing else is called.
    return Promise.resolve(file as OpenFile)
  }
  // Nothing else is called.
  return { files: { open } as Partial<Files> as Files, closed }
}

describe('data files of mix that cannot be closed', () => {
  test('cost no reader anything, and the log says so', async () => {
    const { files, closed } = unclosable()
    const clock = new TestClock()
    const warned: unknown[] = []
    const logger = { info: () => undefined, warn: (...said: unknown[]) => void warned.push(said) }
    const locks = toldLocks({ files, clock, random: (n) => new Uint8Array(n), settings: lockSettings, logger })
    const data = new DataFiles(placeAt('/box'), '/box/.mixmeta', { files, clock, locks, turns: new Turns(), spool: memorySpool, mailbox: mailboxSettings('/nowhere'), metaFiles: new MetaFiles(clock) })
    for (let n = 1; n <= 66; n++) expect((await data.open(n))?.path).toBe(data.path(n))
    expect([closed, warned.length]).toEqual([[data.path(1), data.path(2)], 2])
    await data.close()
    expect([closed.length, warned[0]]).toEqual([66, ['mix.file-not-closed', { path: data.path(1), error: expect.objectContaining({ code: 'EIO' }) }]])
  })
})
