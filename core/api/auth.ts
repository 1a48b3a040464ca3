import { extensionPoint, secret } from './kernel.js'
import type { Codec, Secret } from './kernel.js'
import type { MailUser } from './mail/names.js'
import type { Tweaks } from './workaround.js'

declare const carries: unique symbol

/** What is known of the other end and the link; plain values, because it crosses processes. */
export interface PeerFacts {
  /** Names the connection: failed logins are counted per session, also across STARTTLS and processes. */
  readonly session?: string
  readonly address: string
  readonly name?: string
  readonly localAddress: string
  readonly localPort: number
  readonly service: 'imap' | 'pop' | (string & {})
  readonly tls?: {
    readonly serverName?: string
    readonly protocol: string
    readonly cipher: string
    readonly clientCertificate?: Uint8Array
    /** RFC 5929, RFC 9266; only types this connection really has. */
    readonly bindings: Readonly<Partial<Record<'tls-exporter' | 'tls-server-end-point' | 'tls-unique', Uint8Array>>>
  }
  /** STARTTLS can succeed here: the link is in clear and there is a usable certificate for the local address. */
  readonly startTls?: boolean
  /** Who the operating system or a proxy in front says it is. */
  readonly externalIdentity?: string
}

/** A form in which a backend can hand out or check a credential. Open: NTLM brings `nt-hash` without touching core. */
export interface CredentialKind<T> {
  readonly id: string
  readonly codec: Codec<T>
  readonly [carries]?: (x: T) => T
}
/** The codec lets it cross to the process that checks. */
export function createCredentialKind<T>(id: string, codec: Codec<T>): CredentialKind<T> {
  return Object.freeze({ id, codec })
}
/** For lists of kinds. */
export interface AnyCredentialKind {
  readonly id: string
}
/** RFC 5802 §3; no password equivalent. */
export interface ScramKeys {
  readonly salt: Uint8Array
  readonly iterations: number
  readonly storedKey: Uint8Array
  readonly serverKey: Uint8Array
}
const scramCodec: Codec<ScramKeys> = {
  encode: (k) =>
    new TextEncoder().encode(JSON.stringify([k.salt, k.storedKey, k.serverKey].map((b) => Buffer.from(b).toString('base64')).concat(String(k.iterations)))),
  decode(bytes) {
    // Written by encode: four strings.
    const [salt = '', storedKey = '', serverKey = '', iterations = '0'] = JSON.parse(new TextDecoder().decode(bytes)) as string[]
    const octets = (s: string): Uint8Array => Buffer.from(s, 'base64')
    return { salt: octets(salt), storedKey: octets(storedKey), serverKey: octets(serverKey), iterations: Number(iterations) }
  },
}
/**
 * The kinds that core knows. `PASSWORD` is the password itself: what CRAM-MD5, APOP and DIGEST-MD5 compute from. A backend hands it
 * out only where its operator chose to keep passwords that way.
 */
export const PASSWORD = createCredentialKind<Secret>('password', { encode: (s) => s.reveal(), decode: secret })
export const SCRAM_SHA_1 = createCredentialKind<ScramKeys>('scram-sha-1', scramCodec)
export const SCRAM_SHA_256 = createCredentialKind<ScramKeys>('scram-sha-256', scramCodec)
/** One-time passwords (RFC 2289): the chain as it stands, and the way to take one step, which fails when another login took it first. */
export interface OtpChain {
  readonly algorithm: 'md5' | 'sha1'
  /** Number of the last password that was used; the next has one less. */
  readonly sequence: number
  readonly seed: string
  /** The last password that was used, 8 octets. */
  readonly last: Uint8Array
}
const otpCodec: Codec<OtpChain> = {
  encode: (c) => new TextEncoder().encode([c.algorithm, c.sequence, c.seed, Buffer.from(c.last).toString('hex')].join(' ')),
  decode(bytes) {
    const [algorithm, sequence, seed = '', last = ''] = new TextDecoder().decode(bytes).split(' ')
    return { algorithm: algorithm === 'sha1' ? 'sha1' : 'md5', sequence: Number(sequence), seed, last: Buffer.from(last, 'hex') }
  },
}
export const OTP_CHAIN = createCredentialKind<OtpChain>('otp-chain', otpCodec)

