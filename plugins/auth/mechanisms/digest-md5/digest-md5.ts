import { createHash } from 'node:crypto'
import { PASSWORD, type SaslContext, type SaslMechanism, type SaslResult } from 'mailwright/api'
import { equalText } from '../../shared/equal.js'
import { utf8 } from '../../shared/names.js'
import { parseDirectives, quoted } from './directives.js'

/** RFC 2831 §2.1.2. */
const MAX_RESPONSE_OCTETS = 4096
const NONCE_OCTETS = 18

const md5 = (...parts: readonly (string | Uint8Array)[]): Buffer => {
  const h = createHash('md5')
  for (const part of parts) h.update(part)
  return h.digest()
}
const hex = (octets: Buffer): string => octets.toString('hex')

/**
 * DIGEST-MD5 (RFC 2831), authentication only: no layers and no second login with an old nonce. It is historic (RFC 6331); old clients
 * know it and nothing better.
 */
export class DigestMd5 implements SaslMechanism {
  readonly #random: (octets: number) => Uint8Array
  readonly #realm: string | undefined
  /** @param realm the host's name where it is not set */
  constructor(random: (octets: number) => Uint8Array, realm: string | undefined) {
    this.#random = random
    this.#realm = realm
  }

  async authenticate(x: SaslContext): Promise<SaslResult> {
    // A response before the challenge would be the second login of RFC 2831 §2.2, which needs a memory of nonces.
    if (x.initial !== undefined && x.initial.length > 0) return { kind: 'malformed' }
    const realm = this.#realm ?? x.hostName
    const nonce = Buffer.from(this.#random(NONCE_OCTETS)).toString('base64')
    const challenge = `realm=${quoted(realm)},nonce=${quoted(nonce)},qop="auth",charset=utf-8,algorithm=md5-sess`
    const answer = await x.ask(Buffer.from(challenge))
    const text = answer.length > MAX_RESPONSE_OCTETS ? undefined : utf8(answer)
    const said = text === undefined ? undefined : parseDirectives(text)
    const response = said === undefined ? undefined : checked(said, { realm, nonce })
    if (response === undefined) return { kind: 'malformed' }

    const known = await x.lookup(response.username, PASSWORD)
    // Computed for unknown users too: the time tells nothing.
    const secret = md5(`${response.username}:${response.realm}:`, known?.value.reveal() ?? this.#random(16))
    const a1 = hex(md5(secret, `:${nonce}:${response.cnonce}`, response.authzid === undefined ? '' : `:${response.authzid}`))
    const answerTo = (method: string): string => hex(md5(`${a1}:${nonce}:${response.nc}:${response.cnonce}:auth:${hex(md5(`${method}:${response.uri}`))}`))
    const isRight = equalText(answerTo('AUTHENTICATE'), response.response)
    if (known === undefined) return { kind: 'unknown-user' }
    if (!isRight) return { kind: 'wrong-password' }
    const authzid = response.authzid === undefined || response.authzid === response.username ? '' : response.authzid
    return { kind: 'proved', authcid: known.user, authzid, alerts: [], data: Buffer.from(`rspauth=${answerTo('')}`) }
  }
}

interface Response {
  readonly username: string
  readonly realm: string
  readonly cnonce: string
  readonly nc: string
  readonly uri: string
  readonly response: string
  readonly authzid: string | undefined
}

/** What RFC 2831 §2.1.2 demands of a response; the realm and nonce are the ones that were offered, and this is the first use of the nonce. */
function checked(said: ReadonlyMap<string, string>, offered: { readonly realm: string; readonly nonce: string }): Response | undefined {
  const of = (name: string): string => said.get(name) ?? ''
  const response: Response = {
    username: of('username'),
    // Without a realm it is the empty one, which is never offered here.
    realm: of('realm'),
    cnonce: of('cnonce'),
    nc: of('nc'),
    uri: of('digest-uri'),
    response: of('response'),
    authzid: said.get('authzid'),
  }
  const isFine =
    response.username !== '' &&
    response.realm === offered.realm &&
    of('nonce') === offered.nonce &&
    response.cnonce !== '' &&
    response.nc === '00000001' &&
    (said.get('qop') ?? 'auth') === 'auth' &&
    // ISO 8859-1 names are those of clients that leave this out; all that is said here is UTF-8.
    (said.get('charset') ?? 'utf-8').toLowerCase() === 'utf-8' &&
    /^(?:imap|pop)\/[^/]+(?:\/[^/]+)?$/.test(response.uri) &&
    /^[0-9a-f]{32}$/.test(response.response) &&
    response.authzid !== ''
  return isFine ? response : undefined
}
