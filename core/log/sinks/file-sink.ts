import { open, stat } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import type { LogSink } from '../../api/index.js'
import { humanLine, jsonLine } from '../format.js'
import type { LogEvent } from '../format.js'
import { wanted } from '../level.js'
import type { Level } from '../level.js'

const MOST_WAITING_OCTETS = 4 * 1024 * 1024

/** How a log file is written. */
export interface FileSinkOptions {
  readonly path: string
  readonly mode: number
  readonly level: Level
  readonly format: 'human' | 'json'
  /** Told when the file cannot be written, once until it can be again. */
  readonly failed: (error: unknown) => void
}

/** Lines at the end of a file. A file that was moved away (logrotate) is made anew with the next lines. */
export class FileSink implements LogSink, AsyncDisposable {
  readonly #options: FileSinkOptions
  readonly #line: (event: LogEvent) => string
  #file: FileHandle
  #inode: number
  #text = ''
  #dropped = 0
  #writing: Promise<void> | undefined
  #broken = false

  private constructor(options: FileSinkOptions, file: FileHandle, inode: number) {
    this.#options = options
    this.#file = file
    this.#inode = inode
    this.#line = options.format === 'json' ? jsonLine : (event) => humanLine(event, false)
  }

  /** @throws the system error when the file cannot be opened. */
  static async open(options: FileSinkOptions): Promise<FileSink> {
    const file = await open(options.path, 'a', options.mode)
    return new FileSink(options, file, (await file.stat()).ino)
  }

  write(level: Level, event: string, facts: Readonly<Record<string, unknown>>): void {
    if (!wanted(level, this.#options.level)) return
    if (this.#text.length > MOST_WAITING_OCTETS) {
      this.#dropped += 1
      return
    }
    const timeMs = Date.now()
    if (this.#dropped > 0) {
      this.#text += `${this.#line({ level: 'warn', event: 'log lines were dropped', facts: { lines: this.#dropped }, timeMs })}\n`
      this.#dropped = 0
    }
    this.#text += `${this.#line({ level, event, facts, timeMs })}\n`
    this.#writing ??= this.#drain()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing
    await this.#file.close()
  }

  async #drain(): Promise<void> {
    // The lines of one turn go together.
    await new Promise((resolve) => setImmediate(resolve))
    while (this.#text !== '') {
      const text = this.#text
      this.#text = ''
      try {
        await this.#follow()
        await this.#file.appendFile(text)
        this.#broken = false
      } catch (error) {
        if (!this.#broken) this.#options.failed(error)
        this.#broken = true
      }
    }
    this.#writing = undefined
  }

  async #follow(): Promise<void> {
    const { path, mode } = this.#options
    const there = await stat(path).catch(() => undefined)
    if (there?.ino === this.#inode) return
    const fresh = await open(path, 'a', mode)
    await this.#file.close()
    this.#file = fresh
    this.#inode = (await fresh.stat()).ino
  }
}
