import type { Claim, CredentialKind, Held, MechanismAbout, SaslContext, SaslMechanism, SaslResult, Verdict } from '../../api/auth.js'
import { MailError } from '../../api/mail/error.js'
import { must, mustEqual } from '../expecting.js'
import { client, describeCases, patient, settled, type AuthCase } from './auth-case.js'

/** A client of a mechanism, for one exchange: what it sends first, if it may speak first, and its answer to each challenge. */
export interface ScriptedClient {
  readonly initial?: Uint8Array
  answer(challenge: Uint8Array, step: number): Uint8Array
}
/** Whom a client claims to be. */
export interface Identity {
  readonly user: string
  readonly secret: string
  /** Asks for the mail of this user; undefined: nobody else's. */
  readonly authzid?: string
}
/** A mechanism, and what the kit must know to test it. */
export interface MechanismUnderTest {
  readonly about: MechanismAbout
  create(): SaslMechanism
  /** A right client. */
  client(who: Identity): ScriptedClient
  /** The credential of a user of this secret in a kind of `worksWith`; undefined for kinds that it does not take. */
  credential?<T>(kind: CredentialKind<T>, secret: string): T | undefined
  /** Whether a claim is right for a user of this secret. Default: a password or token that equals it. */
  accepts?(claim: Claim, user: string, secret: string): boolean
  /** What a client sent once lets it in again: it shows the secret (PLAIN), or the link is the proof (EXTERNAL). */
  readonly replayable?: boolean
  /** It asks nobody who the client is (ANONYMOUS, EXTERNAL); the kit then tests only what is sent. */
  readonly asksNobody?: boolean
  /** The client cannot ask for another's mail. */
  readonly noAuthzid?: boolean
}
type Case = AuthCase<MechanismUnderTest>
const USERS: Readonly<Record<string, string>> = { alice: 'correct horse', bob: 'battery staple' }
const OVERSIZE_OCTETS = 100_000

/** One exchange as it went. */
interface Exchange {
  readonly result: SaslResult
  readonly challenges: readonly Uint8Array[]
  readonly sent: readonly Uint8Array[]
}
interface Bending {
  /** Changes what the client sends; `step` is -1 for the initial response. */
  bend?(sent: Uint8Array, step: number): Uint8Array
  /** The client breaks off at this step. */
  readonly cancelAt?: number
  readonly outage?: boolean
}
const CANCELLED = new Error('the client said *')

async function exchange(u: MechanismUnderTest, script: ScriptedClient, bending: Bending = {}): Promise<Exchange> {
  const challenges: Uint8Array[] = []
  const sent: Uint8Array[] = []
  const send = (octets: Uint8Array, step: number): Uint8Array => {
    const out = bending.bend?.(octets, step) ?? octets
    sent.push(out)
    return out
  }
  const outage = (): Promise<never> => Promise.reject(new MailError('unavailable', 'the backend is out'))
  const x: SaslContext = {
    peer: client,
    hostName: 'mail.example.org',
    signal: patient(),
    initial: script.initial === undefined ? undefined : send(script.initial, -1),
    // oxlint-disable-next-line typescript/require-await -- what is thrown must be a rejection
    async ask(challenge) {
      const step = challenges.length
      challenges.push(challenge)
      if (bending.cancelAt === step) throw CANCELLED
      must(step < 20, 'a mechanism must come to an end')
      return send(script.answer(challenge, step), step)
    },
    offers: () => false,
    verify(claim): Promise<Verdict> {
      if (bending.outage === true) return outage()
      const user = 'user' in claim && claim.user !== '' ? claim.user : 'alice'
      const secret = USERS[user]
      if (secret === undefined) return Promise.resolve({ kind: 'unknown-user' })
      const isRight = u.accepts?.(claim, user, secret) ?? said(claim) === secret
      return Promise.resolve(isRight ? { kind: 'accepted', user, alerts: [] } : { kind: 'wrong-password' })
    },
    lookup<T>(user: string, kind: CredentialKind<T>): Promise<Held<T> | undefined> {
      if (bending.outage === true) return outage()
      const secret = Object.hasOwn(USERS, user) ? USERS[user] : undefined
      const value = secret === undefined ? undefined : u.credential?.(kind, secret)
      return Promise.resolve(value === undefined ? undefined : { user, value })
    },
  }
  const result = await u.create().authenticate(x)
  // Core sends the success data as one more challenge.
  if (result.kind === 'proved' && result.data !== undefined) challenges.push(result.data)
  return { result, challenges, sent }
}
function said(claim: Claim): string | undefined {
  const secret = claim.kind === 'password' ? claim.password : claim.kind === 'token' ? claim.token : undefined
  return secret === undefined ? undefined : Buffer.from(secret.reveal()).toString('utf8')
}
const alice: Identity = { user: 'alice', secret: 'correct horse' }
const asksNobody = (u: MechanismUnderTest): string | undefined => (u.asksNobody === true ? 'it asks nobody' : undefined)

