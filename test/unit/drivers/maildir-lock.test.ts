import { mkdtemp, rm } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import type { Clock, Files, OpenFile } from '../../../core/api/index.js'
import { SystemFiles } from '../../../core/os/files.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import { never } from '../../../core/testing/box.js'

const lockModule = pathToFileURL(fileURLToPath(new URL('../../../plugins/contrib/maildir/lib/lock.js', import.meta.url))).href
const { withListLock } = (await import(lockModule)) as { withListLock: <T>(ctx: object, folder: string, signal: AbortSignal, work: () => Promise<T>) => Promise<T> }
const clock: Clock = { now: () => Date.now(), steady: () => performance.now(), after: (ms, run) => { const t = setTimeout(run, ms); return { [Symbol.dispose]: () => clearTimeout(t) } } }

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** How many of so many operations of this process had the lock at once. */
async function most(files: Files, count: number): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'mailwright-lock-'))
  let [inside, top] = [0, 0]
  const ctx = { files, clock, machine: { host: hostname(), pid: process.pid } }
  await Promise.all(Array.from({ length: count }, async (_, n) => {
    await sleep(n * 5)
    await withListLock(ctx, folder, never, async () => {
      inside++
      top = Math.max(top, inside)
      await sleep(20)
      inside--
    })
  }))
  await rm(folder, { recursive: true, force: true })
  return top
}
test('where flock is not to be had one operation at a time holds the lock', async () => {
  expect(await most(new SystemFiles(undefined), 4)).toBe(1)
})
test('with flock too', async () => {
  expect(await most(new SystemFiles(await nativeLocks()), 4)).toBe(1)
})
test('also when the event loop is slow to hear that the content of the lock was written', async () => {
  const real = new SystemFiles(await nativeLocks())
  let first = true
  const files = new Proxy<Files>(real, {
    get(target, key) {
      const member = Reflect.get(target, key) as (...args: unknown[]) => unknown
      if (key !== 'open') return member.bind(target)
      return async (path: string, how?: { create?: string }) => {
        const file = (await member.call(target, path, how)) as OpenFile
        if (how?.create === 'new' && first) {
          first = false
          const write = file.write.bind(file)
          file.write = async (chunks, at) => { await write(chunks, at); await sleep(12) }
        }
        return file
      }
    },
  })
  expect(await most(files, 4)).toBe(1)
})
