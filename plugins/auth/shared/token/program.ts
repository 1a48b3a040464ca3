import { spawn } from 'node:child_process'
import type { Secret } from 'mailwright/api'

/** Whose ids a program runs with; undefined: those of this process. */
export type RunIds = { readonly uid: number; readonly gid: number } | undefined
/** One run. */
export interface TokenRun {
  readonly program: string
  readonly arguments: readonly string[]
  readonly ids: RunIds
  readonly env: Readonly<Record<string, string>>
  /** Its standard input; undefined: nothing. */
  readonly input: Secret | undefined
}
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const MOST_WORDS = 500
const LAST_WORDS_MS = 200

/** Runs a program to its end, in a group of its own that ends with the signal. Resolves when it says that all is well; rejects with its words. */
export function runToken({ program, arguments: args, ids, env, input }: TokenRun, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    // Other groups than the account's own are taken away by it.
    const child = spawn(program, [...args], { env: { PATH, ...env }, cwd: '/', detached: true, stdio: ['pipe', 'ignore', 'pipe'], ...(ids === undefined ? {} : { uid: ids.uid, gid: ids.gid }) })
    const end = (): void => {
      if (child.pid === undefined) return
      try {
        process.kill(-child.pid, 'SIGKILL')
      } catch {
        // It has ended in between.
      }
    }
    if (signal.aborted) end()
    else signal.addEventListener('abort', end, { once: true })
    let words = ''
    child.stderr.on('data', (chunk: Buffer) => (words = `${words}${chunk.toString()}`.slice(0, MOST_WORDS)))
    child.on('error', (error) => {
      signal.removeEventListener('abort', end)
      reject(new Error(`${program} cannot be run: ${error.message}`))
    })
    child.on('exit', (code, killed) => {
      signal.removeEventListener('abort', end)
      if (code === 0) resolve()
      // What it has left running may hold its outputs for ever; its own last words are there soon.
      const settle = (): void => {
        child.stderr.destroy()
        reject(new Error(`${program} ended with ${code === null ? `signal ${killed ?? 'unknown'}` : `code ${code}`}${words === '' ? '' : `: ${words.trim()}`}`))
      }
      child.stderr.once('end', settle)
      setTimeout(settle, LAST_WORDS_MS)
    })
    // A program that does not read it ends by itself, and its code tells.
    child.stdin.on('error', () => undefined)
    child.stdin.end(input === undefined ? Buffer.alloc(0) : input.reveal())
  })
}
