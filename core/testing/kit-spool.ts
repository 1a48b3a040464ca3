import type { AppendItem, Spool, Spooled } from '../api/mail/delivery.js'

/** Keeps what it takes in memory. */
export const memorySpool: Spool = {
  async take(item: AppendItem): Promise<Spooled> {
    const chunks: Uint8Array[] = []
    let size = 0
    for await (const chunk of item.bytes) {
      // `slice` of a Buffer would share its memory.
      chunks.push(new Uint8Array(chunk))
      size += chunk.length
    }
    return {
      size,
      whole: chunks.length === 1 ? chunks[0] : undefined,
      async *chunks() {
        await undefined
        yield* chunks
      },
      [Symbol.asyncDispose]: () => Promise.resolve(),
    }
  },
}
