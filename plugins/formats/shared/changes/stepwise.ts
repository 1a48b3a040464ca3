import type { FileStat, OpenFile } from 'mailwright/api'
import { IntactSums } from '../intact-sums.js'
import { CHUNK, octetsAt } from './redo-format.js'
import { stands, type Plan } from './redo-plan.js'
import { encodeRecord, lastRecord, newHead, octetsIn, placeOf, type StepRecord, type StepsHead } from './steps-format.js'

/*
 * A rewrite in place that needs a few sectors of room, however much is moved. What a mailbox lost in front is a gap over which the rest is moved
 * step by step: a step of no more octets than the gap has destroys nothing that is still needed, so that it can be made again; for a longer one
 * the new octets are in the redo file first. How far the work has come is in the redo file before the next step begins. It
 * ends when all is moved, and never goes back: whoever finds it interrupted goes on.
 *
 * At any time the mailbox is new content, then octets that were moved already or of messages that go, as many as the gap has, then old content. No
 * octet of a message that stays is missing but those of one step, which are in the redo file then.
 */

const NONE = Buffer.alloc(0)

/** Where and how a change in steps begins. */
export interface Beginning {
  /** Of the mailbox, and its octets. */
  readonly stat: FileStat
  readonly size: number
  /** The redo file has `room` octets for it behind `from`. */
  readonly from: number
  readonly room: number
  readonly durable: boolean
  /** Tells its records from those of a change before. */
  readonly nonce: number
}

/** A change that is made in steps, begun or found. */
export class Stepwise {
  readonly #redo: OpenFile
  readonly #mailbox: OpenFile
  readonly #head: StepsHead
  readonly #durable: boolean
  #plan: Plan
  #size: number
  #sums: IntactSums
  #last: StepRecord

