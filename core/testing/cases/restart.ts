import { SYSTEM } from '../../api/mail/table.js'
import { uids } from '../../api/mail/uid-set.js'
import { unless, unlessAny, type ContractCase } from '../contract-case.js'
import { must, mustEqual } from '../expecting.js'
import { sampleMessage } from '../messages.js'
import type { SavedRows } from '../box.js'
import type { Bench } from '../bench.js'

const five = [1, 2, 3, 4, 5].map((n) => sampleMessage(n))

/** Opens in a new process with rows of an old one and compares with what is really there. */
async function mustBeCorrected(bench: Bench, path: string, saved: SavedRows, sentence: string): Promise<void> {
  const truth = await bench.open(path)
  const messages = await truth.messages()
  const { uidValidity, uidNext } = truth.table
  await bench.closeBoxes()
  const box = await bench.openUnread(path)
  box.restore(saved)
  await box.refresh()
  mustEqual({ messages: await box.messages(), uidValidity: box.table.uidValidity }, { messages, uidValidity }, sentence)
  must(box.table.uidNext >= uidNext, `${sentence}: UIDNEXT is ${box.table.uidNext} instead of at least ${uidNext}`)
  await bench.closeBoxes()
}

/** Rows of last time under the driver's stamp. */
export const restartCases: readonly ContractCase[] = [
  {
    id: 'stamp.restored',
    title: 'rows restored after a restart are completed, not doubled',
    unless: unlessAny(unless.uids, unless.restarts),
    async run(bench) {
      const path = bench.name(0)
      const box = await bench.filled(path, five)
      await box.store({ uids: uids.one(box.rows[0]?.uid ?? 0), system: SYSTEM.flagged })
      const saved = box.save()
      const later = await bench.restart()
      await mustBeCorrected(later, path, saved, 'an unchanged mailbox with restored rows')
      await later.deliver(path, [sampleMessage(6)])
      await mustBeCorrected(later, path, saved, 'a grown mailbox with restored rows')
      await later.close()
    },
  },
  {
    id: 'stamp.stale',
    title: 'a stamp of an older state is not taken for the present one',
    unless: unlessAny(unless.uids, unless.restarts),
    async run(bench) {
      const path = bench.name(0)
      const box = await bench.filled(path, five)
      const states: SavedRows[] = [box.save()]
      await box.store({ uids: uids.one(box.rows[1]?.uid ?? 0), system: SYSTEM.seen })
      states.push(box.save())
      await box.store({ uids: uids.one(box.rows[1]?.uid ?? 0), how: 'replace', system: SYSTEM.flagged })
      states.push(box.save())
      await box.expunge(uids.one(box.rows[3]?.uid ?? 0), { always: true })
      states.push(box.save())
      await bench.deliver(path, [sampleMessage(7)], box)
      await box.refresh({ claimRecent: true })
      states.push(box.save())
      await box.store({ uids: uids.one(box.rows[0]?.uid ?? 0), system: SYSTEM.answered })
      await box.expunge(uids.one(box.rows[0]?.uid ?? 0), { always: true })
      const later = await bench.restart()
      for (const [i, saved] of states.entries()) await mustBeCorrected(later, path, saved, `rows of state ${i} of ${states.length}`)
      await later.close()
    },
  },
  {
    id: 'stamp.garbage',
    title: 'without a stamp, or with one of somebody else, no row is believed',
    unless: unlessAny(unless.uids, unless.restarts),
    async run(bench) {
      const path = bench.name(0)
      const box = await bench.filled(path, five)
      const saved = box.save()
      const wrong = saved.rows.map((r, i) => ({ ...r, system: SYSTEM.draft, size: r.size + 7, columns: r.columns.map((c) => (typeof c === 'number' ? c + 11 : 'wrong')), ...(i === 4 ? { uid: r.uid + 3 } : {}) }))
      const later = await bench.restart()
      for (const stamp of [undefined, '', 'x', `${saved.stamp}x`, '0 0 0 0 0', '{"v":99}']) {
        if (stamp === saved.stamp) continue
        await mustBeCorrected(later, path, { ...saved, stamp, rows: wrong }, `rows under the stamp ${JSON.stringify(stamp)}`)
      }
      await later.close()
    },
  },
  {
    id: 'stamp.other-mailbox',
    title: 'nor rows of a mailbox that had the name before',
    unless: unlessAny(unless.uids, unless.restarts),
    async run(bench) {
      const path = bench.name(0)
      const saved = (await bench.filled(path, five)).save()
      await bench.closeBoxes()
      await bench.store.remove(bench.at(path))
      bench.storage.clock.pass(5000)
      await bench.filled(path, [sampleMessage(8), sampleMessage(9)])
      const later = await bench.restart()
      await mustBeCorrected(later, path, saved, 'rows of a removed mailbox of the same name')
      await later.close()
    },
  },
  {
    id: 'checkpoint.expunge',
    title: '\\Deleted that core kept back counts for an expunge',
    async run(bench) {
      const path = bench.name(0)
      const box = await bench.filled(path, five)
      if (box.source.checkpoint === undefined) return
      const doomed = uids.one(box.rows[1]?.uid ?? 0)
      const kept = (await box.messages()).filter((m) => !doomed.has(m.uid))
      await box.edit(async (edit) => {
        await undefined
        edit.apply({ uids: doomed, how: 'add', system: SYSTEM.deleted, keywords: [] })
      })
      await box.expunge(uids.all)
      mustEqual(await box.messages(), kept, 'messages that stay')
      await bench.closeBoxes()
      mustEqual(await (await bench.open(path)).messages(), kept, 'messages after opening again')
    },
  },
  {
    id: 'checkpoint.writes',
    title: 'flags that core kept back are written by a checkpoint, and nothing else is',
    unless: unlessAny(unless.restarts),
    async run(bench) {
      const path = bench.name(0)
      const box = await bench.filled(path, five)
      const { checkpoint } = box.source
      if (checkpoint === undefined) return
      const uid = box.rows.map((r) => r.uid)
      const dirty = uids.from([uid[0] ?? 0, uid[3] ?? 0])
      await box.edit(async (edit) => {
        edit.apply({ uids: dirty, how: 'add', system: SYSTEM.seen | SYSTEM.flagged, keywords: [] })
        await checkpoint.call(box.source, dirty, edit, new AbortController().signal)
      })
      const before = await box.messages()
      must(before[0]?.flags === 'seen flagged' && before[1]?.flags === '', 'the table lost what was kept back')
      const later = await bench.restart()
      mustEqual(await (await later.open(path)).messages(), before, 'messages after a checkpoint and a restart')
      await later.close()
    },
  },
]
