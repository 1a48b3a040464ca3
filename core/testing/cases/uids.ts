import { uids } from '../../api/mail/uid-set.js'
import { never, type Box } from '../box.js'
import { unless, unlessAny, type ContractCase } from '../contract-case.js'
import { must, mustEqual } from '../expecting.js'
import { itemOf, sampleMessage } from '../messages.js'

const five = [1, 2, 3, 4, 5].map((n) => sampleMessage(n))

/** Uids and UIDVALIDITY (RFC 3501 §2.3.1.1). */
export const uidCases: readonly ContractCase[] = [
  {
    id: 'uids.stable',
    title: 'uids and UIDVALIDITY stay when the mailbox is looked at again, and opened again',
    unless: unless.uids,
    async run(bench) {
      const path = bench.name(0)
      const box = await bench.filled(path, five)
      const before = { rows: box.rows, uidValidity: box.table.uidValidity, uidNext: box.table.uidNext }
      for (let i = 0; i < 3; i++) await box.refresh({ claimRecent: i === 1 })
      mustEqual({ rows: box.rows, uidValidity: box.table.uidValidity, uidNext: box.table.uidNext }, before, 'after looking again')
      await bench.closeBoxes()
      const again = await bench.open(path)
      mustEqual({ rows: again.rows, uidValidity: again.table.uidValidity, uidNext: again.table.uidNext }, before, 'after opening again')
    },
  },
  {
    id: 'uids.restart',
    title: 'uids and UIDVALIDITY stay over a restart',
    unless: unlessAny(unless.uids, unless.restarts),
    async run(bench) {
      const path = bench.name(0)
      const box = await bench.filled(path, five)
      await box.expunge(uids.ranges(Uint32Array.of(box.rows[1]?.uid ?? 0, box.rows[1]?.uid ?? 0)), { always: true })
      const before = { messages: await box.messages(), uidValidity: box.table.uidValidity }
      const later = await bench.restart()
      const again = await later.open(path)
      mustEqual({ messages: await again.messages(), uidValidity: again.table.uidValidity }, before, 'after a restart')
      await later.close()
    },
  },
  {
    id: 'uids.ascending',
    title: 'each message gets a higher uid than all before it',
    unless: unless.uids,
    async run(bench) {
      const path = bench.name(0)
      const box = await bench.filled(path, [])
      const seen: number[] = []
      for (let i = 0; i < 4; i++) {
        const next = box.table.uidNext
        await bench.deliver(path, [sampleMessage(2 * i), sampleMessage(2 * i + 1)], i % 2 === 0 ? box : undefined)
        await box.refresh()
        const fresh = box.rows.slice(-2).map((r) => r.uid)
        must((fresh[0] ?? 0) >= next, `a message got uid ${fresh[0]} although UIDNEXT was ${next}`)
        seen.push(...fresh)
      }
      mustEqual(box.rows.map((r) => r.uid), seen, 'uids in order of arrival')
    },
  },
  {
    id: 'uids.no-reuse',
    title: 'the uid of an expunged message is never given again',
    unless: unless.uids,
    async run(bench) {
      const path = bench.name(0)
      const box = await bench.filled(path, five)
      const last = box.rows.at(-1)?.uid ?? 0
      await box.expunge(uids.one(last), { always: true })
      must(box.table.uidNext > last, `UIDNEXT fell to ${box.table.uidNext} when uid ${last} was expunged`)
      await bench.deliver(path, [sampleMessage(6)])
      await box.refresh()
      must((box.rows.at(-1)?.uid ?? 0) > last, `uid ${last} was given to another message`)
    },
  },
  {
    id: 'uids.given',
    title: 'a mailbox that is made with numbers goes on with them, and messages keep those that they come with, above all that are there',
    unless: unlessAny(unless.uids, unless.numbers),
    async run(bench) {
      const path = bench.name(0)
      const uidValidity = 1_234_567_890
      await bench.create(path, { uidValidity, uidNext: 50 })
      const put = async (numbers: readonly (number | undefined)[], open?: Box): Promise<void> => {
        const delivery = await bench.store.append(bench.at(path), never)
        for (const [n, uid] of numbers.entries()) await delivery.add({ ...itemOf(sampleMessage(n)), ...(uid !== undefined && { uid }) }, never)
        if (open === undefined) await delivery.commit(undefined, never)
        else await open.edit((edit) => delivery.commit({ source: open.source, edit }, never))
      }
      const numbersOf = (box: Box): object => ({ uidValidity: box.table.uidValidity, uidNext: box.table.uidNext, uids: box.rows.map((r) => r.uid) })
      const empty = await bench.open(path)
      mustEqual(numbersOf(empty), { uidValidity, uidNext: 50, uids: [] }, 'of the new mailbox')
      await bench.closeBoxes()
      await put([7, 9, 20])
      // One that is not above those that are there is no number for another message.
      await put([9, undefined, 12])
      const box = await bench.open(path)
      mustEqual(numbersOf(box), { uidValidity, uidNext: 53, uids: [7, 9, 20, 50, 51, 52] }, 'after two deliveries')
      await put([60, undefined], box)
      await box.refresh()
      mustEqual(numbersOf(box), { uidValidity, uidNext: 62, uids: [7, 9, 20, 50, 51, 52, 60, 61] }, 'after one more, to the open mailbox')
      const before = numbersOf(box)
      await bench.closeBoxes()
      mustEqual(numbersOf(await bench.open(path)), before, 'after opening again')
    },
  },
  {
    id: 'uids.no-reuse-reopened',
    title: 'nor after the mailbox was closed, also when it is empty',
    unless: unless.uids,
    async run(bench) {
      const path = bench.name(0)
      const box = await bench.filled(path, five)
      const last = box.rows.at(-1)?.uid ?? 0
      const { uidValidity } = box.table
      await box.expunge(box.uids, { always: true })
      mustEqual(box.rows, [], 'rows after all were expunged')
      await bench.closeBoxes()
      await bench.deliver(path, [sampleMessage(6)])
      const again = await bench.open(path)
      const uid = again.rows.at(-1)?.uid ?? 0
      must(uid > last || again.table.uidValidity > uidValidity, `uid ${uid} was given again under UIDVALIDITY ${uidValidity}; the last was ${last}`)
    },
  },
]
