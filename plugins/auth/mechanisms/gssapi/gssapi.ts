import { MailError, type Logger, type SaslContext, type SaslMechanism, type SaslResult } from 'mailwright/api'
import type { CallPool } from '../../shared/children/call-pool.js'
import { utf8 } from '../../shared/names.js'
import type { GssCalls, LayerName } from './calls.js'
import { encodeLayer, GSS_LAYER } from './layer.js'

/** What its entry in the configuration says. */
export interface GssapiSettings {
  /** Host in the name of the service; undefined: that of the virtual host; `*`: any that has a key. */
  readonly hostname: string | undefined
  readonly layers: readonly LayerName[]
}
/** Tickets with the groups of a large directory have tens of KiB. */
const MAX_TOKEN_OCTETS = 96 * 1024
const MAX_AUTHZID_OCTETS = 254
/** How long it is believed that there are keys, or that there are none. */
const READY_MS = 2_000
const EMPTY = new Uint8Array(0)

/** GSSAPI (RFC 4752): Kerberos V. Who the principal is here is told by the rules of Kerberos (auth_to_local). */
export class Gssapi implements SaslMechanism {
  readonly #settings: GssapiSettings
  readonly #pool: Pick<CallPool<GssCalls>, 'call'>
  readonly #logger: Logger
  readonly #now: () => number
  #looked: { readonly at: number; readonly isReady: Promise<boolean> } | undefined
  #missing: string | undefined
  constructor(settings: GssapiSettings, parts: { readonly pool: Pick<CallPool<GssCalls>, 'call'>; readonly logger: Logger; readonly now: () => number }) {
    this.#settings = settings
    this.#pool = parts.pool
    this.#logger = parts.logger
    this.#now = parts.now
  }

  /** RFC 4752 §3.2: not advertised without a key. One look serves all who ask at the time, so it does not end with one of them. */
  ready(): Promise<boolean> {
    const now = this.#now()
    if (this.#looked !== undefined && now - this.#looked.at < READY_MS) return this.#looked.isReady
    const isReady = this.#look()
    this.#looked = { at: now, isReady }
    isReady.catch(() => {
      this.#looked = undefined
    })
    return isReady
  }

  async authenticate(x: SaslContext): Promise<SaslResult> {
    const token = x.initial ?? (await x.ask(EMPTY))
    if (token.length === 0 || token.length > MAX_TOKEN_OCTETS) return { kind: 'malformed' }
    const name = this.#nameOf(x)
    const accepted = await this.#pool.call('accept', { name, token, layers: this.#settings.layers }, x.signal)
    if (accepted.kind === 'no-credentials') {
      this.#logger.warn(`Failed to acquire credentials for ${name}`, { why: accepted.why })
      throw new MailError('unavailable', `there are no credentials for ${name}: ${accepted.why}`)
    }
    if (accepted.kind === 'unable') throw new MailError('unavailable', `${name}: ${accepted.why}`)
    if (accepted.kind !== 'accepted') {
      this.#logger.info('GSSAPI refuses', { service: name, why: accepted.why, address: x.peer.address })
      return { kind: accepted.kind === 'malformed' ? 'malformed' : 'wrong-password' }
    }
    const { local, principal, reply, offer, offered } = accepted
    if (reply.length > 0 && (await x.ask(reply)).length > 0) return { kind: 'malformed' }
    const answer = await x.ask(offer)
    if (answer.length > MAX_TOKEN_OCTETS) return { kind: 'malformed' }
    const chosen = await this.#pool.call('choose', { context: accepted.context, offered, token: answer }, x.signal)
    if (chosen.kind === 'malformed') {
      this.#logger.info('GSSAPI refuses', { service: name, principal, why: chosen.why, address: x.peer.address })
      return { kind: 'malformed' }
    }
    const authzid = chosen.authzid.length > MAX_AUTHZID_OCTETS || chosen.authzid.includes(0) ? undefined : utf8(chosen.authzid)
    if (authzid === undefined) return { kind: 'malformed' }
    if (local === undefined) {
      this.#logger.info('GSSAPI refuses', { service: name, principal, why: 'the rules of Kerberos give it no local name', address: x.peer.address })
      return { kind: 'unknown-user' }
    }
    const proved = { kind: 'proved', authcid: local, authzid: authzid === local ? '' : authzid, alerts: [] } as const
    return chosen.layer === 'none' ? proved : { ...proved, layer: { use: GSS_LAYER, state: encodeLayer({ layer: chosen.layer, mostOctets: chosen.mostOctets, context: chosen.context }) } }
  }

  #nameOf({ peer, hostName }: SaslContext): string {
    const { hostname = hostName } = this.#settings
    return hostname === '*' ? peer.service : `${peer.service}@${hostname}`
  }
  async #look(): Promise<boolean> {
    const why = await this.#pool.call('missing', undefined, new AbortController().signal)
    if (why !== undefined && why !== this.#missing) this.#logger.warn('GSSAPI is not offered', { why })
    this.#missing = why
    return why === undefined
  }
}
