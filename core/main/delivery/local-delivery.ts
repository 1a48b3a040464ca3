import type { DeliveryFacts, MailDelivery, PeerFacts, Recipient, Spooled } from '../../api/index.js'
import type { AccountHosts } from '../mail-account.js'
import { openedMail } from '../opened-mail.js'
import { addressee, deliverInto } from './incoming.js'

/** What a command line says about all deliveries of its process. */
export interface DeliveryRules {
  /** The host of all addresses; without it their domains choose it. */
  readonly host?: string | undefined
  /** Folders are made whatever the protocol's settings say. */
  readonly createFolder?: boolean
}

/** Delivery by this process, which has the mail of all accounts. */
export class LocalDelivery implements MailDelivery {
  readonly #hosts: AccountHosts
  readonly #rules: DeliveryRules

  constructor(hosts: AccountHosts, rules: DeliveryRules = {}) {
    this.#hosts = hosts
    this.#rules = rules
  }

  async recipient(address: string, peer: PeerFacts, signal: AbortSignal): Promise<Recipient> {
    const { host, user, folder } = await addressee(this.#hosts, address, peer, this.#rules.host, signal)
    // A reload leaves the host open as long as somebody may deliver to it.
    const hold = host.hold()
    const { createFolder } = this.#rules
    return {
      async deliver(message: Spooled, facts: DeliveryFacts, ends: AbortSignal) {
        await using mail = await openedMail(host, user, ends)
        await deliverInto(host, mail, { ...facts, createFolder: createFolder ?? facts.createFolder, address, folder }, message, ends)
      },
      [Symbol.dispose]: () => hold[Symbol.dispose](),
    }
  }
}
