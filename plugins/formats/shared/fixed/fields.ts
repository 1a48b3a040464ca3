import { MailError, type OpenFile } from 'mailwright/api'
import type { Dialect, Fields } from './dialect.js'
import type { Layout } from './layout.js'
import { fieldsAt } from './patch.js'
import { FileWindow } from './window.js'

/** Below this size messages are read through; above, each field alone. */
const DENSE = 1 << 14
const PARALLEL = 32

/** Fields of all messages of the layout. @throws MailError `corrupt` where there are none */
export async function readFields(file: OpenFile, dialect: Dialect, layout: Layout, each: (i: number, fields: Fields) => void): Promise<void> {
  if (layout.count === 0) return
  const use = (i: number, octets: Buffer, at: number): void => {
    const fields = dialect.readFields(octets, at)
    if (typeof fields === 'string') throw invalid(dialect, layout, i, octets.subarray(at, at + dialect.fieldsLength))
    each(i, fields)
  }
  const span = layout.endOf(layout.count - 1) - layout.at('offset', 0)
  if (span / layout.count < DENSE) {
    const window = new FileWindow(file, layout.endOf(layout.count - 1))
    for (let i = 0; i < layout.count; i++) {
      const at = fieldsAt(dialect, layout, i)
      if (!window.covers(at, dialect.fieldsLength)) await window.move(at)
      use(i, window.buffer, window.index(at))
    }
    return
  }
  for (let from = 0; from < layout.count; from += PARALLEL) {
    const part = Array.from({ length: Math.min(PARALLEL, layout.count - from) }, (_, n) => from + n)
    const read = await Promise.all(part.map(async (i) => {
      const octets = Buffer.alloc(dialect.fieldsLength)
      await file.read(octets, fieldsAt(dialect, layout, i))
      return octets
    }))
    for (const [n, octets] of read.entries()) use(from + n, octets, 0)
  }
}
function invalid(dialect: Dialect, layout: Layout, i: number, octets: Buffer): MailError {
  const text = octets.toString('latin1').replaceAll(/[^\x20-\x7e]/g, '?')
  return new MailError('corrupt', `Invalid flags for message ${i + 1} (${fieldsAt(dialect, layout, i)} ${octets.length}): ${text}`)
}
