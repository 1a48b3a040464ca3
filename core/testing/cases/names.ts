import { never } from '../box.js'
import { unless, type ContractCase } from '../contract-case.js'
import { failureOf, must, mustEqual, mustRefuse } from '../expecting.js'
import { itemOf, sampleMessage } from '../messages.js'

const three = [sampleMessage(1), sampleMessage(2), sampleMessage(3)]

/** Finding, listing, creating, removing and renaming. */
export const nameCases: readonly ContractCase[] = [
  {
    id: 'names.create',
    title: 'a created mailbox is found, empty, under one key; a missing one is not found',
    async run(bench) {
      const path = bench.name(0)
      must((await bench.store.find(bench.at(path), never)) === undefined, 'a mailbox was found before it was created')
      await bench.create(path)
      const [one, two] = [await bench.store.find(bench.at(path), never), await bench.store.find(bench.at(path), never)]
      must(one !== undefined && two !== undefined, 'a created mailbox was not found')
      mustEqual(one.key, two.key, 'the key of a mailbox changes from one find to the next')
      const box = await bench.open(path)
      mustEqual(box.rows, [], 'a new mailbox has rows')
      must(box.table.uidValidity > 0, 'UIDVALIDITY of a new mailbox is not above 0')
    },
  },
  {
    id: 'names.distinct-keys',
    title: 'two mailboxes have two keys and two contents',
    async run(bench) {
      const [a, b] = [bench.name(0), bench.name(1)]
      await bench.create(a)
      await bench.create(b)
      await bench.deliver(a, three)
      const [one, two] = [await bench.store.find(bench.at(a), never), await bench.store.find(bench.at(b), never)]
      must(one?.key !== two?.key, 'two mailboxes have the same key')
      mustEqual((await bench.open(b)).rows, [], 'mail for one mailbox is in another')
    },
  },
  {
    id: 'names.create-existing',
    title: 'creating what exists is refused and keeps its mail',
    async run(bench) {
      const path = bench.name(0)
      await bench.create(path)
      await bench.deliver(path, three)
      await mustRefuse(() => bench.create(path), ['exists'], 'CREATE of an existing mailbox')
      mustEqual((await bench.open(path)).rows.length, 3, 'a refused CREATE changed the mailbox')
    },
  },
  {
    id: 'names.list',
    title: 'every mailbox is listed once, and no other name',
    async run(bench) {
      const before = await bench.paths()
      const made = [0, 1, 2].map((i) => bench.name(i))
      for (const path of made) await bench.create(path)
      await bench.deliver(bench.name(0), three)
      await bench.open(bench.name(0))
      mustEqual(await bench.paths(), [...before, ...made].sort(), 'the listed names')
      await bench.store.remove(bench.at(bench.name(1)))
      mustEqual(await bench.paths(), [...before, bench.name(0), bench.name(2)].sort(), 'the listed names after a removal')
    },
  },
  {
    id: 'names.remove',
    title: 'a removed mailbox is gone; one of the same name is another one',
    unless: unless.uids,
    async run(bench) {
      const path = bench.name(0)
      const old = await bench.filled(path, three)
      const before = { uidValidity: old.table.uidValidity, uidNext: old.table.uidNext }
      await bench.closeBoxes()
      await bench.store.remove(bench.at(path))
      must((await bench.store.find(bench.at(path), never)) === undefined, 'a removed mailbox is still found')
      // In the same second, which most mailboxes take their UIDVALIDITY from.
      const again = await bench.filled(path, [sampleMessage(9)])
      mustEqual(again.rows.length, 1, 'messages of the removed mailbox are back')
      const uid = again.rows[0]?.uid ?? 0
      must(again.table.uidValidity !== before.uidValidity || uid >= before.uidNext, 'a mailbox made anew gives out uids again under the old UIDVALIDITY (RFC 3501 §2.3.1.1)')
    },
  },
  {
    id: 'names.missing',
    title: 'what does not exist cannot be removed, renamed or delivered to',
    async run(bench) {
      const [a, b] = [bench.name(0), bench.name(1)]
      await mustRefuse(() => bench.store.remove(bench.at(a)), ['not-found'], 'DELETE of a missing mailbox')
      await mustRefuse(() => bench.store.rename(bench.at(a), bench.at(b)), ['not-found'], 'RENAME of a missing mailbox')
      await mustRefuse(() => bench.deliver(a, three), ['not-found'], 'APPEND to a missing mailbox')
      must((await bench.store.find(bench.at(a), never)) === undefined, 'a refused command made the mailbox')
    },
  },
  {
    id: 'names.rename',
    title: 'a renamed mailbox keeps messages, flags, uids and UIDVALIDITY',
    async run(bench) {
      const [a, b] = [bench.name(0), bench.name(1)]
      const old = await bench.filled(a, three)
      await old.store({ uids: old.uids, system: 1 })
      const before = { rows: old.rows, uidValidity: old.table.uidValidity }
      await bench.closeBoxes()
      await bench.store.rename(bench.at(a), bench.at(b))
      must((await bench.store.find(bench.at(a), never)) === undefined, 'the old name is still there')
      const box = await bench.open(b)
      mustEqual({ rows: box.rows, uidValidity: box.table.uidValidity }, before, 'a renamed mailbox')
    },
  },
  {
    id: 'names.gone-meanwhile',
    title: 'a mailbox that is renamed or removed under a delivery does not come back under its old name',
    async run(bench) {
      const [a, b] = [bench.name(0), bench.name(1)]
      for (const how of ['renamed', 'removed'] as const) {
        await bench.create(a)
        const delivery = await bench.store.append(bench.at(a), never)
        await delivery.add(itemOf(sampleMessage(1)), never)
        await (how === 'renamed' ? bench.store.rename(bench.at(a), bench.at(b)) : bench.store.remove(bench.at(a)))
        const refused = await failureOf(() => delivery.commit(undefined, never))
        must((await bench.store.find(bench.at(a), never)) === undefined, `a delivery made the mailbox anew that was ${how}`)
        must(refused !== undefined || (how === 'renamed' && (await bench.open(b)).rows.length === 1), `a message was taken for a mailbox that was ${how}, and is nowhere`)
        await bench.closeBoxes()
      }
    },
  },
  {
    id: 'names.rename-onto',
    title: 'a rename onto an existing mailbox is refused and changes neither',
    async run(bench) {
      const [a, b] = [bench.name(0), bench.name(1)]
      await bench.filled(a, three)
      await bench.filled(b, [sampleMessage(4)])
      await bench.closeBoxes()
      await mustRefuse(() => bench.store.rename(bench.at(a), bench.at(b)), ['exists'], 'RENAME onto an existing mailbox')
      mustEqual([(await bench.open(a)).rows.length, (await bench.open(b)).rows.length], [3, 1], 'messages after a refused RENAME')
    },
  },
  {
    id: 'names.rename-together',
    title: 'of two mailboxes that are given the same new name at the same time one gets it, and no message goes',
    async run(bench) {
      const [a, b, c] = [bench.name(0), bench.name(1), bench.name(2)]
      await bench.filled(a, three)
      await bench.filled(b, [sampleMessage(4)])
      await bench.closeBoxes()
      const outcomes = await Promise.allSettled([a, b].map((path) => bench.store.rename(bench.at(path), bench.at(c))))
      mustEqual(outcomes.filter((o) => o.status === 'fulfilled').length, 1, 'how many of two mailboxes were given one name')
      const [first] = outcomes
      const names = first?.status === 'fulfilled' ? [c, b] : [a, c]
      mustEqual([(await bench.open(names[0] ?? '')).rows.length, (await bench.open(names[1] ?? '')).rows.length], [3, 1], 'messages of two mailboxes that were renamed at the same time')
    },
  },
  {
    id: 'names.hierarchy',
    title: 'names below a name are listed, and follow its rename (RFC 3501 §6.3.5)',
    unless: unless.hierarchy,
    async run(bench) {
      const { delimiter } = bench.store
      must(delimiter !== undefined, 'a store with hierarchy has no delimiter')
      const [a, b, leaf] = [bench.name(0), bench.name(1), bench.name(2)]
      await bench.filled([a, leaf].join(delimiter), three)
      await bench.closeBoxes()
      must((await bench.paths()).includes([a, leaf].join(delimiter)), 'a mailbox below another name is not listed')
      await bench.store.rename(bench.at(a), bench.at(b))
      must((await bench.store.find(bench.at([a, leaf].join(delimiter)), never)) === undefined, 'a mailbox stayed where its parent was')
      mustEqual((await bench.open([b, leaf].join(delimiter))).uids.count, 3, 'messages below a renamed name')
    },
  },
  {
    id: 'names.parts',
    title: 'what a mailbox is made of is not listed, also not as names below it',
    unless: unless.hierarchy,
    async run(bench) {
      const { delimiter } = bench.store
      must(delimiter !== undefined, 'a store with hierarchy has no delimiter')
      const before = await bench.names()
      const path = bench.name(0)
      const box = await bench.filled(path, three)
      await box.store({ uids: box.uids, system: 1 })
      mustEqual(await bench.names(), [...before, path].sort(), 'the listed names, selectable or not')
      const below = [path, bench.name(1)].join(delimiter)
      try {
        await bench.create(below)
      } catch {
        // A mailbox that is a file has nothing below it.
        return
      }
      await bench.deliver(below, three)
      mustEqual(await bench.names(), [...before, path, below].sort(), 'the listed names with a mailbox below a mailbox')
      mustEqual(box.rows.length, 3, 'messages of a mailbox with another one below it')
    },
  },
  {
    id: 'names.characters',
    title: 'names with spaces, quotes, other scripts and signs are kept as they are',
    async run(bench) {
      const made: string[] = []
      for (const extra of [' x', '"q"', 'ü', '日本', '😀', '&-', '%', '*', '(a)', "it's", '~', '#', '{1}', '\\']) {
        const path = `${bench.name(0)}${extra}`
        try {
          await bench.create(path)
          made.push(path)
        } catch {
          // A store may refuse a name; it may not change it.
          must((await bench.store.find(bench.at(path), never)) === undefined, `the refused name ${path} exists`)
        }
      }
      const listed = await bench.paths()
      for (const path of made) {
        must(listed.includes(path), `"${path}" was created and is not listed`)
        must((await bench.store.find(bench.at(path), never)) !== undefined, `"${path}" was created and is not found`)
        must((await bench.listed(path)).some((entry) => entry.path === path), `"${path}" was created and is not listed when it is asked for by its name`)
      }
      must(made.length > 0, 'no name at all could be created')
    },
  },
]
