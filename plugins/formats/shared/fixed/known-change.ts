import { Turns } from 'mailwright/api'
import type { FileLane, FilePlace, Files, FileStat, FileTools, MailboxSettings } from 'mailwright/api'
import { impatientLocks, lockValues, tellNews, type LockNews, type LockValues } from '../locks/impatient-locks.js'
import type { Say } from '../locks/lock-context.js'
import { replay, type Part } from './addition.js'
import type { FixedContext } from './context.js'
import type { Dialect } from './dialect.js'
import { FixedFile, type Held, type Lent } from './fixed-file.js'
import { patchFields, type HeaderChange } from './patch.js'
import { Patches } from './patches.js'
import type { Settling } from './contents.js'
import { isUnchanged, type FileState } from './stamp.js'
import { StoredReader, type StoredMessages } from './stored.js'
import { flagsChanged, mailCame } from './times.js'

/** What is written into a mailbox whose state is known. */
export type KnownWork =
  | { readonly kind: 'fields'; readonly patches: Float64Array; readonly header: HeaderChange | undefined; readonly nowMs: number; readonly lot: number }
  | { readonly kind: 'append'; readonly parts: readonly Part[]; readonly stored: StoredMessages | undefined; readonly atimeMs: number; readonly lot: number }
/** A change of a mailbox whose state is known; values, so that it may run on another thread. */
export interface KnownChange extends LockValues {
  readonly place: FilePlace
  readonly mailbox: MailboxSettings
  /** As the file must be found; its messages are where they were, since the caller holds it open. */
  readonly state: FileState
  readonly settledMark: number
  readonly aheadMark: number
  readonly aheadFrom: number
  /** The caller's open file. */
  readonly file: Lent | undefined
  readonly work: KnownWork
}
/** The file as it was left; `settled`: its times are of our making. */
export interface KnownDone {
  readonly stat: FileStat
  /** What the times were when flags were known; undefined: flags are known. */
  readonly flagsAtMs: number | undefined
  readonly settled: boolean
  readonly settledMark: number
  readonly aheadMark: number
  /** Something is to be finished later. */
  readonly owes: boolean
}
export interface KnownOutcome extends LockNews {
  /** Undefined: the file is in another state, or somebody else is at work on it; nothing was changed. */
  readonly done: KnownDone | undefined
  /** The caller's file is still locked against those who move messages. */
  readonly holding: boolean
}

/** Locks, looks whether the file is as expected, writes, unlocks: all its calls in one go. */
export async function makeKnownChange(dialect: Dialect, tools: FileTools, c: KnownChange): Promise<KnownOutcome> {
  const { files } = tools
  const { locks, clock, signal, say, news } = impatientLocks(tools, c)
  const box = new FixedFile(c.place, true, { files, clock, locks, turns: new Turns(), mailbox: c.mailbox, holders: new Map() }, c.file, c.aheadFrom)
  box.settledMark = c.settledMark
  box.aheadMark = c.aheadMark
  let begun = false
  try {
    const done = await box.lockedKnown(c.state, signal, say, async (held) => {
      if (!isUnchanged(c.state, held.stat, true)) return undefined
      begun = true
      const { settled, undisturbed } = await write(files, box, held, dialect, c.work)
      const stat = await held.file.stat()
      await box.noteAhead(held, stat, settled)
      return { stat, flagsAtMs: undisturbed ? undefined : c.state.mtimeMs, settled, settledMark: box.settledMark, aheadMark: box.aheadMark, owes: box.owes(held) }
    })
    return { done, holding: !begun || box.holding > 0, ...news }
  } catch (error) {
    if (signal.aborted && !begun) return { done: undefined, holding: true, ...news }
    throw error
  } finally {
    await box.close()
  }
}
/** Says whether the times that the file has then are of our making, and whether nobody else can have changed flags meanwhile. */
async function write(files: Files, box: FixedFile, held: Held, dialect: Dialect, work: KnownWork): Promise<{ readonly settled: boolean; readonly undisturbed: boolean }> {
  const { size, mtimeMs } = held.stat
  const unlocked = dialect.header === undefined
  if (work.kind === 'fields') {
    const { undisturbed } = await box.undisturbed(held, unlocked, () => patchFields(box, held, dialect, Patches.of(work.patches), work.header))
    return { settled: await flagsChanged(held.file, work.nowMs, work.lot, mtimeMs), undisturbed }
  }
  const { parts, stored, atimeMs, lot } = work
  await using reader = stored && (await StoredReader.open(files, dialect, stored))
  const { undisturbed } = await box.undisturbed(held, unlocked, () => box.changes.change(held, { kind: 'append', size, start: size }, (w) => replay(parts, reader, w)))
  return { settled: await mailCame(held.file, { atimeMs, lot, mtimeMs, undisturbed }), undisturbed }
}

/** What is written of fields, and when. */
export function knownFields({ patches, header }: Settling, nowMs: number, lot: number): KnownWork {
  return { kind: 'fields', patches: patches.values, header, nowMs, lot }
}
/** Makes a change of a file that the caller holds open, in one go elsewhere. Undefined: it must be made in the general way. */
export async function changeKnown(lane: FileLane, dialect: Dialect, ctx: FixedContext, box: FixedFile, state: FileState, work: KnownWork, say: Say): Promise<KnownDone | undefined> {
  const { locks, mailbox, turns } = ctx
  const task = { module: dialect.module, run: (tools: FileTools, change: KnownChange) => makeKnownChange(dialect, tools, change) }
  return turns.run(box.path, () =>
    box.lend(async (file) => {
      const { done, holding, ...news } = await lane.run(task, { ...lockValues(locks), place: box.place, mailbox, state, settledMark: box.settledMark, aheadMark: box.aheadMark, aheadFrom: box.aheadFrom, file, work })
      tellNews(news, locks, say)
      if (done !== undefined) {
        box.settledMark = done.settledMark
        box.aheadMark = done.aheadMark
      }
      return { result: done, holding }
    }),
  )
}
