import { CLOCK, HOST, MAIL_DOOR, SPOOL } from '../../api/index.js'
import type { Logger, Spooled } from '../../api/index.js'
import { fileMessage } from '../delivery/deliver.js'
import { deliveryExitCode } from '../delivery/exit-code.js'
import { folderFault, recipientOf } from '../delivery/recipient.js'
import { traceLines } from '../delivery/trace.js'
import { actAs, findAccount, type MailAccount } from '../mail-account.js'
import type { MailServer } from '../server.js'
import { outcomeOf, type Outcome } from './replies.js'
import type { Answer, Postmaster } from './session.js'

/** A mailbox of an account of this server. */
export interface Addressed extends MailAccount {
  readonly address: string
  /** Undefined: INBOX. */
  readonly folder: string | undefined
}
const DELIVERED: Outcome = [250, '2.1.5']

/** Delivers as `mailwright deliver` does. */
export class ServerPostmaster implements Postmaster<Addressed> {
  readonly serverName: string
  readonly #server: MailServer
  readonly #log: Logger
  readonly #signal: AbortSignal
  readonly #how: { readonly host: string | undefined; readonly create: boolean }

  constructor(server: MailServer, log: Logger, how: { readonly host: string | undefined; readonly create: boolean }, signal: AbortSignal) {
    this.#server = server
    this.#log = log
    this.#how = how
    this.#signal = signal
    this.serverName = this.#anyHost().get(HOST).serverName
  }
  #anyHost(): MailAccount['host'] {
    const [host] = this.#server.kernel.hosts.values()
    if (host === undefined) throw new Error('a server without a host was started')
    return host
  }

  async recipient(address: string): Promise<{ readonly mailbox: Addressed } | Answer> {
    try {
      const { account, folder } = recipientOf([address])
      if (account === undefined) return { outcome: [550, '5.1.3'], text: 'the address names no account' }
      const found = await findAccount(this.#server, account, this.#how.host, this.#signal)
      // Whether this process may work for the account at all.
      await actAs(found.user)
      const fault = folder === undefined ? undefined : folderFault(folder, false)
      if (fault !== undefined) this.#log.warn('the folder is not taken, INBOX gets the message', { user: found.user.name, folder, reason: fault })
      return { mailbox: { ...found, address, folder: fault === undefined ? folder : undefined } }
    } catch (error) {
      return this.#refusal(error)
    }
  }
  take(octets: AsyncIterable<Uint8Array>): Promise<Spooled> {
    return this.#anyHost().get(SPOOL).take({ size: undefined, bytes: octets, binary: false, system: 0, keywords: [], facts: new Map() }, this.#signal)
  }
  async deliver({ host, user, address, folder }: Addressed, message: Spooled, sender: string): Promise<Answer> {
    try {
      const ms = host.get(CLOCK).now()
      const traced = withTrace(Buffer.from(traceLines({ serverName: host.get(HOST).serverName, recipient: address, sender, ms })), message)
      await using mail = await host.get(MAIL_DOOR).open(user, this.#signal)
      const { mailbox, result } = await fileMessage(mail, { message: traced, folder, create: this.#how.create, system: 0, keywords: [], ms }, this.#log, this.#signal)
      this.#log.info('delivered', { user: user.name, mailbox, octets: traced.size, uid: result?.uids.ranges[0], from: sender })
      return { outcome: DELIVERED, text: `<${address}> delivered` }
    } catch (error) {
      return this.#refusal(error)
    }
  }
  #refusal(error: unknown): Answer {
    const text = error instanceof Error ? error.message : String(error)
    const outcome = outcomeOf(deliveryExitCode(error))
    // An address that is nobody's is no trouble of this server.
    this.#log[outcome[0] < 500 ? 'warn' : 'info']('not delivered', { reason: text, code: outcome[0] })
    return { outcome, text }
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
