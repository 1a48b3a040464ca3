import fc from 'fast-check'
import PostalMime, { addressParser } from 'postal-mime'
import { describe, expect, test } from 'vitest'
import { parseAddresses } from '../../../core/mime/address.js'
import { decodeText } from '../../../core/mime/charset/decode.js'
import { decodeHeaderText } from '../../../core/mime/encoded-word.js'
import { latin1 } from '../../../core/mime/octets.js'
import { parameterOf } from '../../../core/mime/part.js'
import type { MimePart } from '../../../core/mime/part.js'
import { scanOctets } from '../../../core/mime/scanner.js'
import { decodeTransfer } from '../../../core/mime/transfer.js'
import { readEnvelope } from '../../../core/mime/envelope.js'

/** Text of a message as people wrote it: words of several alphabets, lines, no blanks at their ends. */
const word = fc.constantFrom('alpha', 'Größe', 'naïve', '日本語', 'привет', 'x=y', '--B', 'emoji😀', '.', 'From here')
const line = fc.array(word, { minLength: 1, maxLength: 6 }).map((words) => words.join(' '))
const content = fc.array(line, { minLength: 1, maxLength: 5 }).map((lines) => lines.join('\r\n'))

const base64 = (octets: Buffer): string => octets.toString('base64').replace(/.{60}/g, '$&\r\n')
const quoted = (octets: Buffer): string =>
  octets.toString('latin1').replace(/[^ -<>-~\r\n]/g, (c) => `=${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`).replace(/(.{60}[^=]{3})/g, '$1=\r\n')
interface Leaf {
  readonly text: string
  readonly encoding: 'base64' | 'quoted-printable' | '8bit'
  readonly attachment: boolean
}
const leaf: fc.Arbitrary<Leaf> = fc.record({ text: content, encoding: fc.constantFrom('base64', 'quoted-printable', '8bit'), attachment: fc.boolean() })
type Tree = Leaf | { readonly parts: readonly Tree[] }
const tree: fc.Arbitrary<Tree> = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.oneof({ depthSize: 'small', maxDepth: 3 }, leaf, fc.record({ parts: fc.array(tie('tree'), { minLength: 1, maxLength: 3 }) })),
})).tree

function write(t: Tree, level: number): Buffer {
  if ('parts' in t) {
    const boundary = `boundary${level}`
    const pieces = t.parts.map((part) => Buffer.concat([Buffer.from(`--${boundary}\r\n`), write(part, level + 1), Buffer.from('\r\n')]))
    return Buffer.concat([Buffer.from(`Content-Type: multipart/mixed; boundary="${boundary}"\r\n\r\n`), ...pieces, Buffer.from(`--${boundary}--\r\n`)])
  }
  const octets = Buffer.from(t.text, 'utf8')
  const encoded = t.encoding === 'base64' ? Buffer.from(base64(octets)) : t.encoding === '8bit' ? octets : Buffer.from(quoted(octets))
  const disposition = t.attachment ? 'Content-Disposition: attachment; filename=a.txt\r\n' : ''
  return Buffer.concat([Buffer.from(`Content-Type: text/plain; charset=utf-8\r\n${disposition}Content-Transfer-Encoding: ${t.encoding}\r\n\r\n`), encoded])
}
function leaves(message: Buffer, part: MimePart): { text: string; attached: boolean }[] {
  if (part.children.length > 0) return part.children.flatMap((child) => leaves(message, child))
  const octets = decodeTransfer(message.subarray(part.bodyAt, part.bodyAt + part.bodySize), part.content.encoding)!
  return [{ text: decodeText(octets, parameterOf(part.content.parameters, 'CHARSET')), attached: part.content.disposition?.type === 'ATTACHMENT' }]
}
const plain = (text: string): string => text.replaceAll('\r\n', '\n').trimEnd()

describe('postal-mime says the same', () => {
  test('of the texts of generated messages', async () => {
    await fc.assert(
      fc.asyncProperty(tree, async (t) => {
        const message = Buffer.concat([Buffer.from('MIME-Version: 1.0\r\n'), write(t, 0)])
        const mine = leaves(message, scanOctets(message))
        const theirs = await PostalMime.parse(message)
        expect(mine.filter((l) => l.attached).map((l) => plain(l.text))).toEqual(
          theirs.attachments.map((a) => plain(typeof a.content === 'string' ? a.content : Buffer.from(new Uint8Array(a.content)).toString('utf8'))),
        )
        const squeezed = (text: string): string => text.replace(/\s+/g, ' ').trim()
        expect(squeezed(mine.filter((l) => !l.attached).map((l) => l.text).join('\n'))).toBe(squeezed(theirs.text ?? ''))
      }),
      { numRuns: 150 },
    )
  })

  const atom = fc.stringMatching(/^[a-z][a-z0-9]{0,7}$/)
  const spec = fc.tuple(atom, atom).map(([box, host]) => `${box}@${host}.example`)
  const mailbox = fc.oneof(
    spec,
    fc.tuple(atom, atom, spec).map(([a, b, s]) => `${a} ${b} <${s}>`),
    fc.tuple(atom, spec).map(([a, s]) => `"${a}, Jr." <${s}>`),
    fc.tuple(atom, spec).map(([a, s]) => `=?utf-8?q?=C3=A9${a}?= <${s}>`),
    spec.map((s) => `<${s}>`),
  )
  test('of generated addresses', () => {
    fc.assert(
      fc.property(fc.array(mailbox, { minLength: 1, maxLength: 6 }), fc.constantFrom(',', ', ', ',\r\n ', ' , '), (list, comma) => {
        const text = list.join(comma)
        const mine = parseAddresses(text.replaceAll('\r\n', '')).map((a) => ({ name: decodeHeaderText(a.personal ?? ''), address: `${a.mailbox}@${a.host}` }))
        expect(mine).toEqual(addressParser(text.replaceAll('\r\n', '')).map((a) => ({ name: decodeHeaderText(a.name), address: a.address })))
      }),
      { numRuns: 500 },
    )
  })

  test('of subjects with encoded words', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(word, fc.constantFrom('b', 'q', 'raw')), { minLength: 1, maxLength: 5 }), async (words) => {
        const encode = ([text, how]: [string, string]): string => {
          const octets = Buffer.from(text, 'utf8')
          if (how === 'raw' && /^[ -~]*$/.test(text)) return text
          if (how === 'b') return `=?utf-8?B?${octets.toString('base64')}?=`
          return `=?utf-8?Q?${octets.toString('latin1').replace(/[^a-z]/gi, (c) => `=${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`)}?=`
        }
        const message = Buffer.from(`Subject: ${words.map(encode).join('\r\n ')}\r\n\r\n`)
        const subject = decodeHeaderText(readEnvelope(message).texts.get('subject') ?? '')
        expect(subject).toBe((await PostalMime.parse(message)).subject ?? '')
        expect(latin1(message).length).toBe(message.length)
      }),
      { numRuns: 150 },
    )
  })
})
