import { describe, expect, test } from 'vitest'
import type { FileStat, OpenFile } from '../../../core/api/index.js'
import { fileState, sameMtime } from '../../../plugins/formats/shared/fixed/stamp.js'
import { emptyHeader } from '../../../plugins/formats/shared/fixed/contents.js'
import { flagsChanged } from '../../../plugins/formats/shared/fixed/times.js'
import { TestClock } from '../../support/unix.js'

describe('the time of a change of flags', () => {
  test('is never that of the change before, by which others would take their flags for the present ones', async () => {
    const stat: FileStat = { kind: 'file', device: 1, inode: 2, links: 1, size: 10, mode: 0o600, mtimeMs: 1_700_000_000_000, ctimeMs: 1_700_000_000_000, atimeMs: 1_700_000_000_000 } as FileStat
    let left = 0
    // Only these two are asked.
    const file = { stat: async () => stat, setTimes: async (_atime: number, mtime: number) => void (left = mtime) } as unknown as OpenFile
    const header = emptyHeader(new TestClock(stat.mtimeMs), [])
    for (let before = 0; before < 997; before++) {
      await flagsChanged(file, stat.mtimeMs, before, 0)
      const known = fileState({ ...stat, mtimeMs: left }, header, stat.mtimeMs, true)
      for (let lot = Math.max(0, before - 8); lot <= Math.min(996, before + 8); lot++) {
        await flagsChanged(file, stat.mtimeMs, lot, known.mtimeMs)
        expect(sameMtime(known, { ...stat, mtimeMs: left }), `${before} and then ${lot}`).toBe(false)
      }
    }
  })
})
