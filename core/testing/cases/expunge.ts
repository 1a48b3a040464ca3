import { SYSTEM } from '../../api/mail/table.js'
import { uids } from '../../api/mail/uid-set.js'
import { never } from '../box.js'
import { unless, type ContractCase } from '../contract-case.js'
import { mustEqual } from '../expecting.js'
import { sampleMessage } from '../messages.js'

const six = [1, 2, 3, 4, 5, 6].map((n) => sampleMessage(n))

/** EXPUNGE. */
export const expungeCases: readonly ContractCase[] = [
  {
    id: 'expunge.deleted',
    title: 'only messages with \\Deleted go, and only those asked for (RFC 4315 §2.1)',
    async run(bench) {
      const path = bench.name(0)
      const box = await bench.filled(path, six)
      const uid = box.rows.map((r) => r.uid)
      const at = (i: number): number => uid[i] ?? 0
      await box.store({ uids: uids.from([at(1), at(3), at(4)]), system: SYSTEM.deleted })
      const kept = (await box.messages()).filter((m) => m.uid !== at(1) && m.uid !== at(3))
      const removed = await box.expunge(uids.from([at(0), at(1), at(3)]))
      mustEqual([...removed.ranges], [at(1), at(1), at(3), at(3)], 'uids that were removed')
      mustEqual(await box.messages(), kept, 'messages that stay')
      await box.refresh()
      mustEqual(await box.messages(), kept, 'messages after looking again')
      await bench.closeBoxes()
      mustEqual(bench.lasting(await (await bench.open(path)).messages()), bench.lasting(kept), 'messages after opening again')
    },
  },
  {
    id: 'expunge.always',
    title: 'with `always` the flag does not matter (MOVE)',
    async run(bench) {
      const path = bench.name(0)
      const box = await bench.filled(path, six)
      const first = box.rows[0]?.uid ?? 0
      const last = box.rows.at(-1)?.uid ?? 0
      const kept = (await box.messages()).slice(1, -1)
      await box.expunge(uids.from([first, last]), { always: true })
      mustEqual(await box.messages(), kept, 'messages that stay')
      await bench.closeBoxes()
      mustEqual(bench.lasting(await (await bench.open(path)).messages()), bench.lasting(kept), 'messages after opening again')
    },
  },
  {
    id: 'expunge.nothing',
    title: 'with nothing to remove nothing changes',
    async run(bench) {
      const box = await bench.filled(bench.name(0), six)
      const before = await box.messages()
      const removed = await box.expunge(uids.all)
      mustEqual([removed.count, await box.messages()], [0, before], 'messages')
    },
  },
  {
    id: 'expunge.every-place',
    title: 'messages of any size may go from any place',
    async run(bench, random) {
      const path = bench.name(0)
      const messages = Array.from({ length: 12 }, (_, n) => sampleMessage(n, { bytes: Buffer.concat([sampleMessage(n).bytes, Buffer.from('z'.repeat(random.below(9000)) + '\r\n')]) }))
      const box = await bench.filled(path, messages)
      while (box.rows.length > 0) {
        const doomed = uids.from(box.rows.filter(() => random.chance(0.3)).map((r) => r.uid))
        const kept = (await box.messages()).filter((m) => !doomed.has(m.uid))
        await box.store({ uids: doomed, system: SYSTEM.deleted })
        await box.expunge(uids.all)
        mustEqual(await box.messages(), kept, 'messages that stay')
        if (random.chance(0.3)) await box.source.reclaim?.(never)
        await box.refresh()
        mustEqual(await box.messages(), kept, 'messages after looking again')
      }
      await bench.closeBoxes()
      mustEqual((await bench.open(path)).rows, [], 'rows of the emptied mailbox')
    },
  },
  {
    id: 'expunge.restart',
    title: 'what was expunged stays away over a restart',
    unless: unless.restarts,
    async run(bench) {
      const path = bench.name(0)
      const box = await bench.filled(path, six)
      await box.store({ uids: uids.one(box.rows[2]?.uid ?? 0), system: SYSTEM.deleted })
      await box.expunge(uids.all)
      const kept = await box.messages()
      const later = await bench.restart()
      mustEqual(bench.lasting(await (await later.open(path)).messages()), bench.lasting(kept), 'messages after a restart')
      await later.close()
    },
  },
]
