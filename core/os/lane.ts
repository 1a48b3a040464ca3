import { Worker } from 'node:worker_threads'
import { MailError, type MailProblem } from '../api/mail/error.js'
import type { FileLane, FileTask, FileTools } from '../api/files.js'

/** Threads that do nothing but such work; what comes while all are busy is done as everything else is. */
const THREADS = 2
/** A thread without work for so long ends. */
const IDLE_MS = 60_000

/** A failure as it crosses. */
export interface Failure {
  readonly message: string
  readonly kind?: MailProblem
  readonly code?: string
}
export type Answer = { readonly value: unknown } | { readonly failure: Failure }

interface Thread {
  readonly worker: Worker
  ready: boolean
  job: { resolve(value: unknown): void; reject(error: unknown): void } | undefined
  idle: NodeJS.Timeout | undefined
}

/** Runs tasks where they are asked for, over the same files as everything else. */
export function inlineLane(tools: FileTools): FileLane {
  return { run: (task, args) => task.run(tools, args) }
}

/** Runs tasks on threads whose files answer at once. A thread that is starting or busy is not waited for. */
export class ThreadLane implements FileLane, AsyncDisposable {
  readonly #inline: FileLane
  readonly #threads = new Set<Thread>()
  #broken = false
  constructor(tools: FileTools) {
    this.#inline = inlineLane(tools)
  }
  run<A, R>(task: FileTask<A, R>, args: A): Promise<R> {
    for (const thread of this.#threads) if (thread.ready && thread.job === undefined) return this.#send(thread, task, args)
    const isStarting = [...this.#threads].some((thread) => !thread.ready)
    if (!isStarting && this.#threads.size < THREADS && !this.#broken) this.#start()
    return this.#inline.run(task, args)
  }
  #send<A, R>(thread: Thread, task: FileTask<A, R>, args: A): Promise<R> {
    clearTimeout(thread.idle)
    return new Promise<unknown>((resolve, reject) => {
      thread.job = { resolve, reject }
      thread.worker.ref()
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- that is for windows of browsers
      thread.worker.postMessage({ module: task.module, args })
      // The module named by the task is the one whose `run` it is.
    }) as Promise<R>
  }
  #start(): void {
    const worker = new Worker(new URL('./lane-thread.js', import.meta.url))
    const thread: Thread = { worker, ready: false, job: undefined, idle: undefined }
    this.#threads.add(thread)
    worker.unref()
    worker.on('message', (answer: Answer | 'ready') => {
      if (answer === 'ready') thread.ready = true
      else this.#answered(thread, answer)
      this.#rest(thread)
    })
    const ended = (error: unknown): void => {
      this.#threads.delete(thread)
      clearTimeout(thread.idle)
      // A thread that cannot even start will not start the next time.
      if (!thread.ready) this.#broken = true
      thread.job?.reject(new MailError('unavailable', 'a thread for files ended', { cause: error }))
      thread.job = undefined
    }
    worker.on('error', ended)
    worker.on('exit', () => ended(undefined))
  }
  #answered(thread: Thread, answer: Answer): void {
    const { job } = thread
    thread.job = undefined
    thread.worker.unref()
    if ('value' in answer) job?.resolve(answer.value)
    else job?.reject(errorOf(answer.failure))
  }
  #rest(thread: Thread): void {
    thread.idle = setTimeout(() => {
      this.#threads.delete(thread)
      void thread.worker.terminate()
    }, IDLE_MS)
    thread.idle.unref()
  }
  async [Symbol.asyncDispose](): Promise<void> {
    this.#broken = true
    await Promise.all([...this.#threads].map(({ worker }) => worker.terminate()))
  }
}

function errorOf({ message, kind, code }: Failure): Error {
  return kind === undefined ? Object.assign(new Error(message), code === undefined ? {} : { code }) : new MailError(kind, message)
}
