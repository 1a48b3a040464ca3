import type { Examined, FilePlace, Files } from 'mailwright/api'
import { examineNumbered } from '../shared/examine-numbered.js'
import { isKeyword, KeywordBits } from '../shared/keyword-bits.js'
import { listNumbers } from '../shared/numbered-files.js'
import { wholeFile } from '../shared/whole-file.js'
import { INCOMING, INDEX } from './context.js'
import { parseMxIndex, SYSTEM_BITS } from './records.js'

/**
 * What is readable of a mailbox in whatever state: every file that is named by a number, and what was delivered and did not get its name yet. Nothing
 * is written and no lock is held.
 */
export async function* examineMx(at: FilePlace, files: Files, signal: AbortSignal): AsyncGenerator<Examined> {
  if ((await files.stat(at.path))?.kind !== 'directory') return
  const { numbers, others } = await listNumbers(files, at.path)
  const { bytes, problems } = await wholeFile(files, at.path, INDEX)
  if (bytes === undefined && numbers.length === 0) return
  yield* problems
  if (bytes === undefined) yield { kind: 'damage', at: 0, file: INDEX, text: 'there is no index: flags and UIDVALIDITY are lost' }
  const index = parseMxIndex(bytes ?? Buffer.alloc(0))
  for (const problem of index.problems) yield { kind: 'damage', file: INDEX, ...problem }
  const first = index.records[0]?.at ?? 0
  const highest = Math.max(numbers.at(-1) ?? 0, index.records.at(-1)?.uid ?? 0)
  if (problems.length === 0 && index.validity > 0 && index.problems.every((problem) => problem.at >= first)) yield { kind: 'numbers', uidValidity: index.validity, uidNext: Math.max(index.last, highest) + 1 }
  const records = new Map(index.records.map((record) => [record.uid, record]))
  const keywords = new KeywordBits(index.keywords)
  const names = new Map(numbers.map((n) => [n, String(n)]))
  for (const name of others) {
    const uid = name.startsWith(INCOMING) ? Number(name.slice(INCOMING.length)) : 0
    if (records.has(uid) && !names.has(uid)) names.set(uid, name)
  }
  for (const [uid, name] of [...names].sort(([a], [b]) => a - b)) {
    signal.throwIfAborted()
    const record = records.get(uid)
    const flags = { system: (record?.flags ?? 0) & SYSTEM_BITS, keywords: keywords.list(record?.keywords ?? 0).filter(isKeyword) }
    yield* examineNumbered({ files, path: at.path, kept: 'octets' }, name, flags, uid)
  }
}
