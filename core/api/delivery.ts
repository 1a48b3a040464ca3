import type { PeerFacts } from './auth.js'
import type { Spooled } from './mail/delivery.js'

/** What is said of a message besides its octets. */
export interface DeliveryFacts {
  /** Envelope sender; empty for the null path. */
  readonly sender: string
  /** A folder that the address names (`alice+lists@example.org`) is made when it is missing; otherwise INBOX gets the message. */
  readonly createFolder: boolean
}
/** A mailbox for which messages are taken. Disposing of it without a delivery does no harm, and twice neither. */
export interface Recipient extends Disposable {
  /**
   * Once at most. On the disk when it resolves. The message stays the giver's.
   * @throws MailError and nothing was delivered: `cancelled`, `unavailable`, `in-use`, `corrupt` may be mended by waiting. Anything else that it throws is a fault of our own.
   */
  deliver(message: Spooled, facts: DeliveryFacts, signal: AbortSignal): Promise<void>
}
/**
 * Mail for accounts of all hosts, from somebody who needs no login: for protocols of mail transports. Who may connect to such a protocol may
 * write to everybody, so its listeners are for trusted peers alone (`ProtocolAbout.delivers`).
 */
export interface MailDelivery {
  /**
   * The mailbox of an address, by the rules of a login name: the domain chooses the host, else the place where `peer` came in.
   * @throws MailError `not-found`: there is no such account; `unsupported`: the address names none; `denied`: an account that gets no mail here;
   *   `unavailable`, `limit`: not known now.
   */
  recipient(address: string, peer: PeerFacts, signal: AbortSignal): Promise<Recipient>
}