/** What can be checked rather than looked up. */
export type Claim =
  | { readonly kind: 'password'; readonly user: string; readonly password: Secret }
  | { readonly kind: 'token'; readonly user: string; readonly token: Secret }
  | { readonly kind: 'certificate'; readonly der: Uint8Array }
  | { readonly kind: 'principal'; readonly name: string; readonly mechanism: string }
  /** The next password of a chain; accepting it uses it up, for all who try at the same time. */
  | {
      readonly kind: 'one-time'
      readonly user: string
      readonly response: Uint8Array
      /** The chain that is to take the place of this one in the same step (RFC 2243 §4); a backend that cannot refuses the claim. */
      readonly next?: OtpChain
    }
/** Refusals keep their reason for log and operator; the client sees one text for all. */
export type Refusal = {
  readonly kind: 'unknown-user' | 'wrong-password' | 'expired' | 'must-change' | 'disabled' | 'throttled' | 'malformed' | 'not-permitted'
  /** Of an unknown user: no other backend is asked. */
  readonly final?: boolean
}
/** Alerts (expiry) go to the client after the login. */
export type Verdict = { readonly kind: 'accepted'; readonly user: string; readonly alerts: readonly string[] } | Refusal

/** A credential, and the name of its user as the backend spells it: whoever proves it is that user. */
export interface Held<T> {
  readonly user: string
  readonly value: T
}

/** Outages throw `MailError('unavailable')`. `unknown-user` passes on to the next backend, other refusals end the chain unless the entry says `fallthrough`. */
export interface PasswordBackend {
  /** Absent when it only hands out credentials. */
  verify?(claim: Claim, peer: PeerFacts, signal: AbortSignal): Promise<Verdict>
  /** `undefined`: not this user, or not in this form, or locked. */
  lookup?<T>(user: string, kind: CredentialKind<T>, signal: AbortSignal): Promise<Held<T> | undefined>
  change?(user: string, password: Secret, signal: AbortSignal): Promise<Verdict>
  /** After a successful plaintext login anywhere in the chain: rehash, or fill a new backend while the old one still answers. Never fails a login. */
  learn?(user: string, password: Secret, signal: AbortSignal): Promise<void>
  /**
   * End of a session whose login this backend accepted, or gave the credential for, however it ended; also of a login of which no session came
   * (a policy refused it after the proof, its mail could not be opened). Once per login. Tokens are dropped, PAM credentials deleted. Never fails anything.
   */
  released?(user: string): Promise<void>
  /**
   * What it can serve now, where that may be less than `about` says: there is no MD5 database, or nobody has SCRAM keys. Asked at the
   * start of each session, so it must be quick; when it throws, the last answer stays.
   */
  serves?(signal: AbortSignal): Promise<Pick<BackendAbout, 'verifies' | 'holds'>>
  /** The entry's `fallthrough`: the chain goes on after this backend's refusals too, not only after an unknown user. */
  readonly fallthrough?: boolean
  /** Present where accounts can be edited from here (`mailwright user`). */
  readonly accounts?: AccountEditor
}
/** Accounts as an administrator edits them. `exists` and `not-found` are thrown as `MailError`; changes are durable when it resolves. */
export interface AccountEditor {
  list(signal: AbortSignal): Promise<readonly { readonly user: string; readonly enabled: boolean; readonly scheme: string }[]>
  add(user: string, password: Secret, signal: AbortSignal): Promise<void>
  setPassword(user: string, password: Secret, signal: AbortSignal): Promise<void>
  remove(user: string, signal: AbortSignal): Promise<void>
}
/** Decides, without asking it, which mechanisms can be offered. */
export interface BackendAbout {
  readonly verifies: readonly Claim['kind'][]
  readonly holds: readonly AnyCredentialKind[]
  readonly changes: boolean
}
/** List order is the chain. */
export const passwordBackends = extensionPoint<PasswordBackend, BackendAbout>('auth.passwords').in({ scope: 'host', pick: 'ordered', roles: ['auth'], slot: 'hosts.*.auth.passwords' })

