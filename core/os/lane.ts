import { Worker } from 'node:worker_threads'
import { MailError } from '../api/mail/error.js'
import type { FileLane, FileTask, FileTools } from '../api/files.js'
import { errorOf, type Failure } from './crossing.js'

/** Threads that do nothing but such work; what comes while all are busy is done as everything else is. */
const THREADS = 2
/** A thread without work for so long ends. */
const IDLE_MS = 60_000

/** What a thread is told: a task, or to end when it has none. */
export type Order = { readonly module: string; readonly args: unknown } | 'end'
export type Answer = { readonly value: unknown } | { readonly failure: Failure }

interface Thread {
  readonly worker: Worker
  readonly ended: Promise<void>
  ready: boolean
  job: { resolve(value: unknown): void; reject(error: unknown): void } | undefined
  idle: NodeJS.Timeout | undefined
}

/** Runs tasks where they are asked for, over the same files as everything else. */
export function inlineLane(tools: FileTools): FileLane {
  return { run: (task, args) => task.run(tools, args) }
}

/**
 * Runs tasks on threads whose files answer at once. A thread that is starting or busy is waited for by long tasks alone. The first short task starts none:
 * a process that delivers one message has no other, and a thread that loads its modules costs more than many tasks.
 */
export class ThreadLane implements FileLane, AsyncDisposable {
  readonly #inline: FileLane
  readonly #threads = new Set<Thread>()
  /** Long tasks that look again when a thread is free, or there will be none. */
  #waiting: (() => void)[] = []
  #broken = false
  #used = false
  constructor(tools: FileTools) {
    this.#inline = inlineLane(tools)
  }
  async run<A, R>(task: FileTask<A, R>, args: A): Promise<R> {
    for (;;) {
      for (const thread of this.#threads) if (thread.ready && thread.job === undefined) return this.#send(thread, task, args)
      const isStarting = [...this.#threads].some((thread) => !thread.ready)
      const isWorthIt = this.#used || task.long === true
      this.#used = true
      if (isWorthIt && !isStarting && this.#threads.size < THREADS && !this.#broken) this.#start(task.module)
      if (task.long !== true || this.#broken) return this.#inline.run(task, args)
      // Who waits keeps the process.
      for (const { worker } of this.#threads) worker.ref()
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
  }
  /** The longest wait first; the others wait on. */
  #freed(): void {
    if (this.#broken) for (const look of this.#waiting.splice(0)) look()
    else this.#waiting.shift()?.()
  }
  async #send<A, R>(thread: Thread, task: FileTask<A, R>, args: A): Promise<R> {
    clearTimeout(thread.idle)
    try {
      tell(thread.worker, { module: task.module, args })
    } catch (error) {
      // Arguments that are no values: the thread has not heard of them.
      this.#rest(thread)
      throw error
    }
    thread.worker.ref()
    return new Promise<unknown>((resolve, reject) => {
      thread.job = { resolve, reject }
      // The module named by the task is the one whose `run` it is.
    }) as Promise<R>
  }
  /** The thread is ready when it has loaded what it is started for: the first task must not wait for that, which is longer than the task. */
  #start(module: string): void {
    let worker: Worker
    try {
      worker = new Worker(new URL('./lane-thread.js', import.meta.url), { workerData: module })
    } catch {
      // This user has as many threads as he may (EAGAIN of pthread_create(3)): all is done in place from now on.
      this.#broken = true
      this.#freed()
      return
    }
    const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()))
    const thread: Thread = { worker, ended, ready: false, job: undefined, idle: undefined }
    this.#threads.add(thread)
    worker.unref()
    worker.on('message', (answer: Answer | 'ready') => {
      if (answer === 'ready') thread.ready = true
      else this.#answered(thread, answer)
      if (!this.#threads.has(thread)) return
      this.#rest(thread)
      this.#freed()
    })
    const gone = (error: unknown): void => {
      this.#threads.delete(thread)
      clearTimeout(thread.idle)
      // A thread that cannot even start will not start the next time.
      if (!thread.ready) this.#broken = true
      thread.job?.reject(new MailError('unavailable', 'a thread for files ended', { cause: error }))
      thread.job = undefined
      this.#freed()
    }
    worker.on('error', gone)
    worker.on('exit', () => gone(undefined))
  }
  #answered(thread: Thread, answer: Answer): void {
    const { job } = thread
    thread.job = undefined
    if ('value' in answer) job?.resolve(answer.value)
    else job?.reject(errorOf(answer.failure))
  }
  /** Without work a thread keeps no process. */
  #rest(thread: Thread): void {
    thread.worker.unref()
    thread.idle = setTimeout(() => void this.#end(thread), IDLE_MS)
    thread.idle.unref()
  }
  /**
   * Resolves when the thread has ended by itself: one that is stopped amid its work leaves a mailbox half written, and one that is stopped while it
   * loads native code takes the process with it.
   */
  #end(thread: Thread): Promise<void> {
    this.#threads.delete(thread)
    clearTimeout(thread.idle)
    thread.worker.ref()
    tell(thread.worker, 'end')
    return thread.ended
  }
  async [Symbol.asyncDispose](): Promise<void> {
    this.#broken = true
    this.#freed()
    await Promise.all([...this.#threads].map((thread) => this.#end(thread)))
  }
}

function tell(worker: Worker, order: Order): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- that is for windows of browsers
  worker.postMessage(order)
}
