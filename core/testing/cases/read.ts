import { MailError } from '../../api/mail/error.js'
import type { StoredMessage } from '../../api/mail/message.js'
import { uids } from '../../api/mail/uid-set.js'
import { never, octetsOfMessage, WHOLE } from '../box.js'
import type { ContractCase } from '../contract-case.js'
import { failureOf, must, mustEqual, mustEqualOctets } from '../expecting.js'
import { octetsOf, sampleMessage, type SampleMessage } from '../messages.js'
import type { Box } from '../box.js'

const large = (n: number, lines: number): SampleMessage => ({
  ...sampleMessage(n),
  bytes: octetsOf([`Subject: large ${n}`, 'X-Long: yes', '', ...Array.from({ length: lines }, (_, i) => `line ${i} of large message ${n}, long enough to fill a few blocks`)]),
})
const mixed = [sampleMessage(1), large(2, 3000), sampleMessage(3), large(4, 200), sampleMessage(5)]

async function each(box: Box, wants: Parameters<Box['source']['read']>[1], use: (m: StoredMessage) => Promise<void>): Promise<number> {
  let count = 0
  for await (const batch of box.source.read(box.uids, wants, box.table.generation, never)) {
    for (const message of batch) {
      count++
      await use(message)
    }
  }
  return count
}