  private constructor(redo: OpenFile, mailbox: OpenFile, head: StepsHead, durable: boolean, sums: IntactSums, last: StepRecord) {
    this.#redo = redo
    this.#mailbox = mailbox
    this.#head = head
    this.#durable = durable
    this.#plan = planOf(head, last.size)
    this.#size = last.size
    this.#sums = sums
    this.#last = last
  }
  /**
   * Writes the plan down, over room that the redo file has, or behind what it says; that holds until this is on the disk. The caller syncs the redo
   * file then.
   */
  static async begin(redo: OpenFile, mailbox: OpenFile, plan: Plan, how: Beginning): Promise<Stepwise> {
    const { device, inode } = how.stat
    const { head, octets, planAt, plan: sectors } = newHead({ device, inode, oldSize: how.size, plan }, how)
    const sums = await IntactSums.of(mailbox, plan.start, how.size)
    const at = skipped(plan, plan.start)
    const first = { number: 0, at, size: how.size, intact: 0, octets: NONE, before: NONE }
    const steps = new Stepwise(redo, mailbox, head, how.durable, sums, first)
    steps.#last = await steps.#next(at, NONE)
    const records = Buffer.alloc(2 * head.recordLength)
    encodeRecord(head, steps.#last).copy(records, placeOf(head, steps.#last.number) - head.recordsAt)
    if (how.from === 0) await redo.write([octets, sectors, records], 0)
    else {
      await redo.write([sectors, records], planAt)
      await steps.#sync(redo)
      await redo.write([octets], 0)
    }
    return steps
  }
  /**
   * The change that a redo file describes; the caller has read its head. `done`: nothing is left to do, and others may have written since;
   * `foreign`: others have written where it would.
   */
  static async found(redo: OpenFile, mailbox: OpenFile, head: StepsHead, durable: boolean): Promise<Stepwise | 'done' | 'foreign'> {
    const last = await lastRecord(redo, head)
    const stat = await mailbox.stat()
    // Without a record nothing was begun.
    if (last === undefined || stat.device !== head.device || stat.inode !== head.inode) return 'done'
    const plan = planOf(head, last.size)
    const otherwise = last.at >= plan.end ? 'done' : 'foreign'
    if (stat.size < last.size) return otherwise
    const sums = await IntactSums.of(mailbox, last.at, last.size)
    if ((await sums.leftBy(plan, last.at, reached(plan, last))) !== last.intact) return otherwise
    return new Stepwise(redo, mailbox, head, durable, sums, last)
  }

  /** Makes all steps that are left. When it throws, the work is interrupted, and may be found again. */
  async run(): Promise<void> {
    for (let at = this.#last.at; ; ) {
      at = await this.#make(this.#last)
      if (at < this.#plan.end || (await this.#grown(at))) await this.#note(await this.#next(at, this.#last.before))
      else if (at < this.#size && this.#last.at < at) await this.#note(await this.#next(at, NONE))
      else break
    }
    if (this.#plan.end < this.#size) await this.#mailbox.truncate(this.#plan.end)
    await this.#sync(this.#mailbox)
  }
  /** One step; returns up to where the new content is there. */
  async #make(step: StepRecord): Promise<number> {
    const to = reached(this.#plan, step)
    if (step.octets.length > 0) await this.#mailbox.write([step.octets], step.at)
    else for (let at = step.at; at < to; ) at = await this.#lay(at, to)
    if (to > step.at) await this.#sync(this.#mailbox)
    return skipped(this.#plan, to)
  }
  /** Some octets of the new content, none of which is written over what is still needed. */
  async #lay(at: number, to: number): Promise<number> {
    const from = skipped(this.#plan, at)
    const end = Math.min(to, from + CHUNK, this.#standing(from))
    if (end > from) await this.#mailbox.write([await this.#content(from, end, NONE)], from)
    return Math.max(from, end)
  }
  /** Where the next octets of the new content begin that stand in their place already. */
  #standing(at: number): number {
    const { ops, end } = this.#plan
    for (let i = this.#plan.find(at); i < ops.length; i++) {
      const op = ops[i]
      if (op !== undefined && op.at >= at && stands(op)) return op.at
    }
    return end
  }
  /** What is to be done from here on; `before`: octets of the mailbox before this place that are still needed. */
  async #next(at: number, before: Buffer): Promise<StepRecord> {
    const number = this.#last.number + 1
    const most = octetsIn(this.#head)
    const safe = Math.min(this.#plan.movedFrom(at), this.#plan.end)
    const left = this.#plan.end - at
    if (safe - at >= Math.min(most, left)) {
      return { number, at, octets: NONE, before: NONE, size: this.#size, intact: await this.#sums.leftBy(this.#plan, at, safe) }
    }
    const to = Math.min(at + most, this.#standing(at))
    const needed = this.#plan.movedFrom(to)
    return {
      number,
      at,
      octets: await this.#content(at, to, before),
      before: needed < to ? await this.#old(needed, to, at, before) : NONE,
      size: this.#size,
      intact: await this.#sums.leftBy(this.#plan, at, to),
    }
  }
  /** New content, which does not reach into what stands already. */
  async #content(at: number, to: number, before: Buffer): Promise<Buffer> {
    const parts: Uint8Array[] = []
    const { ops } = this.#plan
    for (let i = this.#plan.find(at); i < ops.length; i++) {
      const op = ops[i]
      if (op === undefined || op.at >= to) break
      const first = Math.max(at, op.at) - op.at
      const end = Math.min(to, op.at + op.length) - op.at
      parts.push('from' in op ? await this.#old(op.from + first, op.from + end, at, before) : op.octets.subarray(first, end))
    }
    return Buffer.concat(parts)
  }
  /** Octets of the mailbox as it was; those before `at` are among those that were kept. */
  async #old(from: number, to: number, at: number, before: Buffer): Promise<Buffer> {
    const kept = before.subarray(before.length - Math.max(0, at - from), before.length - Math.max(0, at - to))
    const start = Math.max(from, Math.min(to, at))
    // Steps that need nothing of what they write over read where nothing is written.
    if (before.length === 0 || start <= from) return octetsAt(this.#mailbox, from, to - from)
    return Buffer.concat([kept, await octetsAt(this.#mailbox, start, to - start)])
  }
  async #note(record: StepRecord): Promise<void> {
    await this.#redo.write([encodeRecord(this.#head, record)], placeOf(this.#head, record.number))
    await this.#sync(this.#redo)
    this.#last = record
  }
  /** Whether somebody has appended to the mailbox: it is moved behind the rest then. */
  async #grown(at: number): Promise<boolean> {
    const { size } = await this.#mailbox.stat()
    if (size <= this.#size || this.#plan.end === this.#size) return false
    this.#size = size
    this.#plan = planOf(this.#head, size)
    this.#sums = await IntactSums.of(this.#mailbox, at, size)
    return true
  }
  #sync(file: OpenFile): Promise<void> {
    return this.#durable ? file.sync() : Promise.resolve()
  }
}

/** The plan for a mailbox to which something was appended since. */
function planOf({ plan, oldSize }: StepsHead, size: number): Plan {
  return size > oldSize ? plan.with(oldSize, size) : plan
}
/** Up to where a step writes. */
function reached(plan: Plan, { at, octets }: StepRecord): number {
  return octets.length > 0 ? at + octets.length : Math.max(at, Math.min(plan.movedFrom(at), plan.end))
}
/** The next place where octets have to be written. */
function skipped(plan: Plan, from: number): number {
  let at = from
  for (let i = plan.find(at); i < plan.ops.length; i++) {
    const op = plan.ops[i]
    if (op === undefined || op.at > at || !stands(op)) break
    at = Math.max(at, op.at + op.length)
  }
  return at
}
