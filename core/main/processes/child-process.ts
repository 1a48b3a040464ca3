import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import type { Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { StartFailure } from '../../api/index.js'
import { channelOf } from '../../processes/channel.js'
import type { Channel } from '../../processes/channel.js'
import type { FromChild, StartMessage, ToChild } from './messages.js'

const ENTRY = entry('./child.js')
const STANDING_ENTRY = entry('./standing-child.js')
/** After the time that sessions have, a process that does not end is ended. */
const GRACE_MS = 5_000

/** What hears a process that is started. */
type Hearer = (message: Exclude<FromChild, { kind: 'ready' | 'failed' }>, socket: Socket | undefined) => void

/** A process of this server, from its start to its end. */
export class ServerProcess {
  readonly #child: ChildProcess
  readonly #channel: Channel<FromChild, ToChild>
  readonly #settled: { ready: () => void; failed: (reason: Error) => void } = { ready: () => undefined, failed: () => undefined }
  /** Resolves with what it was ended by. */
  readonly exited: Promise<string>
  #over = false

  private constructor(child: ChildProcess, hear: Hearer) {
    this.#child = child
    this.#channel = channelOf<FromChild, ToChild>(child)
    this.#channel.hear((message, socket) => {
      if (message.kind === 'ready') this.#settled.ready()
      else if (message.kind === 'failed') this.#settled.failed(new StartFailure(message.problems))
      else hear(message, socket)
    })
    this.exited = new Promise((resolve) => {
      const over = (how: string): void => {
        this.#over = true
        this.#settled.failed(new Error(`the process ended while it started (${how})`))
        resolve(how)
      }
      child.once('exit', (code, signal) => over(signal ?? `exit code ${code ?? 'unknown'}`))
      child.once('error', (error) => over(error.message))
    })
  }

  /**
   * A process that has loaded the program and waits to be told what it is to be.
   * @param stays as long as the configuration does: its start may take longer, so that its first sessions are served sooner.
   */
  static spawn(env: NodeJS.ProcessEnv, stays: boolean, hear: Hearer): ServerProcess {
    // A group of its own: a key pressed at the terminal reaches the first process alone, which then ends the others in order.
    return new ServerProcess(fork(stays ? STANDING_ENTRY : ENTRY, [], { env, stdio: ['ignore', 'inherit', 'inherit', 'ipc'], detached: true }), hear)
  }

  get pid(): number | undefined {
    return this.#child.pid
  }
  get over(): boolean {
    return this.#over
  }

  /** @throws StartFailure with what was wrong. */
  start(message: StartMessage): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#settled.ready = resolve
      this.#settled.failed = reject
      if (this.#over) reject(new Error('the process has ended'))
      else void this.#channel.send(message).then((sent) => (sent ? undefined : reject(new Error('the process has ended'))))
    })
  }
  send(message: ToChild, socket?: Socket): Promise<boolean> {
    return this.#channel.send(message, socket)
  }

  /** Lets it finish within the time, then ends it; resolves when it is gone. */
  async stop(withinMs: number): Promise<void> {
    if (this.#over) return
    void this.send({ kind: 'stop', withinMs })
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), withinMs + GRACE_MS)
    await this.exited
    clearTimeout(timer)
  }
}

function entry(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url))
}
