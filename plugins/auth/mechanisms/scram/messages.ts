/*
 * Messages of SCRAM (RFC 5802 §7): text to values and back, nothing computed. A message that is not exactly what the grammar allows is
 * none: what one side reads differently from the other is what an attacker looks for.
 */

/** What a client says about channel binding (RFC 5802 §6). */
export type BindingFlag = { readonly kind: 'none' } | { readonly kind: 'client-only' } | { readonly kind: 'bound'; readonly type: string }
export interface ClientFirst {
  readonly binding: BindingFlag
  /** Octets of the GS2 header, which the client repeats. */
  readonly gs2: string
  readonly authzid: string
  readonly user: string
  readonly nonce: string
  /** `client-first-message-bare`. */
  readonly bare: string
}
export interface ClientFinal {
  readonly channel: Uint8Array
  readonly nonce: string
  readonly proof: Uint8Array
  /** `client-final-message-without-proof`. */
  readonly withoutProof: string
}

const VALUE = '[^\\0,]+'
const NONCE = '[\\x21-\\x2b\\x2d-\\x7e]+'
const EXTENSIONS = `(?:,[A-Za-z]=${VALUE})*`
// `m=` is a mandatory extension: whoever does not know it, and nobody does, must fail.
const CLIENT_FIRST = new RegExp(`^((?:p=([A-Za-z0-9.-]+)|n|y),(?:a=(${VALUE}))?,)(n=(${VALUE}),r=(${NONCE})${EXTENSIONS})$`)
const CLIENT_FINAL = new RegExp(`^(c=([A-Za-z0-9+/]+={0,2}),r=(${NONCE})${EXTENSIONS}),p=([A-Za-z0-9+/]+={0,2})$`)

export function parseClientFirst(text: string): ClientFirst | undefined {
  const [, gs2, type, a = '', bare, n, nonce] = CLIENT_FIRST.exec(text) ?? []
  if (gs2 === undefined || bare === undefined || n === undefined || nonce === undefined) return undefined
  const user = saslName(n)
  const authzid = saslName(a)
  if (user === undefined || authzid === undefined) return undefined
  const binding: BindingFlag = type !== undefined ? { kind: 'bound', type } : { kind: gs2.startsWith('y') ? 'client-only' : 'none' }
  return { binding, gs2, authzid, user, nonce, bare }
}

export function parseClientFinal(text: string): ClientFinal | undefined {
  const [, withoutProof, c, nonce, p] = CLIENT_FINAL.exec(text) ?? []
  if (withoutProof === undefined || c === undefined || nonce === undefined || p === undefined) return undefined
  const channel = base64(c)
  const proof = base64(p)
  return channel === undefined || proof === undefined ? undefined : { channel, nonce, proof, withoutProof }
}

/** RFC 5802 §5.1: a comma is `=2C`, an equals sign `=3D`, and no other `=` may stand. */
function saslName(text: string): string | undefined {
  return /=(?!2C|3D)/.test(text) ? undefined : text.replaceAll('=2C', ',').replaceAll('=3D', '=')
}
/** Only the one way to write these octets. */
function base64(text: string): Uint8Array | undefined {
  const octets = Buffer.from(text, 'base64')
  return octets.toString('base64') === text ? octets : undefined
}
