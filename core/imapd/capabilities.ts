import type { AnyFact, CapabilityView, ImapState, ImapWriter, ResponseCode } from '../api/index.js'
import type { LiveSession } from './session.js'

/**
 * The order of the original: what is always there, what is there after the login, what is there before it. Others follow in the order of the
 * configuration.
 */
const ORDER: readonly string[] = [
  'IMAP4REV1', 'I18NLEVEL=1', 'LITERAL+', 'LITERAL-', 'X-NETSCAPE',
  'IDLE', 'UIDPLUS', 'NAMESPACE', 'CHILDREN', 'MAILBOX-REFERRALS', 'BINARY', 'UNSELECT', 'ESEARCH', 'WITHIN', 'SCAN', 'SORT', 'THREAD=REFERENCES',
  'THREAD=ORDEREDSUBJECT', 'MULTIAPPEND',
  'SASL-IR', 'LOGIN-REFERRALS', 'STARTTLS', 'LOGINDISABLED', 'AUTH=',
]
const places = new Map(ORDER.map((token, i) => [token, i]))
const RANK_OF_OTHERS = ORDER.indexOf('MULTIAPPEND') + 0.5

function rank(token: string): number {
  return places.get(token.toUpperCase().startsWith('AUTH=') ? 'AUTH=' : token.toUpperCase()) ?? RANK_OF_OTHERS
}

/** All tokens that the session's extensions give for a state, each once, in order. */
function tokens(session: LiveSession, state: ImapState): readonly string[] {
  const view: CapabilityView = {
    state,
    encrypted: session.peer.tls !== undefined,
    peer: session.peer,
    client: session.client,
    user: session.mail === undefined ? undefined : { anonymous: session.mail.user.kind === 'anonymous' },
    mechanisms: session.gate.mechanisms(session.peer),
    fact: (f: AnyFact) => session.host.drivers.some((d) => d.facts.some((known) => known.id === f.id)),
  }
  const found = new Set([...session.grammar.tables.about.flatMap((about) => about.capabilities(view)), ...session.profile.show])
  if (state === 'not-authenticated' && session.gate.plaintext?.(session.peer) === false) found.add('LOGINDISABLED')
  // Whoever may send any literal unasked need not be told of the smaller permission (RFC 7888 §5).
  if (found.has('LITERAL+')) found.delete('LITERAL-')
  return [...found].filter((token) => !session.profile.hide.has(token.toUpperCase())).sort((a, b) => rank(a) - rank(b))
}

/**
 * The capability list: of the state before the login, of the one after it, or of both (the CAPABILITY command does not trim). What both have comes
 * first, then what only the one after has, then what only the one before has.
 */
export function capabilityList(session: LiveSession, which: 'before' | 'after' | 'all'): readonly string[] {
  const before = tokens(session, 'not-authenticated')
  const after = tokens(session, 'authenticated')
  const always = after.filter((t) => before.includes(t))
  return [
    ...always,
    ...(which === 'before' ? [] : after.filter((t) => !always.includes(t))),
    ...(which === 'after' ? [] : before.filter((t) => !always.includes(t))),
  ]
}

/** `CAPABILITY IMAP4REV1 ...` as a response code. */
export function capabilityCode(list: readonly string[]): ResponseCode {
  return { name: 'CAPABILITY', write: (w: ImapWriter) => list.forEach((token) => w.raw(` ${token}`)) }
}
