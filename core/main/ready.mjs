// Makes a checkout ready to run: the locked dependencies, then the compiled code. Quick when nothing changed.
// Plain JavaScript with nothing but Node, because on a fresh clone there is nothing else.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Root of the checkout. */
export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')

const SOURCES = ['core', 'plugins', 'config', 'tsconfig.json', 'tsconfig.build.json', 'package.json', 'package-lock.json']
const STAMP = join(root, 'dist', '.sources')

/** Installs and builds what is missing or older than the sources. Ends the process when that fails. */
export function makeReady() {
  if (!isInstalled()) {
    say('installing the dependencies of package-lock.json')
    const npm = process.env.npm_execpath
    // NODE_ENV=production would leave the compiler out; no dependency needs its install script.
    const args = ['ci', '--include=dev', '--ignore-scripts', '--no-audit', '--no-fund']
    if (npm !== undefined && /\.[cm]?js$/.test(npm)) run(process.execPath, [npm, ...args])
    else run('npm', args)
  }
  const sources = fingerprint()
  if (existsSync(STAMP) && readFileSync(STAMP, 'utf8') === sources) return
  say('compiling')
  run(process.execPath, [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', join(root, 'tsconfig.build.json')])
  mkdirSync(dirname(STAMP), { recursive: true })
  writeFileSync(STAMP, sources)
}

/** Whether every package of the lock file is there in its version; optional ones may be missing (they are for other machines). */
function isInstalled() {
  const there = packagesOf(join(root, 'node_modules', '.package-lock.json'))
  if (there === undefined) return false
  const wanted = packagesOf(join(root, 'package-lock.json')) ?? {}
  return Object.entries(wanted).every(([path, { version, optional, devOptional }]) => path === '' || optional || devOptional || there[path]?.version === version)
}

function packagesOf(file) {
  if (!existsSync(file)) return undefined
  return JSON.parse(readFileSync(file, 'utf8')).packages
}

/** Names, sizes and times of all sources. */
function fingerprint() {
  const hash = createHash('sha256').update(process.versions.node)
  const add = (path) => {
    const full = join(root, path)
    const stat = statSync(full, { throwIfNoEntry: false })
    if (stat === undefined) return
    if (stat.isDirectory()) for (const name of readdirSync(full).sort()) add(join(path, name))
    else if (/\.(ts|json)$/.test(path)) hash.update(`${path} ${stat.size} ${stat.mtimeMs}\n`)
  }
  for (const path of SOURCES) add(path)
  return hash.digest('hex')
}

function run(command, args) {
  // What these tools print is progress: standard output stays for the server.
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2] })
  if (error !== undefined) say(`cannot run ${command}: ${error.message}`)
  if (status !== 0) process.exit(status ?? 1)
}

function say(text) {
  process.stderr.write(`mailwright: ${text}\n`)
}
