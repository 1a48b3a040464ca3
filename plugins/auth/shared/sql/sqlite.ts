import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { MailError } from 'mailwright/api'
import type { Row, SqlEngine } from './query.js'

/**
 * Engines, of which the first that is there is taken: Node's own (22.13 and newer), else a package that runs everywhere. That one has locks of its
 * own (a folder `FILE.lock`) and does not see those of other programs: were it allowed to write, even reading could roll back what another
 * program is about to commit. So it only reads, and knows no WAL.
 */
export const SQLITE_LIBRARIES = ['node:sqlite', 'node-sqlite3-wasm'] as const

/** Whether Node brings an engine, which can also write. */
export function hasNodeSqlite(): boolean {
  return process.getBuiltinModule('node:sqlite') !== undefined
}

/**
 * The thread in which the database is: SQLite's calls wait, and nothing here may. Plain JavaScript, because it is started from text.
 */
const THREAD = `
const { parentPort, workerData } = require('node:worker_threads')
const { createRequire } = require('node:module')
const openers = {
  'node:sqlite'() {
    const { DatabaseSync } = require('node:sqlite')
    const db = new DatabaseSync(workerData.path)
    return { db, all: (text, values) => db.prepare(text).all(...values) }
  },
  'node-sqlite3-wasm'() {
    const { Database } = createRequire(workerData.from)('node-sqlite3-wasm')
    const db = new Database(workerData.path, { readOnly: true })
    return { db, all: (text, values) => db.all(text, values) }
  },
}
function open() {
  let missing
  for (const library of workerData.libraries) {
    let opened
    try { opened = openers[library]() }
    catch (error) {
      if (error.code !== 'MODULE_NOT_FOUND' && error.code !== 'ERR_UNKNOWN_BUILTIN_MODULE') throw error
      missing = error
      continue
    }
    opened.db.exec('PRAGMA busy_timeout = ' + workerData.busyMs)
    return { all: opened.all, close: () => opened.db.close() }
  }
  throw Object.assign(missing ?? new Error('no engine'), { code: 'MODULE_NOT_FOUND' })
}
let db
parentPort.on('message', ({ id, text, values }) => {
  try {
    db ??= open()
    if (text === undefined) { db.close(); parentPort.postMessage({ id, rows: [] }); parentPort.close(); return }
    parentPort.postMessage({ id, rows: db.all(text, values).map((row) => ({ ...row })) })
  } catch (error) {
    parentPort.postMessage({ id, error: String(error && error.message || error), code: error && error.code })
  }
})
`
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
    const thread = new Worker(THREAD, { eval: true, workerData: { path: this.#path, busyMs: this.#busyMs, libraries: [...this.#libraries], from: import.meta.url }, execArgv: ['--no-warnings'] })
    // An open database keeps nobody from stopping.
    thread.unref()
    thread.on('message', ({ id, rows, error, code }: Answer) => {
      const waiting = this.#waiting.get(id)
      this.#waiting.delete(id)
      if (error === undefined) waiting?.resolve(rows ?? [])
      else waiting?.reject(code === 'MODULE_NOT_FOUND' ? new MailError('unavailable', 'SQLite needs Node 22.13 or the package "node-sqlite3-wasm": run "npm install node-sqlite3-wasm"') : new Error(`database ${this.#path}: ${error}`))
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