/** Reading octets. */
export const readCases: readonly ContractCase[] = [
  {
    id: 'read.partial',
    title: 'any part can be read, in any order, from any place',
    async run(bench, random) {
      const box = await bench.filled(bench.name(0), mixed)
      let n = 0
      await each(box, WHOLE, async ({ uid, bytes }) => {
        const whole = mixed[n++]?.bytes ?? new Uint8Array(0)
        mustEqual(bytes.size, whole.length, `size of uid ${uid}`)
        const edges: (readonly [number, number])[] = [[0, 1], [whole.length - 1, 1], [whole.length - 1, 10], [0, whole.length], [whole.length, 5], [whole.length + 100, 5]]
        const places = [...edges, ...Array.from({ length: 20 }, () => [random.below(whole.length), 1 + random.below(70_000)] as const)]
        for (const [at, length] of places) {
          const into = new Uint8Array(length).fill(0xee)
          let got = 0
          for (let part = -1; part !== 0 && got < length; got += part) part = await bytes.read(at + got, into.subarray(got), never)
          const expected = whole.subarray(Math.min(at, whole.length), Math.min(at + length, whole.length))
          mustEqualOctets(into.subarray(0, got), expected, `uid ${uid}, ${length} octets from ${at}`)
        }
        if (bytes.inline !== undefined) mustEqualOctets(bytes.inline, whole, `inline octets of uid ${uid}`)
      })
    },
  },
  {
    id: 'read.header',
    title: 'headerSize is where the body begins',
    async run(bench) {
      const odd = [['Subject: no body at all'], ['', 'no header'], ['Subject: x', '', ''], ['Subject: folded', ' continued', '', 'text', '', 'more']]
      const messages = [...mixed, ...odd.map((lines, n) => ({ ...sampleMessage(n), bytes: octetsOf(lines) }))]
      const box = await bench.filled(bench.name(0), messages)
      let n = 0
      await each(box, { bytes: 'header', sections: [], facts: [] }, async (message) => {
        const whole = bench.stored(messages[n++]?.bytes ?? new Uint8Array(0))
        const text = Buffer.from(whole).toString('latin1')
        const end = text.startsWith('\r\n') ? 2 : text.includes('\r\n\r\n') ? text.indexOf('\r\n\r\n') + 4 : whole.length
        mustEqual(message.headerSize, end, `headerSize of ${JSON.stringify(text.slice(0, 40))}`)
        const header = new Uint8Array(end)
        let got = 0
        for (let part = -1; part !== 0 && got < end; got += part) part = await message.bytes.read(got, header.subarray(got), never)
        mustEqualOctets(header.subarray(0, got), whole.subarray(0, end), 'header')
      })
      mustEqual(n, messages.length, 'number of messages')
    },
  },
  {
    id: 'read.order',
    title: 'messages come in the order of their uids; missing ones are left out',
    async run(bench) {
      const box = await bench.filled(bench.name(0), Array.from({ length: 150 }, (_, n) => sampleMessage(n)))
      const uid = box.rows.map((r) => r.uid)
      await box.expunge(uids.from([uid[3] ?? 0, uid[77] ?? 0]), { always: true })
      await box.source.reclaim?.(never)
      const asked = uids.from(uid.filter((_, i) => i % 2 === 1)).or(uids.one(4_000_000_000))
      const seen: number[] = []
      for await (const batch of box.source.read(asked, WHOLE, box.table.generation, never)) {
        for (const message of batch) {
          seen.push(message.uid)
          mustEqualOctets(await octetsOfMessage(message), sampleMessage(uid.indexOf(message.uid)).bytes, `uid ${message.uid}`)
        }
      }
      mustEqual(seen, uid.filter((_, i) => i % 2 === 1 && i !== 3 && i !== 77), 'uids')
    },
  },
  {
    id: 'read.moved',
    title: 'a message that moved or went while it is read gives its own octets or `vanished`, never others',
    async run(bench) {
      const path = bench.name(0)
      const box = await bench.filled(path, mixed)
      let n = 0
      for await (const batch of box.source.read(box.uids, WHOLE, box.table.generation, never)) {
        for (const { uid, bytes } of batch) {
          const whole = mixed[n++]?.bytes ?? new Uint8Array(0)
          const first = new Uint8Array(Math.min(30, whole.length))
          const got = await bytes.read(0, first, never)
          mustEqualOctets(first.subarray(0, got), whole.subarray(0, got), `first octets of uid ${uid}`)
          // What was before it goes, so a format without gaps moves it; then it goes itself.
          const before = box.uids.minus(uids.ranges(Uint32Array.of(uid, 0xffffffff)))
          await box.expunge(before, { always: true })
          await mustBeOwnOrVanished(bytes, whole, uid)
          await box.expunge(uids.one(uid), { always: true })
          await mustBeOwnOrVanished(bytes, whole, uid)
        }
      }
      mustEqual(box.rows, [], 'rows')
    },
  },
  {
    id: 'read.cancelled',
    title: 'a cancelled operation fails as cancelled and does no harm',
    async run(bench) {
      const box = await bench.filled(bench.name(0), mixed)
      const before = await box.messages()
      const given = AbortSignal.abort()
      const tries: readonly (() => Promise<unknown>)[] = [
        () => box.refresh({ claimRecent: false }, given),
        () => box.store({ uids: box.uids, system: 1 }, given),
        async () => {
          for await (const batch of box.source.read(box.uids, WHOLE, box.table.generation, given)) for (const m of batch) await octetsOfMessage(m)
        },
      ]
      for (const attempt of tries) {
        const error = await failureOf(attempt)
        const isAbort = error instanceof Error && error.name === 'AbortError'
        must(error === undefined || isAbort || (error instanceof MailError && error.kind === 'cancelled'), `a cancelled operation failed otherwise: ${String(error)}`)
      }
      await box.refresh()
      mustEqual((await box.messages()).map((m) => m.bytes), before.map((m) => m.bytes), 'octets')
    },
  },
]

async function mustBeOwnOrVanished(bytes: StoredMessage['bytes'], whole: Uint8Array, uid: number): Promise<void> {
  const at = Math.min(31, whole.length)
  const into = new Uint8Array(100)
  try {
    const got = await bytes.read(at, into, never)
    mustEqualOctets(into.subarray(0, got), whole.subarray(at, at + got), `octets of uid ${uid} after a change of the mailbox`)
    must(got > 0 || at >= whole.length, `uid ${uid} ends early after a change of the mailbox, instead of \`vanished\``)
  } catch (error) {
    if (!(error instanceof MailError) || error.kind !== 'vanished') throw error
  }
}
