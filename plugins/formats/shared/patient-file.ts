import { failedWith } from 'mailwright/api'
import type { OpenFile } from 'mailwright/api'
import { reasonOf } from './locks/lock-context.js'

/** All that a look for damage needs of a file. */
export type ReadableFile = Pick<OpenFile, 'read'>
/** Octets that the machine cannot read: from one place to another, that not included. */
export interface Unreadable {
  readonly from: number
  readonly to: number
  readonly reason: string
}

/** What is asked for alone where a larger read fails: the machine reads no less from a disk. */
const BLOCK = 4096
/** What stands in place of an octet that cannot be read. A blank is part of no line that begins a message, and ends none. */
const BLANK = 32
/** How the machine says that a disk, or the file system on it, is damaged at a place. */
const DAMAGED = ['EIO', 'EBADMSG', 'EUCLEAN', 'ENODATA']

/** Whether a failure says that a place of a disk cannot be read; another place may be. */
export function isUnreadable(error: unknown): boolean {
  return failedWith(error, ...DAMAGED)
}

/** Numbers of blocks that failed; they are not asked for again, which can take seconds each. */
export type BadBlocks = Set<number>

/** A file, or what can be read of it: blanks stand in place of blocks that cannot, and the read goes on behind them. */
export class PatientFile implements ReadableFile {
  readonly #file: ReadableFile
  readonly #size: number
  readonly #bad: BadBlocks
  #untold: Unreadable[] = []
  /** `bad`: blocks that are known from an earlier reading of the same file; what is found is added. */
  constructor(file: ReadableFile, size: number, bad: BadBlocks = new Set()) {
    this.#file = file
    this.#size = size
    this.#bad = bad
  }
  /** What was found since this was last asked. */
  news(): readonly Unreadable[] {
    const news = this.#untold
    this.#untold = []
    return news
  }
  async read(into: Uint8Array, at: number): Promise<number> {
    const wanted = into.subarray(0, Math.max(0, Math.min(into.length, this.#size - at)))
    if (wanted.length === 0) return 0
    if (!this.#touchesBad(at, wanted.length)) {
      try {
        return await this.#file.read(wanted, at)
      } catch (error) {
        if (!isUnreadable(error)) throw error
      }
    }
    let done = 0
    while (done < wanted.length) {
      const place = at + done
      const part = wanted.subarray(done, done + BLOCK - (place % BLOCK))
      const got = await this.#block(part, place)
      done += got
      if (got < part.length) break
    }
    return done
  }
  #touchesBad(at: number, octets: number): boolean {
    if (this.#bad.size === 0) return false
    for (let block = Math.floor(at / BLOCK); block * BLOCK < at + octets; block++) if (this.#bad.has(block)) return true
    return false
  }
  /** Octets within one block. */
  async #block(into: Uint8Array, at: number): Promise<number> {
    const block = Math.floor(at / BLOCK)
    if (!this.#bad.has(block)) {
      try {
        return await this.#file.read(into, at)
      } catch (error) {
        if (!isUnreadable(error)) throw error
        this.#bad.add(block)
        this.#tell({ from: block * BLOCK, to: Math.min((block + 1) * BLOCK, this.#size), reason: reasonOf(error) })
      }
    }
    into.fill(BLANK)
    return into.length
  }
  #tell(found: Unreadable): void {
    const last = this.#untold.at(-1)
    if (last?.to === found.from) this.#untold[this.#untold.length - 1] = { ...last, to: found.to }
    else this.#untold.push(found)
  }
}
/** As a look for damage reports it. */
export function unreadableDamage({ from, to, reason }: Unreadable, file?: string): { readonly kind: 'damage'; readonly at: number; readonly file?: string; readonly text: string } {
  return { kind: 'damage', at: from, ...(file === undefined ? {} : { file }), text: `${to - from} octets cannot be read, blanks stand in their place: ${reason}` }
}
