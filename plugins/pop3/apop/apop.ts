import { createSlot } from 'mailwright/api'
import type { Clock, Pop3Command, Pop3Extension, Pop3Session } from 'mailwright/api'

/** The mechanism behind the command. */
const MECHANISM = 'APOP'
const HOST_OCTETS = 64
const BAD = 'Bad APOP'

/** The timestamp of the greeting; empty where none was given. It ends with the login. */
const TIMESTAMP = createSlot<string>('pop3.apop.timestamp', 'logout', () => '')

function isOffered(session: Pop3Session): boolean {
  return session.gate.offers?.(MECHANISM, session.peer) === true
}

/** APOP of RFC 1939 §7: a timestamp in the greeting, and the digest of it and the password. Its text cannot be foreseen. */
export function apopExtension(clock: Clock, random: (octets: number) => Uint8Array): Pop3Extension {
  return {
    commands: [command],
    greeting(session) {
      if (!isOffered(session)) return undefined
      const local = Buffer.from(random(16)).toString('hex')
      const timestamp = `<${local}.${Math.floor(clock.now() / 1000).toString(16)}@${session.serverName.slice(0, HOST_OCTETS)}>`
      session.setSlot(TIMESTAMP, timestamp)
      return timestamp
    },
  }
}

const command: Pop3Command = {
  name: 'APOP',
  states: ['authorization'],
  async run({ words: [user, digest, ...more] }, session) {
    const timestamp = session.slot(TIMESTAMP)
    if (timestamp === '' || !isOffered(session)) return { kind: 'err', text: 'Not supported' }
    if (user === undefined || digest === undefined) return { kind: 'err', text: 'Missing APOP argument' }
    if (more.length > 0) return { kind: 'err', text: BAD }
    return session.login(session.gate.sasl(MECHANISM, Buffer.from([timestamp, user, digest].join('\0')), neverAsked, session.peer, session.signal), 'APOP', BAD)
  },
}

/** All is said in one line. */
function neverAsked(): Promise<Uint8Array> {
  return Promise.reject(new Error('APOP has no challenges'))
}
