import type { AnyFact, Files, OpenFile } from '../../api/index.js'
import type { LoadableFacts } from '../registry/mailbox-state.js'
import { lowerBound } from '../table/generation.js'
import { readWhole, replaceFile } from './directories.js'
import { SEGMENT_UIDS, Segment } from './segment.js'

/** Octets of segments that are kept in memory by all mailboxes of the process. */
const DEFAULT_BUDGET = 64 * 1024 * 1024
/** Removed messages after which files are looked through for what is of them; those of fewer when the mailbox is closed. */
const SWEEP_AFTER = 1024
/** A file this small (octets) is not worth writing anew. */
const SMALL_FILE = 4096
const FILE_NAME = /^facts-(\d+)(?:\.new)?$/

/** Bounds the segments of all mailboxes together; the one used longest ago goes first. */
export class SegmentPool {
  readonly #budget: number
  readonly #segments = new Map<Segment, { readonly drop: () => void; octets: number }>()
  #octets = 0
  constructor(budget = DEFAULT_BUDGET) {
    this.#budget = budget
  }
  get octets(): number {
    return this.#octets
  }
  touch(segment: Segment, drop: () => void): void {
    this.forget(segment)
    const { octets } = segment
    this.#segments.set(segment, { drop, octets })
    this.#octets += octets
    for (const [old, entry] of this.#segments) {
      if (this.#octets <= this.#budget || old === segment) break
      if (old.isDirty) continue
      this.forget(old)
      entry.drop()
    }
  }
  forget(segment: Segment): void {
    const entry = this.#segments.get(segment)
    if (entry === undefined) return
    this.#segments.delete(segment)
    this.#octets -= entry.octets
  }
}

/** What the mailbox itself says of its messages. */
export interface MessagesNow {
  readonly uidValidity: number
  /** In octets; UNKNOWN when it is not known, or there is no such message. */
  sizeOf(uid: number): number
  /** Messages with uids from `first` to `last`. */
  countOf(first: number, last: number): number
}

/**
 * All facts of one mailbox in segment files of one folder. Losing them costs time only, and the mailbox is believed rather than they: a fact of
 * another UIDVALIDITY, or of a message of another size, is none. Files of messages that are gone go too, and one of which more than half is of such
 * messages is written anew: a new file takes the place of the old one at once, and after a crash either is there.
 */
export class FactStore {
  readonly #files: Files
  readonly #folder: string
  readonly #pool: SegmentPool
  readonly #now: MessagesNow
  readonly #segments = new Map<number, Segment>()
  readonly #loading = new Map<number, Promise<void>>()
  #writing: Promise<void> = Promise.resolve()
  #closed = false
  /** Messages that went since the files were looked through. */
  #removed = 0
  constructor(files: Files, folder: string, pool: SegmentPool, now: MessagesNow) {
    this.#files = files
    this.#folder = folder
    this.#pool = pool
    this.#now = now
  }
  of(fact: AnyFact): LoadableFacts {
    const name = `${fact.id}@${fact.version}`
    return {
      get: (uid) => this.#segment(Math.floor(uid / SEGMENT_UIDS))?.get(name, uid, this.#now.sizeOf(uid)),
      all: (uids) => this.#all(name, uids),
      put: (uid, value) => this.#put(name, uid, value),
      flush: () => this.flush(),
      load: (first, last) => this.#load(first, last),
    }
  }
  /** So many messages went: what is kept of them will go, and nobody waits for it. */
  removed(count: number): void {
    this.#removed += count
  }
  #path(number: number): string {
    return `${this.#folder}/facts-${number}`
  }
  /** Of the numbers as they are now: what is kept from before a reset goes. */
  #segment(number: number): Segment | undefined {
    const segment = this.#segments.get(number)
    if (segment === undefined || segment.uidValidity === this.#now.uidValidity) return segment
    this.#forget(number)
    return undefined
  }
  #all(name: string, uids: Uint32Array): (Uint8Array | undefined)[] {
    const out: (Uint8Array | undefined)[] = []
    for (let at = 0; at < uids.length; ) {
      const number = Math.floor(uids[at]! / SEGMENT_UIDS)
      const end = lowerBound(uids, uids.length, (number + 1) * SEGMENT_UIDS, at)
      const segment = this.#segment(number)
      if (segment !== undefined) segment.all(name, uids.subarray(at, end), this.#now, out)
      else for (let i = at; i < end; i++) out.push(undefined)
      at = end
    }
    return out
  }
  #put(name: string, uid: number, value: Uint8Array): void {
    if (this.#closed) return
    const number = Math.floor(uid / SEGMENT_UIDS)
    let segment = this.#segment(number)
    if (segment === undefined) {
      // Not loaded before: what is on the disk is found by the next load and replaced by it.
      segment = new Segment(number * SEGMENT_UIDS, this.#now.uidValidity, undefined)
      this.#segments.set(number, segment)
    }
    segment.put(name, uid, this.#now.sizeOf(uid), value)
  }
  async #load(first: number, last: number): Promise<void> {
    const from = Math.floor(first / SEGMENT_UIDS)
    const to = Math.floor(last / SEGMENT_UIDS)
    for (let number = from; number <= to; number++) {
      const segment = this.#segment(number)
      if (segment === undefined) await this.#loadOne(number)
      else this.#keep(number, segment)
    }
  }
  #loadOne(number: number): Promise<void> {
    let loading = this.#loading.get(number)
    if (loading === undefined) {
      loading = (async () => {
        const bytes = await readWhole(this.#files, this.#path(number)).catch(() => undefined)
        if (this.#segment(number) !== undefined || this.#closed) return
        const segment = new Segment(number * SEGMENT_UIDS, this.#now.uidValidity, bytes)
        this.#segments.set(number, segment)
        this.#keep(number, segment)
      })().finally(() => this.#loading.delete(number))
      this.#loading.set(number, loading)
    }
    return loading
  }
  #keep(number: number, segment: Segment): void {
    this.#pool.touch(segment, () => {
      if (this.#segments.get(number) === segment) this.#segments.delete(number)
    })
  }
  /** Writes what was put; one writer at a time. */
  flush(): Promise<void> {
    this.#writing = this.#writing.then(async () => {
      for (const number of this.#segments.keys()) {
        const segment = this.#segment(number)
        if (segment?.isDirty === true) await this.#write(number, segment)
      }
      if (this.#removed >= SWEEP_AFTER) await this.#sweep()
    })
    // The next flush tries again; facts that could not be written stay in memory.
    const result = this.#writing
    this.#writing = this.#writing.catch(() => undefined)
    return result
  }
  async #write(number: number, segment: Segment): Promise<void> {
    const batch = segment.batch()
    if (batch === undefined) return
    const file: OpenFile = await this.#files.open(this.#path(number), { write: true, create: 'if-missing', noFollow: true })
    try {
      const { size } = await file.stat()
      if (size > segment.end) await file.truncate(segment.end)
      await file.write([batch.bytes], segment.end)
    } finally {
      await file.close()
    }
    batch.written()
    this.#keep(number, segment)
  }
  /** Looks through the files for what is of messages that are gone. */
  async #sweep(): Promise<void> {
    this.#removed = 0
    const found = await this.#files.list(this.#folder)
    for (const { name } of found) {
      const [, digits] = FILE_NAME.exec(name) ?? []
      if (digits === undefined) continue
      const number = Number(digits)
      const first = number * SEGMENT_UIDS
      const there = this.#now.countOf(first, first + SEGMENT_UIDS - 1)
      if (there === 0) {
        await this.#files.unlink(`${this.#folder}/${name}`)
        this.#forget(number)
        // Fuller than that it is looked into only where it is in memory anyway.
      } else if (name === `facts-${number}` && (there < SEGMENT_UIDS / 2 || this.#segments.has(number))) await this.#shrink(number)
    }
  }
  async #shrink(number: number): Promise<void> {
    await this.#loadOne(number)
    const segment = this.#segment(number)
    if (segment === undefined || segment.end <= SMALL_FILE) return
    const isThere = (uid: number): boolean => this.#now.countOf(uid, uid) > 0
    if (segment.live(isThere) * 2 > segment.end) return
    const anew = segment.rewritten(isThere)
    if (anew === undefined) {
      await this.#files.unlink(this.#path(number))
      this.#forget(number)
      return
    }
    await replaceFile(this.#files, this.#path(number), anew.bytes)
    anew.written()
    this.#keep(number, segment)
  }
  #forget(number: number): void {
    const segment = this.#segments.get(number)
    if (segment === undefined) return
    this.#segments.delete(number)
    this.#pool.forget(segment)
  }
  /** Instead of `close`: the files are about to go. */
  async discard(): Promise<void> {
    await this.#writing
    this.#letGo()
  }
  async close(): Promise<void> {
    await this.flush().catch(() => undefined)
    if (this.#removed > 0) await this.#sweep().catch(() => undefined)
    this.#letGo()
  }
  #letGo(): void {
    this.#closed = true
    for (const segment of this.#segments.values()) this.#pool.forget(segment)
    this.#segments.clear()
  }
}
