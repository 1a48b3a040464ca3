import type { BackendAbout, Claim, CredentialKind, PasswordBackend } from '../../api/auth.js'
import { OTP_CHAIN, PASSWORD, SCRAM_SHA_1, SCRAM_SHA_256 } from '../../api/auth.js'
import { MailError } from '../../api/mail/error.js'
import { must, mustEqual } from '../expecting.js'
import { client, describeCases, HOSTILE_NAMES, octets, patient, settled, words, type AuthCase } from './auth-case.js'

/** A backend, and what the kit must know to test it. */
export interface BackendUnderTest {
  readonly about: BackendAbout
  /** Two users and their passwords; no others exist. The passwords differ. */
  readonly users: readonly [{ readonly name: string; readonly password: string }, { readonly name: string; readonly password: string }]
  readonly backend: PasswordBackend
  /** The same backend while whatever it asks cannot be reached; absent where nothing can fail. */
  readonly broken?: PasswordBackend
  /** The same while whatever it asks never answers, with a time limit of its own of at most a second. */
  readonly stalled?: PasswordBackend
  /** It does not tell unknown users from wrong passwords (a login somewhere else). */
  readonly hidesUsers?: boolean
}
type Case = AuthCase<BackendUnderTest>
type Verify = NonNullable<PasswordBackend['verify']>

const passwordClaim = (user: string, password: string): Claim => ({ kind: 'password', user, password: words(password) })
const noPasswords = (u: BackendUnderTest): string | undefined => (u.about.verifies.includes('password') ? undefined : 'it checks no passwords')
const ask = (backend: PasswordBackend, claim: Claim, signal = patient()): ReturnType<Verify> => {
  must(backend.verify !== undefined, 'about.verifies names claims, so there must be a verify')
  return backend.verify(claim, client, signal)
}
interface KnownKind {
  readonly id: string
  /** The name that a credential of this kind bears; undefined: there is none. */
  ownerIn(backend: PasswordBackend, user: string): Promise<string | undefined>
}
function known<T>(kind: CredentialKind<T>): KnownKind {
  return { id: kind.id, ownerIn: async (backend, user) => (await backend.lookup?.(user, kind, patient()))?.user }
}
const KNOWN_KINDS: readonly KnownKind[] = [known(PASSWORD), known(SCRAM_SHA_1), known(SCRAM_SHA_256), known(OTP_CHAIN)]

