import type { Examined, FilePlace, Files } from 'mailwright/api'
import { isKeyword, KeywordBits } from '../shared/keyword-bits.js'
import { PatientFile, unreadableDamage, type BadBlocks } from '../shared/patient-file.js'
import { isRefused, partOf, refusedDamage, wholeFile } from '../shared/whole-file.js'
import { hintsInPlace, scanData, type Hint, type InData } from './data-scan.js'
import { NAMES } from './folder.js'
import { lenientIndex, lenientStatus, type Gap } from './lenient.js'
import { hex8, lenientMeta, SYSTEM_BITS, type IndexRecord } from './records.js'

/** A data file's name; the one without a number is number 0. */
const DATA_NAME = /^\.mix([0-9a-f]{8})?$/i

/** A message that is somewhere in the data files. */
interface Message extends Pick<InData, 'at' | 'internal' | 'size'> {
  readonly uid: number
  /** Index and data agree on the number, or the index has a gap for it. */
  readonly sure: boolean
  readonly file: number
  readonly date: { readonly ms: number; readonly zone: number }
  /** Octets that are not there any more. */
  readonly lost: number
}

/**
 * What is readable of a mailbox in whatever state. Messages are those of the index, as it always is, and where the index is damaged all that the
 * data files hold there, expunged ones that were not reclaimed yet among them: rather a message too many than one too few. Nothing is written and
 * no lock is held.
 */
export async function* examineMix(at: FilePlace, files: Files, signal: AbortSignal): AsyncGenerator<Examined> {
  if ((await files.stat(at.path))?.kind !== 'directory') return
  const names = new Map<number, string>()
  for (const { name, kind } of await files.list(at.path)) {
    const found = kind === 'file' ? DATA_NAME.exec(name) : null
    if (found !== null) names.set(Number.parseInt(found[1] ?? '0', 16), name)
  }
  const metaFile = await wholeFile(files, at.path, NAMES.meta)
  if (metaFile.bytes === undefined && names.size === 0) return
  const [indexFile, statusFile] = [await wholeFile(files, at.path, NAMES.index), await wholeFile(files, at.path, NAMES.status)]
  yield* [...metaFile.problems, ...indexFile.problems, ...statusFile.problems]
  const { meta, problems } = lenientMeta(metaFile.bytes ?? Buffer.alloc(0))
  yield* problems.map((text) => damage(NAMES.meta, 0, text))
  yield* meta.keywords.filter((word) => !isKeyword(word)).map((word) => damage(NAMES.meta, 0, `a name of a keyword is damaged: ${word.replaceAll(/[^\x20-\x7e]/g, '?')}`))
  const whole = [...metaFile.problems, ...problems, ...meta.keywords.filter((word) => !isKeyword(word))].length === 0
  if (whole && meta.validity > 0) yield { kind: 'numbers', uidValidity: meta.validity, uidNext: meta.last + 1 }
  const index = lenientIndex(indexFile.bytes ?? Buffer.alloc(0), meta.last > 0 || problems.length > 0)
  const status = lenientStatus(statusFile.bytes ?? Buffer.alloc(0))
  yield* index.problems.map(({ at: place, text }) => damage(NAMES.index, place, text))
  yield* status.problems.map(({ at: place, text }) => damage(NAMES.status, place, text))

  const messages: Message[] = []
  const missing = new Map(index.entries.map((entry) => [entry.uid, entry]))
  const strays: Message[] = []
  const bad = new Map<number, BadBlocks>()
  for (const [file, name] of [...names].sort(([a], [b]) => a - b)) {
    const told = new Map<number, Hint & IndexRecord>(index.entries.filter((entry) => entry.file === file).map((entry) => [entry.at, entry]))
    try {
      const opened = await files.open(`${at.path}/${name}`, { keepAccessTime: true })
      try {
        const { size } = await opened.stat()
        const known: BadBlocks = new Set()
        bad.set(file, known)
        const patient = new PatientFile(opened, size, known)
        const hints = await hintsInPlace(patient, size, told, signal)
        const { found, skipped } = await scanData(patient, size, hints, signal)
        yield* patient.news().map((range) => unreadableDamage(range, name))
        yield* skipped.map(([from, to]) => damage(name, from, `${to - from} octets belong to no message`))
        for (const { record, ...place } of found) {
          const entry = hints.at.get(place.at)
          if (entry === undefined) {
            if (record !== undefined) strays.push({ ...place, file, uid: record.uid, sure: false, date: record, lost: record.size - place.size })
            continue
          }
          missing.delete(entry.uid)
          messages.push({ ...place, file, uid: entry.uid, sure: record?.uid === entry.uid && record.size === entry.size && place.size === entry.size, date: entry, lost: entry.size - place.size })
          if (record === undefined) yield damage(name, place.at, `Error reading mix message header, uid=${hex8(entry.uid)}`)
          else if (record.uid !== entry.uid) yield damage(name, place.at, `mix index UID mismatch (${hex8(entry.uid)} != ${hex8(record.uid)})`)
          else if (place.at !== entry.at) yield damage(name, place.at, `message uid=${hex8(entry.uid)} is not where the index has it`)
          else if (record.size !== entry.size) yield damage(name, place.at, `Inconsistency in mix message size, uid=${hex8(entry.uid)}`)
        }
      } finally {
        await opened.close()
      }
    } catch (error) {
      if (!isRefused(error)) throw error
      yield refusedDamage(error, name)
    }
  }
  const full = index.gaps.filter((gap) => strays.filter(({ uid }) => uid > gap.from && uid < gap.to).length === gap.to - gap.from - 1)
  for (const stray of strays) {
    if (!missing.delete(stray.uid) && !inGap(index.gaps, stray.uid)) continue
    messages.push({ ...stray, sure: stray.lost === 0 && inGap(full, stray.uid) })
    yield damage(names.get(stray.file) ?? '', stray.at, `message uid=${hex8(stray.uid)} is not where the index has it`)
  }
  for (const { uid, file, at: place } of missing.values()) {
    yield names.has(file) ? damage(names.get(file) ?? '', place, `message uid=${hex8(uid)} is gone`) : damage(`.mix${hex8(file)}`, 0, `Missing mix data file: message uid=${hex8(uid)} was in it`)
  }

  const keywords = new KeywordBits(meta.keywords)
  for (const message of messages.sort((a, b) => a.uid - b.uid)) {
    signal.throwIfAborted()
    const name = names.get(message.file) ?? ''
    if (message.lost > 0) yield damage(name, message.at, `message uid=${hex8(message.uid)} is truncated by ${message.lost} byte(s)`)
    const flags = status.flags.get(message.uid)
    const opened = await files.open(`${at.path}/${name}`, { keepAccessTime: true })
    try {
      const patient = new PatientFile(opened, message.at + message.internal + message.size, bad.get(message.file))
      const { ms, zone } = message.date
      yield {
        kind: 'message',
        ...(message.sure && { uid: message.uid }),
        at: message.at,
        size: message.size,
        system: (flags?.flags ?? 0) & SYSTEM_BITS,
        keywords: keywords.list(flags?.keywords ?? 0).filter(isKeyword),
        date: { ms, zone },
        bytes: partOf(patient, message.at + message.internal, message.size),
      }
      yield* patient.news().map((range) => unreadableDamage(range, name))
    } finally {
      await opened.close()
    }
  }
}
function damage(file: string, at: number, text: string): Examined {
  return { kind: 'damage', at, file, text }
}
function inGap(gaps: readonly Gap[], uid: number): boolean {
  return gaps.some(({ from, to }) => uid > from && uid < to)
}
