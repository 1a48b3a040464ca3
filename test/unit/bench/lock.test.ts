import { existsSync } from 'node:fs'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { run } from '../../support/programs.js'

const FORMATS = fileURLToPath(new URL('../../bench/formats.mjs', import.meta.url))

describe('two benches on one machine', () => {
  let folder = ''
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mailwright-bench-'))
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))
  /** A bench that begins with no format. */
  const bench = (): Promise<{ readonly code: number | null; readonly stderr: string }> => run(process.execPath, [FORMATS, '--minutes', '0', '--out', join(folder, 'out')], { env: { PEERS_ROOT: folder } })

  test('the second ends at once and says which one runs', async () => {
    const lock = join(folder, 'bench.lock')
    await writeFile(lock, `${process.pid} test/bench/run.mjs --rows copy, since yesterday\n`)
    const { code, stderr } = await bench()
    expect([code, stderr]).toEqual([75, `another bench runs: process ${process.pid} test/bench/run.mjs --rows copy, since yesterday. One would spoil the other: try again when it ended (${lock}).\n`])
    expect((await readdir(folder)).toSorted()).toEqual(['bench.lock'])
  })
  test('what a killed one left is no hindrance, and nothing is left behind', async () => {
    const { stdout } = await run(process.execPath, ['-p', 'process.pid'])
    await writeFile(join(folder, 'bench.lock'), `${stdout.trim()} test/bench/run.mjs, since yesterday\n`)
    const { code, stderr } = await bench()
    expect([code, stderr]).toEqual([0, ''])
    expect(existsSync(join(folder, 'bench.lock'))).toBe(false)
  })
})
