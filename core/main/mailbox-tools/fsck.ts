import { MailError } from '../../api/index.js'
import type { AppendItem, Examination, Located, MailboxName } from '../../api/index.js'
import { CommandFailure, EXIT } from '../exit-codes.js'
import { tell } from './telling.js'
import { octetsOf } from '../../mail/access/copying.js'
import { asMailFailure } from '../../mail/failures.js'
import { keptNumbers, type KeptNumbers } from './kept-numbers.js'
import { Progress } from './progress.js'
import { allUids, bringChildrenBack, exists, locate, withMailbox } from './views.js'
import { made, type Work } from './work.js'

const INBOX = 'INBOX'
/** What a mailbox is called once another took its place. */
const DAMAGED = '.damaged'
const SALVAGED = '.salvaged'

/** What was found out about a mailbox. */
interface Report {
  readonly messages: number
  readonly problems: readonly string[]
  /** How many of them are that something may not be read. */
  readonly denied: number
}

/**
 * Looks through a mailbox and reports everything that is wrong; with `repair` a good mailbox with all that can be read takes its place, and the
 * damaged one stays beside it as it is.
 * @returns whether it is, or now is, good.
 */
export async function fsck(work: Work, name: string, repair: boolean): Promise<boolean> {
  const { mail, terminal, signal } = work
  const canonical = name.toUpperCase() === INBOX ? INBOX : name
  const { messages, problems, denied } = await lookThrough(work, canonical)
  for (const problem of problems) tell(terminal.out, `${canonical}: ${problem}`)
  const count = `${messages} readable message${messages === 1 ? '' : 's'}`
  if (problems.length === 0) {
    tell(terminal.out, `${canonical}: good, ${count}`)
    return true
  }
  tell(terminal.out, `${canonical}: ${problems.length} problem${problems.length === 1 ? '' : 's'}, ${count}`)
  if (!repair) return false
  // Mail that is whole would be left behind.
  if (denied > 0) throw new CommandFailure(EXIT.failed, `${canonical} is not repaired: ${denied} file${denied === 1 ? '' : 's'} of it may not be read, as the permissions are`)
  const salvaged = `${canonical}${SALVAGED}`
  if (canonical === INBOX) {
    // Mail keeps coming there, so its file is not moved from under those who deliver.
    const { saved } = await salvage(work, canonical, salvaged, messages)
    tell(terminal.out, `${canonical}: ${saved} messages saved to ${salvaged}; move the damaged file away, and appenddelete ${salvaged} to INBOX`)
    return false
  }
  const damaged = `${canonical}${DAMAGED}`
  for (const name of [salvaged, damaged]) if (await exists(mail, name, signal)) throw new MailError('exists', `${name} exists, from an earlier repair perhaps: look at it and delete or rename it`)
  // Put aside first: nothing is delivered to it from now on.
  await mail.rename(await locate(mail, canonical, 'rename', signal), damaged as MailboxName, signal)
  try {
    const { saved, kept } = await salvage(work, damaged, salvaged, messages, await numbersToKeep(work, damaged))
    await mail.rename(await locate(mail, salvaged, 'rename', signal), canonical as MailboxName, signal)
    const numbers = kept === 0 ? '' : `, ${kept === saved ? 'all' : kept} of them with their unique ids`
    tell(terminal.out, `${canonical}: repaired, ${saved} messages${numbers}; the damaged mailbox is ${damaged}`)
  } catch (error) {
    const { signal: never } = new AbortController()
    await locate(mail, salvaged, 'remove', never).then((at) => mail.remove(at, never)).catch(() => undefined)
    await mail.rename(await locate(mail, damaged, 'rename', never), canonical as MailboxName, never).catch((cause: unknown) => {
      throw new CommandFailure(EXIT.failed, `${canonical} cannot have its name back; the damaged mailbox, whole, is ${damaged}: ${error instanceof Error ? error.message : String(error)}`, { cause })
    })
    throw error
  }
  const owner = await examine(work, damaged)
  await bringChildrenBack(mail, damaged, canonical, (part) => owner?.owns?.(part) ?? false, signal)
  return true
}

