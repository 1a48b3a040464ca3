import { createHash, createHmac } from 'node:crypto'
import { PASSWORD, SCRAM_SHA_1, SCRAM_SHA_256, type CredentialKind, type PeerFacts, type SaslContext, type SaslMechanism, type SaslResult, type ScramKeys } from 'mailwright/api'
import { equalOctets } from '../../shared/equal.js'
import { utf8 } from '../../shared/names.js'
import { saslprep } from 'mailwright/toolkit'
import { scramKeys, type ScramHash } from '../../shared/scram-keys.js'
import { parseClientFinal, parseClientFirst, type BindingFlag } from './messages.js'

/** One of the four mechanisms. */
export interface ScramVariant {
  readonly name: string
  readonly hash: ScramHash
  readonly kind: CredentialKind<ScramKeys>
  readonly plus: boolean
}
const variant = (size: '1' | '256', plus: boolean): ScramVariant => ({
  name: `SCRAM-SHA-${size}${plus ? '-PLUS' : ''}`,
  hash: size === '1' ? 'sha1' : 'sha256',
  kind: size === '1' ? SCRAM_SHA_1 : SCRAM_SHA_256,
  plus,
})
export const SCRAM_VARIANTS: readonly ScramVariant[] = [variant('256', true), variant('256', false), variant('1', true), variant('1', false)]

/** Bindings that are taken, the strongest first. `tls-unique` is none: without the extended master secret, which Node does not tell of, it binds nothing (RFC 9266 §1). */
const BINDINGS = ['tls-exporter', 'tls-server-end-point'] as const
const MAX_MESSAGE_OCTETS = 2048
const NONCE_OCTETS = 18

export function hasBinding(peer: PeerFacts): boolean {
  return BINDINGS.some((type) => peer.tls?.bindings[type] !== undefined)
}

/** What a variant is made of. */
export interface ScramParts {
  readonly random: (octets: number) => Uint8Array
  /** Of keys that are made on the fly. */
  readonly iterations: number
}

/**
 * SCRAM (RFC 5802, RFC 7677): neither side learns the password, both prove that they know it, and the -PLUS form proves that no one
 * stands between them.
 */
export class Scram implements SaslMechanism {
  readonly #variant: ScramVariant
  readonly #parts: ScramParts
  /** Makes salts for users that do not exist, always the same for one name, so that asking twice tells nothing. */
  readonly #pepper: Uint8Array

  constructor(variant: ScramVariant, parts: ScramParts) {
    this.#variant = variant
    this.#parts = parts
    this.#pepper = parts.random(32)
  }

  async authenticate(x: SaslContext): Promise<SaslResult> {
    const { hash, plus } = this.#variant
    const first = parseClientFirst(message(x.initial ?? (await x.ask(new Uint8Array(0)))))
    if (first === undefined) return { kind: 'malformed' }
    const channel = this.#channel(first.binding, x)
    if (channel === undefined || (first.binding.kind === 'bound') !== plus) return { kind: 'malformed' }
    const user = saslprep(first.user)
    if (user === undefined || user === '') return { kind: 'malformed' }

    const found = await this.#keys(user, x)
    const { keys } = found
    const nonce = first.nonce + Buffer.from(this.#parts.random(NONCE_OCTETS)).toString('base64')
    const serverFirst = `r=${nonce},s=${Buffer.from(keys.salt).toString('base64')},i=${keys.iterations}`
    const final = parseClientFinal(message(await x.ask(Buffer.from(serverFirst))))
    if (final === undefined || final.nonce !== nonce || !equalOctets(final.channel, Buffer.concat([Buffer.from(first.gs2), channel]))) return { kind: 'malformed' }

    const authMessage = `${first.bare},${serverFirst},${final.withoutProof}`
    const signature = createHmac(hash, keys.storedKey).update(authMessage).digest()
    if (final.proof.length !== signature.length) return { kind: 'malformed' }
    const clientKey = signature.map((octet, i) => octet ^ (final.proof[i] ?? 0))
    const isRight = equalOctets(createHash(hash).update(clientKey).digest(), keys.storedKey)
    if (found.user === undefined) return { kind: 'unknown-user' }
    if (!isRight) return { kind: 'wrong-password' }
    const data = Buffer.from(`v=${createHmac(hash, keys.serverKey).update(authMessage).digest('base64')}`)
    return { kind: 'proved', authcid: found.user, authzid: first.authzid === first.user ? '' : first.authzid, alerts: [], data }
  }

  /** What the client must have bound to, empty when it bound to nothing; undefined when its flag cannot be true. */
  #channel(flag: BindingFlag, x: SaslContext): Uint8Array | undefined {
    // RFC 5802 §6: a client that can bind and thinks the server cannot was lied to when the server can.
    if (flag.kind === 'client-only') return x.offers(`${this.#variant.name.replace(/-PLUS$/, '')}-PLUS`) ? undefined : new Uint8Array(0)
    if (flag.kind === 'none') return new Uint8Array(0)
    const type = BINDINGS.find((known) => known === flag.type)
    return type === undefined ? undefined : x.peer.tls?.bindings[type]
  }

  async #keys(user: string, x: SaslContext): Promise<{ readonly user: string | undefined; readonly keys: ScramKeys }> {
    const { hash, kind } = this.#variant
    const stored = await x.lookup(user, kind)
    if (stored !== undefined) return { user: stored.user, keys: stored.value }
    const password = await x.lookup(user, PASSWORD)
    const salt = createHmac('sha256', this.#pepper).update(`${hash} ${user}`).digest().subarray(0, 16)
    const keys = await scramKeys(hash, password?.value.reveal() ?? this.#pepper, this.#parts.iterations, salt)
    return { user: password?.user, keys }
  }
}

function message(octets: Uint8Array): string {
  return octets.length > MAX_MESSAGE_OCTETS ? '' : (utf8(octets) ?? '')
}
