import { Turns } from 'mailwright/api'
import type { FileLane, FilePlace, Files, FileStat, FileTools, MailboxSettings } from 'mailwright/api'
import { impatientLocks, lockValues, tellNews, type LockNews, type LockValues } from '../impatient-locks.js'
import type { Say } from '../lock-context.js'
import { replay, type Part } from './addition.js'
import type { FixedContext } from './context.js'
import type { Dialect } from './dialect.js'
import { FixedFile, type Held } from './fixed-file.js'
import { patchFields, type HeaderChange } from './patch.js'
import { Patches } from './patches.js'
import type { Settling } from './contents.js'
import { isUnchanged, type FileState } from './stamp.js'
import { eachStored, StoredReader, type StoredMessages } from './stored.js'
import { flagsChanged, setFileTimes } from './times.js'

/** What is written into a mailbox whose state is known. */
export type KnownWork =
  | { readonly kind: 'fields'; readonly patches: Float64Array; readonly header: HeaderChange | undefined; readonly nowMs: number; readonly lot: number }
  /** Times of modification stay, since no flag is another one. */
  | { readonly kind: 'append'; readonly parts: readonly Part[]; readonly stored: StoredMessages | undefined; readonly atimeMs: number }
/** A change of a mailbox whose state is known; values, so that it may run on another thread. */
export interface KnownChange extends LockValues {
  readonly place: FilePlace
  readonly mailbox: MailboxSettings
  /** As the file must be found; its messages are where they were, since the caller holds it open. */
  readonly state: FileState
  readonly settledMark: number
  readonly work: KnownWork
}
/** The file as it was left; `settled`: its times are of our making. */
export interface KnownDone {
  readonly stat: FileStat
  readonly settled: boolean
  readonly settledMark: number
}
export interface KnownOutcome extends LockNews {
  /** Undefined: the file is in another state, or somebody else is at work on it; nothing was changed. */
  readonly done: KnownDone | undefined
}

/** Locks, looks whether the file is as expected, writes, unlocks: all its calls in one go. */
export async function makeKnownChange(dialect: Dialect, tools: FileTools, c: KnownChange): Promise<KnownOutcome> {
  const { files } = tools
  const { locks, clock, signal, say, news } = impatientLocks(tools, c)
  const box = new FixedFile(c.place, true, { files, clock, locks, turns: new Turns(), mailbox: c.mailbox, holders: new Map() })
  box.settledMark = c.settledMark
  let begun = false
  try {
    const done = await box.lockedKnown(c.state, signal, say, async (held) => {
      if (!isUnchanged(c.state, held.stat, true)) return undefined
      begun = true
      const settled = await write(files, box, held, dialect, c.work)
      return { stat: await held.file.stat(), settled, settledMark: box.settledMark }
    })
    return { done, ...news }
  } catch (error) {
    if (signal.aborted && !begun) return { done: undefined, ...news }
    throw error
  } finally {
    await box.close()
  }
}
/** Returns whether the times that the file has then are of our making. */
async function write(files: Files, box: FixedFile, held: Held, dialect: Dialect, work: KnownWork): Promise<boolean> {
  const { size, mtimeMs } = held.stat
  if (work.kind === 'fields') {
    await patchFields(box, held, dialect, Patches.of(work.patches), work.header)
    return flagsChanged(held.file, work.nowMs, work.lot, mtimeMs)
  }
  const { parts, stored } = work
  await using reader = stored && (await StoredReader.open(files, dialect, stored.from, [...eachStored(stored)].map(({ place }) => place)))
  await box.changes.change(held, { kind: 'append', size, start: size }, (w) => replay(parts, stored, reader, w))
  await setFileTimes(held.file, work.atimeMs, mtimeMs)
  return false
}

/** What is written of fields, and when. */
export function knownFields({ patches, header }: Settling, nowMs: number, lot: number): KnownWork {
  return { kind: 'fields', patches: patches.values, header, nowMs, lot }
}
/** Makes a change of a file that the caller holds open, in one go elsewhere. Undefined: it must be made in the general way. */
export async function changeKnown(lane: FileLane, dialect: Dialect, ctx: FixedContext, box: FixedFile, state: FileState, work: KnownWork, say: Say): Promise<KnownDone | undefined> {
  const { locks, mailbox, turns } = ctx
  return turns.run(box.path, async () => {
    const what = { ...lockValues(locks), place: box.place, mailbox, state, settledMark: box.settledMark, work }
    const { done, ...news } = await lane.run({ module: dialect.module, run: (tools, change: KnownChange) => makeKnownChange(dialect, tools, change) }, what)
    tellNews(news, locks, say)
    if (done !== undefined) box.settledMark = done.settledMark
    return done
  })
}
