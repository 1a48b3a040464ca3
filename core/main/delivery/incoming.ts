import { CLOCK, HOST, LOGGER, MailError } from '../../api/index.js'
import type { DeliveryFacts, MailAccess, MailUser, PeerFacts, Spooled } from '../../api/index.js'
import type { HostView } from '../../kernel/kernel.js'
import { CommandFailure, EXIT } from '../exit-codes.js'
import { findAccount, type AccountHosts } from '../mail-account.js'
import { fileMessage } from './deliver.js'
import { folderFault, recipientOf } from './recipient.js'
import { traceLines } from './trace.js'

/** The mailbox that an address means. */
export interface Addressee {
  readonly host: HostView
  readonly user: MailUser
  readonly address: string
  /** Undefined: INBOX. */
  readonly folder: string | undefined
}
/** How much of it the process needs to know that files the message. */
export interface Parcel extends DeliveryFacts, Pick<Addressee, 'address' | 'folder'> {}

/**
 * Whose an address is, by the rules of a login name.
 * @throws MailError as `MailDelivery.recipient` says.
 */
export async function addressee(hosts: AccountHosts, address: string, peer: Pick<PeerFacts, 'localAddress'>, hostId: string | undefined, signal: AbortSignal): Promise<Addressee> {
  const { account, folder } = recipientOf([address])
  if (account === undefined) throw new MailError('unsupported', 'the address names no account')
  const { host, user } = await findAccount(hosts, account, hostId, signal, peer.localAddress).catch((error: unknown) => {
    if (!(error instanceof CommandFailure)) throw error
    throw new MailError(error.exitCode === EXIT.noUser ? 'not-found' : 'unavailable', error.message, { cause: error })
  })
  if (user.ids?.uid === 0) throw new MailError('denied', `account "${user.name}" has uid 0: root has no mail here; let an alias lead to a person`)
  const fault = folder === undefined ? undefined : folderFault(folder, false)
  if (fault !== undefined) host.get(LOGGER).warn('the folder is not taken, INBOX gets the message', { user: user.name, folder, reason: fault })
  return { host, user, address, folder: fault === undefined ? folder : undefined }
}

/**
 * Files a message that came for an account, with trace lines in front; on the disk when it resolves. The log says what became of it.
 * @throws what the mail throws; nothing was delivered then.
 */
export async function deliverInto(host: HostView, mail: MailAccess, parcel: Parcel, message: Spooled, signal: AbortSignal): Promise<void> {
  const { address, folder, sender, createFolder } = parcel
  const log = host.get(LOGGER)
  try {
    const ms = host.get(CLOCK).now()
    const traced = withTrace(Buffer.from(traceLines({ serverName: host.get(HOST).serverName, recipient: address, sender, ms })), message)
    const { mailbox, result } = await fileMessage(mail, { message: traced, folder, create: createFolder, system: 0, keywords: [], ms }, log, signal)
    log.info('delivered', { user: mail.user.name, mailbox, octets: traced.size, uid: result?.uids.ranges[0], from: sender })
  } catch (error) {
    log.warn('not delivered', { user: mail.user.name, from: sender, ...(error instanceof MailError ? { reason: error.message } : { error }) })
    throw error
  }
}

/** The same message with lines in front; it stays the giver's to let go. */
function withTrace(trace: Uint8Array, message: Spooled): Spooled {
  return {
    size: trace.length + message.size,
    async *chunks() {
      yield trace
      yield* message.chunks()
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
}