/** What every password backend must do. */
export const passwordBackendCases: readonly Case[] = [
  {
    id: 'right',
    title: 'the right password is accepted, with the name of its user',
    unless: noPasswords,
    async run({ backend, users }) {
      for (const { name, password } of users) {
        const verdict = await ask(backend, passwordClaim(name, password))
        mustEqual({ kind: verdict.kind, user: verdict.kind === 'accepted' ? verdict.user : '' }, { kind: 'accepted', user: name }, `the password of ${name} must be accepted`)
      }
    },
  },
  {
    id: 'wrong',
    title: 'anything but the right password is refused, also what is nearly right',
    unless: noPasswords,
    async run({ backend, users }) {
      const [alice, bob] = users
      const guesses = [bob.password, `${alice.password} `, ` ${alice.password}`, alice.password.toUpperCase(), alice.password.slice(0, -1), `${alice.password}\n`, `${alice.password}x`, 'x', '*', '{PLAIN}', "' OR '1'='1"]
      for (const guess of guesses.filter((g) => g !== alice.password)) {
        const verdict = await ask(backend, passwordClaim(alice.name, guess))
        must(verdict.kind === 'wrong-password', `password ${JSON.stringify(guess)} must be answered "wrong-password", not "${verdict.kind}"`)
      }
    },
  },
  {
    id: 'unknown',
    title: 'users that do not exist are unknown, so that the next backend is asked',
    unless: (u) => noPasswords(u) ?? (u.hidesUsers === true ? 'it cannot tell' : undefined),
    async run({ backend, users }) {
      for (const name of ['nobody-of-this-name', 'nobody@elsewhere.example']) {
        const verdict = await ask(backend, passwordClaim(name, users[0].password))
        mustEqual(verdict, { kind: 'unknown-user' }, `${name} must be answered "unknown-user"`)
      }
    },
  },
  {
    id: 'hostile-names',
    title: 'no name is anything but a name',
    unless: noPasswords,
    async run({ backend, users }) {
      for (const name of HOSTILE_NAMES) {
        for (const { name: owner, password } of users) {
          const outcome = await settled(() => ask(backend, passwordClaim(name, password)))
          must('value' in outcome, `the name ${JSON.stringify(name)} must be answered, not thrown at: ${'error' in outcome ? String(outcome.error) : ''}`)
          // A directory may read a name as its own ("alice " for "alice"), but then says whose it is.
          must(outcome.value.kind !== 'accepted' || outcome.value.user === owner, `the name ${JSON.stringify(name)} with the password of ${owner} must not be accepted, unless as ${owner}`)
        }
      }
    },
  },
  {
    id: 'no-words',
    title: 'an empty password is never the right one, nor are octets that are no text',
    unless: noPasswords,
    async run({ backend, users }) {
      for (const password of [new Uint8Array(0), Uint8Array.of(0xff, 0xfe), octets('x'.repeat(1024))]) {
        const outcome = await settled(() => ask(backend, { kind: 'password', user: users[0].name, password: { ...words(''), reveal: () => password } }))
        must('error' in outcome || outcome.value.kind !== 'accepted', `${password.length} octets that are not the password must not be accepted`)
      }
    },
  },
  {
    id: 'other-claims',
    title: 'claims that `about` does not name are passed on',
    async run({ backend, about, users }) {
      const claims: readonly Claim[] = [
        passwordClaim(users[0].name, users[0].password),
        { kind: 'token', user: users[0].name, token: words(users[0].password) },
        { kind: 'certificate', der: octets('none') },
        { kind: 'principal', name: users[0].name, mechanism: 'GSSAPI' },
        { kind: 'one-time', user: users[0].name, response: new Uint8Array(8) },
      ]
      for (const claim of claims.filter((c) => !about.verifies.includes(c.kind))) {
        if (backend.verify === undefined) continue
        mustEqual(await ask(backend, claim), { kind: 'unknown-user' }, `a claim of kind "${claim.kind}" must be answered "unknown-user"`)
      }
    },
  },
  {
    id: 'side-by-side',
    title: 'many questions at the same time get each its own answer',
    unless: noPasswords,
    async run({ backend, users }) {
      const questions = Array.from({ length: 30 }, (_, i) => ({ user: users[i % 2] ?? users[0], right: i % 3 !== 0 }))
      const verdicts = await Promise.all(questions.map(({ user, right }) => ask(backend, passwordClaim(user.name, right ? user.password : 'x'))))
      mustEqual(
        verdicts.map((v) => (v.kind === 'accepted' ? v.user : v.kind)),
        questions.map(({ user, right }) => (right ? user.name : 'wrong-password')),
        'each answer must be that of its question',
      )
    },
  },
  {
    id: 'cancelled',
    title: 'a session that is gone makes no verdict of its own',
    unless: noPasswords,
    async run({ backend, users }) {
      const gone = AbortSignal.abort()
      const outcome = await settled(() => ask(backend, passwordClaim(users[0].name, 'x'), gone))
      must('error' in outcome || outcome.value.kind !== 'accepted', 'a wrong password must not be accepted because the session is gone')
      const after = await ask(backend, passwordClaim(users[0].name, users[0].password))
      must(after.kind === 'accepted', 'the next question must be answered as ever')
    },
  },
  {
    id: 'outage',
    title: 'an outage is thrown as unavailable: it is no answer about anybody',
    unless: (u) => noPasswords(u) ?? (u.broken === undefined ? 'nothing it asks can fail' : undefined),
    async run({ broken, users }) {
      for (const name of [users[0].name, 'nobody-of-this-name']) {
        const outcome = await settled(() => ask(broken ?? {}, passwordClaim(name, users[0].password)))
        must('error' in outcome, `while it cannot be asked, ${name} must not be answered "${'value' in outcome ? outcome.value.kind : ''}"`)
        must(outcome.error instanceof MailError ? outcome.error.kind === 'unavailable' : outcome.error instanceof Error, `an outage must be MailError('unavailable'), or any other error, which core takes for one`)
      }
    },
  },
  {
    id: 'stall',
    title: 'what does not answer is given up in time, and holds nobody up',
    unless: (u) => noPasswords(u) ?? (u.stalled === undefined ? 'nothing it asks can stall' : undefined),
    async run({ stalled, users }) {
      const all = await Promise.all(Array.from({ length: 20 }, () => settled(() => ask(stalled ?? {}, passwordClaim(users[0].name, users[0].password)))))
      must(all.every((o) => 'error' in o && o.error instanceof MailError && o.error.kind === 'unavailable'), 'each question must end as unavailable')
    },
  },
  {
    id: 'lookup',
    title: 'credentials are handed out for the kinds of `about`, with the name of their user, and for nobody else',
    unless: (u) => (u.about.holds.length === 0 ? 'it holds none' : undefined),
    async run({ backend, about, users }) {
      must(backend.lookup !== undefined, 'about.holds names kinds, so there must be a lookup')
      const serves = (await backend.serves?.(patient()))?.holds ?? about.holds
      let found = 0
      for (const kind of KNOWN_KINDS) {
        const owner = await kind.ownerIn(backend, users[0].name)
        if (!about.holds.some((held) => held.id === kind.id)) must(owner === undefined, `kind "${kind.id}" is not in about.holds, so there must be none`)
        if (owner !== undefined) {
          found++
          must(owner === users[0].name, `the credential of ${users[0].name} must bear that name`)
        }
        for (const name of ['nobody-of-this-name', ...HOSTILE_NAMES]) must((await kind.ownerIn(backend, name)) === undefined, `there must be no "${kind.id}" of ${JSON.stringify(name)}`)
      }
      must(serves.length === 0 || found > 0 || serves.some((kind) => !KNOWN_KINDS.some((known) => known.id === kind.id)), 'what it serves must be there for its users')
    },
  },
  {
    id: 'serves',
    title: 'what can be served now is never more than `about` says',
    unless: (u) => (u.backend.serves === undefined ? 'it always serves the same' : undefined),
    async run({ backend, about }) {
      const now = await backend.serves?.(patient())
      must(now?.verifies.every((kind) => about.verifies.includes(kind)) === true, 'serves().verifies must be among about.verifies')
      must(now?.holds.every((kind) => about.holds.some((held) => held.id === kind.id)) === true, 'serves().holds must be among about.holds')
    },
  },
  {
    id: 'change',
    title: 'a new password is the only one afterwards',
    unless: (u) => noPasswords(u) ?? (u.about.changes ? undefined : 'it changes none'),
    async run({ backend, users }) {
      const [, bob] = users
      const changed = await backend.change?.(bob.name, words('an entirely new one'), patient())
      if (changed?.kind === 'not-permitted') return
      must(changed?.kind === 'accepted', `about.changes is true, so ${bob.name} must get a new password`)
      must((await ask(backend, passwordClaim(bob.name, 'an entirely new one'))).kind === 'accepted', 'the new password must be accepted')
      must((await ask(backend, passwordClaim(bob.name, bob.password))).kind === 'wrong-password', 'the old password must be wrong')
      mustEqual(await backend.change?.('nobody-of-this-name', words('x1'), patient()), { kind: 'unknown-user' }, 'nobody gets a password')
      must((await backend.change?.(bob.name, words(bob.password), patient()))?.kind === 'accepted', 'and back')
    },
  },
]

/** Runs the contract of a password backend as a vitest suite. */
export function describePasswordBackend(name: string, under: () => BackendUnderTest | Promise<BackendUnderTest>): void {
  describeCases(`password backend ${name}`, passwordBackendCases, under)
}
