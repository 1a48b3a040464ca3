import { uids } from '../../api/mail/uid-set.js'
import { unless, unlessAny, type ContractCase } from '../contract-case.js'
import { mustEqual } from '../expecting.js'
import { sampleMessage } from '../messages.js'

const two = [sampleMessage(1), sampleMessage(2)]

/** \Recent (RFC 3501 §2.3.2): told to one session. */
export const recentCases: readonly ContractCase[] = [
  {
    id: 'recent.once',
    title: 'a new message is recent for the first that claims, and for no other',
    async run(bench) {
      const path = bench.name(0)
      await bench.create(path)
      const box = await bench.open(path)
      await bench.deliver(path, two)
      const first = await box.refresh({ claimRecent: true })
      const second = await box.refresh({ claimRecent: true })
      mustEqual([first.count, second.count], [2, 0], 'recent messages at the first and at the second claim')
      await bench.deliver(path, [sampleMessage(3)])
      const third = await box.refresh({ claimRecent: true })
      mustEqual([...third.ranges], [box.rows[2]?.uid, box.rows[2]?.uid], 'recent messages after another delivery')
    },
  },
  {
    id: 'recent.open-delivery',
    title: 'also when it was delivered through a mailbox that is open',
    async run(bench) {
      const path = bench.name(0)
      const box = await bench.filled(path, [])
      await bench.deliver(path, two, box)
      const first = await box.refresh({ claimRecent: true })
      const second = await box.refresh({ claimRecent: true })
      mustEqual([first.count, second.count], [2, 0], 'recent messages at the first and at the second claim')
      await bench.closeBoxes()
      const again = await bench.openUnread(path)
      mustEqual((await again.refresh({ claimRecent: true })).count, 0, 'recent messages after opening again')
    },
  },
  {
    id: 'recent.kept',
    title: 'what was claimed is recent for nobody after opening again',
    async run(bench) {
      const path = bench.name(0)
      await bench.create(path)
      await bench.deliver(path, two)
      const box = await bench.openUnread(path)
      mustEqual((await box.refresh({ claimRecent: true })).count, 2, 'recent messages at first')
      await bench.closeBoxes()
      const again = await bench.openUnread(path)
      mustEqual((await again.refresh({ claimRecent: true })).count, 0, 'recent messages after opening again')
    },
  },
  {
    id: 'recent.unclaimed',
    title: 'looking without claiming leaves messages recent for the next (EXAMINE)',
    async run(bench) {
      const path = bench.name(0)
      await bench.create(path)
      await bench.deliver(path, two)
      const looking = await bench.openUnread(path)
      await looking.refresh({ claimRecent: false })
      await looking.refresh({ claimRecent: false })
      mustEqual(looking.table.unclaimed.count, 2, 'messages that nobody has claimed')
      await bench.closeBoxes()
      const claiming = await bench.openUnread(path)
      mustEqual((await claiming.refresh({ claimRecent: true })).count, 2, 'recent messages for the first that claims')
    },
  },
  {
    id: 'recent.processes',
    title: 'of two processes one has it',
    unless: unlessAny(unless.restarts, unless.processes),
    async run(bench) {
      const path = bench.name(0)
      await bench.create(path)
      const other = await bench.secondProcess()
      const [a, b] = [await bench.open(path), await other.open(path)]
      let claimed = uids.none
      let told = 0
      for (let i = 0; i < 4; i++) {
        await bench.deliver(path, [sampleMessage(i)])
        // Seeing it first gives no right to it.
        if (i % 2 === 1) await Promise.all([a.refresh(), b.refresh()])
        const both = await Promise.all([a.refresh({ claimRecent: true }), b.refresh({ claimRecent: true })])
        for (const set of both) {
          claimed = claimed.or(set)
          told += set.count
        }
      }
      mustEqual([claimed.count, told], [4, 4], 'messages that were recent for somebody, and how often')
      await other.close()
    },
  },
]
