import type { AppendItem } from '../api/mail/delivery.js'
import type { SeededRandom } from './random.js'

/** A message as the kit hands it over and expects it back. */
export interface SampleMessage {
  readonly bytes: Uint8Array
  readonly system: number
  readonly keywords: readonly string[]
  readonly date: { readonly ms: number; readonly zone: number } | undefined
}
const encoder = new TextEncoder()

/** CRLF octets of lines, with the last line ended. */
export function octetsOf(lines: readonly string[]): Uint8Array {
  return encoder.encode(lines.map((line) => `${line}\r\n`).join(''))
}

/** A small message that says which one it is. */
export function sampleMessage(n: number, more: Partial<SampleMessage> = {}): SampleMessage {
  const lines = [
    `From: Alice <alice@example.org>`,
    `To: Bob <bob@example.org>`,
    `Subject: message ${n}`,
    `Message-ID: <${n}.sample@example.org>`,
    '',
    `This is message ${n}.`,
    ...Array.from({ length: n % 7 }, (_, i) => `line ${i} of message ${n}`),
  ]
  return { bytes: octetsOf(lines), system: 0, keywords: [], date: { ms: 1_600_000_000_000 + n * 1000, zone: 60 }, ...more }
}

/** A message of chance: its size from a few octets to some tens of thousands, with lines that text formats must not take for their own. */
export function randomMessage(n: number, random: SeededRandom): SampleMessage {
  const lines = [`Subject: random ${n}`, `X-Kit: ${n}`]
  for (let i = random.below(4); i > 0; i--) lines.push(`X-Field-${i}: ${'x'.repeat(random.below(200))}`)
  lines.push('')
  for (let i = random.chance(0.05) ? 600 : random.below(12); i > 0; i--) lines.push(random.pick(AWKWARD_LINES)(random))
  return { bytes: octetsOf(lines), system: 0, keywords: [], date: { ms: 1_600_000_000_000 + random.below(1_000_000) * 1000, zone: 15 * (random.below(100) - 50) } }
}

const AWKWARD_LINES: readonly ((random: SeededRandom) => string)[] = [
  () => '',
  () => 'From alice@example.org Mon Jan  5 12:00:00 2026',
  () => '>From alice@example.org Mon Jan  5 12:00:00 2026',
  () => 'From here on it is only text',
  () => '.',
  () => 'Status: RO',
  () => 'X-UID: 99',
  () => '\u0001\u0001\u0001\u0001',
  () => ' leading and trailing space ',
  () => 'grüße, привет, 日本',
  (random) => 'y'.repeat(random.below(2000)),
  (random) => `text ${random.below(1_000_000)}`,
]

/** For a delivery; `cut` says where the octets are cut into chunks. */
export function itemOf(message: SampleMessage, cut: (left: number) => number = (left) => left): AppendItem {
  const { bytes, system, keywords, date } = message
  const chunks = async function* (): AsyncIterable<Uint8Array> {
    for (let at = 0; at < bytes.length; ) {
      const end = Math.min(bytes.length, at + Math.max(1, cut(bytes.length - at)))
      await undefined
      // A copy: drivers may not keep what they are handed.
      yield new Uint8Array(bytes.subarray(at, end))
      at = end
    }
  }
  return { size: bytes.length, bytes: chunks(), binary: false, system, keywords, facts: new Map(), ...(date === undefined ? {} : { date }) }
}
