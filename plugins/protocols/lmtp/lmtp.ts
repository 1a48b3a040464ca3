import { ConnectionLost } from 'mailwright/api'
import type { Clock, Link, Logger, LoginGate, MailDelivery, Protocol, Spool, Tweaks } from 'mailwright/api'
import { LmtpInput } from './input.js'
import { replyLine } from './replies.js'
import { LmtpSession } from './session.js'

/** What the sessions of a host share. */
export interface LmtpHost {
  readonly serverName: string
  readonly inactivityMs: number
  /** Connections at one time; 0: no limit. */
  readonly maxConnections: number
  readonly maxMessage: number
  readonly maxRecipients: number
  readonly createFolder: boolean
  readonly clock: Clock
  readonly logger: Logger
  readonly spool: Spool
}

/** LMTP (RFC 2033): mail transports hand over messages, and nobody logs in. */
export class Lmtp implements Protocol {
  readonly #host: LmtpHost
  #open = 0

  constructor(host: LmtpHost) {
    this.#host = host
  }

  async greet(link: Link, _gate: LoginGate, _tweaks: Tweaks, delivery: MailDelivery): Promise<undefined> {
    const { maxConnections, logger, clock, inactivityMs } = this.#host
    const who = { session: link.peer.session, host: `[${link.peer.address}]` }
    if (maxConnections > 0 && this.#open >= maxConnections) {
      logger.warn('LMTP connection refused: there are as many as there may be', { ...who, most: maxConnections })
      link.write(Buffer.from(replyLine([421, '4.3.2'], 'too many connections')))
      return undefined
    }
    this.#open++
    try {
      using session = new LmtpSession(link, new LmtpInput(link, clock, inactivityMs), { ...this.#host, delivery })
      const why = await session.run()
      if (why !== undefined) logger.info('LMTP connection ended', { ...who, reason: why })
    } catch (error) {
      // What was not answered is still with the other side.
      if (error instanceof ConnectionLost) logger.info('LMTP connection lost', { ...who, reason: error.message })
      throw error
    } finally {
      this.#open--
    }
    return undefined
  }
}
