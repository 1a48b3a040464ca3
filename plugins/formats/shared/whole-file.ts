import { failedWith } from 'mailwright/api'
import type { Examined, Files } from 'mailwright/api'
import { reasonOf } from './locks/lock-context.js'
import { isUnreadable, PatientFile, unreadableDamage, type ReadableFile } from './patient-file.js'

const PIECE = 1 << 16

/** A file of a folder that is being examined: its octets, undefined where there is none, and what is wrong with reading it. */
export async function wholeFile(files: Files, folder: string, name: string): Promise<{ readonly bytes: Buffer | undefined; readonly problems: readonly Examined[] }> {
  try {
    const file = await files.open(`${folder}/${name}`, { keepAccessTime: true })
    try {
      const { size } = await file.stat()
      const patient = new PatientFile(file, size)
      const bytes = Buffer.alloc(size)
      const got = await patient.read(bytes, 0)
      return { bytes: bytes.subarray(0, got), problems: patient.news().map((range) => unreadableDamage(range, name)) }
    } finally {
      await file.close()
    }
  } catch (error) {
    if (failedWith(error, 'ENOENT')) return { bytes: undefined, problems: [] }
    if (!isRefused(error)) throw error
    return { bytes: undefined, problems: [refusedDamage(error, name)] }
  }
}
/** Whether a file of a folder cannot be opened; others can. */
export function isRefused(error: unknown): boolean {
  return isUnreadable(error) || failedWith(error, 'EACCES', 'EPERM', 'EISDIR', 'ELOOP')
}
export function refusedDamage(error: unknown, name: string): Examined {
  return { kind: 'damage', at: 0, file: name, text: reasonOf(error), ...(failedWith(error, 'EACCES', 'EPERM') && { denied: true }) }
}
/** Octets of a part of a file. */
export async function* partOf(file: ReadableFile, from: number, size: number): AsyncGenerator<Uint8Array> {
  for (let done = 0; done < size; ) {
    const piece = new Uint8Array(Math.min(PIECE, size - done))
    const n = await file.read(piece, from + done)
    if (n === 0) return
    yield piece.subarray(0, n)
    done += n
  }
}
