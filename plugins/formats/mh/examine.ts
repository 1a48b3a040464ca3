import type { Examined, FilePlace, Files } from 'mailwright/api'
import { examineNumbered } from '../shared/examine-numbered.js'
import { listNumbers } from '../shared/numbered-files.js'
import { wholeFile } from '../shared/whole-file.js'
import { SEQUENCES } from './context.js'
import { Sequences } from './sequences.js'

/** What is readable of a folder: every file that is named by a number. Nothing is written and no lock is held. */
export async function* examineMh(at: FilePlace, files: Files, signal: AbortSignal): AsyncGenerator<Examined> {
  const { bytes, problems } = await wholeFile(files, at.path, SEQUENCES)
  yield* problems
  const sequences = Sequences.parse(bytes?.toString('latin1') ?? '')
  for (const line of sequences.others) {
    const text = `no sequence of messages: ${line.slice(0, 100).replaceAll(/[^\x20-\x7e]/g, '?')}`
    yield { kind: 'damage', at: Math.max(0, bytes?.indexOf(line, 0, 'latin1') ?? 0), file: SEQUENCES, text }
  }
  for (const number of (await listNumbers(files, at.path)).numbers) {
    signal.throwIfAborted()
    yield* examineNumbered({ files, path: at.path, kept: 'text' }, String(number), sequences.flagsOf(number))
  }
}
