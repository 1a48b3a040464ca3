import { ProtocolAbort, createSlot } from '../api/index.js'
import type { ClientFacts, Handover, Link, LoginGate, MailAccess, MailboxSettings, MaildropLock, MaildropLocks, MaildropSource, Pop3Way, Protocol, Tweaks } from '../api/index.js'
import { unknownClient } from '../session/client-facts.js'
import type { ClientProfile } from '../session/client-profile.js'
import { closedGate } from '../session/recording-gate.js'
import { SlotTable } from '../session/slots.js'
import { Conversation } from './conversation.js'
import type { Pop3Host } from './conversation.js'
import { shownCode } from './dispatcher.js'
import { Refused, isOutage, refusal } from './failure.js'
import { writeGreeting } from './greeting.js'
import { LoginDelays } from './login-delays.js'
import { MarkedMaildrop } from './maildrop.js'
import type { TextTreatment } from './message-text.js'
import { asRefusal, openMaildrop } from './opening.js'
import type { OpenedMaildrop } from './opening.js'

/** Crosses the login: by which command somebody came in. */
const CAME_BY = createSlot<Pop3Way>('pop3.came-by', 'logout', () => 'Login', {
  encode: (by) => Buffer.from(by),
  decode: (octets) => {
    const by = Buffer.from(octets).toString()
    return by === 'Auth' || by === 'APOP' ? by : 'Login'
  },
})
/** Crosses the login: what was offered before it, which CAPA says in both states alike (RFC 2449 §6.2, §6.3). */
const OFFERED = createSlot<Offered>('pop3.offered', 'logout', () => ({ mechanisms: [], plaintext: false }), {
  // A mechanism's name has no blank (RFC 4422 §3.1).
  encode: ({ mechanisms, plaintext }) => Buffer.from([plaintext ? '+' : '-', ...mechanisms].join(' ')),
  decode: (octets) => {
    const [sign, ...mechanisms] = Buffer.from(octets).toString().split(' ')
    return { mechanisms, plaintext: sign === '+' }
  },
})
interface Offered {
  readonly mechanisms: readonly string[]
  readonly plaintext: boolean
}
const EMPTY = new Uint8Array(0)

/** POP3 (RFC 1939) in its two halves. The answer to a login is given by the second one, which knows whether there is a maildrop. */
export class Pop3 implements Protocol {
  readonly #host: Pop3Host
  readonly #mailbox: MailboxSettings
  readonly #locks: MaildropLocks
  readonly #delays: LoginDelays

  constructor(host: Pop3Host & { readonly mailbox: MailboxSettings; readonly locks: MaildropLocks }) {
    this.#host = host
    this.#mailbox = host.mailbox
    this.#locks = host.locks
    this.#delays = new LoginDelays(host.clock, host.logger, host.settings)
  }

