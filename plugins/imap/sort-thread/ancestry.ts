import type { Pace } from 'mailwright/api'
import { readThreading, threadingId } from 'mailwright/toolkit'
import { SpreadMap } from './spread-map.js'

/**
 * Steps upwards that looks for loops may take in all. Mailboxes of people need a few for each message; references that were made up so that
 * each look is long must not keep the processor for hours. Beyond them a link that would need a look is not made.
 */
const MOST_STEPS = 50_000_000
/** So many of them take less than a millisecond. */
const STEPS_PER_LOOK = 100_000
/** References, or ids of messages, read between two looks. */
const REFERENCES_PER_LOOK = 256
/** The same of messages passed on the way up. */
const PASSED_PER_LOOK = 8192
/** Ids that only references name. A mailbox of people has fewer than messages; made up ones must not take all memory, and are passed over. */
const MOST_MISSING = 500_000
const NONE = -1

/** Who is whose parent, by the references of messages (RFC 5256 §3 "REFERENCES", step 1). */
export class Ancestry {
  /**
   * Messages come first, by their places; behind them stand ids that only references name. There is room for all that may come: the system gives it as
   * it is used, and nothing is copied when it grows.
   */
  readonly parent: Int32Array
  readonly messages: number
  /** Messages, and ids that only references name. */
  count: number
  readonly #children: Int32Array
  readonly #nodes: SpreadMap<number>
  #steps = 0
  /** `nodes`: messages by their ids; `references`: how many there are in all at most. */
  private constructor(messages: number, nodes: SpreadMap<number>, references: number) {
    const most = messages + Math.min(references, MOST_MISSING)
    this.messages = messages
    this.count = messages
    this.parent = new Int32Array(most).fill(NONE, 0, messages)
    this.#children = new Int32Array(most)
    this.#nodes = nodes
  }

  /** `threading` is in the order of the mailbox. */
  static async of(threading: readonly string[], pace: Pace): Promise<Ancestry> {
    const nodes = new SpreadMap<number>()
    let most = 0
    let since = 0
    for (let i = 0; i < threading.length; i++) {
      const value = threading[i]!
      const id = threadingId(value)
      // An id names the first message that has it; the others have none that anybody could refer to.
      if (id !== '' && !nodes.has(id)) nodes.set(id, i)
      // No reference is shorter than two characters with what parts it from the one before.
      most += (value.length - id.length) >>> 1
      if (++since < REFERENCES_PER_LOOK) continue
      since = 0
      if (pace.due()) await pace.turn()
    }
    const made = new Ancestry(threading.length, nodes, most)
    let steps = 0
    for (let i = 0; i < threading.length; i++) {
      const { references } = readThreading(threading[i]!)
      for (let next = 0; next <= references.length; ) {
        next = made.#place(i, references, next)
        since += 1 + references.length
        if (since < REFERENCES_PER_LOOK && made.#steps - steps < STEPS_PER_LOOK) continue
        since = 0
        steps = made.#steps
        if (pace.due()) await pace.turn()
      }
    }
    return made
  }

  /** -1: an id that no message has, and one too many of those. */
  #nodeOf(id: string): number {
    let node = this.#nodes.get(id)
    if (node === undefined) {
      if (this.count === this.parent.length) return NONE
      node = this.count++
      this.parent[node] = NONE
      this.#nodes.set(id, node)
    }
    return node
  }
  /** Goes through the references from one of them on. Answers which is the next, where the looks took long; one more than there are when it is done. */
  #place(message: number, references: readonly string[], from: number): number {
    // Step 1.A: each reference is the parent of the next, unless that one has a parent.
    const until = this.#steps + STEPS_PER_LOOK
    let above = from === 0 ? NONE : this.#nodeOf(references[from - 1]!)
    for (let i = from; i < references.length; i++) {
      const node = this.#nodeOf(references[i]!)
      if (node === NONE) continue
      if (above !== NONE && this.parent[node] === NONE) this.#link(above, node)
      above = node
      if (this.#steps > until) return i + 1
    }
    // Step 1.B: the last one is the parent of the message, whatever others said.
    const before = this.parent[message]!
    if (before !== above) {
      if (before !== NONE) {
        this.#children[before]!--
        this.parent[message] = NONE
      }
      if (above !== NONE) this.#link(above, message)
    }
    return references.length + 1
  }
  #link(parent: number, child: number): void {
    if (this.#isAbove(child, parent)) return
    this.parent[child] = parent
    this.#children[parent]!++
  }
  /** Whether the node is the other one, or above it. */
  #isAbove(node: number, below: number): boolean {
    if (node === below) return true
    if (this.#children[node] === 0) return false
    for (let at = this.parent[below]!; at !== NONE; at = this.parent[at]!) if (at === node || ++this.#steps > MOST_STEPS) return true
    return false
  }

  /**
   * Parents without the ids that no message has (step 3): of each message the place of the nearest message above it, or -1, or where messages of
   * a missing one stand together, a number below -1, which is theirs; these numbers go down from -2 without gaps.
   */
  async pruned(pace: Pace): Promise<Int32Array> {
    const out = new Int32Array(this.messages)
    /** Of each missing message: the message above it, or the missing one that is the root. */
    const above = new Int32Array(this.count - this.messages).fill(NONE)
    const together = new Int32Array(above.length)
    for (let i = 0; i < this.messages; i++) {
      let at = this.parent[i]!
      let passed = 0
      while (at >= this.messages && above[at - this.messages] === NONE && this.parent[at] !== NONE) {
        at = this.parent[at]!
        if (++passed % PASSED_PER_LOOK === 0 && pace.due()) await pace.turn()
      }
      if (at >= this.messages && above[at - this.messages] !== NONE) at = above[at - this.messages]!
      for (let below = this.parent[i]!; passed > 0; below = this.parent[below]!) {
        above[below - this.messages] = at
        if (--passed % PASSED_PER_LOOK === 0 && pace.due()) await pace.turn()
      }
      if (at >= this.messages) together[at - this.messages]!++
      out[i] = at
      if (i % 256 === 0 && pace.due()) await pace.turn()
    }
    const numbers = new Int32Array(above.length)
    let last = NONE
    for (let i = 0; i < out.length; i++) {
      const missing = out[i]! - this.messages
      if (missing < 0) continue
      // A missing message that holds one alone is not worth a place.
      if (together[missing]! > 1 && numbers[missing] === 0) numbers[missing] = --last
      out[i] = numbers[missing]! || NONE
    }
    return out
  }
}