/** Bytes in, bytes out, from the moment the tagged line has left. Named, so that another process can take it up from `state`. */
export interface LayerSpec {
  readonly use: string
  readonly state: Uint8Array
}
/** What a mechanism may do; the chain of backends is behind `verify` and `lookup`, so a mechanism works with any of them. */
export interface SaslContext {
  readonly peer: PeerFacts
  readonly hostName: string
  readonly signal: AbortSignal
  /** Initial response; `undefined` when the client sent none. */
  readonly initial: Uint8Array | undefined
  /** Sends a challenge, returns the answer. Rejects when the client says `*`, the link goes or time is up: a mechanism cleans up with `finally`. */
  ask(challenge: Uint8Array): Promise<Uint8Array>
  /** Whether the client was offered this mechanism too: SCRAM finds out by it that somebody took the -PLUS form off the list. */
  offers(mechanism: string): boolean
  verify(claim: Claim): Promise<Verdict>
  lookup<T>(user: string, kind: CredentialKind<T>): Promise<Held<T> | undefined>
}
/** `data` is the success data of RFC 4422 §3.6; core sends it the way the protocol allows. */
export type SaslResult =
  | {
      readonly kind: 'proved'
      readonly authcid: string
      readonly authzid: string
      readonly alerts: readonly string[]
      readonly data?: Uint8Array
      readonly layer?: LayerSpec
    }
  /** `home` for where no directory has an account `anonymous`. */
  | { readonly kind: 'anonymous'; readonly trace: string; readonly home?: string }
  | Refusal
/** One async function instead of a state machine: the dialogue reads like its specification, and a test scripts `ask`. */
export interface SaslMechanism {
  authenticate(x: SaslContext): Promise<SaslResult>
  /** Whether it can be offered to sessions that begin now (ANONYMOUS: is there an enable file?); asked like `PasswordBackend.serves`. Absent: always. */
  ready?(signal: AbortSignal): Promise<boolean>
}
/** Decides what is advertised, per connection. */
export interface MechanismAbout {
  readonly name: string
  /** Hidden and refused while the link is in clear and the host forbids plaintext. */
  readonly exposesPassword: boolean
  /** One of these must be answered by some backend of the host, or the mechanism is not offered; empty: it asks nobody. */
  readonly verifiesBy: readonly Claim['kind'][]
  readonly worksWith: readonly AnyCredentialKind[]
  /** Never listed: a protocol has a command of its own for it (APOP), and asks `LoginGate.offers`. */
  readonly hidden?: boolean
  offered(peer: PeerFacts): boolean
}
/** List order is the order of AUTH= tokens. */
export const saslMechanisms = extensionPoint<SaslMechanism, MechanismAbout>('auth.mechanisms').in({ scope: 'host', pick: 'ordered', roles: ['auth'], slot: 'hosts.*.auth.mechanisms' })

/** A stored form of a password (`{SSHA}`, `$2y$`): backends that keep hashes share these. */
export interface PasswordScheme {
  readonly prefixes: readonly string[]
  /** For forms without a prefix (DES crypt), asked when no prefix of any scheme matches. */
  recognises?(stored: string): boolean
  /** Why this host does not take these forms, and what allows them; `check` is not called then. */
  readonly refused?: string
  /** `user` for the few forms that hold it. A damaged form throws `MailError('corrupt')`. */
  check(stored: string, password: Secret, user?: string): Promise<boolean>
  make?(password: Secret): Promise<string>
  outdated?(stored: string): boolean
}
export const passwordSchemes = extensionPoint<PasswordScheme>('auth.schemes').in({ scope: 'host', pick: 'all', roles: ['auth'], slot: 'hosts.*.auth.schemes' })
/** Account, home, ids; asked again for `~other/` names. */
export interface UserDirectory {
  find(user: string, signal: AbortSignal): Promise<MailUser | undefined>
}
/** First that knows the user. */
export const userDirectories = extensionPoint<UserDirectory>('auth.users').in({ scope: 'host', pick: 'ordered', roles: ['auth', 'mail'], slot: 'hosts.*.auth.users' })

