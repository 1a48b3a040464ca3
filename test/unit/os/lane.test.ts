import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { MailError, type FileLane, type FileTask, type FileTools } from '../../../core/api/index.js'
import { systemClock, systemRandom } from '../../../core/os/clock.js'
import { SystemFiles } from '../../../core/os/files.js'
import { immediateCalls } from '../../../core/os/immediate.js'
import { inlineLane } from '../../../core/os/lane.js'
import { nativeLocks } from '../../../core/os/native-locks.js'

const built = new URL('../../../dist/core/os/lane.js', import.meta.url)
const tools: FileTools = { files: new SystemFiles(undefined), clock: systemClock, random: systemRandom }

interface Wish {
  readonly path: string
  readonly octets: Uint8Array
}
/** Writes, syncs, reads back; says on which thread. */
const TASK = `import { threadId } from 'node:worker_threads'
export async function run({ files, clock }, { path, octets }) {
  const file = await files.open(path, { write: true, create: 'if-missing', mode: 0o600 })
  try {
    await file.write([octets.subarray(0, 2), octets.subarray(2)], 0)
    await file.sync()
    const into = new Uint8Array(octets.length)
    await file.read(into, 0)
    return { threadId, octets: into, size: (await file.stat()).size, known: await files.stat(path + '.none') === undefined, now: clock.now() > 0 }
  } finally {
    await file.close()
  }
}
`

describe('work on files', () => {
  let dir: string
  let task: FileTask<Wish, { readonly threadId: number; readonly octets: Uint8Array; readonly size: number; readonly known: boolean; readonly now: boolean }>
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'mailwright-lane-'))
    const path = join(dir, 'task.mjs')
    await writeFile(path, TASK)
    const module = pathToFileURL(path).href
    task = { module, run: ((await import(module)) as Pick<typeof task, 'run'>).run }
  })
  afterAll(() => rm(dir, { recursive: true, force: true }))

  async function proves(lane: FileLane, name: string): Promise<number> {
    const path = join(dir, name)
    const octets = Uint8Array.of(1, 2, 3, 0, 255)
    const done = await lane.run(task, { path, octets })
    expect(done).toMatchObject({ octets, size: 5, known: true, now: true })
    expect([...(await readFile(path))]).toEqual([...octets])
    await expect(lane.run(task, { path: join(dir, 'none', name), octets })).rejects.toMatchObject({ code: 'ENOENT' })
    return done.threadId
  }

  test('runs in place, over the files of everything else', async () => {
    expect(await proves(inlineLane(tools), 'in-place')).toBe(0)
  })
  test('starts no thread for one task alone', async () => {
    const { ThreadLane } = (await import(built.href)) as typeof import('../../../core/os/lane.js')
    await using lane = new ThreadLane(tools)
    let started = 0
    const count = (): void => void started++
    process.on('worker', count)
    try {
      const once = async (name: string): Promise<unknown> => lane.run(task, { path: join(dir, name), octets: Uint8Array.of(1) })
      await once('first')
      expect(started).toBe(0)
      await once('second')
      expect(started).toBe(1)
    } finally {
      process.off('worker', count)
    }
  })
  test('runs on a thread of its own once that is up, and answers and fails alike', async () => {
    // Threads run what was built.
    const { ThreadLane } = (await import(built.href)) as typeof import('../../../core/os/lane.js')
    await using lane = new ThreadLane(tools)
    const threads = new Set<number>()
    for (let i = 0; !threads.has(0) || threads.size < 2; i++) threads.add(await proves(lane, `thread-${i}`))
    // More at once than there are threads: what finds none free runs in place.
    const all = await Promise.all(Array.from({ length: 8 }, (_, i) => proves(lane, `many-${i}`)))
    expect(all).toContain(0)
  })
})

/** Does what it is told, and says on which thread. */
const ODD = `import { threadId } from 'node:worker_threads'
const { MailError } = await import(${JSON.stringify(new URL('../../../dist/core/api/index.js', import.meta.url).href)})
export async function run({ files }, { how, ms, path, shared }) {
  const until = Date.now() + (ms ?? 0)
  while (Date.now() < until) await files.stat('/')
  if (how === 'fail') throw new MailError('unavailable', 'no room', { cause: Object.assign(new Error('ENOSPC: full', { cause: new Error('first') }), { code: 'ENOSPC' }) })
  if (how === 'function') return () => threadId
  if (how === 'borrow') {
    const file = files.borrow(path, shared)
    const alone = file.lock('flock', 'exclusive')
    await file.write([new Uint8Array([1, 2, 3])], 0)
    const after = file.lock('flock', 'shared')
    file.unlock('flock')
    await file.close()
    return { elsewhere: threadId > 0, alone, after }
  }
  if (how === 'write') {
    const file = await files.open(path, { write: true, create: 'if-missing' })
    await file.write([new Uint8Array(1)], 0)
    await file.close()
  }
  return threadId
}
`
interface OddWish {
  readonly how?: 'fail' | 'function' | 'write' | 'borrow'
  readonly shared?: number
  readonly ms?: number
  readonly path?: string
  /** No value. */
  readonly call?: () => void
}

