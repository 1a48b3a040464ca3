import { MailError, type AppendItem, type Files, type OpenFile, type Spool, type Spooled } from '../../api/index.js'
import { throwIfCancelled } from '../failures.js'
import { ArrivingMessage } from './arriving-message.js'
import { SpoolMemory } from './spool-memory.js'

/** Bounds of a spool, in octets. */
export interface SpoolLimits {
  /** A message beyond this goes to a file. */
  readonly memory: number
  /** All messages in memory together; what comes when it is full goes to a file at once. */
  readonly memoryOfAll: number
  /** The largest message at all (RFC 3501 has none; the original's is 1 GiB). */
  readonly message: number
}
const SPOOL_LIMITS: SpoolLimits = { memory: 256 * 1024, memoryOfAll: 64 * 1024 * 1024, message: 1024 * 1024 * 1024 }
const PIECE = 64 * 1024

/**
 * Holds messages that are still arriving: in memory while small, then in a file that has no name from the moment it is open, so that nothing
 * is left behind whatever happens.
 */
export class FileSpool implements Spool {
  readonly #files: Files
  readonly #folder: string
  readonly #random: (octets: number) => Uint8Array
  readonly #limits: SpoolLimits
  readonly #memory: SpoolMemory
  constructor(files: Files, folder: string, random: (octets: number) => Uint8Array, limits = SPOOL_LIMITS) {
    this.#files = files
    this.#folder = folder
    this.#random = random
    this.#limits = limits
    this.#memory = new SpoolMemory(limits.memoryOfAll)
  }
  /** Octets that are held in memory. */
  get memory(): number {
    return this.#memory.held
  }
  async take(item: AppendItem, signal: AbortSignal): Promise<Spooled> {
    throwIfCancelled(signal)
    return this.#takeAtOnce(item) ?? (await this.#takePieces(item, signal))
  }
  /** A message that is at hand, where there is memory for it. */
  #takeAtOnce({ size, bytes }: AppendItem): Spooled | undefined {
    if (size === undefined || size > this.#limits.memory || !this.#memory.has(size)) return undefined
    const octets = bytes.atOnce?.()
    if (octets === undefined) return undefined
    const message = new ArrivingMessage(this.#memory, this.#limits.memory, octets.length)
    // There is room for what was said: nothing else came in between.
    if (!message.add(octets)) throw new Error('a message at hand has more octets than were said')
    return new InMemory(message)
  }
  async #takePieces(item: AppendItem, signal: AbortSignal): Promise<Spooled> {
    const message = new ArrivingMessage(this.#memory, this.#limits.memory, item.size)
    let size = 0
    let file: OpenFile | undefined
    try {
      for await (const chunk of item.bytes) {
        throwIfCancelled(signal)
        if (size + chunk.length > this.#limits.message) throw new MailError('limit', 'the message is too large')
        if (file === undefined && !message.add(chunk)) {
          file = await this.#nameless()
          await file.write([message.octets], 0)
          message.release()
        }
        if (file !== undefined) await file.write([chunk], size)
        size += chunk.length
      }
    } catch (error) {
      message.release()
      await file?.close()
      throw error
    }
    return file === undefined ? new InMemory(message) : new InFile(file, size)
  }
  async #nameless(): Promise<OpenFile> {
    const path = `${this.#folder}/mailwright-${Buffer.from(this.#random(12)).toString('hex')}`
    const file = await this.#files.open(path, { write: true, create: 'new', mode: 0o600, noFollow: true })
    try {
      await this.#files.unlink(path)
    } catch (error) {
      await file.close()
      throw error
    }
    return file
  }
}

class InMemory implements Spooled {
  readonly size: number
  readonly #message: ArrivingMessage
  constructor(message: ArrivingMessage) {
    this.#message = message
    this.size = message.octets.length
  }
  get whole(): Uint8Array | undefined {
    const { octets } = this.#message
    return octets.length === this.size ? octets : undefined
  }
  async *chunks(): AsyncGenerator<Uint8Array> {
    const { octets } = this.#message
    if (octets.length > 0) yield octets
  }
  [Symbol.asyncDispose](): Promise<void> {
    this.#message.release()
    return Promise.resolve()
  }
}
class InFile implements Spooled {
  readonly size: number
  #file: OpenFile | undefined
  constructor(file: OpenFile, size: number) {
    this.#file = file
    this.size = size
  }
  async *chunks(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < this.size; ) {
      const file = this.#file
      if (file === undefined) throw new Error('the spooled message was used after it was closed')
      // Each piece has memory of its own: the consumer may keep it.
      const piece = new Uint8Array(Math.min(PIECE, this.size - at))
      const n = await file.read(piece, at)
      if (n === 0) throw new MailError('unavailable', 'the spool file ended early')
      yield n === piece.length ? piece : piece.subarray(0, n)
      at += n
    }
  }
  async [Symbol.asyncDispose](): Promise<void> {
    const file = this.#file
    this.#file = undefined
    await file?.close()
  }
}
