import { secret, type SaslContext, type SaslMechanism, type SaslResult } from 'mailwright/api'
import { utf8 } from '../../shared/names.js'

/** Tokens of large organisations have some kilobytes; a line of the protocol has a bound of its own. */
const MAX_MESSAGE_OCTETS = 16 * 1024
/** RFC 6750 `b64token`. */
const TOKEN = '[A-Za-z0-9._~+/-]+=*'

/** What a client says: its token, and whose mail it wants; the user is empty when only the token tells. */
export interface BearerMessage {
  readonly user: string
  readonly token: string
}

/** RFC 7628 §3.1: a GS2 header, then key-value pairs between `^A`. */
export function parseOauthBearer(text: string): BearerMessage | undefined {
  // oxlint-disable-next-line no-control-regex -- RFC 7628 separates by ^A
  const [, a = '', pairs = ''] = /^n,(?:a=([^\0,\x01]+))?,\x01((?:[A-Za-z]+=[^\0\x01]*\x01)+)\x01$/.exec(text) ?? []
  if (/=(?!2C|3D)/.test(a)) return undefined
  const found = pairs.split('\x01').filter((pair) => /^auth=/i.test(pair))
  const [, token] = new RegExp(`^auth=Bearer (${TOKEN})$`, 'i').exec(found[0] ?? '') ?? []
  return token === undefined || found.length !== 1 ? undefined : { user: a.replaceAll('=2C', ',').replaceAll('=3D', '='), token }
}
/** The form of Google and Microsoft from before RFC 7628: `user=...^Aauth=Bearer ...^A^A`. */
export function parseXoauth2(text: string): BearerMessage | undefined {
  const [, user, token] = new RegExp(`^user=([^\\0\\x01]+)\\x01auth=Bearer (${TOKEN})\\x01\\x01$`, 'i').exec(text) ?? []
  return user === undefined || token === undefined ? undefined : { user, token }
}

/** OAUTHBEARER and XOAUTH2: a bearer token in place of a password. */
export class BearerMechanism implements SaslMechanism {
  readonly #parse: (text: string) => BearerMessage | undefined
  readonly #failure: Uint8Array
  /** @param failure what a refused client is told (RFC 7628 §3.2.2) before the exchange ends */
  constructor(parse: (text: string) => BearerMessage | undefined, failure: object) {
    this.#parse = parse
    this.#failure = Buffer.from(JSON.stringify(failure))
  }

  async authenticate(x: SaslContext): Promise<SaslResult> {
    const octets = x.initial ?? (await x.ask(new Uint8Array(0)))
    const text = octets.length > MAX_MESSAGE_OCTETS ? undefined : utf8(octets)
    const message = text === undefined ? undefined : this.#parse(text)
    if (message === undefined) return { kind: 'malformed' }
    const verdict = await x.verify({ kind: 'token', user: message.user, token: secret(Buffer.from(message.token)) })
    if (verdict.kind === 'accepted') {
      // The token is the proof, of one account; another one that it names is another that it acts for.
      const authzid = message.user === '' || message.user === verdict.user ? '' : message.user
      return { kind: 'proved', authcid: verdict.user, authzid, alerts: verdict.alerts }
    }
    // Whatever the client answers, `^A` or nothing, the exchange has failed.
    await x.ask(this.#failure)
    return verdict
  }
}
