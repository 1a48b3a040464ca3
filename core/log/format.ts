import type { Level } from './level.js'
import { neutralise, redact } from './redact.js'
import type { LogValue } from './redact.js'

/** Facts that stand unquoted, as log scanners know them from the original, and are cut at 80 octets. */
const SESSION_FACTS: ReadonlySet<string> = new Set(['user', 'auth', 'host', 'mech', 'mbx', 'anonymous'])
const LONGEST_SESSION_FACT = 80
/** A fact that is told at the end, after a colon: `Fatal mailbox error user=alice host=[192.0.2.1]: not a mailbox`. */
const TRAILING_FACT = 'text'

/** One event of the log, before it is known where it goes. */
export interface LogEvent {
  readonly level: Level
  readonly event: string
  readonly facts: Readonly<Record<string, unknown>>
  readonly timeMs: number
}

/** The event and its facts in one line: `Login user=alice host=localhost [127.0.0.1]`. */
export function eventText(event: string, facts: Readonly<Record<string, unknown>>): string {
  let line = neutralise(event)
  let trailing = ''
  let stack = ''
  for (const [key, value] of Object.entries(facts)) {
    const plain = redact(value)
    if (plain === undefined) continue
    if (key === TRAILING_FACT) trailing = `: ${String(plain)}`
    else if (SESSION_FACTS.has(key) && typeof plain === 'string') line += ` ${key}=${cutOctets(plain, LONGEST_SESSION_FACT)}`
    else {
      line += ` ${neutralise(key, 100)}=${factText(plain)}`
      stack += stackOf(plain)
    }
  }
  return line + trailing + stack
}

const SHORT: Readonly<Record<Level, string>> = { debug: 'debug', info: 'info ', warn: 'warn ', error: 'error' }
const COLOURS: Readonly<Record<Level, string>> = { debug: '\u001B[2m', info: '\u001B[32m', warn: '\u001B[33m', error: '\u001B[31m' }

/** For people. Colours only when asked for. */
export function humanLine({ level, event, facts, timeMs }: LogEvent, colours: boolean): string {
  const time = new Date(timeMs).toISOString().replace('T', ' ').slice(0, 23)
  const label = colours ? `${COLOURS[level]}${SHORT[level]}\u001B[0m` : SHORT[level]
  return `${time} ${label} ${eventText(event, facts)}`
}

/** For programs: one JSON object, the facts beside `time`, `level` and `event`. */
export function jsonLine({ level, event, facts, timeMs }: LogEvent): string {
  const plain = redact(facts)
  return JSON.stringify({ time: new Date(timeMs).toISOString(), level, event: neutralise(event), ...(typeof plain === 'object' ? plain : {}) })
}

/** sd-daemon(3): the number is the syslog priority. */
const PRIORITIES: Readonly<Record<Level, number>> = { debug: 7, info: 6, warn: 4, error: 3 }
/** For the systemd journal, which brings time and process itself. */
export function journalLine({ level, event, facts }: LogEvent): string {
  return `<${PRIORITIES[level]}>${eventText(event, facts)}`
}

function factText(value: LogValue): string {
  if (typeof value === 'string') return /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value)
  if (value !== null && typeof value === 'object' && !Array.isArray(value) && 'message' in value && 'name' in value) {
    const cause = 'cause' in value && value['cause'] !== undefined ? ` (${factText(value['cause'])})` : ''
    return `${JSON.stringify(value['message'])}${cause}`
  }
  return JSON.stringify(value)
}

function stackOf(value: LogValue): string {
  if (value === null || typeof value !== 'object' || !('stack' in value) || !Array.isArray(value['stack'])) return ''
  return value['stack'].map((line) => `\n    ${String(line)}`).join('')
}

function cutOctets(text: string, octets: number): string {
  if (Buffer.byteLength(text) <= octets) return text
  // A character that was cut through decodes to the replacement character, which is dropped.
  return Buffer.from(text).subarray(0, octets).toString('utf8').replace(/\uFFFD+$/, '')
}
