import type { Modseq } from '../../api/mail/numbers.js'
import { SYSTEM } from '../../api/mail/table.js'
import { uids } from '../../api/mail/uid-set.js'
import { unless, unlessAny, type ContractCase } from '../contract-case.js'
import { must, mustEqual } from '../expecting.js'
import { sampleMessage } from '../messages.js'

const four = [1, 2, 3, 4].map((n) => sampleMessage(n))
const bits = Object.values(SYSTEM)

/** STORE. */
export const flagCases: readonly ContractCase[] = [
  {
    id: 'flags.each',
    title: 'each system flag is set, kept and taken away, alone',
    async run(bench) {
      const path = bench.name(0)
      const box = await bench.filled(path, four)
      const middle = uids.one(box.rows[1]?.uid ?? 0)
      for (const bit of bits) {
        const name = Object.entries(SYSTEM).find(([, b]) => b === bit)?.[0] ?? ''
        const others = bits.filter((b) => b !== bit).reduce((a, b) => a | b, 0)
        await box.store({ uids: middle, how: 'replace', system: others })
        await box.store({ uids: middle, how: 'add', system: bit })
        await box.refresh()
        mustEqual(box.rows.map((r) => r.flags.split(' ').includes(name)), [false, true, false, false], `\\${name} after it was set`)
        await box.store({ uids: middle, how: 'replace', system: bit })
        await box.refresh()
        mustEqual(box.rows.map((r) => r.flags), ['', name, '', ''], `flags replaced by \\${name}`)
        await box.store({ uids: middle, how: 'remove', system: bit })
        await box.refresh()
        mustEqual(box.rows.map((r) => r.flags), ['', '', '', ''], `flags after \\${name} was taken away`)
      }
    },
  },
  {
    id: 'flags.kept',
    title: 'flags are there when the mailbox is opened again',
    async run(bench) {
      const path = bench.name(0)
      const box = await bench.filled(path, four)
      for (const [i, row] of box.rows.entries()) await box.store({ uids: uids.one(row.uid), how: 'replace', system: bits[i] ?? 0 })
      await box.store({ uids: box.uids, how: 'add', system: SYSTEM.draft })
      const before = await box.messages()
      mustEqual(before.map((m) => m.flags), ['seen draft', 'deleted draft', 'flagged draft', 'answered draft'], 'flags that were stored')
      await bench.closeBoxes()
      mustEqual(await (await bench.open(path)).messages(), before, 'messages after opening again')
    },
  },
  {
    id: 'flags.restart',
    title: 'flags and keywords are there after a restart',
    unless: unless.restarts,
    async run(bench) {
      const path = bench.name(0)
      const box = await bench.filled(path, four)
      await box.store({ uids: box.uids, system: SYSTEM.seen | SYSTEM.answered, keywords: bench.under.about.keywords === 'any' ? ['$Kit'] : [] })
      await box.store({ uids: uids.one(box.rows[0]?.uid ?? 0), how: 'remove', system: SYSTEM.seen })
      const before = await box.messages()
      const later = await bench.restart()
      mustEqual(await (await later.open(path)).messages(), before, 'messages after a restart')
      await later.close()
    },
  },
  {
    id: 'flags.keywords',
    title: 'keywords are made, kept, one however they are capitalised, and taken away',
    unless: unless.keywords,
    async run(bench) {
      const path = bench.name(0)
      const box = await bench.filled(path, four)
      must(box.table.keywords.canCreate, 'about says that any keyword can be made, the mailbox says none can')
      const [first, second] = [uids.one(box.rows[0]?.uid ?? 0), uids.one(box.rows[1]?.uid ?? 0)]
      await box.store({ uids: first, keywords: ['$Label1', 'Work'] })
      await box.store({ uids: second, keywords: ['WORK'] })
      await box.store({ uids: first, how: 'remove', keywords: ['$label1'] })
      await bench.closeBoxes()
      const again = await bench.open(path)
      mustEqual(again.rows.map((r) => r.flags), ['work', 'work', '', ''], 'keywords after opening again')
      const defined = again.table.keywords.defined.filter((k) => k.toLowerCase() === 'work')
      mustEqual(defined.length, 1, `number of keywords defined for "work" among ${again.table.keywords.defined.join(' ')}`)
    },
  },
  {
    id: 'flags.many-keywords',
    title: 'forty keywords are all kept, or refused as not to be made',
    unless: unless.keywords,
    async run(bench) {
      const path = bench.name(0)
      const box = await bench.filled(path, four)
      const names = Array.from({ length: 40 }, (_, i) => `keyword${i}`)
      const made: string[] = []
      for (const name of names) {
        if (!box.table.keywords.canCreate) break
        await box.store({ uids: box.uids, keywords: [name] })
        made.push(name)
      }
      const expected = [...made].sort().join(' ')
      mustEqual(box.rows.map((r) => r.flags), four.map(() => expected), 'keywords that were taken')
      await bench.closeBoxes()
      mustEqual((await bench.open(path)).rows.map((r) => r.flags), four.map(() => expected), 'keywords after opening again')
    },
  },
  {
    id: 'flags.unchanged-since',
    title: 'a change is refused for messages that changed since, and told so (RFC 7162 §3.1.3)',
    async run(bench) {
      const path = bench.name(0)
      const box = await bench.filled(path, four)
      const since = box.table.highestModseq as Modseq
      const [one, two] = [box.rows[0]?.uid ?? 0, box.rows[1]?.uid ?? 0]
      await box.store({ uids: uids.one(two), system: SYSTEM.flagged })
      const refused = await box.store({ uids: uids.from([one, two]), system: SYSTEM.seen, unchangedSince: since })
      mustEqual([...refused.ranges], [two, two], 'uids that were refused')
      await box.refresh()
      mustEqual(box.rows.map((r) => r.flags), ['seen', 'flagged', '', ''], 'flags')
      await bench.closeBoxes()
      mustEqual((await bench.open(path)).rows.map((r) => r.flags), ['seen', 'flagged', '', ''], 'flags after opening again')
    },
  },
  {
    id: 'flags.missing',
    title: 'uids that are not there are passed over',
    async run(bench) {
      const box = await bench.filled(bench.name(0), four)
      const refused = await box.store({ uids: uids.all, system: SYSTEM.seen })
      await box.store({ uids: uids.one(4_000_000_000), system: SYSTEM.flagged })
      mustEqual([refused.count, ...box.rows.map((r) => r.flags)], [0, 'seen', 'seen', 'seen', 'seen'], 'flags')
    },
  },
  {
    id: 'flags.not-octets',
    title: 'no change of flags changes size, date or octets of any message',
    async run(bench, random) {
      const path = bench.name(0)
      const box = await bench.filled(path, four)
      const plain = ({ flags: _flags, ...rest }: { flags: string }): object => rest
      const before = (await box.messages()).map(plain)
      for (let i = 0; i < 30; i++) {
        const among = uids.from(box.rows.filter(() => random.chance(0.5)).map((r) => r.uid))
        const keywords = unlessAny(unless.keywords)(bench.under) === undefined && random.chance(0.3) ? [random.pick(['a', 'bb', 'ccc'])] : []
        await box.store({ uids: among, how: random.pick(['add', 'remove', 'replace']), system: random.pick(bits) | random.pick(bits), keywords })
      }
      mustEqual((await box.messages()).map(plain), before, 'messages')
      const flags = box.rows
      await bench.closeBoxes()
      const again = await bench.open(path)
      mustEqual((await again.messages()).map(plain), before, 'messages after opening again')
      mustEqual(again.rows, flags, 'flags after opening again')
    },
  },
]
