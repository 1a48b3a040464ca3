import { Turns } from 'mailwright/api'
import type { FileLane, FilePlace, FileTask, FileTools, MailboxSettings } from 'mailwright/api'
import { impatientLocks, type LockNews, type LockValues } from '../locks/impatient-locks.js'
import { appendMessages, missingEnd, type Appended, type AppendHow, type Target, type Waiting } from './append.js'
import { arriving, type Source } from './arriving.js'
import { MailboxFile } from './mailbox-file.js'
import { RecognisedFiles } from '../recognised.js'
import type { StoredAt, StoredIn } from './stored.js'
import { compare, fileState, type FileState } from './stamp.js'

/** What an append to a mailbox in a known state is made of; values, so that it may run on another thread. */
export interface KnownAppend extends LockValues {
  readonly place: FilePlace
  readonly mailbox: MailboxSettings
  /** As the file must be found. */
  readonly state: FileState
  readonly target: Target
  readonly messages: readonly { readonly item: Waiting['item']; readonly content: Uint8Array | StoredAt }[]
  /** Where those of the messages lie that are in another mailbox. */
  readonly from: StoredIn | undefined
  readonly how: Omit<AppendHow, 'now'> & { readonly nowMs: number; readonly zone: number }
}
/** Undefined: the file is in another state, or somebody else is at work on it; nothing was changed. */
export interface KnownAppended extends LockNews {
  readonly appended: Appended
  readonly state: FileState
  /** How long the locks were held, at most. */
  readonly heldMs: number
}

/** Locks, looks whether the file is as expected, appends, unlocks: some thirty calls in one go. */
export async function run(tools: FileTools, a: KnownAppend): Promise<KnownAppended | undefined> {
  const { files } = tools
  const { locks, clock, signal, say, news } = impatientLocks(tools, a)
  const recognised = new RecognisedFiles()
  recognised.remember(a.place.path, a.state)
  const file = new MailboxFile(a.place, { recognised, dialect: a.how.dialect, files, clock, mailbox: a.mailbox, turns: new Turns(), locks })
  const startedAt = clock.steady()
  const { nowMs, zone } = a.how
  const how: AppendHow = { ...a.how, now: () => ({ ms: nowMs, zone }) }
  let begun = false
  try {
    return await file.locked('append', signal, say, async (held) => {
      if (!held.owner || compare(a.state, held.stat) !== 'same') return undefined
      // Whoever knows the mailbox does not know how it ends: looking is better done where what is found can be entered.
      if (a.target.separated !== true && (await missingEnd(a.how.dialect, held.file, a.target.size)).length > 0) return undefined
      begun = true
      await using messages = await arriving(files, a.messages.map(atHand), a.from)
      const appended = await file.append(held, a.target.size, async (w) => {
        const laid = await appendMessages(held.file, a.target.size, w, messages.waiting, a.target, how, signal)
        await messages.verify()
        return laid
      })
      return { appended, state: fileState(await held.file.stat(), appended.base, held.mark), ...news, heldMs: clock.steady() - startedAt }
    })
  } catch (error) {
    if (signal.aborted && !begun) return undefined
    throw error
  }
}

/** Given octets in the form of those that come in pieces. */
function atHand({ item, content }: KnownAppend['messages'][number]): Source {
  return { item, content: 'head' in content ? content : { chunks: () => [content] } }
}

const task: FileTask<KnownAppend, KnownAppended | undefined> = { module: import.meta.url, run }
export function appendKnown(lane: FileLane, what: KnownAppend): Promise<KnownAppended | undefined> {
  return lane.run(task, what)
}
