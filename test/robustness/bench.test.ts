import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { freePort } from '../support/ports.js'
import { run } from '../support/programs.js'

const OURS = fileURLToPath(new URL('../bench/ours.mjs', import.meta.url))
let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mailwright-bench-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const mistakes = [
  { name: 'BENCH_DURABILITY', value: 'often', said: 'hosts.default.mailbox.durability' },
  { name: 'BENCH_MODEL', value: 'threads', said: 'processes.model' },
  { name: 'BENCH_FORMAT', value: 'nix', said: '"nix" is not known here' },
]
test.each(mistakes)('a benchmark whose $name is wrong says what the server says of it, at once', async ({ name, value, said }) => {
  const home = join(folder, 'bench')
  const env = { BENCH_HOME: home, IMAP_PORT: `${await freePort()}`, POP3_PORT: `${await freePort()}`, [name]: value }
  const { code, stderr } = await run(process.execPath, [OURS, 'start'], { env })
  expect(stderr).toContain(said)
  expect([code, existsSync(join(home, 'server.pid'))]).toEqual([1, false])
})
