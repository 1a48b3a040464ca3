import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { StoredMessage } from '../../../core/api/index.js'
import { bodyOf } from '../../../core/mime/body.js'
import { writeBody, writeBodystructure } from '../../../core/mime/bodystructure.js'
import { writeEnvelope } from '../../../core/mime/envelope.js'
import { bodystructureDeriver, envelopeDeriver, partMapDeriver } from '../../../core/mime/facts.js'
import { headerEnd } from '../../../core/mime/header.js'
import { latin1 } from '../../../core/mime/octets.js'
import { mapParts } from '../../../core/mime/part-map.js'
import { scanOctets } from '../../../core/mime/scanner.js'

/** A strict reader of what RFC 3501 §9 allows in these data; throws at anything else. */
function readValue(wire: string, at: number): { value: unknown; end: number } {
  if (wire[at] === '(') {
    const list: unknown[] = []
    let i = at + 1
    while (wire[i] !== ')') {
      const inner = readValue(wire, i)
      list.push(inner.value)
      i = inner.end
      if (wire[i] === ' ') {
        if (wire[++i] === ')') throw new Error(`blank before the end at ${i}`)
      } else if (wire[i] !== ')' && wire[i] !== '(') throw new Error(`no blank at ${i}`)
    }
    if (list.length === 0) throw new Error(`empty list at ${at}`)
    return { value: list, end: i + 1 }
  }
  const rest = wire.slice(at)
  const quoted = /^"((?:[^"\\\r\n\0\x80-\xff]|\\["\\])*)"/.exec(rest)
  if (quoted !== null) return { value: quoted[1]!.replace(/\\(.)/g, '$1'), end: at + quoted[0].length }
  const literal = /^\{(\d+)\}\r\n/.exec(rest)
  if (literal !== null) {
    const from = at + literal[0].length
    const value = wire.slice(from, from + Number(literal[1]))
    if (value.length !== Number(literal[1]) || value.includes('\0')) throw new Error(`bad literal at ${at}`)
    return { value, end: from + value.length }
  }
  const atom = /^(?:NIL|\d+)/.exec(rest)
  if (atom === null) throw new Error(`neither string nor number at ${at}: ${rest.slice(0, 20)}`)
  return { value: atom[0] === 'NIL' ? null : Number(atom[0]), end: at + atom[0].length }
}
function strict(wire: Uint8Array): unknown {
  const text = latin1(wire)
  const { value, end } = readValue(text, 0)
  if (end !== text.length) throw new Error(`more at ${end}`)
  return value
}

const odd = fc.string({ unit: fc.constantFrom('a', 'B', '"', '\\', '(', ')', '<', '>', '@', ',', ';', ':', '=', '*', '\'', '/', '[', ']', '.', ' ', '\t', '\r', '\0', '\x1b', '\xe9', '{3}', '\r\n ', 'NIL', '1', '%41'), maxLength: 25 })
const names = fc.constantFrom('From', 'To', 'Cc', 'Bcc', 'Sender', 'Reply-To', 'Subject', 'Date', 'Message-ID', 'In-Reply-To', 'MIME-Version', 'Content-Type', 'Content-Disposition', 'Content-ID', 'Content-Description', 'Content-Language', 'Content-Location', 'Content-MD5', 'Content-Transfer-Encoding', 'Content-Type: multipart/mixed; boundary', 'Content-Type: message/rfc822', '', 'X')
const field = fc.tuple(names, odd).map(([name, value]) => `${name}:${value}\r\n`)
const message = fc
  .tuple(fc.array(field, { maxLength: 8 }), fc.array(fc.oneof(field, fc.constantFrom('--', '--B\r\n', '--B--\r\n', '\r\n', 'x\r\n')), { maxLength: 10 }))
  .map(([header, rest]) => Buffer.from(`MIME-Version: 1.0\r\n${header.join('')}\r\n${rest.join('')}`, 'latin1'))

describe('wire form of odd mail', () => {
  test('ENVELOPE is well-formed and has its ten elements', () => {
    fc.assert(
      fc.property(message, (octets) => {
        const envelope = strict(writeEnvelope(octets)) as unknown[]
        expect(envelope.length).toBe(10)
        for (const i of [2, 3, 4, 5, 6, 7]) {
          const list = envelope[i] as unknown[][] | null
          for (const address of list ?? []) expect(address.length).toBe(4)
        }
        for (const i of [0, 1, 8, 9]) expect(envelope[i] === null || typeof envelope[i] === 'string').toBe(true)
      }),
      { numRuns: 3000 },
    )
  })
  test('BODYSTRUCTURE is well-formed, and BODY made from it is the one made from the tree', () => {
    fc.assert(
      fc.property(message, (octets) => {
        const root = scanOctets(octets, { envelopes: true })
        const structure = writeBodystructure(root)
        strict(structure)
        strict(writeBody(root))
        expect(latin1(bodyOf(structure))).toBe(latin1(writeBody(root)))
      }),
      { numRuns: 3000 },
    )
  })

  test('facts come from a message read in any way', async () => {
    const octets = Buffer.from(`From: a@b\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=B\r\n\r\n--B\r\n\r\n${'text\r\n'.repeat(100_000)}--B--\r\n`)
    const signal = new AbortController().signal
    const root = scanOctets(octets, { envelopes: true })
    let reads = 0
    const read = (at: number, into: Uint8Array): Promise<number> => {
      reads++
      const piece = octets.subarray(at, at + Math.min(into.length, 100_001))
      into.set(piece)
      return Promise.resolve(piece.length)
    }
    for (const inline of [true, false]) {
      const m: StoredMessage = { uid: 1, headerSize: headerEnd(octets), bytes: { size: octets.length, ...(inline ? { inline: octets } : {}), read } }
      reads = 0
      expect(await envelopeDeriver.derive(m, signal)).toEqual(writeEnvelope(octets.subarray(0, headerEnd(octets))))
      const [structure, parts] = await Promise.all([bodystructureDeriver.derive(m, signal), partMapDeriver.derive(m, signal)])
      expect(structure).toEqual(writeBodystructure(root))
      expect(parts).toEqual(mapParts(root))
      // Both of one pass.
      expect(reads).toBeLessThanOrEqual(Math.ceil(octets.length / 100_001) + 1)
    }
  })
  test('a message that ends before its size is told as vanished', async () => {
    const m: StoredMessage = { uid: 1, headerSize: 10, bytes: { size: 100, read: () => Promise.resolve(0) } }
    await expect(envelopeDeriver.derive(m, new AbortController().signal)).rejects.toMatchObject({ kind: 'vanished' })
    await expect(bodystructureDeriver.derive(m, new AbortController().signal)).rejects.toMatchObject({ kind: 'vanished' })
  })
})
