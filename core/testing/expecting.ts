import { MailError, type MailProblem } from '../api/mail/error.js'
import { deepStrictEqual } from 'node:assert/strict'
import { createHash } from 'node:crypto'

/** A contract was not kept. */
export class ContractFailure extends Error {
  override readonly name = 'ContractFailure'
}

/** Throws with a sentence for the driver's author. */
export function must(held: boolean, sentence: string): asserts held {
  if (!held) throw new ContractFailure(sentence)
}
/** Compares whole values; the difference is in the message. */
export function mustEqual(found: unknown, expected: unknown, sentence: string): void {
  try {
    deepStrictEqual(readable(found), readable(expected))
  } catch (error) {
    throw new ContractFailure(`${sentence}\n${error instanceof Error ? error.message : String(error)}`)
  }
}
/** Octets as a line that can be compared and read. */
function readable(value: unknown): unknown {
  if (value instanceof Uint8Array) {
    const sum = createHash('sha1').update(value).digest('hex').slice(0, 12)
    return `${value.length} octets, ${sum}, ${JSON.stringify(Buffer.from(value.subarray(0, 60)).toString('latin1'))}`
  }
  if (Array.isArray(value)) return value.map(readable)
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, readable(inner)]))
}
/** Octets, with the place of the first difference instead of a dump. */
export function mustEqualOctets(found: Uint8Array, expected: Uint8Array, sentence: string): void {
  const length = Math.min(found.length, expected.length)
  let at = 0
  while (at < length && found[at] === expected[at]) at++
  if (at === found.length && at === expected.length) return
  const near = (octets: Uint8Array): string => JSON.stringify(Buffer.from(octets.subarray(Math.max(0, at - 20), at + 20)).toString('latin1'))
  throw new ContractFailure(`${sentence}: ${found.length} octets instead of ${expected.length}, different from octet ${at}: ${near(found)} instead of ${near(expected)}`)
}
/** A refusal of one of these kinds. */
export async function mustRefuse(work: () => Promise<unknown>, kinds: readonly MailProblem[], sentence: string): Promise<void> {
  let failure: unknown
  try {
    await work()
  } catch (error) {
    failure = error
  }
  must(failure !== undefined, `${sentence}: it was not refused`)
  if (failure instanceof MailError && kinds.includes(failure.kind)) return
  throw new ContractFailure(`${sentence}: refused with ${failure instanceof MailError ? `kind "${failure.kind}"` : String(failure)} instead of ${kinds.join(' or ')}`, { cause: failure })
}
/** A failure of any kind, which the caller goes on from. */
export async function failureOf(work: () => Promise<unknown>): Promise<unknown> {
  try {
    await work()
    return undefined
  } catch (error) {
    return error ?? new Error('failed with nothing')
  }
}
