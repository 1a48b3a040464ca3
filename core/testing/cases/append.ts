import { unless, type ContractCase } from '../contract-case.js'
import { failureOf, must, mustEqual, mustEqualOctets } from '../expecting.js'
import { itemOf, octetsOf, randomMessage, sampleMessage, type SampleMessage } from '../messages.js'
import { flagText, never } from '../box.js'
import type { Bench } from '../bench.js'

/** Delivers the messages one by one and compares what can be read afterwards. */
async function roundTrip(bench: Bench, messages: readonly SampleMessage[]): Promise<void> {
  const path = bench.name(0)
  await bench.create(path)
  for (const message of messages) await bench.deliver(path, [message])
  const found = await (await bench.open(path)).messages()
  mustEqual(found.length, messages.length, 'number of messages')
  for (const [i, message] of messages.entries()) {
    const row = found[i]
    must(row !== undefined, `message ${i} is missing`)
    const stored = bench.stored(message.bytes)
    mustEqualOctets(row.bytes, stored, `octets of message ${i}`)
    mustEqual(row.size, stored.length, `size of message ${i} (RFC822.SIZE)`)
  }
}

/** Messages of which formats change something, or might. */
const AS_THEY_COME: readonly string[] = [
  'Subject: as it should be\r\n\r\ntext\r\n',
  'Subject: line feeds alone\n\ntext\n',
  'Subject: both\r\n\r\ntext\nmore\r\n',
  'Subject: a bare return\r\n\r\nte\rxt\r\r\n',
  'Subject: no end of the line\r\n\r\ntext',
  'Subject: a header alone',
  'Status: RO\r\nX-Status: A\r\nX-UID: 7\r\nX-Keywords: work\r\nSubject: fields of mailboxes\r\n\r\ntext\r\n',
  'Subject: separators\r\n\r\nFrom alice@example.org Mon Jan  5 12:00:00 2026\r\n>From\r\n',
  'Subject: octets\r\n\r\n\0\u0001\u0001\u0001\u0001\u00e4\r\n',
  // Nothing is left of the first where CRs are not kept.
  '\r',
  '\r\r\r',
  '\n',
  '\r\n',
]

