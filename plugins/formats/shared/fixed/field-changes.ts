import { MailError, type OpenFile } from 'mailwright/api'
import { PROOF, proofOf, tailOf, type OctetChanges } from '../changes/ahead-format.js'
import type { Dialect } from './dialect.js'
import type { Held } from './fixed-file.js'
import type { Patches } from './patches.js'
import { FileWindow } from './window.js'

/*
 * Which octets of fields are not what they should be. A STORE of thousands of messages looks at each of them, mostly in a process that has not
 * done so before: numbers are in arrays, fields in octets, and no text is made of them.
 */

/** Octets that go to one place in the file. */
export interface Change {
  readonly at: number
  readonly octets: Uint8Array
}
/** What is to be written of fields, ascending by place. */
export interface FieldChanges {
  /** Of messages of which one octet changes. */
  readonly single: OctetChanges
  /** Of messages of which several do. */
  readonly longer: readonly Change[]
}

/** Small reads under way at the same time. */
const PARALLEL = 32
/** Above, fields of messages that lie close together are not read one by one. */
const MANY = 256
/** Octets from message to message, on average, up to which they lie so. */
const DENSE = 1 << 13

/** @throws MailError `corrupt` where there are no fields */
export async function fieldChanges({ file, stat }: Held, dialect: Dialect, patches: Patches): Promise<FieldChanges> {
  const found = new Comparison(dialect, patches)
  const { count } = patches
  const { length } = found
  if (count > MANY && (patches.placeOf(count - 1) - patches.placeOf(0)) / count < DENSE) {
    // Many are in one read.
    const window = new FileWindow(file, stat.size)
    for (let n = 0; n < count; n++) {
      const at = patches.placeOf(n) - PROOF
      if (!window.covers(at, length)) await window.move(at)
      found.compare(n, window.buffer, window.index(at))
    }
    return found.changes()
  }
  const here = Buffer.allocUnsafe(length)
  const waiting: number[] = []
  for (let n = 0; n < count; n++) {
    if (file.readNow?.(here, patches.placeOf(n) - PROOF) === true) found.compare(n, here, 0)
    else waiting.push(n)
  }
  for (let from = 0; from < waiting.length; from += PARALLEL) {
    const group = waiting.slice(from, from + PARALLEL)
    const read = await allDone(group.map((n) => octetsFrom(file, patches.placeOf(n) - PROOF, length)))
    for (const [k, n] of group.entries()) found.compare(n, read[k] ?? here, 0)
  }
  return found.changes()
}

/** Fields as they stand beside those that are wanted, in any order of messages. */
class Comparison {
  /** Octets that are looked at of each message: those that prove it to be the same one, and the fields. */
  readonly length: number
  readonly #dialect: Dialect
  readonly #patches: Patches
  readonly #tail: number
  readonly #wanted: Uint8Array
  /** One for each patch; 0 where nothing changes, since no fields stand there. */
  readonly #at: Float64Array
  readonly #old: Uint8Array
  readonly #octets: Uint8Array
  readonly #back: Uint8Array
  readonly #proof: Uint32Array
  readonly #longer: Change[] = []

  constructor(dialect: Dialect, patches: Patches) {
    const { count } = patches
    this.length = PROOF + dialect.fieldsLength
    this.#dialect = dialect
    this.#patches = patches
    this.#tail = tailOf(dialect.fieldsLength)
    this.#wanted = new Uint8Array(dialect.fieldsLength)
    this.#at = new Float64Array(count)
    this.#old = new Uint8Array(count)
    this.#octets = new Uint8Array(count)
    this.#back = new Uint8Array(count)
    this.#proof = new Uint32Array(count)
  }
  /** `start`: where in `octets` those begin that are looked at for the patch. */
  compare(n: number, octets: Buffer, start: number): void {
    const wanted = this.#wanted
    const from = start + PROOF
    const found = this.#dialect.readFields(octets, from)
    if (typeof found === 'string') throw this.#invalid(n, octets.subarray(from, from + wanted.length))
    this.#dialect.putFields(this.#patches.applied(n, found), wanted)
    let first = 0
    while (first < wanted.length && octets[from + first] === wanted[first]) first++
    if (first === wanted.length) return
    let last = wanted.length - 1
    while (octets[from + last] === wanted[last]) last--
    const at = this.#patches.placeOf(n) + first
    if (first < last) {
      this.#longer.push({ at, octets: wanted.slice(first, last + 1) })
      return
    }
    this.#at[n] = at
    this.#old[n] = octets[from + first] ?? 0
    this.#octets[n] = wanted[first] ?? 0
    this.#back[n] = PROOF + first
    this.#proof[n] = proofOf(octets, start, this.#tail)
  }
  #invalid(n: number, old: Buffer): MailError {
    const text = old.toString('latin1').replaceAll(/[^\x20-\x7e]/g, '?')
    return new MailError('corrupt', `Invalid flags for message ${this.#patches.messageOf(n) + 1} (${this.#patches.placeOf(n)} ${old.length}): ${text}`)
  }
  /** All that was found; once. */
  changes(): FieldChanges {
    const [at, old, octets, back, proof] = [this.#at, this.#old, this.#octets, this.#back, this.#proof]
    let count = 0
    for (let n = 0; n < at.length; n++) {
      const place = at[n] ?? 0
      if (place === 0) continue
      if (count < n) {
        at[count] = place
        old[count] = old[n] ?? 0
        octets[count] = octets[n] ?? 0
        back[count] = back[n] ?? 0
        proof[count] = proof[n] ?? 0
      }
      count++
    }
    const part = <T extends { slice(from: number, to: number): T }>(all: T): T => (count === at.length ? all : all.slice(0, count))
    return {
      single: { at: part(at), old: part(old), octets: part(octets), back: part(back), proof: part(proof), tail: this.#tail },
      longer: this.#longer.sort((a, b) => a.at - b.at),
    }
  }
}
async function octetsFrom(file: OpenFile, at: number, length: number): Promise<Buffer> {
  const old = Buffer.alloc(length)
  await file.read(old, at)
  return old
}
/** Each has ended when the first failure is thrown: nothing writes to the file any more then. */
async function allDone<T>(work: readonly Promise<T>[]): Promise<readonly T[]> {
  const outcomes = await Promise.allSettled(work)
  return outcomes.map((outcome) => {
    if (outcome.status === 'rejected') throw outcome.reason
    return outcome.value
  })
}
