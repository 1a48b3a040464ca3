import { MailError } from '../../api/index.js'
import type { AppendItem, AppendResult, Logger, MailAccess, MailboxName, MailProblem, Spooled } from '../../api/index.js'

/** A message that is to be filed, where, and how it is marked. */
export interface Filing {
  readonly message: Spooled
  /** Undefined: INBOX. */
  readonly folder: string | undefined
  /** A folder that is missing is made. */
  readonly create: boolean
  readonly system: number
  readonly keywords: readonly string[]
  /** Internal date. */
  readonly ms: number
}
/** Where a message went. */
export interface Filed {
  readonly mailbox: string
  readonly result: AppendResult | undefined
}

const INBOX = 'INBOX'
/** What another try may change is told to whoever delivers. Whatever else keeps a folder from taking mail is no reason to lose it: INBOX takes it, or says the same. */
const PASSING: readonly MailProblem[] = ['in-use', 'unavailable', 'cancelled']

/**
 * Files a message in the folder, or in INBOX where that cannot be; it is on the disk when this resolves.
 * @throws MailError; nothing was delivered then.
 */
export async function fileMessage(mail: MailAccess, filing: Filing, logger: Logger, signal: AbortSignal): Promise<Filed> {
  const { folder } = filing
  if (folder !== undefined) {
    try {
      return await into(mail, folder, filing, signal)
    } catch (error) {
      if (!(error instanceof MailError) || PASSING.includes(error.kind)) throw error
      logger.warn('the folder cannot take the message, INBOX gets it', { user: mail.user.name, folder, reason: error.message })
    }
  }
  return await into(mail, INBOX, filing, signal)
}

async function into(mail: MailAccess, mailbox: string, { message, create, system, keywords, ms }: Filing, signal: AbortSignal): Promise<Filed> {
  // Checked by `locate`, as every name is.
  const name = mailbox as MailboxName
  const to = await mail.locate(name, 'append', signal).catch(async (error: unknown) => {
    if (!create || mailbox === INBOX || !(error instanceof MailError) || error.kind !== 'not-found') throw error
    // Another delivery may have been quicker.
    await mail.create(name, { specialUse: [] }, signal).catch((failed: unknown) => {
      if (!(failed instanceof MailError) || failed.kind !== 'exists') throw failed
    })
    return await mail.locate(name, 'append', signal)
  })
  const item: AppendItem = { size: message.size, bytes: message.chunks(), binary: false, system, keywords, date: { ms, zone: -new Date(ms).getTimezoneOffset() }, facts: new Map() }
  return { mailbox, result: await mail.append(to, one(item), signal) }
}
async function* one<T>(item: T): AsyncGenerator<T> {
  yield item
}