/** What every mechanism must do. */
export const saslMechanismCases: readonly Case[] = [
  {
    id: 'about',
    title: 'has a name that RFC 4422 allows, and says what it needs',
    run({ about, asksNobody: nobody }) {
      must(/^[A-Z0-9_-]{1,20}$/.test(about.name), `"${about.name}" must be 1 to 20 capitals, digits, hyphens and underscores (RFC 4422 §3.1)`)
      must(nobody === true || about.verifiesBy.length + about.worksWith.length > 0, 'what it asks of backends must be in verifiesBy or worksWith')
      return Promise.resolve()
    },
  },
  {
    id: 'right',
    title: 'a right client is proved to be itself and nobody else',
    async run(u) {
      const { result } = await exchange(u, u.client(alice))
      if (result.kind === 'anonymous') return
      mustEqual(result.kind === 'proved' ? [result.authcid, result.authzid] : result, ['alice', ''], 'alice must be let in as alice')
    },
  },
  {
    id: 'late-start',
    title: 'a client that speaks first may also wait to be asked',
    unless: (u) => (u.client(alice).initial === undefined ? 'the server speaks first' : u.about.hidden === true ? 'it is behind a command with one message' : undefined),
    async run(u) {
      const { initial, answer } = u.client(alice)
      const waiting: ScriptedClient = { answer: (challenge, step) => (step === 0 ? (initial ?? challenge) : answer(challenge, step - 1)) }
      const { result, challenges } = await exchange(u, waiting)
      must(result.kind === 'proved' || result.kind === 'anonymous', `without an initial response it must end well, not "${result.kind}"`)
      must(challenges[0]?.length === 0, 'the first challenge must be empty (RFC 4422 §3.3)')
    },
  },
  {
    id: 'wrong-secret',
    title: 'a wrong secret, or the secret of somebody else, proves nothing',
    unless: asksNobody,
    async run(u) {
      for (const who of [{ user: 'alice', secret: 'x' }, { user: 'alice', secret: 'battery staple' }, { user: 'alice', secret: 'correct horse ' }]) {
        const { result } = await exchange(u, u.client(who))
        must(result.kind !== 'proved' && result.kind !== 'anonymous', `the secret ${JSON.stringify(who.secret)} must not prove alice`)
      }
    },
  },
  {
    id: 'unknown-user',
    title: 'an unknown user is refused, after as many challenges as a known one',
    unless: asksNobody,
    async run(u) {
      const known = await exchange(u, u.client({ user: 'alice', secret: 'wrong secret' }))
      const unknown = await exchange(u, u.client({ user: 'zoe', secret: 'wrong secret' }))
      must(unknown.result.kind !== 'proved' && unknown.result.kind !== 'anonymous', 'zoe must not be let in')
      must(known.challenges.length === unknown.challenges.length, `an unknown user gets ${unknown.challenges.length} challenges, a known one ${known.challenges.length}: that tells who exists`)
      mustEqual(unknown.challenges.map((c) => c.length > 0), known.challenges.map((c) => c.length > 0), 'challenges must be of one kind for both')
    },
  },
  {
    id: 'authzid',
    title: 'a wish to act for somebody is handed on, never granted',
    unless: (u) => (u.noAuthzid === true ? 'clients cannot ask for it' : undefined),
    async run(u) {
      const { result } = await exchange(u, u.client({ ...alice, authzid: 'bob' }))
      mustEqual(result.kind === 'proved' ? [result.authcid, result.authzid] : result, ['alice', 'bob'], 'authcid must be who gave the proof, authzid whose mail is wanted')
    },
  },
  {
    id: 'truncated',
    title: 'a message that ends early proves nothing, and throws nothing',
    async run(u) {
      const whole = await exchange(u, u.client(alice))
      const steps = whole.sent.length
      for (let at = 0; at < steps; at++) {
        const first = u.client(alice).initial === undefined ? 0 : -1
        const length = whole.sent[at]?.length ?? 0
        for (const keep of new Set([0, 1, Math.floor(length / 2), length - 1])) {
          if (keep < 0 || keep >= length) continue
          const outcome = await settled(() => exchange(u, u.client(alice), { bend: (sent, step) => (step === at + first ? sent.subarray(0, Math.min(keep, sent.length - 1)) : sent) }))
          must('value' in outcome, `message ${at + 1}, cut to ${keep} of ${length} octets, must be refused, not thrown at: ${'error' in outcome ? String(outcome.error) : ''}`)
          if (u.asksNobody === true) continue
          must(outcome.value.result.kind !== 'proved', `message ${at + 1}, cut to ${keep} of ${length} octets, must not prove anything`)
        }
      }
    },
  },
  {
    id: 'nonsense',
    title: 'what is no message of the mechanism is refused, not thrown at',
    async run(u) {
      const rubbish = [new Uint8Array(0), Uint8Array.of(0), Uint8Array.of(0xff, 0xfe, 0x00), new TextEncoder().encode('\0\0\0\0'), new TextEncoder().encode(',,,='), new Uint8Array(OVERSIZE_OCTETS).fill(0x61), new Uint8Array(300).fill(0)]
      const { length: steps } = (await exchange(u, u.client(alice))).sent
      for (const octets of rubbish) {
        for (let at = 0; at < steps; at++) {
          const first = u.client(alice).initial === undefined ? 0 : -1
          const outcome = await settled(() => exchange(u, u.client(alice), { bend: (sent, step) => (step === at + first ? octets : sent) }))
          must('value' in outcome, `${octets.length} octets of rubbish as message ${at + 1} must be refused, not thrown at: ${'error' in outcome ? String(outcome.error) : ''}`)
          must(u.asksNobody === true || outcome.value.result.kind !== 'proved', `${octets.length} octets of rubbish as message ${at + 1} must prove nothing`)
        }
      }
    },
  },
  {
    id: 'oversize',
    title: 'messages beyond any sense are refused as malformed',
    async run(u) {
      const first = u.client(alice).initial === undefined ? 0 : -1
      const { result } = await exchange(u, u.client(alice), { bend: (sent, step) => (step === first ? Buffer.concat([sent, new Uint8Array(OVERSIZE_OCTETS).fill(0x7a)]) : sent) })
      must(result.kind !== 'proved' && result.kind !== 'anonymous', `${OVERSIZE_OCTETS} octets too many must be refused`)
    },
  },
  {
    id: 'replay',
    title: 'what was sent in one exchange is worth nothing in the next',
    unless: (u) => (u.replayable === true ? 'the secret itself is sent, or nothing is' : undefined),
    async run(u) {
      const { sent } = await exchange(u, u.client(alice))
      const hasInitial = u.client(alice).initial !== undefined
      const tape = [...sent]
      const [initial] = hasInitial ? tape.splice(0, 1) : []
      const { result } = await exchange(u, { ...(initial === undefined ? {} : { initial }), answer: (_challenge, step) => tape[step] ?? new Uint8Array(0) })
      must(result.kind !== 'proved', 'a recorded exchange must not let anybody in')
    },
  },
  {
    id: 'cancelled',
    title: 'a client that breaks off is let go, with what it broke off with',
    async run(u) {
      // A client of its own for each exchange: some remember what they said.
      const script = (): ScriptedClient => {
        const { initial, answer } = u.client(alice)
        return { answer: (challenge, step) => (initial === undefined ? answer(challenge, step) : step === 0 ? initial : answer(challenge, step - 1)) }
      }
      const { challenges } = await exchange(u, script())
      for (let at = 0; at < challenges.length; at++) {
        const outcome = await settled(() => exchange(u, script(), { cancelAt: at }))
        if ('value' in outcome) must(outcome.value.result.kind === 'proved' && at >= outcome.value.challenges.length - 1, `breaking off at challenge ${at + 1} must end the exchange`)
        else must(outcome.error === CANCELLED, `breaking off at challenge ${at + 1} must come out as it went in, not as ${String(outcome.error)}`)
      }
    },
  },
  {
    id: 'outage',
    title: 'an outage of the backends stays one',
    unless: asksNobody,
    async run(u) {
      const outcome = await settled(() => exchange(u, u.client(alice), { outage: true }))
      must('error' in outcome && outcome.error instanceof MailError && outcome.error.kind === 'unavailable', 'what verify and lookup throw must come out as it is')
    },
  },
  {
    id: 'side-by-side',
    title: 'one object serves many exchanges at the same time',
    async run(u) {
      const one = u.create()
      const shared: MechanismUnderTest = { ...u, client: (who) => u.client(who), create: () => one }
      const all = await Promise.all(Array.from({ length: 10 }, (_, i) => exchange(shared, u.client(i % 2 === 0 ? alice : { user: 'bob', secret: 'battery staple' }))))
      if (u.asksNobody === true) return
      mustEqual(all.map(({ result }) => (result.kind === 'proved' ? result.authcid : result.kind)), all.map((_, i) => (i % 2 === 0 ? 'alice' : 'bob')), 'each must be proved to be itself')
    },
  },
]

/** Runs the contract of a SASL mechanism as a vitest suite. */
export function describeSaslMechanism(name: string, under: () => MechanismUnderTest | Promise<MechanismUnderTest>): void {
  describeCases(`SASL mechanism ${name}`, saslMechanismCases, under)
}