/** Delivery. */
export const appendCases: readonly ContractCase[] = [
  {
    id: 'append.octets',
    title: 'a message comes out octet by octet as it went in, and its size is the number of its octets',
    run: (bench) => roundTrip(bench, [1, 2, 3, 4, 5, 6, 7].map((n) => sampleMessage(n))),
  },
  {
    id: 'append.awkward',
    title: 'lines that formats use for themselves are text like any other',
    run: (bench) =>
      roundTrip(
        bench,
        [
          ['', ''],
          ['Subject: no body'],
          ['Subject: empty body', ''],
          ['', 'no header'],
          ['Subject: x', '', 'From alice@example.org Mon Jan  5 12:00:00 2026', 'text'],
          ['Subject: x', '', '', 'From alice Mon Jan  5 12:00 2026', '', 'From bob Tue Jan  6 12:00:00 2026 +0100', ''],
          ['Subject: x', '', '>From quoted', '>>From quoted twice'],
          ['Subject: x', '', 'From', 'From ', ' From x', 'FROM x'],
          ['Subject: x', '', '.', '..', '\u0001\u0001\u0001\u0001', 'Status: RO', 'X-UID: 7'],
          ['Subject: x', '', 'trailing space ', '\ttab', '', '', ''],
          ['Subject: 8 bit', '', 'grüße', 'привет'],
          [`Subject: ${'long '.repeat(3000)}`, '', 'y'.repeat(100_000)],
        ].map((lines, i) => ({ ...sampleMessage(i), bytes: octetsOf(lines) })),
      ),
  },
  {
    id: 'append.random',
    title: 'messages of chance come out as they went in',
    run: (bench, random) => roundTrip(bench, Array.from({ length: 25 }, (_, n) => randomMessage(n, random))),
  },
  {
    id: 'append.pieces',
    title: 'octets may come in any pieces, also cut inside CRLF',
    async run(bench, random) {
      const path = bench.name(0)
      await bench.create(path)
      const large = { ...sampleMessage(1), bytes: octetsOf(['Subject: large', '', ...Array.from({ length: 40_000 }, (_, i) => `line ${i} of a large message with some text`)]) }
      const small = sampleMessage(2)
      await bench.deliver(path, [small], undefined, () => 1)
      await bench.deliver(path, [large], undefined, () => 1 + random.below(70_000))
      const found = await (await bench.open(path)).messages()
      mustEqualOctets(found[0]?.bytes ?? new Uint8Array(0), small.bytes, 'a message that came octet by octet')
      mustEqualOctets(found[1]?.bytes ?? new Uint8Array(0), large.bytes, 'a large message')
    },
  },
  {
    id: 'append.attributes',
    title: 'flags and date of a message are those it was delivered with',
    async run(bench) {
      const path = bench.name(0)
      await bench.create(path)
      const messages = [0, 1, 2, 4, 8, 32, 47].map((system, n) => sampleMessage(n, { system, date: { ms: 1_500_000_000_000 + n * 86_400_000, zone: [0, 60, -300, 345, -210, 720, -720][n] ?? 0 } }))
      await bench.deliver(path, messages)
      const rows = (await bench.open(path)).rows
      mustEqual(
        rows.map(({ flags, ms, zone }) => ({ flags, ms, zone })),
        messages.map((m) => ({ flags: flagText(m.system, []), ms: m.date?.ms, zone: m.date?.zone })),
        'flags and dates',
      )
    },
  },
  {
    id: 'append.keywords',
    title: 'keywords given with a message are kept, and defined',
    unless: unless.keywords,
    async run(bench) {
      const path = bench.name(0)
      await bench.create(path)
      await bench.deliver(path, [sampleMessage(1, { keywords: ['$Forwarded', 'work'], system: 1 }), sampleMessage(2)])
      const box = await bench.open(path)
      mustEqual(box.rows.map((r) => r.flags), ['seen $forwarded work', ''], 'flags')
      const defined = box.table.keywords.defined.map((k) => k.toLowerCase())
      must(defined.includes('$forwarded') && defined.includes('work'), `keywords in use are not defined: ${defined.join(' ')}`)
    },
  },
  {
    id: 'append.undated',
    title: 'a message without a date gets the time of its delivery',
    async run(bench) {
      const path = bench.name(0)
      await bench.create(path)
      const from = bench.storage.clock.now()
      await bench.deliver(path, [sampleMessage(1, { date: undefined })])
      const until = bench.storage.clock.now()
      const ms = (await bench.open(path)).rows[0]?.ms ?? 0
      // Formats may keep whole seconds.
      must(ms >= from - 1000 && ms <= until + 1000, `the date ${new Date(ms).toISOString()} is not the time of delivery`)
    },
  },
  {
    id: 'append.result',
    title: 'the uids told are those of the rows, in order (RFC 4315 §3)',
    unless: unless.uids,
    async run(bench) {
      const path = bench.name(0)
      const box = await bench.filled(path, [sampleMessage(1)])
      const told = await bench.deliver(path, [sampleMessage(2), sampleMessage(3), sampleMessage(4)], box)
      must(told !== undefined, 'a store with lasting uids tells none')
      await box.refresh()
      const last = box.rows.slice(-3).map((r) => r.uid)
      mustEqual({ uidValidity: told.uidValidity, uids: [...told.uids.ranges] }, { uidValidity: box.table.uidValidity, uids: [last[0], last[2]] }, 'APPENDUID')
      const found = await box.messages()
      for (const [i, n] of [1, 2, 3, 4].entries()) mustEqualOctets(found[i]?.bytes ?? new Uint8Array(0), sampleMessage(n).bytes, `message ${n}`)
      mustEqual(box.table.uidNext > (last[2] ?? 0), true, 'UIDNEXT is above every uid')
    },
  },
  {
    id: 'append.will-be',
    title: 'octets that a store says it will give out are those that it gives out',
    async run(bench) {
      const path = bench.name(0)
      await bench.create(path)
      const told = new Map<number, Uint8Array>()
      for (const [i, text] of AS_THEY_COME.entries()) {
        const item = itemOf({ ...sampleMessage(i), bytes: new TextEncoder().encode(text) })
        const delivery = await bench.store.append(bench.at(path), never)
        await delivery.add({ ...item, bytes: { [Symbol.asyncIterator]: () => item.bytes[Symbol.asyncIterator](), willBe: (octets) => void told.set(i, new Uint8Array(octets)) } }, never)
        await delivery.commit(undefined, never)
      }
      const found = await (await bench.open(path)).messages()
      mustEqual(found.length, AS_THEY_COME.length, 'number of messages')
      for (const [i, octets] of told) mustEqualOctets(found[i]?.bytes ?? new Uint8Array(0), octets, `message ${i}`)
    },
  },
  {
    id: 'append.open',
    title: 'a delivery to a mailbox that is open shows there',
    async run(bench) {
      const path = bench.name(0)
      const box = await bench.filled(path, [sampleMessage(1)])
      await bench.deliver(path, [sampleMessage(2)], box)
      await bench.deliver(path, [sampleMessage(3)], box)
      await box.refresh()
      mustEqual(box.rows.length, 3, 'rows after two deliveries')
      const before = box.rows
      await bench.closeBoxes()
      mustEqual((await bench.open(path)).rows, before, 'rows after opening anew')
    },
  },
  {
    id: 'append.all-or-nothing',
    title: 'a delivery of several is all there or not at all (RFC 3502 §6.3.11)',
    async run(bench) {
      const path = bench.name(0)
      const box = await bench.filled(path, [sampleMessage(1)])
      const before = await box.messages()
      const delivery = await bench.store.append(bench.at(path), never)
      await delivery.add(itemOf(sampleMessage(2)), never)
      await box.refresh()
      mustEqual(await box.messages(), before, 'messages before the commit')
      const broken = { ...itemOf(sampleMessage(3)), bytes: stopsInTheMiddle() }
      must((await failureOf(() => delivery.add(broken, never))) !== undefined, 'octets that ended in an error were taken for a message')
      await delivery.abort()
      await box.refresh()
      mustEqual(await box.messages(), before, 'messages after a delivery that failed')
      await bench.deliver(path, [sampleMessage(4), sampleMessage(5)], box)
      await box.refresh()
      mustEqual(box.rows.length, 3, 'rows after the next delivery')
    },
  },
  {
    id: 'append.abort',
    title: 'a delivery that is given up leaves nothing',
    async run(bench) {
      const path = bench.name(0)
      await bench.create(path)
      const before = await bench.paths()
      const delivery = await bench.store.append(bench.at(path), never)
      await delivery.add(itemOf(sampleMessage(1)), never)
      await delivery.abort()
      mustEqual((await bench.open(path)).rows, [], 'rows after an abort')
      mustEqual(await bench.paths(), before, 'names after an abort')
    },
  },
  {
    id: 'append.interleaved',
    title: 'two deliveries at the same time both arrive whole',
    async run(bench) {
      const path = bench.name(0)
      await bench.create(path)
      const [a, b] = [await bench.store.append(bench.at(path), never), await bench.store.append(bench.at(path), never)]
      await a.add(itemOf(sampleMessage(1)), never)
      await b.add(itemOf(sampleMessage(2)), never)
      await a.add(itemOf(sampleMessage(3)), never)
      await b.commit(undefined, never)
      await a.commit(undefined, never)
      const found = await (await bench.open(path)).messages()
      mustEqual(found.length, 3, 'number of messages')
      for (const [i, n] of [2, 1, 3].entries()) mustEqualOctets(found[i]?.bytes ?? new Uint8Array(0), sampleMessage(n).bytes, `message ${n}`)
    },
  },
]

async function* stopsInTheMiddle(): AsyncIterable<Uint8Array> {
  yield sampleMessage(3).bytes.subarray(0, 40)
  await undefined
  throw new Error('the client went away')
}
