// `npm test`: installs and builds what is missing, runs the tests, and ends with `N passed, N failed, N skipped`.
//   node test/support/run-tests.mjs [--long] [FOLDER...]
// In CI (CI=true) a test that was skipped counts as a failure: there the machine has everything that tests need.
// --long: full sizes, and the tests that need nothing of the machine once more on Node 22 and 24.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { makeReady, root } from '../../core/main/ready.mjs'

const args = process.argv.slice(2)
const long = args.includes('--long')
const filters = args.filter((a) => a !== '--long')
const strict = process.env.CI !== undefined && process.env.CI !== '' && process.env.CI !== 'false'
const OTHER_NODES = ['22', '24']
const MACHINE_FREE = ['test/unit', 'test/contract', 'test/protocol', 'plugins/contrib']

makeReady()
if (long) process.env.MAILWRIGHT_LONG = '1'
process.chdir(root)
const { startVitest } = await import('vitest/node')
const vitest = await startVitest('test', filters, { run: true, watch: false, config: join(root, 'test', 'vitest.config.ts') })
const count = { passed: 0, failed: 0, skipped: 0 }
for (const module of vitest.state.getTestModules()) {
  let tests = 0
  for (const test of module.children.allTests()) {
    tests += 1
    const result = test.result()
    if (result.state === 'passed') count.passed += 1
    else if (result.state === 'failed') count.failed += 1
    else {
      count.skipped += 1
      say(`skipped: ${module.relativeModuleId} > ${test.fullName}${result.note === undefined ? '' : ` (${result.note})`}`)
    }
  }
  // A file that cannot be loaded, or whose hooks fail, has no test that could fail for it.
  if (tests === 0 && module.state() === 'failed') count.failed += 1
}
const stray = vitest.state.getUnhandledErrors().length
if (stray > 0) {
  say(`${stray} error${stray === 1 ? '' : 's'} outside of tests`)
  count.failed += stray
}
const hidden = process.exitCode !== undefined && process.exitCode !== 0 && count.failed === 0
await vitest.close()

let failed = count.failed > 0 || hidden || (strict && count.skipped > 0)
if (long && filters.length === 0) {
  for (const version of OTHER_NODES) {
    say(`\nonce more on Node ${version}`)
    const node = otherNode(version)
    if (node === undefined || spawnSync(node, [fileURLToPath(import.meta.url), ...MACHINE_FREE], { stdio: 'inherit' }).status !== 0) failed = true
  }
}
if (strict && count.skipped > 0) say('a skipped test counts as a failure in CI')
say(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`)
process.exit(failed ? 1 : 0)

/** The binary of another Node, from a package whose only content it is; kept in the user's cache. */
function otherNode(version) {
  const name = `node-linux-${process.arch}`
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'mailwright', `node-${version}`)
  const binary = join(cache, 'node_modules', name, 'bin', 'node')
  if (!existsSync(binary)) {
    mkdirSync(cache, { recursive: true })
    const { status } = spawnSync('npm', ['install', '--ignore-scripts', '--no-save', '--no-audit', '--no-fund', '--prefix', cache, `${name}@${version}`], { stdio: ['ignore', 2, 2] })
    if (status !== 0 || !existsSync(binary)) {
      say(`Node ${version} cannot be installed`)
      return undefined
    }
  }
  return binary
}

function say(text) {
  process.stdout.write(`${text}\n`)
}
