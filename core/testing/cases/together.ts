import { SYSTEM } from '../../api/mail/table.js'
import { uids } from '../../api/mail/uid-set.js'
import { never } from '../box.js'
import { unless, unlessAny, type ContractCase } from '../contract-case.js'
import { must, mustEqual } from '../expecting.js'
import { sampleMessage } from '../messages.js'

const four = [1, 2, 3, 4].map((n) => sampleMessage(n))

/** Other processes on the same mail, copies, notices, and what is left behind. */
export const togetherCases: readonly ContractCase[] = [
  {
    id: 'foreign.seen',
    title: 'a look finds what another process delivered, flagged and expunged',
    unless: unlessAny(unless.uids, unless.processes),
    async run(bench) {
      const path = bench.name(0)
      const box = await bench.filled(path, four)
      const other = await bench.secondProcess()
      const theirs = await other.open(path)
      mustEqual(theirs.rows, box.rows, 'rows of two processes')
      await theirs.store({ uids: uids.one(theirs.rows[0]?.uid ?? 0), system: SYSTEM.flagged })
      await box.refresh()
      mustEqual(box.rows, theirs.rows, 'rows after the other process changed flags')
      await other.deliver(path, [sampleMessage(5)])
      await theirs.expunge(uids.one(theirs.rows[1]?.uid ?? 0), { always: true })
      await theirs.refresh()
      await box.refresh()
      mustEqual(await box.messages(), await theirs.messages(), 'messages after the other process delivered and expunged')
      await box.store({ uids: uids.one(box.rows.at(-1)?.uid ?? 0), system: SYSTEM.answered })
      await theirs.refresh()
      mustEqual(theirs.rows, box.rows, 'rows after this process changed flags')
      await other.close()
    },
  },
  {
    id: 'foreign.behind',
    title: 'a process that has not looked does no harm to what others changed',
    unless: unlessAny(unless.uids, unless.processes),
    async run(bench) {
      const path = bench.name(0)
      const box = await bench.filled(path, four)
      const other = await bench.secondProcess()
      const theirs = await other.open(path)
      const uid = box.rows.map((r) => r.uid)
      await theirs.expunge(uids.one(uid[0] ?? 0), { always: true })
      await other.deliver(path, [sampleMessage(5)], theirs)
      await theirs.store({ uids: uids.one(uid[2] ?? 0), system: SYSTEM.flagged })
      // Still with the rows of before.
      await box.store({ uids: uids.from([uid[0] ?? 0, uid[2] ?? 0]), system: SYSTEM.seen })
      await box.expunge(uids.one(uid[3] ?? 0), { always: true })
      await theirs.refresh()
      await box.refresh()
      mustEqual(await box.messages(), await theirs.messages(), 'messages of two processes')
      mustEqual(box.rows.map((r) => r.flags), ['', 'seen flagged', ''], 'flags')
      await other.close()
    },
  },
  {
    id: 'foreign.at-once',
    title: 'two processes that change the mailbox at the same time both have their way',
    unless: unlessAny(unless.uids, unless.processes),
    async run(bench, random) {
      const path = bench.name(0)
      const a = await bench.filled(path, four)
      const other = await bench.secondProcess()
      const b = await other.open(path)
      const uid = a.rows.map((r) => r.uid)
      await Promise.all([
        a.store({ uids: uids.one(uid[0] ?? 0), system: SYSTEM.seen }),
        b.store({ uids: uids.one(uid[1] ?? 0), system: SYSTEM.flagged }),
        bench.deliver(path, [sampleMessage(5), sampleMessage(6)]),
        other.deliver(path, [sampleMessage(7)], undefined, () => 1 + random.below(50)),
      ])
      await Promise.all([a.refresh(), b.refresh()])
      mustEqual(await a.messages(), await b.messages(), 'messages of two processes')
      mustEqual([a.rows.length, ...a.rows.slice(0, 4).map((r) => r.flags)], [7, 'seen', 'flagged', '', ''], 'number of messages and flags')
      await other.close()
    },
  },
  {
    id: 'unseen.shown',
    title: 'a mailbox that was delivered to unseen shows it after its own changes, too',
    unless: unless.uids,
    async run(bench) {
      const [path, to] = [bench.name(0), bench.name(1)]
      await bench.create(to)
      const box = await bench.filled(path, four)
      const { copy } = box.source
      const first = uids.one(box.rows[0]?.uid ?? 0)
      const changes: readonly (readonly [string, () => Promise<unknown>])[] = [
        ['STORE', () => box.store({ uids: first, system: SYSTEM.flagged })],
        ['EXPUNGE', () => box.expunge(uids.one(box.rows[1]?.uid ?? 0), { always: true })],
        ['COPY', () => (copy === undefined ? Promise.resolve() : box.edit((edit) => copy.call(box.source, first, bench.at(to), 'copy', edit, never)))],
        ['COPY to itself', () => (copy === undefined ? Promise.resolve() : box.edit((edit) => copy.call(box.source, first, bench.at(path), 'copy', edit, never)))],
        ['delivery', () => bench.deliver(path, [sampleMessage(8)], box)],
      ]
      for (const [what, change] of changes) {
        await bench.deliver(path, [sampleMessage(5)])
        await change()
        await box.refresh()
        const fresh = await bench.secondLook(path)
        mustEqual(await box.messages(), fresh, `messages after a delivery nobody saw and ${what}`)
      }
    },
  },
  {
    id: 'watch.calls',
    title: 'who watches is called when the mailbox changes',
    unless: (u) => (u.about.watches ? undefined : 'it does not watch'),
    async run(bench) {
      const path = bench.name(0)
      const box = await bench.filled(path, four)
      const { watch } = box.source
      must(watch !== undefined, 'about says that it watches, the source has no `watch`')
      const heard = { calls: 0 }
      const watching = watch.call(box.source, () => heard.calls++)
      const before = heard.calls
      await bench.deliver(path, [sampleMessage(5)])
      for (let i = 0; i < 50 && heard.calls === before; i++) await turn()
      must(heard.calls > before, 'nobody was called when a message was delivered')
      watching[Symbol.dispose]()
      const after = heard.calls
      await bench.deliver(path, [sampleMessage(6)])
      for (let i = 0; i < 10; i++) await turn()
      mustEqual(heard.calls, after, 'calls after the watch ended')
    },
  },
  {
    id: 'copy.whole',
    title: 'copies have octets, flags and date of their originals, in order; a move takes the originals away',
    unless: unless.uids,
    async run(bench) {
      const [from, to] = [bench.name(0), bench.name(1)]
      const box = await bench.filled(from, four)
      await bench.filled(to, [sampleMessage(9)])
      await bench.closeBoxes()
      const source = await bench.open(from)
      mustEqual(source.rows.length, box.rows.length, 'rows')
      await source.store({ uids: uids.one(source.rows[2]?.uid ?? 0), system: SYSTEM.flagged })
      const before = await source.messages()
      for (const how of ['copy', 'move'] as const) {
        const set = uids.from([source.rows[0]?.uid ?? 0, source.rows[2]?.uid ?? 0])
        const { copy } = source.source
        if (copy === undefined) return
        const originals = (await source.messages()).filter((m) => set.has(m.uid))
        const result = await source.edit((edit) => copy.call(source.source, set, bench.at(to), how, edit, never))
        if (result === undefined) return
        mustEqual([...result.from.ranges], [...set.ranges], 'uids that were copied')
        const target = await bench.open(to)
        const made = (await target.messages()).filter((m) => result.to.has(m.uid))
        mustEqual(made.map(({ uid: _uid, ...rest }) => rest), originals.map(({ uid: _uid, ...rest }) => rest), `what a ${how} made`)
        mustEqual(result.uidValidity, target.table.uidValidity, 'UIDVALIDITY told of the target')
        await target.close()
        await source.refresh()
        mustEqual(await source.messages(), how === 'copy' ? before : before.filter((m) => !set.has(m.uid)), `the original mailbox after a ${how}`)
      }
    },
  },
  {
    id: 'left.files',
    title: 'nothing stays open, locked or half made when the store is closed',
    unless: unless.disk,
    async run(bench) {
      const path = bench.name(0)
      const names = (): string[] => [...bench.storage.log].flatMap((op) => (op.op === 'create' && op.kind === 'file' ? [op.name] : []))
      const box = await bench.filled(path, four)
      await box.store({ uids: box.uids, system: SYSTEM.deleted })
      await box.expunge(uids.one(box.rows[0]?.uid ?? 0))
      const delivery = await bench.store.append(bench.at(path), never)
      await delivery.abort()
      await bench.close()
      mustEqual([...bench.storage.files.open_].map((f) => f.path), [], 'files that are still open')
      mustEqual(bench.storage.clock.pending, 0, 'timers that are still set')
      const { home } = bench.storage.services()
      const left: string[] = []
      for (const dir of [home, '/tmp']) for (const entry of await bench.storage.files.list(dir)) if (/\.(?:lock|tmp|new)$/.test(entry.name)) left.push(entry.name)
      mustEqual(left, [], `temporary files that were left (made: ${names().join(', ')})`)
    },
  },
]

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
