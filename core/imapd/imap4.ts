import { createSlot } from '../api/index.js'
import type { Handover, Link, LoginGate, MailAccess, MailEvent, Protocol, Tweaks } from '../api/index.js'
import { unknownClient } from '../session/client-facts.js'
import { RecordingGate, closedGate } from '../session/recording-gate.js'
import { SlotTable } from '../session/slots.js'
import { SHOWN_ALERTS } from './alerts.js'
import { capabilityList } from './capabilities.js'
import { Conversation } from './conversation.js'
import type { ImapHost } from './conversation.js'
import { writeGreeting } from './greeting.js'
import { Unfinished } from './unfinished.js'

const EMPTY = new Uint8Array(0)
/** Crosses the login: the client was greeted. Without it the session was somebody's before it began, and the greeting is PREAUTH. */
const GREETED = createSlot<boolean>('imap.greeted', 'logout', () => false, {
  encode: (yes) => Uint8Array.of(yes ? 1 : 0),
  decode: (octets) => octets[0] === 1,
})

/** IMAP4rev1 (RFC 3501) in its two halves. */
export class Imap4 implements Protocol {
  readonly #host: ImapHost
  /** Links that came back to the first half by UNAUTHENTICATE: they have been greeted. */
  readonly #greeted = new WeakSet<Link>()

  constructor(host: Omit<ImapHost, 'unfinished'>) {
    this.#host = { ...host, unfinished: new Unfinished() }
  }

  async greet(link: Link, gate: LoginGate, tweaks: Tweaks): Promise<Omit<Handover, 'sessionId' | 'host' | 'plan'> | undefined> {
    const { settings, clock, host } = this.#host
    const recorder = new RecordingGate(gate)
    const deadline = clock.steady() + settings.timeouts.preloginMs
    await using talk = new Conversation(this.#host, {
      link,
      gate: recorder,
      mail: undefined,
      client: unknownClient(link.peer.address),
      slots: new SlotTable(),
      tweaks,
      // One span for everything before the login, however slowly it is used up.
      patience: { waitMs: () => Math.max(0, deadline - clock.steady()), bye: 'Autologout' },
    })
    const { session, out, alerts, log } = talk
    if (await alerts.shutDown()) {
      writeGreeting(out, { kind: 'BYE', capabilities: [], text: 'Service not available' }, host, settings.greetingVersion, clock.now())
      out.flush()
      log.end('Logout')
      await link.close()
      return undefined
    }
    if (!this.#greeted.has(link)) {
      const capabilities = capabilityList(session, 'before')
      writeGreeting(out, { kind: 'OK', capabilities }, host, settings.greetingVersion, clock.now())
      this.#greeted.add(link)
    }
    const parting = await talk.run()
    const login = recorder.admitted
    if (typeof parting !== 'object' || login === undefined) return undefined
    if (parting.login !== undefined) {
      talk.input.framer.clear()
      await link.wrap(parting.login)
    }
    session.setSlot(GREETED, true)
    session.setSlot(SHOWN_ALERTS, alerts.shown)
    return { login, peer: link.peer, client: session.client, unread: talk.input.framer.rest(), slots: talk.slots.cross() }
  }

  async serve(link: Link, from: Handover, mail: MailAccess, tweaks: Tweaks): Promise<'ended' | 'unauthenticated'> {
    const { settings, clock, host } = this.#host
    const { inactivityMs, inputMs } = settings.timeouts
    await using talk = new Conversation(this.#host, {
      link,
      gate: closedGate,
      mail,
      client: from.client,
      slots: new SlotTable(from.slots),
      tweaks,
      patience: { waitMs: (partial) => (partial ? inputMs : inactivityMs), bye: this.#host.dialect.idleTooLong },
      unread: from.unread ?? EMPTY,
    })
    const { session, out, alerts, log } = talk
    alerts.resume(session.slot(SHOWN_ALERTS))
    alerts.loggedIn(mail.user.home)
    if (!session.slot(GREETED)) {
      const capabilities = capabilityList(session, 'after')
      writeGreeting(out, { kind: 'PREAUTH', capabilities, text: `Pre-authenticated user ${mail.user.name}` }, host, settings.greetingVersion, clock.now())
      log.info('Preauthenticated')
    }
    using _events = this.#hear(talk, mail)
    using _waits = mail.hearWaits((text) => talk.tellWait(text))
    const parting = await talk.run()
    return parting === 'unauthenticated' ? 'unauthenticated' : 'ended'
  }

  /** Lets extensions hear of mailboxes that are not selected; nothing where none listens. */
  #hear(talk: Conversation, mail: MailAccess): Disposable | undefined {
    const { heard } = talk.session.grammar.tables
    if (heard.length === 0) return undefined
    return mail.events.on((event: MailEvent) => {
      for (const { plugin, call } of heard) {
        try {
          call(event, talk.session.inside)
        } catch (error) {
          talk.log.error('Internal error', { event: event.kind, plugin, error })
        }
      }
    })
  }
}
