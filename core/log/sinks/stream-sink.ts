import { fstatSync } from 'node:fs'
import type { Writable } from 'node:stream'
import type { LogSink } from '../../api/index.js'
import { humanLine, journalLine, jsonLine } from '../format.js'
import type { LogEvent } from '../format.js'
import { wanted } from '../level.js'
import type { Level } from '../level.js'

/** `auto`: for people on a terminal and in a plain file, with priorities for the systemd journal. */
export type LogFormat = 'auto' | 'human' | 'json' | 'journal'

/** Lines that wait for a reader of the log that does not keep up; beyond it lines are counted, not kept. */
const MOST_WAITING_OCTETS = 1024 * 1024

/** Lines on a stream, gathered per turn of the event loop. */
export class StreamSink implements LogSink {
  readonly #stream: Writable
  readonly #level: Level
  readonly #line: (event: LogEvent) => string
  #text = ''
  #dropped = 0

  constructor(stream: Writable & { readonly isTTY?: boolean; readonly fd?: number }, options: { readonly level: Level; readonly format: LogFormat; readonly env?: NodeJS.ProcessEnv }) {
    this.#stream = stream
    this.#level = options.level
    const env = options.env ?? process.env
    const format = options.format === 'auto' && isJournal(stream.fd, env['JOURNAL_STREAM']) ? 'journal' : options.format
    const colours = stream.isTTY === true && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb'
    this.#line = format === 'json' ? jsonLine : format === 'journal' ? journalLine : (event) => humanLine(event, colours)
  }

  write(level: Level, event: string, facts: Readonly<Record<string, unknown>>): void {
    if (!wanted(level, this.#level)) return
    if (this.#stream.writableLength > MOST_WAITING_OCTETS) {
      this.#dropped += 1
      return
    }
    if (this.#text === '') setImmediate(() => this.flush())
    if (this.#dropped > 0) {
      this.#text += `${this.#line({ level: 'warn', event: 'log lines were dropped', facts: { lines: this.#dropped }, timeMs: Date.now() })}\n`
      this.#dropped = 0
    }
    this.#text += `${this.#line({ level, event, facts, timeMs: Date.now() })}\n`
  }

  /** What was gathered goes out now. */
  flush(): void {
    const text = this.#text
    this.#text = ''
    if (text !== '') this.#stream.write(text)
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.flush()
    return Promise.resolve()
  }
}

/** systemd.exec(5): JOURNAL_STREAM names device and inode of the stream that goes to the journal. */
function isJournal(fd: number | undefined, named: string | undefined): boolean {
  if (fd === undefined || named === undefined) return false
  try {
    // Once, when the sink is made.
    const { dev, ino } = fstatSync(fd)
    return named === `${dev}:${ino}`
  } catch {
    return false
  }
}
