import type { OpenFile } from 'mailwright/api'
import { crc32 } from 'node:zlib'
import { CHUNK, octetsAt, SECTOR } from './changes/redo-format.js'
import { stands, type Plan } from './changes/redo-plan.js'

/**
 * Sums of a file by sectors, so that the sum of any of its parts is known without another look. What a change has still to leave as it is
 * tells whether somebody else has written to the mailbox since.
 */
export class IntactSums {
  /** For each sector from the first one: the sum of it and all behind. */
  readonly #behind: Uint32Array
  readonly #file: OpenFile
  readonly #first: number
  readonly #size: number
  private constructor(file: OpenFile, first: number, behind: Uint32Array, size: number) {
    this.#file = file
    this.#first = first
    this.#behind = behind
    this.#size = size
  }
  /** Of the octets from one place to another. */
  static async of(file: OpenFile, from: number, size: number): Promise<IntactSums> {
    const first = Math.floor(from / SECTOR)
    const count = Math.max(0, Math.ceil(size / SECTOR) - first)
    const behind = new Uint32Array(count + 1)
    for (let at = first * SECTOR; at < size; at += CHUNK) {
      const part = await octetsAt(file, at, Math.min(CHUNK, size - at))
      for (let i = 0; i < part.length; i += SECTOR) {
        const sector = (at + i) / SECTOR
        behind[sector - first] = Math.imul(crc32(part.subarray(i, i + SECTOR)) ^ sector, 0x9e3779b1)
      }
    }
    for (let i = count - 1; i >= 0; i--) behind[i] = (behind[i] ?? 0) + (behind[i + 1] ?? 0)
    return new IntactSums(file, first, behind, size)
  }
  #from(sector: number): number {
    return this.#behind[Math.min(Math.max(0, sector - this.#first), this.#behind.length - 1)] ?? 0
  }
  /** Sectors that lie whole between two places; that at the end of the file is one. */
  #between(from: number, to: number): number {
    const first = Math.ceil(from / SECTOR)
    const last = to >= this.#size ? Math.ceil(this.#size / SECTOR) : Math.floor(to / SECTOR)
    return first < last ? this.#from(first) - this.#from(last) : 0
  }
  /** Of what stays as it is when the new content is written from `at` to `to`. */
  async leftBy(plan: Plan, at: number, to: number): Promise<number> {
    // What is cut off at the end may be less than a sector, and alone tells whether it was cut.
    const edge = await octetsAt(this.#file, to, Math.min(Math.ceil(to / SECTOR) * SECTOR, this.#size) - to)
    let sum = crc32(edge) + this.#between(to, this.#size)
    for (let i = plan.find(at); i < plan.ops.length; i++) {
      const op = plan.ops[i]
      if (op === undefined || op.at >= to) break
      if (stands(op)) sum += this.#between(Math.max(at, op.at), Math.min(to, op.at + op.length))
    }
    return sum >>> 0
  }
}
