import { MailError } from '../../api/index.js'
import type { MailAccess, MailboxName } from '../../api/index.js'
import { CommandFailure, EXIT } from '../exit-codes.js'
import { tell } from './telling.js'
import { fill, made, type Work } from './work.js'
import { bringChildrenBack, exists, locate, withMailbox, withdraw } from './views.js'

/** What the original of a mailbox is called once it was converted. */
const KEPT = '.before'
const INBOX = 'INBOX'

/**
 * Copies a mailbox and all below it to another name, or, without one, converts them where they are. A mailbox that fails does not keep the
 * others from their turn; the exit code then says so.
 */
export async function transfer(work: Work, source: string, target: string | undefined): Promise<number> {
  const { mail, terminal, signal } = work
  const names = await namesFrom(mail, source, signal)
  if (names.length === 0) throw new MailError('not-found', await whatIsMissing(mail, source, signal))
  let code: number = EXIT.ok
  for (const { name, isParent } of names) {
    // The original of an earlier conversion stays what it was.
    if (target === undefined && name !== source && name.endsWith(KEPT) && names.some((other) => other.name === name.slice(0, -KEPT.length))) continue
    try {
      // Mailboxes below it need it, so it stays, or becomes, what it is for them.
      if (isParent && work.format !== undefined && !work.holdsOthers(work.format)) await passOver(work, name)
      else if (target === undefined) await convert(work, name)
      else await transferOne(work, name, target + name.slice(source.length))
    } catch (error) {
      if (!(error instanceof MailError) || error.kind === 'cancelled') throw error
      tell(terminal.err, `${name}: ${error.message}`)
      code = EXIT.failed
    }
  }
  return code
}

/** A conversion that was killed may have left the original under its other name alone. */
async function whatIsMissing(mail: MailAccess, source: string, signal: AbortSignal): Promise<string> {
  const aside = `${source}${KEPT}`
  if (!(await exists(mail, aside, signal))) return `there is no mailbox ${source}, and none below it`
  return `there is no mailbox ${source}; ${aside} is there, whole, from a transfer that was interrupted perhaps: give it its name back with "mailwright mailbox rename USER ${aside} ${source}", and transfer it again`
}
/** One that holds others does not become a file: without messages it is a folder only, and with some it cannot be had. */
async function passOver({ mail, terminal, signal, format }: Work, name: string): Promise<void> {
  const messages = await withMailbox(mail, name, 'read-only', signal, async (view) => view.announced)
  if (messages > 0) throw new MailError('unsupported', `it has mailboxes below it, which one of format ${format ?? ''} cannot have: copy its messages to another name`)
  tell(terminal.out, `${name} [0 messages, a folder of others]`)
}

/** A mailbox that is transferred. */
interface Source {
  readonly name: string
  /** There are others below it. */
  readonly isParent: boolean
}
/** The mailbox of that name and those below it that can be opened. Whole parts of names are compared, so `m` does not mean `mail`. */
async function namesFrom(mail: MailAccess, source: string, signal: AbortSignal): Promise<readonly Source[]> {
  const out = new Map<string, Source>()
  const top = source.toUpperCase() === INBOX ? INBOX : source
  const found: { name: string; delimiter: string | undefined; selectable: boolean }[] = []
  for await (const batch of mail.list({ reference: '' as MailboxName, patterns: [source, `${source}*`] }, signal)) {
    for (const { name, delimiter, attributes } of batch) found.push({ name, delimiter, selectable: ![...attributes].some((a) => /^\\no(?:select|nexistent)$/i.test(a)) })
  }
  for (const { name, delimiter, selectable } of found) {
    if (selectable && (name === top || (delimiter !== undefined && name.startsWith(source.endsWith(delimiter) ? source : source + delimiter)))) {
      out.set(name, { name, isParent: delimiter !== undefined && found.some((other) => other.name.startsWith(name + delimiter)) })
    }
  }
  return [...out.values()]
}

async function transferOne(work: Work, name: string, wanted: string): Promise<void> {
  const { mail, terminal, signal, merge, dryRun } = work
  const there = await exists(mail, wanted, signal)
  const suffix = merge?.startsWith('suffix=') === true ? merge.slice(7) : undefined
  if (there && merge === 'skip') {
    tell(terminal.out, `${name} [skipped] => ${wanted}`)
    return
  }
  const target = there && suffix !== undefined ? wanted + suffix : wanted
  if (there && merge === undefined) throw new MailError('exists', `${wanted} exists; --merge append, skip or suffix=TEXT says what to do then`)
  if (dryRun) {
    tell(terminal.out, `${name} => ${target}`)
    return
  }
  const make = !there || suffix !== undefined
  try {
    await fill(work, name, target, { make })
  } catch (error) {
    // So that the same command can be given again. One that somebody else made meanwhile is not ours.
    if (make && !(error instanceof MailError && error.kind === 'exists')) await withdraw(mail, target)
    throw error
  }
}
/**
 * The mailbox gets another format under its name. The original is put aside first, so that nothing is delivered to it behind the copy's back,
 * and stays there; when the copy fails it comes back.
 */
async function convert(work: Work, name: string): Promise<void> {
  const { mail, terminal, signal, dryRun } = work
  if (name === INBOX) throw new MailError('denied', `INBOX takes another format by "mailwright mailbox create USER '#driver.${work.format ?? ''}/INBOX'"; its messages are then moved by themselves`)
  const aside = `${name}${KEPT}`
  if (await exists(mail, aside, signal)) throw new MailError('exists', `${aside} exists, from an earlier transfer perhaps: look at it and delete or rename it`)
  if (dryRun) {
    tell(terminal.out, `${name} => ${made(name, work.format)}`)
    return
  }
  const { signal: never } = new AbortController()
  // A copy of an empty mailbox shows whether the format is there at all, before anything moves.
  const trial = `${name}.trial`
  await mail.create(made(trial, work.format), { specialUse: [] }, signal)
  await mail.remove(await locate(mail, trial, 'remove', never), never)
  await mail.rename(await locate(mail, name, 'rename', signal), aside as MailboxName, signal)
  try {
    await fill(work, aside, name, { make: true })
  } catch (error) {
    const failed = (state: string, cause: unknown): CommandFailure => new CommandFailure(EXIT.failed, `${state}; the original, whole, is ${aside}: ${error instanceof Error ? error.message : String(error)}`, { cause })
    const there = await withdraw(mail, name)
    if (there !== undefined) throw failed(`${there} has mail in it, what was copied or what came meanwhile, or is in use`, error)
    await mail.rename(await locate(mail, aside, 'rename', never), name as MailboxName, never).catch((cause: unknown) => {
      throw failed(`${name} cannot have its name back`, cause)
    })
    throw error
  }
  await bringChildrenBack(mail, aside, name, () => false, signal)
  tell(terminal.out, `${name} is now in format ${work.format ?? ''}; the original is ${aside}`)
}
