import { DEFAULT_TWEAKS, LOGIN_GATE, MAIL_DOOR } from '../api/index.js'
import type { Handover, LoginGate, MailUser, PeerFacts, Protocol } from '../api/index.js'
import type { HostView } from '../kernel/kernel.js'
import type { ByteLink } from '../net/byte-link.js'
import { DomainGate } from './domain-gate.js'
import { newSessionId } from './session-id.js'
import { protocolOf } from './sessions.js'
import type { HostFinder, Sessions } from './sessions.js'

/** Sessions that run in this process from the greeting to the end. */
export class LocalSessions implements Sessions {
  readonly #hostOf: HostFinder

  constructor(hostOf: HostFinder) {
    this.#hostOf = hostOf
  }

  async run(link: ByteLink, protocol: string): Promise<'ended' | 'again'> {
    let { host, entry } = this.#entry(link.peer, undefined, protocol)
    let hold = host.hold()
    const gateFor = (peer: PeerFacts, domain: string | undefined): LoginGate => {
      const next = this.#entry(peer, domain, protocol)
      if (next.host !== host) {
        hold[Symbol.dispose]()
        ;({ host, entry } = next)
        hold = host.hold()
      }
      return host.get(LOGIN_GATE)
    }
    try {
      await host.get(LOGIN_GATE).prepare?.(link.signal)
      const from = await entry.greet(link, new DomainGate({ gateFor }), DEFAULT_TWEAKS)
      if (from === undefined) return 'ended'
      link.trust()
      return await serveMail(link, host, entry, { ...from, sessionId: link.peer.session ?? newSessionId(), host: host.id, plan: '' })
    } finally {
      await host.get(LOGIN_GATE).ended?.(link.peer)
      hold[Symbol.dispose]()
    }
  }

  async preauthenticated(link: ByteLink, protocol: string, user: MailUser): Promise<'ended' | 'again'> {
    const { host, entry } = this.#entry(link.peer, undefined, protocol)
    using _hold = host.hold()
    return await serveMail(link, host, entry, {
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

  #entry(peer: PeerFacts, domain: string | undefined, protocol: string): { host: HostView; entry: Protocol } {
    const host = this.#hostOf({ localAddress: peer.localAddress, serverName: peer.tls?.serverName, domain })
    const found = protocolOf(host, protocol)
    if (found === undefined) throw new Error(`host ${host.id} does not serve ${protocol}`)
    return { host, entry: found.made }
  }
}

/** The second half of a session, between opening its mail and closing it. */
export async function serveMail(link: ByteLink, host: HostView, entry: Protocol, from: Handover): Promise<'ended' | 'again'> {
  const mail = await host.get(MAIL_DOOR).open(from.login.user, link.signal)
  try {
    return (await entry.serve(link, from, mail, DEFAULT_TWEAKS)) === 'unauthenticated' ? 'again' : 'ended'
  } finally {
    await mail[Symbol.asyncDispose]()
  }
}
