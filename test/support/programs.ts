import { spawn, spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Whether the machine has the program; a test that needs it is skipped, with its name, where it is missing. */
export function has(program: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}
/** Whether Python runs and has the module. */
export function hasPython(module: string): boolean {
  return spawnSync('python3', ['-c', `import ${module}`]).status === 0
}

/** What a program did. */
export interface Ran {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}
/** How to run a program. */
export interface RunOptions {
  readonly input?: string
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  /** Killed after this time, with an error that shows what it printed. */
  readonly limitMs?: number
}
/** Runs a program to its end; never through a shell. */
export function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: options.cwd, env: { ...process.env, ...options.env }, stdio: 'pipe' })
    const out: Buffer[] = []
    const err: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk))
    const stdout = (): string => Buffer.concat(out).toString('latin1')
    const stderr = (): string => Buffer.concat(err).toString('latin1')
    const limit = setTimeout(() => {
      child.kill('SIGKILL')
      reject(new Error(`${program} ${args.join(' ')} did not end in time\n${stdout()}\n${stderr()}`))
    }, options.limitMs ?? 60_000)
    child.on('error', (error) => {
      clearTimeout(limit)
      reject(error)
    })
    child.on('close', (code) => {
      clearTimeout(limit)
      resolve({ code, stdout: stdout(), stderr: stderr() })
    })
    // A program that ends before it has read everything is its own business.
    child.stdin.on('error', () => undefined)
    child.stdin.end(options.input ?? '')
  })
}
/** Runs a program on a terminal of its own (mutt and alpine refuse to work without one). */
export function runOnTerminal(program: string, args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const quoted = [program, ...args].map((a) => `'${a.replaceAll("'", `'\\''`)}'`).join(' ')
  return run('script', ['-qec', quoted, '/dev/null'], { ...options, env: { TERM: 'xterm', LINES: '40', COLUMNS: '120', ...options.env } })
}