/** After the proof, before the session: administrators acting for others, nologin, rate limits, virtual-host moves. All must allow. */
export interface LoginPolicy {
  before?(user: string, peer: PeerFacts, signal: AbortSignal): Promise<Admission>
  decide?(
    login: { readonly user: MailUser; readonly authcid: string; readonly authzid: string; readonly peer: PeerFacts },
    signal: AbortSignal,
  ): Promise<Admission>
  /** `user` is whose proof failed, by the name that `before` was given. */
  failed?(user: string, refusal: Refusal, peer: PeerFacts): void
  /** The session that `decide` allowed has ended, or did not come about after all. May be told more than once. */
  ended?(peer: PeerFacts): void
  /** Present where this policy keeps people out for a while (`mailwright blocks`). */
  readonly blocks?: BlockList
}
/** Who is kept out by a policy, and why. */
export interface Block {
  /** Name of the rule in the configuration, as the log has it. */
  readonly rule: string
  readonly what: 'user' | 'address' | 'network'
  /** The name or address. */
  readonly key: string
  readonly effect: 'delay' | 'refuse'
  /** What led to it, for a person: `12 failed logins within 10m`. */
  readonly evidence: string
  /** Milliseconds since 1970. */
  readonly until: number
  /** Only noted, not enforced. */
  readonly dryRun: boolean
}
export interface BlockList {
  list(): readonly Block[]
  /** Ends the blocks of a key and forgets its failures; all when none is given. How many there were. */
  clear(key?: string): number
}
/** A referral is RFC 2221's. `vouches`: authcid may act as another authzid; without a policy that says so core refuses it. */
export type Admission =
  | { readonly kind: 'allow'; readonly alerts?: readonly string[]; readonly vouches?: boolean }
  | { readonly kind: 'refuse'; readonly refusal: Refusal }
  | { readonly kind: 'referral'; readonly url: string }
/** Admins, nologin, penalties, address rules. */
export const loginPolicies = extensionPoint<LoginPolicy>('auth.policies').in({ scope: 'host', pick: 'ordered', roles: ['auth'], slot: 'hosts.*.auth.policies' })

/** The seam of the process model: what a daemon in `front` calls; behind it the authenticator, in this process or another. */
export interface LoginGate {
  readonly mechanisms: (peer: PeerFacts) => readonly string[]
  /** Whether `password` can succeed on this link now: IMAP says LOGINDISABLED when not. */
  readonly plaintext?: (peer: PeerFacts) => boolean
  /** Whether `sasl` can be asked for this mechanism on this link; also for hidden ones, which `mechanisms` does not list. */
  readonly offers?: (mechanism: string, peer: PeerFacts) => boolean
  /** Before a session is greeted: backends are asked what they can serve now. Never rejects. */
  prepare?(signal: AbortSignal): Promise<void>
  /** The connection of a session that had logged in has ended. Never rejects. */
  ended?(peer: PeerFacts): Promise<void>
  sasl(
    mechanism: string,
    initial: Uint8Array | undefined,
    ask: (challenge: Uint8Array) => Promise<Uint8Array>,
    peer: PeerFacts,
    signal: AbortSignal,
    retries?: LoginRetries,
    route?: LoginRoute,
  ): Promise<LoginOutcome>
  password(user: string, password: Secret, peer: PeerFacts, signal: AbortSignal, retries?: LoginRetries): Promise<LoginOutcome>
  change(user: string, old: Secret, password: Secret, signal: AbortSignal): Promise<Verdict>
}
/**
 * Chooses the gate of the host to which a user belongs; asked once in a dialogue, with the first name that the mechanism brings, before any
 * backend is. Backends, directories, policies and delays are then those of that host; what the mechanism has said before stays as it was said.
 */
export type LoginRoute = (user: string) => LoginGate
/** The tweaks of the client that concern a login. */
export type LoginRetries = Partial<Pick<Tweaks, 'spacedPasswordRetry' | 'lowerCaseUserRetry'>>
/** Serialisable whole: this is what crosses into the user's process. */
export type LoginOutcome =
  | { readonly kind: 'in'; readonly user: MailUser; readonly authcid: string; readonly alerts: readonly string[]; readonly layer?: LayerSpec }
  | { readonly kind: 'out'; readonly referral?: string }