describe('a thread for files', () => {
  let dir: string
  let odd: FileTask<OddWish, unknown>
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'mailwright-lane-'))
    const path = join(dir, 'odd.mjs')
    await writeFile(path, ODD)
    const module = pathToFileURL(path).href
    odd = { module, run: ((await import(module)) as Pick<typeof odd, 'run'>).run }
  })
  afterAll(() => rm(dir, { recursive: true, force: true }))
  /** A lane of which a thread is up. */
  async function warm(): Promise<FileLane & AsyncDisposable> {
    const { ThreadLane } = (await import(built.href)) as typeof import('../../../core/os/lane.js')
    const lane = new ThreadLane(tools)
    await expect.poll(() => lane.run(odd, {}), { timeout: 20_000 }).not.toBe(0)
    return lane
  }

  test('ends when its work is done, and the work is answered', async () => {
    const lane = await warm()
    const path = join(dir, 'late')
    const answer = lane.run(odd, { how: 'write', path, ms: 100 })
    await lane[Symbol.asyncDispose]()
    expect(await answer).not.toBe(0)
    expect(await readFile(path)).toHaveLength(1)
    // Nothing is lost by who comes later.
    expect(await lane.run(odd, {})).toBe(0)
  })
  test('ends, also one that is starting, before the process does', async () => {
    const script = join(dir, 'script.mjs')
    await writeFile(script, `
      import { ThreadLane } from ${JSON.stringify(built.href)}
      import { run } from ${JSON.stringify(odd.module)}
      const files = { stat: async () => undefined }
      const task = { module: ${JSON.stringify(odd.module)}, run }
      const lane = new ThreadLane({ files })
      if (process.argv[2] === 'starting') {
        await lane.run(task, {})
        await new Promise((done) => setTimeout(done, 30))
      } else if (process.argv[2] === 'long') task.long = true
      else while ((await lane.run(task, {})) === 0) await new Promise((done) => setTimeout(done, 5))
      const answer = lane.run(task, {})
      // The answer is there, and nobody has heard it yet.
      for (const until = Date.now() + 50; Date.now() < until; );
      await lane[Symbol.asyncDispose]()
      process.stdout.write(String(typeof (await answer)))
    `)
    for (const state of ['starting', 'ready', 'long']) {
      const { stdout } = await promisify(execFile)(process.execPath, [script, state], { timeout: 20_000 })
      expect([state, stdout]).toEqual([state, 'number'])
    }
  })
  test('that the machine refuses is done without, short tasks and long ones', async () => {
    const script = join(dir, 'refused.mjs')
    await writeFile(script, `
      import { syncBuiltinESMExports } from 'node:module'
      import threads from 'node:worker_threads'
      import { ThreadLane } from ${JSON.stringify(built.href)}
      import { run } from ${JSON.stringify(odd.module)}
      let most = Number(process.argv[2])
      const { Worker } = threads
      threads.Worker = class extends Worker {
        constructor(...args) {
          // As node says it when the user has as many threads as he may (RLIMIT_NPROC).
          if (most-- <= 0) throw Object.assign(new Error('Worker initialization failure: EAGAIN'), { code: 'ERR_WORKER_INIT_FAILED' })
          super(...args)
        }
      }
      syncBuiltinESMExports()
      const task = { module: ${JSON.stringify(odd.module)}, run }
      const lane = new ThreadLane({ files: { stat: async () => undefined } })
      const wishes = [false, true, true, false, true]
      const done = await Promise.all(wishes.map((long) => lane.run({ ...task, long }, { ms: 20 })))
      await lane[Symbol.asyncDispose]()
      process.stdout.write(JSON.stringify(done.map((thread) => typeof thread)))
    `)
    for (const most of ['0', '1']) {
      const { stdout } = await promisify(execFile)(process.execPath, [script, most], { timeout: 20_000 })
      expect([most, JSON.parse(stdout)]).toEqual([most, Array.from({ length: 5 }, () => 'number')])
    }
  })
  test('has loaded what it is started for when it takes its first task', async () => {
    const path = join(dir, 'slow.mjs')
    await writeFile(path, `import { threadId } from 'node:worker_threads'
      await new Promise((done) => setTimeout(done, 200))
      const loadedAt = Date.now()
      export const run = async (_tools, { askedAt }) => ({ threadId, waited: loadedAt > askedAt })
    `)
    const module = pathToFileURL(path).href
    const slow: FileTask<{ readonly askedAt: number }, { readonly threadId: number; readonly waited: boolean }> = { module, run: ((await import(module)) as Pick<typeof slow, 'run'>).run }
    const { ThreadLane } = (await import(built.href)) as typeof import('../../../core/os/lane.js')
    await using lane = new ThreadLane(tools)
    let first = await lane.run(slow, { askedAt: Date.now() })
    while (first.threadId === 0) {
      await new Promise((done) => setTimeout(done, 5))
      first = await lane.run(slow, { askedAt: Date.now() })
    }
    expect(first.waited).toBe(false)
  })
  test('is waited for by long tasks, also while it starts', async () => {
    const { ThreadLane } = (await import(built.href)) as typeof import('../../../core/os/lane.js')
    const lane = new ThreadLane(tools)
    const long = { ...odd, long: true }
    const [first, short, ...more] = await Promise.all([lane.run(long, { ms: 20 }), lane.run(odd, {}), ...Array.from({ length: 5 }, () => lane.run(long, { ms: 5 }))])
    expect({ first, short, more }).toEqual({ first: expect.any(Number), short: 0, more: Array.from({ length: 5 }, () => expect.any(Number)) })
    expect([first, ...more]).not.toContain(0)
    // What still waits when the lane ends is done in place.
    const all = Promise.all(Array.from({ length: 4 }, () => lane.run(long, { ms: 50 })))
    await lane[Symbol.asyncDispose]()
    const [busy, , , late] = await all
    expect({ busy, late }).toEqual({ busy: expect.any(Number), late: 0 })
    expect(busy).not.toBe(0)
  })
  test('is free again when what it was to be given is no value, or what it was to answer', async () => {
    await using lane = await warm()
    for (let n = 0; n < 6; n++) {
      await expect.poll(() => lane.run(odd, {}), { timeout: 20_000 }).not.toBe(0)
      if (n % 2 === 0) await expect(lane.run(odd, { call: () => undefined })).rejects.toThrow('could not be cloned')
      else await expect(lane.run(odd, { how: 'function' })).rejects.toThrow('could not be cloned')
    }
  })
  test('fails with all causes, and the codes of system errors', async () => {
    await using lane = await warm()
    const error = await lane.run(odd, { how: 'fail' }).catch((e: unknown) => e)
    expect(error).toBeInstanceOf(Error)
    expect(error).toMatchObject({ name: 'MailError', kind: 'unavailable', message: 'no room', cause: { code: 'ENOSPC', message: 'ENOSPC: full', cause: { message: 'first' } } })
    expect((error as MailError).stack).toContain('odd.mjs')
  })
  test('takes the locks of a file that another thread has open, and leaves it as open and locked as it was', async () => {
    await using lane = await warm()
    const system = new SystemFiles(await nativeLocks())
    const path = join(dir, 'lent')
    const mine = await system.open(path, { write: true, create: 'new' })
    const other = await system.open(path)
    expect(mine.lock('flock', 'shared')).toBe('locked')
    const borrow = async (): Promise<unknown> => lane.run(odd, { how: 'borrow', path, ...(mine.shared !== undefined && { shared: mine.shared }) })
    expect(await borrow()).toEqual({ elsewhere: true, alone: 'locked', after: 'locked' })
    expect(other.lock('flock', 'exclusive')).toBe('busy')
    expect((await mine.stat()).size).toBe(3)
    // Somebody else has it open as well.
    expect(other.lock('flock', 'shared')).toBe('locked')
    expect(await borrow()).toEqual({ elsewhere: true, alone: 'busy', after: 'locked' })
    await Promise.all([mine.close(), other.close()])
  })
  test('looks for a file that is not there without an exception', async () => {
    const seen: unknown[] = []
    const { stat, lstat } = immediateCalls()
    for (const look of [stat, lstat]) look(join(dir, 'none'), (error, stats) => seen.push(error, stats))
    expect(seen).toEqual([null, undefined, null, undefined])
    const files = new SystemFiles(undefined, immediateCalls())
    expect([await files.stat(join(dir, 'none')), await files.lstat(join(dir, 'odd.mjs', 'below'))]).toEqual([undefined, undefined])
    expect((await files.stat(dir))?.kind).toBe('directory')
  })
})
