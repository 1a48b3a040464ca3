import { createFact } from '../api/index.js'
import type { MimePart } from './part.js'

/** Where the parts of a message lie: what a section needs of the tree, small enough to be cached. */
export interface PartMap {
  readonly kind: 'leaf' | 'multipart' | 'message'
  readonly headerAt: number
  readonly headerSize: number
  readonly bodyAt: number
  readonly bodySize: number
  readonly encoding: string
  readonly children: readonly PartMap[]
}

const KINDS = ['leaf', 'multipart', 'message'] as const

/** The offsets of a scanned tree. */
export function mapParts(part: MimePart): PartMap {
  const { kind, headerAt, headerSize, bodyAt, bodySize, content, children } = part
  return { kind, headerAt, headerSize, bodyAt, bodySize, encoding: content.encoding, children: children.map(mapParts) }
}

/** Per part: kind, number of children, four offsets as 32-bit numbers, length of the encoding's name and the name. */
function encode(root: PartMap): Uint8Array {
  const numbers: number[] = []
  const names: string[] = []
  const visit = (part: PartMap): void => {
    numbers.push(KINDS.indexOf(part.kind), part.children.length, part.headerAt, part.headerSize, part.bodyAt, part.bodySize)
    names.push(part.encoding.replaceAll('\n', ' '))
    for (const child of part.children) visit(child)
  }
  visit(root)
  const head = Buffer.from(Uint32Array.from(numbers).buffer)
  return Buffer.concat([Buffer.from(Uint32Array.of(names.length).buffer), head, Buffer.from(names.join('\n'), 'latin1')])
}

function decode(bytes: Uint8Array): PartMap {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  // Written on the same kind of machine; all that Node runs on are little-endian.
  const count = view.getUint32(0, true)
  const names = Buffer.from(bytes.subarray(4 + count * 24)).toString('latin1').split('\n')
  let next = 0
  const read = (): PartMap => {
    const at = 4 + next * 24
    const encoding = names[next++] ?? '7BIT'
    const number = (index: number): number => view.getUint32(at + 4 * index, true)
    const children: PartMap[] = []
    const kind = KINDS[number(0)] ?? 'leaf'
    for (let left = number(1); left > 0; left--) children.push(read())
    return { kind, headerAt: number(2), headerSize: number(3), bodyAt: number(4), bodySize: number(5), encoding, children }
  }
  return read()
}

/** The part map as a fact of a message, so that BODY[2.1] of a cached message reads those octets alone. */
export const PART_MAP = createFact<PartMap>('part-map', 1, { encode, decode })
