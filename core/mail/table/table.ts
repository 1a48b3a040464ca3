import { UNKNOWN, uids, type FlagChange, type UidSet } from '../../api/index.js'
import { ChangeLog, type Author, type LogNode } from './change-log.js'
import { Edit } from './edit.js'
import { FlagSets } from './flag-sets.js'
import { Generation, lowerBound } from './generation.js'
import { rowsOf } from './row-sets.js'

/** What an edit changed, for events and for the journal. */
export interface Commit {
  readonly changed: UidSet
  readonly arrived: UidSet
  readonly removed: UidSet
  readonly reset: boolean
  /** Given to all of it; 0 when nothing got a number. */
  readonly modseq: number
}
/** How the messages of a table are numbered. */
export interface Numbering {
  /** The source does it. */
  readonly ownModseqs: boolean
  /** For what is found at first; it must exceed all that clients may have been told earlier. */
  readonly firstModseq: number
  /** The clock in microseconds, where nothing is kept of the numbers: each is at least the time at which it is given. */
  readonly now?: () => number
  /** Whether clients are told mod-sequences; they are not while another process gives its own. True unless said otherwise. */
  readonly told?: boolean
  /** Bounds the log. */
  readonly logLinks?: number
}
/** A session on the table: where it stands and what it has told. */
export interface Standing {
  generation: Generation
  mark: LogNode
}

/**
 * One mailbox's messages as all sessions of the process share them. At most one edit is open; the caller's queue sees to that.
 *
 * Invariants: rows ascend by uid; a generation never loses a row; `length` is what is committed, while the generation may be longer
 * during an edit; generations that sessions still stand on are kept true in flags, sizes, dates and mod-sequences, and grow at the end.
 */
export class MailTable {
  flagSets = new FlagSets()
  generation: Generation
  /** Committed rows of `generation`. */
  length = 0
  stamp: string | undefined
  uidValidity = 0
  uidNext = 1
  highestModseq: number
  /** No number below is given from now on: those that were told before a crash may be forgotten. */
  #floor: number
  readonly #now: (() => number) | undefined
  #told: boolean
  readonly ownModseqs: boolean
  keywords: { readonly defined: readonly string[]; readonly canCreate: boolean; readonly most?: number } = { defined: [], canCreate: false }
  /** Messages that no read-write session has been given yet. */
  unclaimed: UidSet = uids.none
  readonly log: ChangeLog
  /** Rises with every change that a session can be told of. */
  version = 0
  /** Rises when all that a session knows is void. */
  epoch = 0
  /** A source has said in an edit that the mailbox began anew, and none was committed since: what it reads now are other messages. */
  beganAnew = false
  /** Rises with every commit that the cache does not have. */
  unsaved = 0
  /** Generations before the present one that sessions stand on. */
  readonly lagging = new Set<Generation>()
  #open: Edit | undefined
  #standings = new Set<Standing>()

  constructor(how: Numbering) {
    this.#now = how.now
    this.#told = how.told ?? true
    this.log = new ChangeLog(how.logLinks)
    this.ownModseqs = how.ownModseqs
    this.highestModseq = how.firstModseq
    this.#floor = how.firstModseq
    this.generation = new Generation(this.flagSets.list)
  }

  /** Takes rows of last time; the table is empty and no session is on it. */
  restore(
    generation: Generation,
    of: {
      readonly stamp: string
      readonly uidValidity: number
      readonly uidNext: number
      readonly highest: number
      readonly defined: readonly string[]
      readonly canCreate: boolean
      readonly most?: number
      readonly unclaimed: readonly number[]
    },
  ): void {
    this.generation = generation
    this.length = generation.length
    this.stamp = of.stamp
    this.uidValidity = of.uidValidity
    this.uidNext = of.uidNext
    this.highestModseq = of.highest
    this.keywords = { defined: of.defined, canCreate: of.canCreate, ...(of.most !== undefined && { most: of.most }) }
    this.unclaimed = uids.ranges(Uint32Array.from(of.unclaimed))
  }
  /** Clients may have been told numbers up to this one: none of them is given again. */
  raise(told: number): void {
    if (this.ownModseqs) return
    this.highestModseq = Math.max(this.highestModseq, told)
  }
  /** Nothing is known of what clients were told: all that is there counts as changed now. */
  renumber(): void {
    if (this.ownModseqs) return
    this.highestModseq = this.nextModseq()
    this.generation.modseq.fill(this.highestModseq, 0, this.length)
    this.unsaved++
  }
  /** No other process gives mod-sequences any more: from now on clients are told those of this one. */
  beginTelling(): void {
    this.#told = true
  }
  /** Whether the change would leave one of its messages as it is. */
  leavesSome(change: FlagChange): boolean {
    const { flags } = this.generation
    const next = this.flagSets.changer(change)
    const { pairs } = rowsOf(this.generation, change.uids, this.length)
    for (let i = 0; i < pairs.length; i += 2) for (let row = pairs[i]!; row <= pairs[i + 1]!; row++) if (next(flags[row]!) === flags[row]) return true
    return false
  }
  /** Octets of the message; UNKNOWN when that is not known, or there is none. */
  sizeOf(uid: number): number {
    const row = this.generation.find(uid)
    return row === -1 ? UNKNOWN : this.generation.size[row]!
  }
  /** Messages with uids from `first` to `last`. */
  countOf(first: number, last: number): number {
    const { uid, length } = this.generation
    const from = lowerBound(uid, length, first)
    return lowerBound(uid, length, last + 1, from) - from
  }
  /** Whether numbers of this epoch still name the messages that they named. */
  means(epoch: number): boolean {
    return this.epoch === epoch && !this.beganAnew
  }
  nextModseq(): number {
    return Math.max(this.highestModseq + 1, this.#floor, this.#now?.() ?? 0)
  }
  /** The highest mod-sequence as clients are told it; 0: none is (RFC 7162 §3.1.2.2). */
  get toldModseq(): number {
    return this.#told ? this.highestModseq : 0
  }
  /** Starts an edit; whoever asked with `author` will not be told of flag changes in it. `tellWait` is for what it waits for. */
  begin(author?: Author, byNumber = false, tellWait: (text: string) => void = () => undefined): Edit {
    if (this.#open !== undefined) throw new Error('two edits of one mailbox overlap')
    const edit = new Edit(this, author, byNumber, () => (this.#open = undefined), tellWait)
    this.#open = edit
    return edit
  }
  enter(standing: Standing): void {
    standing.generation = this.generation
    standing.mark = this.log.tail
    standing.generation.views++
    standing.mark.holders++
    this.#standings.add(standing)
  }
  leave(standing: Standing): void {
    if (!this.#standings.delete(standing)) return
    standing.mark.holders--
    this.#stepOff(standing.generation)
  }
  toEnd(standing: Standing, mark: LogNode): void {
    standing.mark.holders--
    mark.holders++
    standing.mark = mark
  }
  toPresent(standing: Standing): void {
    const old = standing.generation
    if (old === this.generation) return
    standing.generation = this.generation
    this.generation.views++
    this.#stepOff(old)
  }
  #stepOff(generation: Generation): void {
    generation.views--
    if (generation.views === 0) this.lagging.delete(generation)
  }
  /** Committed rows of a generation. */
  lengthOf(generation: Generation): number {
    return generation === this.generation ? this.length : generation.length
  }
  /** The link of the log that the slowest session has told. */
  readonly slowestMark = (): LogNode => {
    let slowest = this.log.tail
    for (const s of this.#standings) if (s.mark.number < slowest.number) slowest = s.mark
    return slowest
  }
}
