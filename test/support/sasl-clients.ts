import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto'

/** A client of SCRAM, with everything that a test wants to be wrong. */
export interface ScramClient {
  readonly hash?: 'sha1' | 'sha256'
  readonly user: string
  readonly password: string
  /** Default `n,,`. */
  readonly gs2?: string
  /** What `c=` says behind the GS2 header. */
  readonly channel?: Uint8Array
  readonly edit?: { first?(text: string): string; final?(text: string): string }
}

/** Answers by step: nothing but the protocol, so that a test can break it at any place. */
export function scramClient(c: ScramClient): { readonly first: string; final(serverFirst: string): { readonly text: string; readonly serverSays: string } } {
  const hash = c.hash ?? 'sha256'
  const gs2 = c.gs2 ?? 'n,,'
  const bare = `n=${c.user.replaceAll('=', '=3D').replaceAll(',', '=2C')},r=${randomBytes(12).toString('base64')}`
  const edit = (text: string, how: ((text: string) => string) | undefined): string => how?.(text) ?? text
  return {
    first: edit(gs2 + bare, c.edit?.first),
    final(serverFirst) {
      const [, nonce = '', salt = '', iterations] = /^r=([^,]+),s=([^,]+),i=(\d+)$/.exec(serverFirst) ?? []
      const salted = pbkdf2Sync(c.password.normalize('NFKC'), Buffer.from(salt, 'base64'), Number(iterations), hash === 'sha1' ? 20 : 32, hash)
      const clientKey = createHmac(hash, salted).update('Client Key').digest()
      const withoutProof = `c=${Buffer.concat([Buffer.from(gs2), c.channel ?? Buffer.alloc(0)]).toString('base64')},r=${nonce}`
      const message = `${bare},${serverFirst},${withoutProof}`
      const signature = createHmac(hash, createHash(hash).update(clientKey).digest()).update(message).digest()
      const proof = Buffer.from(clientKey.map((octet, i) => octet ^ (signature[i] ?? 0))).toString('base64')
      const serverSays = `v=${createHmac(hash, createHmac(hash, salted).update('Server Key').digest()).update(message).digest('base64')}`
      return { text: edit(`${withoutProof},p=${proof}`, c.edit?.final), serverSays }
    },
  }
}

const md5 = (...parts: readonly (string | Uint8Array)[]): Buffer => parts.reduce((h, part) => h.update(part), createHash('md5')).digest()
/** The response of RFC 2831 §2.1.2 to a challenge; `more` replaces or adds directives as they are written. */
export function digestMd5Response(challenge: string, user: string, password: string, more: Readonly<Record<string, string | undefined>> = {}, uri = 'imap/mail.example.org'): { readonly text: string; readonly serverSays: string } {
  const realm = more['realm'] ?? /realm="([^"]*)"/.exec(challenge)?.[1] ?? ''
  const nonce = /nonce="([^"]*)"/.exec(challenge)?.[1] ?? ''
  const cnonce = 'OA6MHXh6VqTrRk'
  const a1 = md5(md5(`${user}:${realm}:${password}`), `:${nonce}:${cnonce}`, more['authzid'] === undefined ? '' : `:${more['authzid']}`).toString('hex')
  const answer = (method: string): string => md5(`${a1}:${nonce}:00000001:${cnonce}:auth:${md5(`${method}:${uri}`).toString('hex')}`).toString('hex')
  const said: Record<string, string | undefined> = { charset: 'utf-8', username: `"${user}"`, realm: `"${realm}"`, nonce: `"${nonce}"`, nc: '00000001', cnonce: `"${cnonce}"`, 'digest-uri': `"${uri}"`, qop: 'auth', response: answer('AUTHENTICATE') }
  for (const [name, value] of Object.entries(more)) said[name] = value === undefined || name === 'qop' || name === 'nc' || name === 'response' || name === 'charset' ? value : `"${value}"`
  return { text: Object.entries(said).flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`])).join(','), serverSays: `rspauth=${answer('')}` }
}

/** One step of RFC 2289: a digest folded to 8 octets. */
export function otpStep(algorithm: 'md5' | 'sha1', octets: Uint8Array): Buffer {
  const digest = createHash(algorithm).update(octets).digest()
  const word = (i: number): number => (algorithm === 'md5' ? digest.readUInt32LE(i * 4) : digest.readUInt32BE(i * 4))
  const out = Buffer.alloc(8)
  out.writeUInt32LE(algorithm === 'md5' ? (word(0) ^ word(2)) >>> 0 : (word(0) ^ word(2) ^ word(4)) >>> 0, 0)
  out.writeUInt32LE((word(1) ^ word(3)) >>> 0, 4)
  return out
}
export function otpPassword(algorithm: 'md5' | 'sha1', passphrase: string, seed: string, sequence: number): Buffer {
  let octets = otpStep(algorithm, Buffer.from(seed.toLowerCase() + passphrase))
  for (let i = 0; i < sequence; i++) octets = otpStep(algorithm, octets)
  return octets
}
/** A password as the six words that stand for its bits and two of a check sum (RFC 2289 appendix D). */
export function otpWords(password: Uint8Array, dictionary: readonly string[]): string {
  const bits = [...password].map((octet) => octet.toString(2).padStart(8, '0')).join('')
  const pairs = bits.match(/../g) ?? []
  const check = pairs.reduce((sum, pair) => sum + Number.parseInt(pair, 2), 0) % 4
  return ((bits + check.toString(2).padStart(2, '0')).match(/.{11}/g) ?? []).map((word) => dictionary[Number.parseInt(word, 2)]).join(' ')
}
