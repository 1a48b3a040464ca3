import type { OpenFile } from 'mailwright/api'
import { crc32 } from 'node:zlib'
import { octetsAt, SECTOR } from './redo-format.js'
import { decodePlan, encodePlan, type Plan } from './redo-plan.js'

/*
 * A redo file for a change that is made in steps, because there is no room for all that moves (see stepwise.ts): a head in its first sector, the
 * plan, and two places for records, which are written in turns, so that one of them is whole at any time. What the file said before
 * holds until the head is written, if plan and records go behind it.
 */

export const STEPS_MAGIC = 'MWSTEP01'
/** Magic; device, inode, old size, place of the plan; its length and check sum; place and length of the records; nonce; check sum of the head so far. */
const HEAD = STEPS_MAGIC.length + 4 * 8 + 6 * 4
/** Number; place; octets before; octets; size; sum of what is intact; check sum. */
const RECORD = 4 + 8 + 4 + 4 + 8 + 4 + 4

/** What does not change while the steps are made. */
export interface StepsHead {
  readonly device: number
  readonly inode: number
  readonly oldSize: number
  readonly plan: Plan
  /** Of the first place for records in the redo file. */
  readonly recordsAt: number
  /** Of each of the two. */
  readonly recordLength: number
  /** Check sum of the head: records of another change are none of this one. */
  readonly sum: number
}
/** The new content is on the disk up to `at`. */
export interface StepRecord {
  readonly number: number
  readonly at: number
  /** New octets that are written from `at` on in this step; none: the step can be made again from what the mailbox has. */
  readonly octets: Buffer
  /** Octets of the mailbox before the end of this step that are moved in later ones, up to that end. */
  readonly before: Buffer
  /** Octets of the mailbox that the new content is made of, with what others appended. */
  readonly size: number
  /** Sum of the octets that this step leaves as they are. */
  readonly intact: number
}

const whole = (n: number): number => Math.ceil(n / SECTOR) * SECTOR

/** The least that a redo file with this plan takes. */
export function leastRoom(plan: Plan): number {
  return whole(HEAD + encodePlan(plan).length) + 2 * whole(RECORD + plan.mostGrowth + 1)
}
/** New octets that a record can hold. */
export function octetsIn({ recordLength, plan }: Pick<StepsHead, 'recordLength' | 'plan'>): number {
  return recordLength - RECORD - plan.mostGrowth
}
/**
 * For a redo file, or the end of one from `from` on, of so many octets, which `leastRoom` has allowed: what it says, the octets of its first sector that
 * say so, and the sectors of the plan.
 */
export function newHead(mailbox: Pick<StepsHead, 'device' | 'inode' | 'oldSize' | 'plan'>, { from, room, nonce }: { readonly from: number; readonly room: number; readonly nonce: number }): NewSteps {
  const plan = encodePlan(mailbox.plan)
  const planAt = Math.max(HEAD, whole(from))
  const recordsAt = whole(planAt + plan.length)
  const recordLength = Math.floor((whole(from) + room - recordsAt) / 2 / SECTOR) * SECTOR
  const octets = Buffer.alloc(HEAD)
  octets.write(STEPS_MAGIC, 'latin1')
  let at = STEPS_MAGIC.length
  for (const n of [mailbox.device, mailbox.inode, mailbox.oldSize, planAt]) at = octets.writeDoubleLE(n, at)
  for (const n of [plan.length, crc32(plan), recordsAt, recordLength, nonce >>> 0]) at = octets.writeUInt32LE(n, at)
  const sum = crc32(octets.subarray(0, at))
  octets.writeUInt32LE(sum, at)
  const sectors = Buffer.alloc(recordsAt - planAt)
  plan.copy(sectors)
  return { head: { ...mailbox, recordsAt, recordLength, sum }, octets, planAt, plan: sectors }
}
export interface NewSteps {
  readonly head: StepsHead
  readonly octets: Buffer
  readonly planAt: number
  /** Up to the records. */
  readonly plan: Buffer
}
/** Undefined when the file says nothing of steps, or does not say it whole. */
export async function readSteps(redo: OpenFile): Promise<StepsHead | undefined> {
  const octets = await octetsAt(redo, 0, HEAD)
  const sum = octets.readUInt32LE(HEAD - 4)
  if (octets.toString('latin1', 0, STEPS_MAGIC.length) !== STEPS_MAGIC || crc32(octets.subarray(0, HEAD - 4)) !== sum) return undefined
  const double = (i: number): number => octets.readDoubleLE(STEPS_MAGIC.length + 8 * i)
  const short = (i: number): number => octets.readUInt32LE(STEPS_MAGIC.length + 32 + 4 * i)
  const plan = await octetsAt(redo, double(3), short(0))
  if (crc32(plan) !== short(1)) return undefined
  return { device: double(0), inode: double(1), oldSize: double(2), plan: decodePlan(plan), recordsAt: short(2), recordLength: short(3), sum }
}

export function encodeRecord({ sum, recordLength }: StepsHead, r: StepRecord): Buffer {
  const length = RECORD + r.before.length + r.octets.length
  if (length > recordLength) throw new Error(`a step of ${length} octets is longer than ${recordLength}`)
  const out = Buffer.alloc(length)
  let at = out.writeUInt32LE(r.number >>> 0, 0)
  at = out.writeDoubleLE(r.at, at)
  at = out.writeUInt32LE(r.before.length, at)
  at = out.writeUInt32LE(r.octets.length, at)
  at = out.writeDoubleLE(r.size, at)
  at = out.writeUInt32LE(r.intact, at)
  r.before.copy(out, RECORD)
  r.octets.copy(out, RECORD + r.before.length)
  out.writeUInt32LE(sumOf(out, sum), at)
  return out
}
function sumOf(record: Buffer, head: number): number {
  return crc32(record.subarray(RECORD), crc32(record.subarray(0, RECORD - 4), head))
}
/** Where a record goes. */
export function placeOf({ recordsAt, recordLength }: StepsHead, number: number): number {
  return recordsAt + (number % 2) * recordLength
}
/** The last record that is whole. */
export async function lastRecord(redo: OpenFile, head: StepsHead): Promise<StepRecord | undefined> {
  const both = [await readRecord(redo, head, 0), await readRecord(redo, head, 1)]
  const found = both.filter((r) => r !== undefined)
  return found.sort((a, b) => b.number - a.number)[0]
}
async function readRecord(redo: OpenFile, head: StepsHead, which: number): Promise<StepRecord | undefined> {
  const octets = await octetsAt(redo, placeOf(head, which), head.recordLength)
  if (octets.length < RECORD) return undefined
  const before = octets.readUInt32LE(12)
  const length = RECORD + before + octets.readUInt32LE(16)
  if (length > octets.length) return undefined
  const record = octets.subarray(0, length)
  if (sumOf(record, head.sum) !== record.readUInt32LE(RECORD - 4)) return undefined
  return {
    number: record.readUInt32LE(0),
    at: record.readDoubleLE(4),
    before: record.subarray(RECORD, RECORD + before),
    octets: record.subarray(RECORD + before),
    size: record.readDoubleLE(20),
    intact: record.readUInt32LE(28),
  }
}
