import { isDeepStrictEqual } from 'node:util'
import { SYSTEM } from '../../api/mail/table.js'
import { uids, type UidSet } from '../../api/mail/uid-set.js'
import { Bench } from '../bench.js'
import { never, type Box } from '../box.js'
import type { DriverUnderTest } from '../driver-under-test.js'
import { failureOf, must } from '../expecting.js'
import { randomMessage, sampleMessage, type SampleMessage } from '../messages.js'
import { SeededRandom } from '../random.js'
import { Storage } from '../storage.js'
import { mustHold, readBox, stateOf, type BoxState, type Step, type World } from './world.js'

/** A step with the part of the log in which it happened. */
export interface LoggedStep extends Step {
  readonly from: number
  readonly until: number
}
/** What an operation may do, to foretell what is allowed when it does not come to its end. */
interface Action {
  readonly what: string
  readonly kind: Step['kind']
  run(): Promise<void>
  /** The world when all of it happened. */
  after(before: World): World
}

/** A morning of a mailbox: everything that writes, one after the other, with what was acknowledged noted beside the log of the disk. */
export class Scenario {
  readonly steps: LoggedStep[] = []
  readonly bench: Bench
  /** The step that failed because the disk did. */
  failed: LoggedStep | undefined
  /** What failed is visible in part, so what is on the disk of it is anybody's guess. */
  leftTraces = false
  readonly #random: SeededRandom
  #world: World = new Map()
  #box: Box | undefined
  #count = 0

  private constructor(bench: Bench, seed: number) {
    this.bench = bench
    this.#random = new SeededRandom(seed)
  }
  /** Steps up to the end, or up to the failure that the disk was told to make. */
  static async run(under: DriverUnderTest, seed: number, prepare: (storage: Storage) => void = () => undefined): Promise<Scenario> {
    const storage = await Storage.create(seed)
    prepare(storage)
    const scenario = new Scenario(await Bench.on(under, storage), seed)
    await scenario.#play()
    return scenario
  }
  get world(): World {
    return this.#world
  }
  get storage(): Storage {
    return this.bench.storage
  }

