import { createWriteStream } from 'node:fs'
import { once } from 'node:events'
import { randomOf } from './random.js'

/** What a generated mailbox is to hold. */
export interface MailboxShape {
  readonly messages: number
  /** Median of the bodies' octets; sizes are log-normal around it. */
  readonly medianOctets: number
  readonly seed: number
  /** One message with an attachment of this many octets (base64), at the middle. */
  readonly hugeOctets?: number
}

const WORDS = 'tea kettle meeting minutes plan picture invoice garden winter summer train ticket answer question kind regards tomorrow yesterday house letter'.split(' ')
const NAMES = ['Alice Example', 'Bob Example', '=?utf-8?Q?Carol_M=C3=BCller?=', '"Dave, the other"', 'Erin']
const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const two = (n: number): string => String(n).padStart(2, '0')

function text(random: () => number, octets: number, eightBit: boolean): string {
  let out = ''
  let line = ''
  while (out.length < octets) {
    const word = WORDS[Math.floor(random() * WORDS.length)] ?? ''
    line += `${eightBit && random() < 0.1 ? `${word}\u00e9` : word} `
    if (line.length > 66) {
      out += `${line.trimEnd()}\n`
      line = ''
    }
  }
  return out
}
function base64(random: () => number, octets: number): string {
  const bytes = Buffer.alloc(Math.ceil(octets * 0.74))
  for (let i = 0; i + 4 <= bytes.length; i += 4) bytes.writeUInt32LE(Math.floor(random() * 0xffffffff), i)
  return bytes.toString('base64').replaceAll(/.{76}/g, '$&\n') + '\n'
}

/** Header and body with LF line ends, without a From line; what the n-th message of this shape is. */
export function generatedMessage(shape: MailboxShape, n: number): string {
  const random = randomOf(shape.seed * 7_919 + n)
  for (let i = 0; i < 4; i++) random()
  const normal = Math.sqrt(-2 * Math.log(random() + 1e-9)) * Math.cos(2 * Math.PI * random())
  const octets = Math.min(4_000_000, Math.round(shape.medianOctets * Math.exp(normal * 0.9)))
  const at = new Date(Date.UTC(2020, 0, 1) + n * 5_400_000)
  const kind = n === Math.floor(shape.messages / 2) && shape.hugeOctets !== undefined ? 'huge' : random()
  const from = NAMES[Math.floor(random() * NAMES.length)] ?? ''
  const head =
    `Received: from mx${n % 7}.example.org by mail.example.org with ESMTP id ${n};\n\t${at.toUTCString().replace('GMT', '+0000')}\n` +
    `From: ${from} <sender${n % 97}@example.org>\nTo: alice@example.org,\n bob@example.org\nSubject: ${kind === 'huge' ? 'huge' : `message ${n} about ${WORDS[n % WORDS.length]}`}\n` +
    `Date: ${DAYS[at.getUTCDay()]}, ${at.getUTCDate()} ${MONTHS[at.getUTCMonth()]} ${at.getUTCFullYear()} ${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:00 +0000\n` +
    `Message-ID: <${shape.seed}.${n}@example.org>\n${n % 7 === 0 ? '' : `In-Reply-To: <${shape.seed}.${n - (n % 7)}@example.org>\n`}`
  if (kind === 'huge') {
    return `${head}MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="huge"\n\n--huge\nContent-Type: text/plain\n\nSee below.\n--huge\nContent-Type: application/octet-stream; name="big.bin"\nContent-Transfer-Encoding: base64\n\n${base64(random, shape.hugeOctets ?? 0)}--huge--\n`
  }
  if (kind < 0.4) return `${head}\n${text(random, octets, false)}`
  if (kind < 0.55) return `${head}MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n${text(random, octets, true)}`
  if (kind < 0.75) {
    return `${head}MIME-Version: 1.0\nContent-Type: multipart/alternative;\n boundary="=_alt_${n}"\n\nNot shown.\n--=_alt_${n}\nContent-Type: text/plain; charset=us-ascii\n\n${text(random, octets / 2, false)}--=_alt_${n}\nContent-Type: text/html; charset=us-ascii\n\n<p>${text(random, octets / 2, false)}</p>\n--=_alt_${n}--\n`
  }
  if (kind < 0.9) {
    return `${head}MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=mix\n\n--mix\nContent-Type: message/rfc822\n\nFrom: inner@example.org\nSubject: inner ${n}\nMIME-Version: 1.0\nContent-Type: multipart/alternative; boundary=in\n\n--in\n\nplain\n--in\nContent-Type: text/html\n\n<b>${n}</b>\n--in--\n\n--mix\nContent-Type: image/png; name="a ${n}.png"\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment; filename="a ${n}.png"; size=${octets}\n\n${base64(random, octets)}--mix--\n`
  }
  if (kind < 0.95) return `${head}X-Long: ${'abcdefgh '.repeat(1500)}\nReferences: ${Array.from({ length: 60 }, (_, i) => `<${i}.${n}@example.org>`).join('\n ')}\n\n${text(random, octets, false)}`
  // Broken on purpose: a boundary that never comes, a header without a colon, an unknown encoding.
  return `${head}MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="never"\nThis is no header line\nContent-Transfer-Encoding: x-unknown\n\n--neverr\n${text(random, octets, true)}`
}

/** Writes the mailbox as an MTA would, lines that look like separators quoted. 8-bit text is UTF-8. */
export async function writeMailbox(path: string, shape: MailboxShape): Promise<void> {
  const out = createWriteStream(path, { mode: 0o600, highWaterMark: 1 << 20 })
  for (let n = 1; n <= shape.messages; n++) {
    const at = new Date(Date.UTC(2020, 0, 1) + n * 5_400_000)
    const fromLine = `From sender${n % 97}@example.org ${DAYS[at.getUTCDay()]} ${MONTHS[at.getUTCMonth()]} ${String(at.getUTCDate()).padStart(2)} ${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:00 ${at.getUTCFullYear()}\n`
    if (!out.write(`${fromLine}${generatedMessage(shape, n)}\n`)) await once(out, 'drain')
  }
  out.end()
  await once(out, 'close')
}
