import { describe, expect, test } from 'vitest'
import { BIT } from '../../../plugins/formats/shared/text/internal-lines.js'
import { parseMailbox, type Found } from '../../../plugins/formats/shared/text/parser.js'
import { UidRules } from '../../../plugins/formats/shared/text/uid-rules.js'
import { unixDialect } from '../../../plugins/formats/shared/text/dialect.js'
import { bytesFile, fixture } from '../../support/formats.js'

// The samples were made in this zone; lines without zone mean local time.
process.env['TZ'] = 'UTC'

interface Parsed {
  validity: number
  last: number
  keywords: readonly string[]
  notices: string[]
  pseudo: boolean
  stopped: number
  messages: (Found & { uid: number })[]
}
async function parse(bytes: Uint8Array, windowSize?: number, step?: number, dialect = unixDialect): Promise<Parsed> {
  const uids = new UidRules({ validity: 0, last: 0, previous: 0, count: 0 })
  const out: Parsed = { validity: 0, last: 0, keywords: [], notices: [], pseudo: false, stopped: 0, messages: [] }
  const target = {
    uids,
    base(b: { validity: number; last: number; keywords: readonly string[] }) {
      uids.validity = b.validity
      uids.last = b.last
      out.keywords = b.keywords
    },
    pseudo() {
      out.pseudo = true
    },
    message(m: Found) {
      const uid = m.uid === 0 ? uids.next() : m.uid
      uids.settle(uid)
      out.messages.push({ ...m, uid })
    },
  }
  out.stopped = await parseMailbox(dialect, bytesFile(bytes, step), { from: 0, limit: bytes.length, first: true }, target, new AbortController().signal, windowSize)
  out.validity = uids.validity
  out.last = uids.last
  out.notices = uids.notices.map((n) => n.text)
  return out
}

const FLAGS: readonly (readonly [string, number])[] = [
  ['\\Seen', BIT.seen],
  ['\\Deleted', BIT.deleted],
  ['\\Flagged', BIT.flagged],
  ['\\Answered', BIT.answered],
  ['\\Draft', BIT.draft],
]
function internalDate(m: Found): string {
  const at = new Date(m.ms + m.zone * 60_000)
  const month = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'][at.getUTCMonth()]
  const zone = `${m.zone < 0 ? '-' : '+'}${String(Math.floor(Math.abs(m.zone) / 60)).padStart(2, '0')}${String(Math.abs(m.zone) % 60).padStart(2, '0')}`
  return `${String(at.getUTCDate()).padStart(2)}-${month}-${at.getUTCFullYear()} ${at.toISOString().slice(11, 19)} ${zone}`
}

interface Expected {
  mailbox: string
  uidvalidity: number | 'time-of-open'
  uidlast: number
  recent: number
  keywords: string[]
  messages: { uid: number; size: number; header: number; text: number; internaldate: string; flags: string[]; keywords: string[] }[]
}
const expected = JSON.parse(fixture('expected.json').toString()) as Expected[]

describe('parser of the unix format', () => {
  test.each(expected)('$mailbox reads as the reference reads it', async (want) => {
    const got = await parse(fixture(want.mailbox.slice('unix/'.length)))
    const table = got.keywords
    expect({
      mailbox: want.mailbox,
      driver: 'unix',
      uidvalidity: got.validity === 0 ? 'time-of-open' : got.validity,
      uidlast: got.last,
      recent: got.messages.filter((m) => (m.bits & BIT.old) === 0).length,
      keywords: table,
      messages: got.messages.map((m) => ({
        uid: m.uid,
        size: m.size,
        header: m.headerSize,
        text: m.size - m.headerSize,
        internaldate: internalDate(m),
        flags: [...FLAGS.filter(([, bit]) => (m.bits & bit) !== 0).map(([name]) => name), ...((m.bits & BIT.old) === 0 ? ['\\Recent'] : [])],
        keywords: table.filter((k) => m.keywords.some((have) => have.toLowerCase() === k.toLowerCase())),
      })),
    }).toEqual(want)
  })

  test.each([4096, 1024, 300, 200])('a window of %i octets finds the same', async (size) => {
    for (const name of ['dovecot-touched', 'awkward', 'spool-delivered', 'source/source.mbox', 'repair/crlf.before', 'repair/trail.before']) {
      const whole = await parse(fixture(name))
      expect({ name, ...(await parse(fixture(name), size, 7)) }).toEqual({ name, ...whole })
    }
  })

  test('a message may follow an empty body at once, and text lines that only begin like a From line are text', async () => {
    const got = await parse(Buffer.from('From a Wed Dec  2 05:53:22 1992\nA: b\n\nFrom b Wed Dec  2 05:53:22 1992\n\nFrom here\nx\n'))
    expect(got.messages.map((m) => [m.size - m.headerSize, m.headerSize])).toEqual([
      [0, 8],
      [14, 2],
    ])
  })

  // Whoever believes it takes a message for the text of another, or a text for messages (FAQ 7.26).
  test.each([
    { name: 'reaches into the next message', length: 60 },
    { name: 'reaches behind the end', length: 5000 },
    { name: 'ends within the text', length: 3 },
    { name: 'ends at a line that begins a message', length: 5 },
    { name: 'is no number', length: 'x' },
  ])('Content-Length is not believed: $name', async ({ length }) => {
    const from = 'From a Wed Dec  2 05:53:22 1992\n'
    const field = `Content-Length: ${length}`
    const got = await parse(Buffer.from(`${from}${field}\n\ntext\n${from}A: b\n\nFrom here\n\n${from}C: d\n\nx\n`))
    expect(got.messages.map((m) => [m.headerSize, m.size - m.headerSize])).toEqual([[field.length + 4, 6], [8, 11], [8, 3]])
    expect(got.notices).toEqual([])
  })

  test('a header line longer than the window is counted and kept', async () => {
    const long = `X-Long: ${'y'.repeat(5000)}`
    const got = await parse(Buffer.from(`From a Wed Dec  2 05:53:22 1992\n${long}\nStatus: RO\n\nbody\n`), 1024)
    expect(got.messages.map((m) => [m.headerSize, m.size, m.bits])).toEqual([[long.length + 4, long.length + 10, BIT.seen | BIT.old]])
  })

  test('what is no From line stops the parse at its place', async () => {
    const bytes = Buffer.from('\n\nnot a mailbox\n')
    expect((await parse(bytes)).stopped).toBe(2)
  })
})