  async #play(): Promise<void> {
    const { about } = this.bench.under
    const [a, b, c] = [0, 1, 2].map((i) => this.bench.name(i)) as [string, string, string]
    await this.#create(a)
    for (let i = 0; i < 3; i++) await this.#deliver(a, 1, false)
    await this.#open(a)
    await this.#deliver(a, 3, true)
    await this.#claim(a)
    await this.#store(a, 'add', SYSTEM.seen, [])
    await this.#store(a, 'replace', SYSTEM.flagged | SYSTEM.answered, about.keywords === 'any' ? ['$Kit', 'work'] : [])
    await this.#expunge(a, 2)
    await this.#deliver(a, 2, true)
    await this.#create(b)
    await this.#deliver(b, 2, false)
    await this.#copy(a, b)
    await this.#store(a, 'remove', SYSTEM.flagged, about.keywords === 'any' ? ['work'] : [])
    await this.#checkpoint(a)
    await this.#expunge(a, 1)
    await this.#step({ what: 'reclaiming space', kind: 'none', run: async () => this.#box?.source.reclaim?.(never), after: (w) => w })
    await this.#store(a, 'add', SYSTEM.deleted | SYSTEM.draft, [])
    await this.#deliver(a, 4, true)
    await this.#close()
    await this.#rename(b, c)
    await this.#open(c)
    await this.#store(c, 'add', SYSTEM.seen, [])
    await this.#close()
    await this.#remove(c)
    await this.#open(a)
    await this.#expunge(a, 100)
    await this.#deliver(a, 1, true)
    await this.#close()
  }

  /** Runs an action and notes what it was told and where in the log it was. A failure leaves what `mustHold` allows, and the play goes on. */
  async #step(action: Action): Promise<boolean> {
    const before = this.#world
    const from = this.storage.log.length
    const planned = action.after(before)
    const faulty = this.storage.files.fault !== undefined
    const failure = await failureOf(action.run)
    const until = this.storage.log.length
    const step = { what: action.what, kind: action.kind, before, after: planned }
    if (failure === undefined) {
      try {
        this.#world = await this.#asRead(planned)
      } catch (error) {
        // The look itself may have met the failure.
        if (!faulty || this.storage.files.log.length < (this.storage.files.fault?.at ?? 0)) throw error
        this.storage.files.fault = undefined
        this.#world = await this.#asRead(planned)
      }
      this.steps.push({ ...step, after: this.#world, from, until })
      return true
    }
    if (!faulty) throw failure
    // The disk works again; nothing that was acknowledged may have suffered, in this process or another.
    this.storage.files.fault = undefined
    await mustHold((path) => this.#read(path), before, step)
    this.failed = { ...step, from, until }
    this.#world = await this.#readAll(before, planned)
    this.leftTraces = !isDeepStrictEqual(contentsOf(this.#world), contentsOf(before))
    this.steps.push({ ...step, after: this.#world, from, until: this.storage.log.length })
    return false
  }
  /** Uids are what the driver gave, so the world is read where something changed. */
  async #asRead(planned: World): Promise<World> {
    const out = new Map<string, BoxState>()
    for (const [path, state] of planned) out.set(path, this.#changed.has(path) ? await this.#mustRead(path, state) : state)
    this.#changed.clear()
    return out
  }
  readonly #changed = new Set<string>()
  /** Through the mailbox that is open, as one process has one source of it. */
  async #read(path: string): Promise<BoxState | undefined> {
    const box = this.#box
    if (box?.path !== path) return await readBox(this.bench, path)
    await box.refresh()
    return await stateOf(box)
  }
  async #mustRead(path: string, planned: BoxState): Promise<BoxState> {
    const found = await this.#read(path)
    must(found !== undefined, `"${path}" is not found although its operation was acknowledged`)
    must(found.messages.size === planned.messages.size, `"${path}" has ${found.messages.size} messages instead of ${planned.messages.size}`)
    return this.#withFloor(found, planned.uidFloor)
  }
  #withFloor(found: BoxState, floor: number): BoxState {
    return this.#lasting ? { ...found, uidFloor: Math.max(found.uidFloor, floor) } : found
  }
  get #lasting(): boolean {
    return this.bench.under.about.uidsPersist
  }
  /** Uids in the open mailbox of what the world knows. */
  #uidsIn(box: Box, set: UidSet): UidSet {
    return this.#lasting ? set : uids.from(box.rows.filter((_, i) => set.has(i + 1)).map((r) => r.uid))
  }
  async #readAll(before: World, planned: World): Promise<World> {
    const out = new Map<string, BoxState>()
    for (const path of new Set([...before.keys(), ...planned.keys()])) {
      const found = await this.#read(path)
      if (found !== undefined) out.set(path, this.#withFloor(found, before.get(path)?.uidFloor ?? 0))
    }
    this.#changed.clear()
    return out
  }

  async #open(path: string): Promise<void> {
    if (!this.#world.has(path)) return
    await this.#step({ what: `opening "${path}"`, kind: 'none', run: async () => void (this.#box = await this.bench.open(path)), after: (w) => w })
  }
  async #close(): Promise<void> {
    const box = this.#box
    this.#box = undefined
    if (box !== undefined) await this.#step({ what: `closing "${box.path}"`, kind: 'none', run: () => box.close(), after: (w) => w })
  }
  /** What UIDVALIDITY a new mailbox has is not foretold: it is compared when it was acknowledged. */
  async #create(path: string): Promise<void> {
    this.#changed.add(path)
    const empty: BoxState = { uidValidity: 0, uidFloor: 1, messages: new Map() }
    await this.#step({ what: `creation of "${path}"`, kind: 'create', run: () => this.bench.create(path), after: (w) => new Map(w).set(path, empty) })
  }
  async #rename(from: string, to: string): Promise<void> {
    const state = this.#world.get(from)
    if (state === undefined) return
    const run = (): Promise<void> => this.bench.store.rename(this.bench.at(from), this.bench.at(to))
    await this.#step({ what: `renaming "${from}"`, kind: 'names', run, after: (w) => without(new Map(w).set(to, state), from) })
  }
  async #remove(path: string): Promise<void> {
    if (!this.#world.has(path)) return
    await this.#step({ what: `removal of "${path}"`, kind: 'names', run: () => this.bench.store.remove(this.bench.at(path)), after: (w) => without(w, path) })
  }
  async #deliver(path: string, count: number, toOpen: boolean): Promise<void> {
    if (!this.#world.has(path)) return
    const messages = Array.from({ length: count }, (): SampleMessage => {
      const n = this.#count++
      const more = { system: this.#random.pick([0, SYSTEM.seen, SYSTEM.flagged]) }
      return this.#random.chance(0.5) ? sampleMessage(n, more) : { ...randomMessage(n, this.#random), ...more }
    })
    this.#changed.add(path)
    const box = toOpen && this.#box?.path === path ? this.#box : undefined
    const cut = this.#random.chance(0.5) ? (left: number): number => Math.min(left, 100) : undefined
    await this.#step({
      what: `delivery of ${count} to "${path}"`,
      kind: 'append',
      run: async () => void (await this.bench.deliver(path, messages, box, cut)),
      after: (w) => changedBox(w, path, (s) => withNew(s, messages.map((m) => ({ ...m, bytes: this.bench.stored(m.bytes) })))),
    })
    await box?.refresh()
  }
  async #claim(path: string): Promise<void> {
    const box = this.#box
    if (box !== undefined) await this.#step({ what: `claiming recent messages of "${path}"`, kind: 'none', run: async () => void (await box.refresh({ claimRecent: true })), after: (w) => w })
  }
  async #store(path: string, how: 'add' | 'remove' | 'replace', system: number, keywords: readonly string[]): Promise<void> {
    const box = this.#box
    if (box?.path !== path) return
    const set = this.#some(path)
    this.#changed.add(path)
    await this.#step({
      what: `STORE ${how} in "${path}"`,
      kind: 'flags',
      run: async () => void (await box.store({ uids: this.#uidsIn(box, set), how, system, keywords })),
      after: (w) => changedBox(w, path, (s) => withFlags(s, set, how, system, keywords)),
    })
  }
  async #expunge(path: string, count: number): Promise<void> {
    const box = this.#box
    if (box?.path !== path) return
    const all = [...(this.#world.get(path)?.messages.keys() ?? [])]
    const doomed = new Set<number>()
    while (doomed.size < Math.min(count, all.length)) doomed.add(this.#random.pick(all))
    this.#changed.add(path)
    await this.#step({
      what: `EXPUNGE of ${doomed.size} from "${path}"`,
      kind: 'expunge',
      run: async () => void (await box.expunge(this.#uidsIn(box, uids.from([...doomed].sort((x, y) => x - y))), { always: true })),
      after: (w) => changedBox(w, path, (s) => ({ ...s, messages: new Map([...s.messages].filter(([uid]) => !doomed.has(uid))) })),
    })
  }
  async #copy(from: string, to: string): Promise<void> {
    const box = this.#box
    if (box?.path !== from || !this.#world.has(to)) return
    const { copy } = box.source
    const probe = copy === undefined ? await this.bench.store.append(this.bench.at(to), never) : undefined
    await probe?.abort()
    if (copy === undefined && probe?.take === undefined) return
    const set = this.#some(from)
    const originals = [...(this.#world.get(from)?.messages.values() ?? [])].filter((m) => set.has(m.uid))
    this.#changed.add(to)
    await this.#step({
      what: `COPY from "${from}" to "${to}"`,
      kind: 'append',
      run: () => (copy === undefined ? this.#take(box, set, to) : box.edit(async (edit) => void (await copy.call(box.source, this.#uidsIn(box, set), this.bench.at(to), 'copy', edit, never)))),
      after: (w) => changedBox(w, to, (s) => ({ ...s, messages: new Map([...s.messages, ...originals.map((m, i) => [s.uidFloor + i, { ...m, uid: s.uidFloor + i }] as const)]) })),
    })
  }
  /** By a delivery that takes the messages as they lie. */
  async #take(box: Box, set: UidSet, to: string): Promise<void> {
    const { generation: rows } = box.table
    const wanted = this.#uidsIn(box, set)
    const messages = box.rows.filter(({ uid }) => wanted.has(uid)).map(({ uid }) => {
      const row = rows.find(uid)
      const { system, keywords } = rows.flagSets[rows.flags[row] ?? 0] ?? { system: 0, keywords: [] }
      return { uid, system, keywords, date: { ms: rows.date[row] ?? 0, zone: rows.zone[row] ?? 0 } }
    })
    const delivery = await this.bench.store.append(this.bench.at(to), never)
    try {
      must((await delivery.take?.(box.source, messages, rows, never)) === true, 'messages of the same format are not taken')
      await delivery.commit(undefined, never)
    } catch (error) {
      await delivery.abort()
      throw error
    }
  }
  async #checkpoint(path: string): Promise<void> {
    const box = this.#box
    const { checkpoint } = box?.source ?? {}
    if (box?.path !== path || checkpoint === undefined) return
    const set = this.#some(path)
    const dirty = this.#uidsIn(box, set)
    this.#changed.add(path)
    await this.#step({
      what: `checkpoint of "${path}"`,
      kind: 'flags',
      async run() {
        await box.edit(async (edit) => {
          edit.apply({ uids: dirty, how: 'add', system: SYSTEM.answered, keywords: [] })
          await checkpoint.call(box.source, dirty, edit, never)
        })
      },
      after: (w) => changedBox(w, path, (s) => withFlags(s, set, 'add', SYSTEM.answered, [])),
    })
  }
  #some(path: string): UidSet {
    const all = [...(this.#world.get(path)?.messages.keys() ?? [])]
    const some = all.filter(() => this.#random.chance(0.6))
    return uids.from((some.length === 0 ? all.slice(0, 1) : some).sort((x, y) => x - y))
  }
}

function changedBox(world: World, path: string, change: (s: BoxState) => BoxState): World {
  const state = world.get(path)
  return state === undefined ? world : new Map(world).set(path, change(state))
}
function contentsOf(world: World): unknown {
  return [...world].map(([path, s]) => [path, s.uidValidity, [...s.messages.values()]])
}
function without(world: World, path: string): World {
  return new Map([...world].filter(([other]) => other !== path))
}
/** Uids are a guess here; what is compared of a delivery under way is everything else. */
function withNew(state: BoxState, messages: readonly SampleMessage[]): BoxState {
  const added = messages.map((m, i) => {
    const uid = state.uidFloor + i
    return [uid, { uid, flags: namesOf(m.system), size: m.bytes.length, ms: m.date?.ms ?? 0, zone: m.date?.zone ?? 0, bytes: m.bytes }] as const
  })
  return { ...state, messages: new Map([...state.messages, ...added]) }
}
function withFlags(state: BoxState, set: UidSet, how: 'add' | 'remove' | 'replace', system: number, keywords: readonly string[]): BoxState {
  const words = new Set([...namesOf(system).split(' '), ...keywords.map((k) => k.toLowerCase())].filter((w) => w !== ''))
  const changed = [...state.messages].map(([uid, m]) => {
    if (!set.has(uid)) return [uid, m] as const
    const old = m.flags.split(' ').filter((w) => w !== '')
    const now = how === 'replace' ? [...words] : how === 'add' ? [...new Set([...old, ...words])] : old.filter((w) => !words.has(w))
    return [uid, { ...m, flags: ordered(now) }] as const
  })
  return { ...state, messages: new Map(changed) }
}
const SYSTEM_ORDER = Object.keys(SYSTEM)
function namesOf(system: number): string {
  return Object.entries(SYSTEM).filter(([, bit]) => (system & bit) !== 0).map(([name]) => name).join(' ')
}
function ordered(words: readonly string[]): string {
  const own = words.filter((w) => SYSTEM_ORDER.includes(w)).sort((x, y) => SYSTEM_ORDER.indexOf(x) - SYSTEM_ORDER.indexOf(y))
  return [...own, ...words.filter((w) => !SYSTEM_ORDER.includes(w)).sort()].join(' ')
}
