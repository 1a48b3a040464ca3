import type { Examined, FilePlace } from 'mailwright/api'
import { SYSTEM_BITS, BIT, type Dialect } from './dialect.js'
import type { FixedContext } from './context.js'
import { KeywordBits } from './keyword-bits.js'
import { scanRecords } from './scan.js'

const PIECE = 1 << 16

/**
 * What is readable of a file in whatever state, and what is wrong with it. Nothing is written and no lock is held: for a mailbox that is damaged,
 * or a copy of one. Only for formats whose text stands as a client sees it.
 */
export async function* examineFixed(dialect: Dialect, at: FilePlace, { files }: Pick<FixedContext, 'files'>, signal: AbortSignal): AsyncGenerator<Examined> {
  const file = await files.open(at.path, { keepAccessTime: true })
  try {
    const { size } = await file.stat()
    let keywords = new KeywordBits([])
    let from = 0
    if (dialect.header !== undefined) {
      const head = Buffer.alloc(dialect.header.length)
      const got = await file.read(head, 0)
      const header = got === head.length ? dialect.header.parse(head) : undefined
      if (header === undefined) yield { kind: 'damage', at: 0, text: `the first ${dialect.header.length} octets are no ${dialect.title} record: keywords and UIDVALIDITY are lost` }
      else keywords = new KeywordBits(header.keywords)
      from = header === undefined ? 0 : head.length
    }
    const { records, problems } = await scanRecords(file, dialect, from, size, signal)
    let told = from > 0 || dialect.header === undefined ? 0 : 1
    for (const { offset, line, stored } of records) {
      for (; told < problems.length && (problems[told]?.at ?? 0) <= offset; told++) yield { kind: 'damage', ...(problems[told] ?? { at: offset, text: '' }) }
      if ((line.fields.flags & BIT.hidden) !== 0) continue
      const textAt = offset + line.length
      yield {
        kind: 'message',
        at: offset,
        size: stored,
        system: line.fields.flags & SYSTEM_BITS,
        keywords: keywords.words(line.fields.keywords),
        date: { ms: line.ms, zone: line.zone },
        bytes: (async function* () {
          for (let done = 0; done < stored; ) {
            const piece = new Uint8Array(Math.min(PIECE, stored - done))
            const n = await file.read(piece, textAt + done)
            if (n === 0) return
            yield piece.subarray(0, n)
            done += n
          }
        })(),
      }
    }
    for (; told < problems.length; told++) yield { kind: 'damage', ...(problems[told] ?? { at: size, text: '' }) }
  } finally {
    await file.close()
  }
}
