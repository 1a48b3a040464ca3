import { DEFAULT_TWEAKS, LOGIN_GATE } from '../api/index.js'
import type { Handover, MailAccess, MailDelivery, MailUser, Protocol } from '../api/index.js'
import type { HostView } from '../kernel/kernel.js'
import type { ByteLink } from '../net/byte-link.js'
import { openedMail } from './opened-mail.js'
import type { ActAs } from './opened-mail.js'
import { OpeningGate } from './opening-gate.js'
import { SessionHosts } from './session-hosts.js'
import type { Served } from './session-hosts.js'
import { watchedMail } from './watched-mail.js'
import { newSessionId } from './session-id.js'
import type { HostFinder, Sessions } from './sessions.js'

/** Sessions that run in this process from the greeting to the end. */
export class LocalSessions implements Sessions {
  readonly #hostOf: HostFinder
  readonly #delivery: MailDelivery
  readonly #actAs: ActAs | undefined

  /** @param actAs for a process that serves one session alone: after the login it has no rights but those of its user. */
  constructor(hostOf: HostFinder, delivery: MailDelivery, actAs?: ActAs) {
    this.#hostOf = hostOf
    this.#delivery = delivery
    this.#actAs = actAs
  }

  async run(link: ByteLink, protocol: string): Promise<'ended' | 'again'> {
    await using hosts = new SessionHosts(this.#hostOf, protocol, () => link.peer)
    let inside: (Served & { readonly mail: MailAccess & AsyncDisposable }) | undefined
    const gate = new OpeningGate(hosts.gate, async ({ user }) => {
      // What the gate is asked later leads to other hosts again, but not this session.
      const { now } = hosts
      try {
        inside = { ...now, mail: watchedMail(await openedMail(now.host, user, link.signal, this.#actAs), link.hops) }
      } catch (error) {
        await now.host.get(LOGIN_GATE).ended?.(link.peer)
        throw error
      }
    }, link.hops)
    try {
      const { host, entry } = hosts.first
      await host.get(LOGIN_GATE).prepare?.(link.signal)
      const from = await entry.greet(link, gate, DEFAULT_TWEAKS, this.#delivery)
      if (from === undefined || inside === undefined) return 'ended'
      link.trust({ user: from.login.user.name, host: inside.host.id })
      const handover = { ...from, sessionId: link.peer.session ?? newSessionId(), host: inside.host.id, plan: '' }
      return (await served(inside.entry, link, handover, inside.mail)) === 'unauthenticated' ? 'again' : 'ended'
    } finally {
      await inside?.mail[Symbol.asyncDispose]()
    }
  }

  async preauthenticated(link: ByteLink, protocol: string, user: MailUser): Promise<'ended' | 'again'> {
    await using hosts = new SessionHosts(this.#hostOf, protocol, () => link.peer)
    const { host, entry } = hosts.first
    return await this.#serveMail(link, host, entry, {
      sessionId: link.peer.session ?? newSessionId(),
      host: host.id,
      plan: '',
      login: { kind: 'in', user, authcid: user.name, alerts: [] },
      peer: link.peer,
      client: { address: link.peer.address, id: new Map(), commands: [] },
      unread: new Uint8Array(0),
      slots: new Map(),
    })
  }

  /** The second half of a session, between opening its mail and closing it. */
  async #serveMail(link: ByteLink, host: HostView, entry: Protocol, from: Handover): Promise<'ended' | 'again'> {
    link.trust({ user: from.login.user.name, host: host.id })
    const mail = watchedMail(await openedMail(host, from.login.user, link.signal, this.#actAs), link.hops)
    try {
      return (await served(entry, link, from, mail)) === 'unauthenticated' ? 'again' : 'ended'
    } finally {
      await mail[Symbol.asyncDispose]()
    }
  }
}

/** The second half of a protocol that has logins. */
function served(entry: Protocol, link: ByteLink, from: Handover, mail: MailAccess): Promise<'ended' | 'unauthenticated'> {
  if (entry.serve === undefined) throw new Error('this protocol has no logins')
  return entry.serve(link, from, mail, DEFAULT_TWEAKS)
}
