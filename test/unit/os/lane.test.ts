import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { FileLane, FileTask, FileTools } from '../../../core/api/index.js'
import { systemClock, systemRandom } from '../../../core/os/clock.js'
import { SystemFiles } from '../../../core/os/files.js'
import { inlineLane } from '../../../core/os/lane.js'

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
