import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach } from 'vitest'
import type { Files } from '../../core/api/index.js'
import { SystemFiles } from '../../core/os/files.js'
import { nativeLocks } from '../../core/os/native-locks.js'
import { fileLocks, type FileLocks } from '../../plugins/formats/shared/locks/locks.js'
import type { Machine } from '../../plugins/formats/shared/machine.js'
import { lockSettings, TestClock, testMachine } from './unix.js'

const HOLDER = fileURLToPath(new URL('lock-holder.mjs', import.meta.url))
/** The kernel's locks, where this machine lets programs have them. */
export const native = await nativeLocks()

/** Content of a lock file of this server. */
export const ours = (of: { readonly kind?: string; readonly pid?: number; readonly born?: number; readonly host?: string } = { pid: 4711, kind: native ? 'flock' : 'pid' }): string =>
  `${of.pid ?? 4712}:${of.host ?? 'mail.example.org'}\0mailwright ${of.kind ?? 'flock'} ${of.born ?? 1}\n`

/** The same files, but for some calls. */
export function changed(files: Files, change: Partial<Files>): Files {
  return new Proxy(files, {
    get(target, key: keyof Files) {
      return change[key] ?? (target[key] as (...args: never[]) => unknown).bind(target)
    },
  })
}

/** A folder with the mailbox `box`, new for each test of the file that makes one, and what is said and logged of its locks. */
export class LockSite {
  dir = ''
  said: string[] = []
  logged: string[] = []
  clock = new TestClock(Date.now())
  readonly files = new SystemFiles(native)
  readonly children: ChildProcess[] = []
  readonly say = (_severity: string, text: string): void => void this.said.push(text)
  constructor() {
    beforeEach(async () => {
      this.dir = await mkdtemp(join(tmpdir(), 'mailwright-locks-'))
      this.said = []
      this.logged = []
      this.clock = new TestClock(Date.now())
      await writeFile(join(this.dir, 'box'), 'x')
    })
    afterEach(async () => {
      for (const child of this.children.splice(0)) child.kill()
      await rm(this.dir, { recursive: true, force: true })
    })
  }
  context(change: Partial<FileLocks['settings']> = {}, machine: Partial<Machine> = {}, using: Files = this.files): FileLocks {
    return fileLocks({
      files: using,
      clock: this.clock,
      random: (n) => new Uint8Array(n),
      settings: { ...lockSettings, lockDirectory: this.dir, ...change },
      logger: { info: (event) => void this.logged.push(event), warn: (event) => void this.logged.push(event) },
      watch: true,
      machine: { ...testMachine, ...machine },
    })
  }
  /** Files of a process before whose third opening of one of them another program has gone, however long that takes. */
  goneAtThird(path: string, letGo: () => Promise<void>): { readonly using: Files; readonly tries: () => number } {
    let tries = 0
    const using = changed(this.files, {
      open: async (name, how) => {
        if (name === path && ++tries === 3) await letGo()
        return this.files.open(name, how)
      },
    })
    return { using, tries: () => tries }
  }
  /** Another program that holds a lock until it is let go. */
  async holder(kind: string, path: string, content?: string, yields = false): Promise<() => Promise<void>> {
    const child = spawn(process.execPath, [HOLDER, kind, path, ...(content === undefined ? [] : [encodeURIComponent(content)])], { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, YIELDS: yields ? '1' : '' } })
    this.children.push(child)
    const line = await new Promise<string>((resolve) => child.stdout.once('data', (d: Buffer) => resolve(d.toString())))
    if (line !== 'locked\n') throw new Error(`the holder said ${line}`)
    return () =>
      new Promise((resolve) => {
        child.once('exit', () => resolve())
        child.stdin.end()
      })
  }
}
