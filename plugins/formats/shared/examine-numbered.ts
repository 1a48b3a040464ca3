import { failedWith } from 'mailwright/api'
import type { Examined, OpenFile } from 'mailwright/api'
import { dateOfTime } from './file-dates.js'
import type { NumberedFolder } from './numbered-files.js'
import { PatientFile, unreadableDamage } from './patient-file.js'
import { sizeOfFile, withCrlf } from './text-file.js'
import { isRefused, partOf, refusedDamage } from './whole-file.js'

const CR = 13

/** A message of a folder, in the file `name`, with the flags that the mailbox's own files give it; `uid` where its name is that for good. */
export async function* examineNumbered({ files, path, kept }: NumberedFolder, name: string, flags: { readonly system: number; readonly keywords: readonly string[] }, uid?: number): AsyncGenerator<Examined> {
  let file: OpenFile
  try {
    file = await files.open(`${path}/${name}`, { keepAccessTime: true })
  } catch (error) {
    // A message may be expunged meanwhile.
    if (failedWith(error, 'ENOENT')) return
    if (!isRefused(error)) throw error
    yield refusedDamage(error, name)
    return
  }
  try {
    const { kind, size: stored, mtimeMs } = await file.stat()
    if (kind !== 'file' || stored === 0) {
      yield { kind: 'damage', at: 0, file: name, text: kind === 'file' ? 'the message is empty' : 'no message: it is not a file' }
      return
    }
    const patient = new PatientFile(file, stored)
    const size = kept === 'text' ? (await sizeOfFile(patient)).size : stored
    yield { kind: 'message', at: 0, ...(uid !== undefined && { uid }), size, ...flags, date: dateOfTime(mtimeMs), bytes: kept === 'text' ? crlfOf(partOf(patient, 0, stored)) : partOf(patient, 0, stored) }
    for (const range of patient.news()) yield unreadableDamage(range, name)
  } finally {
    await file.close()
  }
}
async function* crlfOf(text: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let afterCr = false
  for await (const piece of text) {
    yield withCrlf(piece, afterCr)
    afterCr = piece.at(-1) === CR
  }
}
