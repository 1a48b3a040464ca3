import { MailError, type AppendItem, type Files, type OpenFile, type Spool, type Spooled } from '../../api/index.js'
import { throwIfCancelled } from '../failures.js'

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
/** Small messages share memory: setting some aside for each costs more than to copy their octets. */
const SLAB = 64 * 1024
const SMALL = SLAB / 4

/** Memory that messages share. It counts as held while one of them does; nothing in it is used twice. */
interface Slab {
  readonly bytes: Uint8Array
  used: number
  messages: number
}

/**
 * Holds messages that are still arriving: in memory while small, then in a file that has no name from the moment it is open, so that nothing
 * is left behind whatever happens.
 */
export class FileSpool implements Spool {
  readonly #files: Files
  readonly #folder: string
  readonly #random: (octets: number) => Uint8Array
  readonly #limits: SpoolLimits
  #inMemory = 0
  #slab: Slab | undefined
  constructor(files: Files, folder: string, random: (octets: number) => Uint8Array, limits = SPOOL_LIMITS) {
    this.#files = files
    this.#folder = folder
    this.#random = random
    this.#limits = limits
  }
  /** Octets that are held in memory. */
  get memory(): number {
    return this.#inMemory
  }
  async take(item: AppendItem, signal: AbortSignal): Promise<Spooled> {
    throwIfCancelled(signal)
    return this.#takeAtOnce(item) ?? (await this.#takePieces(item, signal))
  }
  /** A message that is at hand, where there is memory for it. */
  #takeAtOnce({ size, bytes }: AppendItem): Spooled | undefined {
    if (size === undefined || size > this.#limits.memory || this.#inMemory + Math.max(size, SLAB) > this.#limits.memoryOfAll) return undefined
    const octets = bytes.atOnce?.()
    if (octets === undefined) return undefined
    return octets.length > SMALL ? this.#alone(octets) : this.#shared(octets)
  }
  #alone(octets: Uint8Array): Spooled {
    const { length } = octets
    this.#inMemory += length
    // `slice` of a Buffer would share the giver's memory.
    return new InMemory([new Uint8Array(octets)], length, () => (this.#inMemory -= length))
  }
  #shared(octets: Uint8Array): Spooled {
    const { length } = octets
    let slab = this.#slab
    if (slab === undefined || slab.used + length > SLAB) slab = this.#slab = { bytes: Buffer.allocUnsafeSlow(SLAB), used: 0, messages: 0 }
    const { bytes, used } = slab
    bytes.set(octets, used)
    slab.used += length
    if (slab.messages++ === 0) this.#inMemory += SLAB
    return new InMemory([bytes.subarray(used, used + length)], length, () => {
      if (--slab.messages === 0) this.#inMemory -= SLAB
    })
  }
  async #takePieces(item: AppendItem, signal: AbortSignal): Promise<Spooled> {
    let chunks: Uint8Array[] = []
    let size = 0
    let held = 0
    let file: OpenFile | undefined
    try {
      for await (const chunk of item.bytes) {
        throwIfCancelled(signal)
        if (size + chunk.length > this.#limits.message) throw new MailError('limit', 'the message is too large')
        if (file === undefined && (size + chunk.length > this.#limits.memory || this.#inMemory + chunk.length > this.#limits.memoryOfAll)) {
          file = await this.#nameless()
          await file.write(chunks, 0)
          chunks = []
          this.#inMemory -= held
          held = 0
        }
        if (file === undefined) {
          // The giver may use its buffer again. `slice` of a Buffer would share it.
          chunks.push(new Uint8Array(chunk))
          held += chunk.length
          this.#inMemory += chunk.length
        } else await file.write([chunk], size)
        size += chunk.length
      }
    } catch (error) {
      this.#inMemory -= held
      await file?.close()
      throw error
    }
    if (file !== undefined) return new InFile(file, size)
    // In one piece, which is written in one go and can be looked into.
    return new InMemory(chunks.length > 1 ? [Buffer.concat(chunks)] : chunks, size, () => (this.#inMemory -= held))
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
  #held: readonly Uint8Array[]
  #release: (() => void) | undefined
  constructor(chunks: readonly Uint8Array[], size: number, release: () => void) {
    this.#held = chunks
    this.size = size
    this.#release = release
  }
  get whole(): Uint8Array | undefined {
    return this.#held.length === 1 ? this.#held[0] : undefined
  }
  async *chunks(): AsyncGenerator<Uint8Array> {
    for (const chunk of this.#held) yield chunk
  }
  [Symbol.asyncDispose](): Promise<void> {
    this.#held = []
    this.#release?.()
    this.#release = undefined
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
