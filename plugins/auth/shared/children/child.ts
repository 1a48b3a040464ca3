import { fork, type ChildProcess } from 'node:child_process'
import { MailError } from 'mailwright/api'
import type { Call, Reply } from './called.js'

/** What a child runs, and what it is given. */
export interface ChildProgram {
  /** For the operator. */
  readonly name: string
  /** Module that calls `answerCalls`. */
  readonly module: URL
  /** The whole environment, beside a search path. */
  readonly env: Readonly<Record<string, string>>
}
interface Pending {
  resolve(value: unknown): void
  reject(error: Error): void
}
const PATH = '/usr/sbin:/usr/bin:/sbin:/bin'

/** One process that answers calls, from its start to its end. */
export class Child {
  readonly #program: ChildProgram
  readonly #process: ChildProcess
  readonly #pending = new Map<number, Pending>()
  #last = 0
  #unusable: string | undefined
  /** Things that it keeps for somebody. */
  held = 0
  /** It is asked nothing new. */
  isGivenUp = false
  /** It has answered at least once. */
  hasAnswered = false
  /** Resolves with the reason when the process is gone. */
  readonly ended: Promise<string>

  constructor(program: ChildProgram) {
    this.#program = program
    // A group of its own, so that what it starts ends with it; no descriptor of ours but the pipe on which it is asked.
    this.#process = fork(program.module, [], { env: { PATH, ...program.env }, execArgv: [], cwd: '/', detached: true, serialization: 'advanced', stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    this.#process.on('message', (reply: Reply) => this.#hear(reply))
    this.ended = new Promise((resolve) => {
      const over = (how: string): void => {
        const why = this.#unusable ?? `its process ended (${how})`
        for (const { reject } of this.#pending.values()) reject(this.#outage(why))
        this.#pending.clear()
        resolve(why)
      }
      // What it said last may be read in the same turn.
      this.#process.once('exit', (code, signal) => setImmediate(() => over(signal ?? `code ${code ?? 'unknown'}`)))
      this.#process.on('error', (error) => over(error.message))
    })
    this.#process.unref()
    this.#process.channel?.unref()
  }

  get pid(): number | undefined {
    return this.#process.pid
  }
  /** Calls that it has not answered yet. */
  get load(): number {
    return this.#pending.size
  }

  /** @throws MailError `unavailable` when it fails, ends, or does not answer in time; then it is given up and still at it. */
  async ask(name: string, argument: unknown, limitMs: number): Promise<unknown> {
    const id = ++this.#last
    // Somebody waits for the answer, so this process has to as well.
    this.#process.channel?.ref()
    let timer: NodeJS.Timeout | undefined
    try {
      return await new Promise((resolve, reject) => {
        this.#pending.set(id, { resolve, reject })
        timer = setTimeout(() => {
          this.isGivenUp = true
          reject(this.#outage(`no answer within ${limitMs} ms`))
        }, limitMs)
        this.#process.send({ id, name, argument } satisfies Call, (error) => {
          if (error !== null) reject(this.#outage(this.#unusable ?? `it cannot be asked: ${error.message}`))
        })
      })
    } finally {
      clearTimeout(timer)
      if (!this.isGivenUp) this.#pending.delete(id)
      if (this.#pending.size === 0) this.#process.channel?.unref()
    }
  }

  /** Ends it at once, and all that it has started. */
  kill(): void {
    const { pid } = this.#process
    if (pid === undefined) return
    try {
      process.kill(-pid, 'SIGKILL')
    } catch {
      // It has ended in between.
    }
  }

  /** Ends it and waits for its end, which otherwise nothing in this process waits for. */
  async end(): Promise<void> {
    this.#process.ref()
    this.kill()
    await this.ended
  }

  #hear(reply: Reply): void {
    if ('unusable' in reply) {
      this.#unusable = reply.unusable
      return
    }
    this.hasAnswered = true
    const pending = this.#pending.get(reply.id)
    this.#pending.delete(reply.id)
    if ('failure' in reply) pending?.reject(this.#outage(reply.failure))
    else pending?.resolve(reply.value)
  }
  #outage(why: string): MailError {
    return new MailError('unavailable', `${this.#program.name}: ${why}`)
  }
}