/** Names that lead to a file of whatever content. */
async function examine({ mail, signal }: Work, name: string): Promise<Examination | undefined> {
  const at: Located = await locate(mail, name, 'rename', signal)
  return await mail.examine?.(at, signal)
}
async function numbersToKeep(work: Work, name: string): Promise<KeptNumbers | undefined> {
  const examination = await examine(work, name)
  return examination === undefined ? undefined : keptNumbers(examination.found, work.signal)
}
async function lookThrough(work: Work, name: string): Promise<Report> {
  const { signal } = work
  const problems: string[] = []
  let messages = 0
  let denied = 0
  const examination = await examine(work, name)
  // Opened first: what a crash left half done is then done, and no damage.
  const opened: Report = await asClientsSeeIt(work, name, examination === undefined).catch((error: unknown) => {
    const failure = asMailFailure(error)
    if (!(failure instanceof MailError) || failure.kind === 'cancelled' || failure.kind === 'in-use') throw error
    return { messages: 0, problems: [failure.message], denied: failure.kind === 'denied' ? 1 : 0 }
  })
  if (examination === undefined) return opened
  using progress = new Progress(work.terminal, name)
  for await (const one of examination.found) {
    if (one.kind === 'message') {
      // Of one without octets nothing can be salvaged.
      if (one.size !== 0) messages++
      progress.step()
      // A place that cannot be read is found by reading it, and told afterwards.
      for await (const _ of one.bytes) signal.throwIfAborted()
    } else if (one.kind === 'damage') {
      if (one.denied === true) denied++
      problems.push(`at octet ${one.at}${one.file === undefined ? '' : ` of ${one.file}`}: ${one.text}`)
    }
  }
  return { messages, denied: denied || opened.denied, problems: [...problems, ...opened.problems.filter((text) => !problems.some((p) => p.endsWith(text)))] }
}
/** What opening tells; with `read` also what reading every message does. */
async function asClientsSeeIt({ mail, signal }: Work, name: string, read: boolean): Promise<Report> {
  return await withMailbox(mail, name, 'read-only', signal, async (view) => {
    const problems: string[] = []
    let messages = 0
    await view.sync(signal)
    for (const { severity, text } of view.take({ expunge: true })?.notices ?? []) if (severity === 'warning') problems.push(text)
    if (!read) return { messages: view.announced, problems, denied: 0 }
    const { ranges } = allUids(view)
    for (let i = 0; i < ranges.length; i += 2) {
      for (let uid = ranges[i] ?? 0; uid <= (ranges[i + 1] ?? 0); uid++) {
        try {
          for await (const batch of view.read(view.resolve({ pairs: Uint32Array.of(uid, uid) }, 'uid'), { bytes: 'whole', sections: [], facts: [] }, signal)) {
            for (const { bytes } of batch) {
              for await (const _ of octetsOf(bytes, signal)) signal.throwIfAborted()
              messages++
            }
          }
        } catch (error) {
          if (signal.aborted) throw error
          problems.push(`message ${uid}: ${error instanceof Error ? error.message : String(error)}`)
        }
      }
    }
    return { messages, problems, denied: 0 }
  })
}

/** Delivers all that can be read into a new mailbox of the same format; all or none. Messages without a number that they keep come last. */
async function salvage(work: Work, from: string, to: string, expected: number, keep?: KeptNumbers): Promise<{ readonly saved: number; readonly kept: number }> {
  const { mail, signal, terminal } = work
  const examination = await examine(work, from)
  if (examination === undefined) throw new MailError('unsupported', 'this format has no way to salvage messages: "mailbox copy" takes what can be read')
  const fresh = made(to, work.format ?? examination.format)
  await mail.create(fresh, { specialUse: [], ...keep?.numbers }, signal)
  let messages = 0
  using progress = new Progress(terminal, to, expected)
  const items = (async function* (): AsyncGenerator<AppendItem> {
    for (const turn of keep === undefined ? (['all'] as const) : (['kept', 'others'] as const)) {
      const found = turn === 'all' ? examination.found : (await examine(work, from))?.found
      let i = -1
      for await (const one of found ?? []) {
        if (one.kind !== 'message' || one.size === 0) continue
        const uid = keep?.uids.get(++i)
        if (turn !== 'all' && (uid !== undefined) !== (turn === 'kept')) continue
        messages++
        progress.step()
        yield {
          size: one.size, bytes: one.bytes, binary: false, system: one.system, keywords: one.keywords,
          ...(one.date === undefined ? {} : { date: one.date }), ...(uid === undefined ? {} : { uid }), facts: new Map(),
        }
      }
    }
  })()
  // Until it has a message, some formats are told by the name alone.
  const target = await locate(mail, fresh, 'append', signal)
  await mail.append(target, items, signal).catch((error: unknown) => {
    // A mailbox without a single readable message becomes an empty one; where there are some, it failed before it took the first.
    if (messages > 0 || expected > 0) throw error
  })
  return { saved: messages, kept: keep === undefined ? 0 : await countKept(work, to, keep) }
}
/** How many messages of a mailbox have the numbers that they should keep. */
async function countKept({ mail, signal }: Work, name: string, { numbers, uids }: KeptNumbers): Promise<number> {
  return await withMailbox(mail, name, 'read-only', signal, async (view) => {
    if (view.uidValidity !== numbers.uidValidity) return 0
    return [...uids.values()].filter((uid) => view.rows.find(uid) !== -1).length
  })
}
