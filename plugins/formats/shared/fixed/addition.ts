import type { ContentWriter } from '../content-writer.js'
import type { StoredReader } from './stored.js'

/** Octets that go to one place in the file; a value. */
export interface Part {
  readonly at: number
  readonly octets: Uint8Array
}

/** Takes what is to be written, in memory. Nothing of the mailbox is moved. */
export class Addition implements ContentWriter {
  readonly sparing = false
  at: number
  readonly #parts: { readonly at: number; readonly octets: Uint8Array[] }[] = []
  /** Where the last part ends. */
  #end = -1

  constructor(start: number) {
    this.at = start
  }
  /** Each with memory of its own: what a part is cut from would cross to another thread with it. */
  get parts(): readonly Part[] {
    return this.#parts.map(({ at, octets }) => ({ at, octets: joined(octets) }))
  }
  stay(to: number): void {
    this.at = to
  }
  bytes(part: Uint8Array): Promise<void> {
    const last = this.#parts.at(-1)
    if (last !== undefined && this.#end === this.at) last.octets.push(part)
    else this.#parts.push({ at: this.at, octets: [part] })
    this.at += part.length
    this.#end = this.at
    return Promise.resolve()
  }
  copy(): Promise<void> {
    return Promise.reject(new Error('nothing is moved when messages are added'))
  }
  edited(part: Uint8Array): Promise<void> {
    return this.bytes(part)
  }
}
function joined(list: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(list.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of list) {
    out.set(part, at)
    at += part.length
  }
  return out
}
/** Writes it, and behind it the messages that `reader` reads. */
export async function replay(parts: readonly Part[], reader: StoredReader | undefined, w: ContentWriter): Promise<void> {
  for (const { at, octets } of parts) {
    w.stay(at)
    await w.bytes(octets)
  }
  await reader?.copyTo(w)
}
