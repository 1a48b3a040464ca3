// @ts-check
import { createHmac, timingSafeEqual } from 'node:crypto'
import { createCredentialKind, PASSWORD } from 'mailwright/api'
import { ntHash } from './md4.js'
import { isNegotiate, parseAuthenticate, writeChallenge } from './messages.js'

/** The NT hash of a password, 16 octets: a kind of credential that core does not know. */
export const NT_HASH = createCredentialKind('nt-hash', { encode: (/** @type {Uint8Array} */ hash) => hash, decode: (octets) => octets })

const PROOF_OCTETS = 16
/** Header and time stamp of a client's answer of version 2; version 1 is 24 octets, and refused. */
const LEAST_V2_OCTETS = PROOF_OCTETS + 28

/**
 * NTLM, version 2 only ([MS-NLMP] §3.3.2). The domain is what the client thinks it is, and decides nothing here.
 * @param {(octets: number) => Uint8Array} random
 * @returns {import('mailwright/api').SaslMechanism}
 */
export function createNtlm(random) {
  return {
    async authenticate(x) {
      if (!isNegotiate(x.initial ?? (await x.ask(new Uint8Array(0))))) return { kind: 'malformed' }
      const challenge = random(8)
      const said = parseAuthenticate(await x.ask(writeChallenge(challenge, x.hostName)))
      if (said === undefined || said.user === '' || said.ntResponse.length < LEAST_V2_OCTETS) return { kind: 'malformed' }
      const held = await hashOf(x, said.user)
      // Computed for unknown users too: it takes no longer to find out that one is known.
      const key = createHmac('md5', held?.hash ?? random(16)).update(Buffer.from(said.user.toUpperCase() + said.domain, 'utf16le')).digest()
      const proof = createHmac('md5', key).update(challenge).update(said.ntResponse.subarray(PROOF_OCTETS)).digest()
      const isRight = timingSafeEqual(proof, said.ntResponse.subarray(0, PROOF_OCTETS))
      if (held === undefined) return { kind: 'unknown-user' }
      return isRight ? { kind: 'proved', authcid: held.user, authzid: '', alerts: [] } : { kind: 'wrong-password' }
    },
  }
}

/**
 * @param {import('mailwright/api').SaslContext} x
 * @param {string} user
 */
async function hashOf(x, user) {
  const hash = await x.lookup(user, NT_HASH)
  if (hash !== undefined) return { user: hash.user, hash: hash.value }
  const password = await x.lookup(user, PASSWORD)
  if (password === undefined) return undefined
  return { user: password.user, hash: ntHash(Buffer.from(password.value.reveal()).toString('utf8')) }
}