  async greet(link: Link, gate: LoginGate, tweaks: Tweaks): Promise<Omit<Handover, 'sessionId' | 'host' | 'plan'> | undefined> {
    const { settings, clock } = this.#host
    const deadline = clock.steady() + settings.timeouts.preloginMs
    const slots = new SlotTable()
    using talk = new Conversation(this.#host, {
      link,
      gate,
      mail: undefined,
      client: unknownClient(link.peer.address),
      slots,
      tweaks,
      // One span for everything before the login, however slowly it is used up.
      patience: { waitMs: () => Math.max(0, deadline - clock.steady()), bye: 'Autologout' },
    })
    writeGreeting(talk.session)
    const login = await talk.run()
    if (login === undefined) return undefined
    // The second half writes with a writer of its own.
    talk.out.octets.flush()
    if ('source' in login) {
      await this.#proxied(link, login, { tweaks, slots, unread: talk.input.framer.rest(), client: talk.session.client })
      return undefined
    }
    slots.set(CAME_BY, login.by)
    slots.set(OFFERED, { mechanisms: gate.mechanisms(link.peer), plaintext: gate.plaintext === undefined || gate.plaintext(link.peer) })
    return { login: login.outcome, peer: link.peer, client: talk.session.client, unread: talk.input.framer.rest(), slots: slots.cross() }
  }

  async serve(link: Link, from: Handover, mail: MailAccess, tweaks: Tweaks): Promise<'ended'> {
    const { inactivityMs } = this.#host.settings.timeouts
    const { layer } = from.login
    const slots = new SlotTable(from.slots)
    const { mechanisms, plaintext } = slots.get(OFFERED)
    using talk = new Conversation(this.#host, {
      link,
      gate: { ...closedGate, mechanisms: () => mechanisms, plaintext: () => plaintext },
      mail,
      client: from.client,
      slots,
      tweaks,
      patience: { waitMs: () => inactivityMs, bye: 'Autologout; idle for too long' },
      // What came before the layer is no command under it.
      unread: layer === undefined ? from.unread : EMPTY,
    })
    const who = `${from.login.authcid.toLowerCase() === mail.user.name.toLowerCase() ? '' : 'Admin '}${slots.get(CAME_BY)}`
    const opened = await this.#open(talk, mail, who)
    if (opened === undefined) {
      talk.out.octets.flush()
      talk.log.end('Logout')
      await link.close()
      return 'ended'
    }
    try {
      const drop = new MarkedMaildrop(opened.source, this.#host.settings.statusHeader, treatmentOf(talk.session.profile))
      talk.session.drop = drop
      talk.session.leave = async () => opened.lock?.release()
      talk.log.info(who, { nmsgs: `${drop.count}/${opened.source.total}` })
      talk.out.line('ok', ['Mailbox open, %1 messages', drop.count])
      if (layer !== undefined) {
        talk.out.octets.flush()
        await link.wrap(layer)
      }
      await talk.run()
    } catch (error) {
      await talk.end(error)
    } finally {
      await close(opened, talk)
    }
    return 'ended'
  }

  /** A session on the maildrop of another server: nobody is logged in here, and nothing of this host is touched. */
  async #proxied(link: Link, login: { readonly source: MaildropSource; readonly user: string }, half: { readonly tweaks: Tweaks; readonly slots: SlotTable; readonly unread: Uint8Array; readonly client: ClientFacts }): Promise<void> {
    const { inactivityMs } = this.#host.settings.timeouts
    const patience = { waitMs: () => inactivityMs, bye: 'Autologout; idle for too long' }
    using talk = new Conversation(this.#host, { link, gate: closedGate, mail: undefined, patience, ...half })
    talk.log.user = login.user
    const drop = new MarkedMaildrop(login.source, this.#host.settings.statusHeader, treatmentOf(talk.session.profile))
    talk.session.drop = drop
    const [host = '', user = ''] = login.user.split(/:(.*)/s)
    talk.log.info(`IMAP login to host=${host}`, { user, nmsgs: `${drop.count}/${login.source.total}` })
    talk.out.line('ok', ['Mailbox open, %1 messages', drop.count])
    try {
      await talk.run()
    } finally {
      await close({ source: login.source, lock: undefined }, talk)
    }
  }

  /** Undefined: the client was told why not. */
  async #open(talk: Conversation, mail: MailAccess, who: string): Promise<OpenedMaildrop | undefined> {
    const { session, log, out } = talk
    try {
      const holder = { idleMs: () => talk.input.idleMs(), giveWay: () => talk.input.interrupt(new ProtocolAbort('Received Kiss of Death', 'Killed (lost mailbox lock)')) }
      const parts = { settings: session.settings, mailbox: this.#mailbox, locks: this.#locks, delays: this.#delays, logger: this.#host.logger }
      return await openMaildrop(mail, holder, parts, session.signal)
    } catch (caught) {
      const error = asRefusal(caught)
      const answer = refusal(error)
      if (answer === undefined) {
        log.error('Internal error', { error })
        out.line('err', "Unable to open user's INBOX", { code: shownCode('SYS/TEMP', session.extensions) })
        return undefined
      }
      log.info('Error opening or locking INBOX', isOutage(error) ? { error } : {})
      log.info(who, { text: 'no mailbox' })
      if (error instanceof Refused && error.code === 'IN-USE') log.info('Update', { nmsgs: 0, ndele: 0, nseen: 0 })
      out.line('err', answer.text, { code: shownCode(answer.code, session.extensions) })
      return undefined
    }
  }
}

function treatmentOf({ tweaks: { nulToEighty }, text }: ClientProfile): TextTreatment | undefined {
  return nulToEighty || text !== undefined ? { nulToEighty, text } : undefined
}
/** The link may be gone; the mailbox is closed all the same. */
async function close({ source, lock }: OpenedMaildrop & { readonly lock: MaildropLock | undefined }, { log }: Conversation): Promise<void> {
  try {
    // First: nothing is changed here any more, and what is left to fold in may take its time.
    await lock?.release()
    await source.close(new AbortController().signal)
  } catch (error) {
    log.warn('Mailbox was not closed in order', { error })
  }
}
