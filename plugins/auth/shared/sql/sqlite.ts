import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { MailError } from 'mailwright/api'
import { SQLITE_THREAD } from './native.js'
import type { Row, SqlEngine } from './query.js'

/** Engines, of which the first that is there is taken: that of Node (22.13 and newer), or the library of the system through koffi. */
export const SQLITE_LIBRARIES = ['node:sqlite', 'libsqlite3'] as const
interface Answer {
  readonly id: number
  readonly rows?: readonly Row[]
  readonly error?: string
  readonly code?: string
}
interface Waiting {
  resolve(rows: readonly Row[]): void
  reject(error: Error): void
}

/** A database file of SQLite. A file that does not exist is an outage; it is not made. */
export class SqliteEngine implements SqlEngine {
  readonly #path: string
  readonly #busyMs: number
  readonly #exists: () => Promise<boolean>
  readonly #libraries: readonly (typeof SQLITE_LIBRARIES)[number][]
  readonly #waiting = new Map<number, Waiting>()
  #thread: Worker | undefined
  #last = 0

  constructor(path: string, busyMs: number, exists: () => Promise<boolean>, libraries: readonly (typeof SQLITE_LIBRARIES)[number][] = SQLITE_LIBRARIES) {
    this.#path = path
    this.#busyMs = busyMs
    this.#exists = exists
    this.#libraries = libraries
  }

  async query(text: string, values: readonly string[]): Promise<readonly Row[]> {
    if (!(await this.#exists())) throw new MailError('unavailable', `database ${this.#path} does not exist`)
    return await this.#ask({ text, values })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const thread = this.#thread
    if (thread === undefined) return
    const gone = once(thread, 'exit')
    await this.#ask({}).catch(() => thread.terminate())
    await gone
  }

  #ask(question: { readonly text?: string; readonly values?: readonly string[] }): Promise<readonly Row[]> {
    const thread = (this.#thread ??= this.#start())
    const id = ++this.#last
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
      thread.postMessage({ id, ...question })
    })
  }

  #start(): Worker {
    const thread = new Worker(SQLITE_THREAD, { eval: true, workerData: { path: this.#path, busyMs: this.#busyMs, libraries: [...this.#libraries], from: import.meta.url }, execArgv: ['--no-warnings'] })
    // An open database keeps nobody from stopping.
    thread.unref()
    thread.on('message', ({ id, rows, error, code }: Answer) => {
      const waiting = this.#waiting.get(id)
      this.#waiting.delete(id)
      if (error === undefined) waiting?.resolve(rows ?? [])
      else waiting?.reject(code === 'MODULE_NOT_FOUND' ? new MailError('unavailable', 'SQLite needs Node 22.13, or the library libsqlite3 and the package "koffi": run "npm install koffi"') : new Error(`database ${this.#path}: ${error}`))
    })
    const ended = (error?: Error): void => {
      if (this.#thread === thread) this.#thread = undefined
      for (const waiting of this.#waiting.values()) waiting.reject(new Error(`database ${this.#path}: ${error?.message ?? 'its thread has ended'}`))
      this.#waiting.clear()
    }
    thread.on('error', ended)
    thread.on('exit', () => ended())
    return thread
  }
}
