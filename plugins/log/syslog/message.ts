/** RFC 3164 §4.1.1, table of facilities. */
export const FACILITIES = { kern: 0, user: 1, mail: 2, daemon: 3, auth: 4, syslog: 5, authpriv: 10, local0: 16, local1: 17, local2: 18, local3: 19, local4: 20, local5: 21, local6: 22, local7: 23 } as const
export type Facility = keyof typeof FACILITIES

export type Level = 'debug' | 'info' | 'warn' | 'error'
const SEVERITIES = { debug: 7, info: 6, warn: 4, error: 3 } as const
const NOTICE = 5
const ALERT = 1
/** Lines about logins that the original logs as notices of the auth facility; scanners of logs look for them there. */
const AUTH_NOTICES: readonly RegExp[] = [/^Login (?:failed|disabled|excessive)/, /^Admin .* override of/, /^Failed .* override of/]
const AUTH_ALERTS: readonly RegExp[] = [/^Login SYSTEM BREAK-IN ATTEMPT/]
/** What cannot wait, under the facility of everything else. */
const ALERTS: readonly RegExp[] = [/^Retrying after disk error/, /^Fatal error/, /^Unable to (?:load|create|set) /]
const LONGEST_OCTETS = 2_000

const SESSION_FACTS: ReadonlySet<string> = new Set(['user', 'auth', 'host', 'mech', 'mbx', 'anonymous'])
const LONGEST_FACT = 80
// oxlint-disable-next-line no-control-regex
const UNSAFE = /[\u0000-\u001F\u007F-\u009F\u2028\u2029\u200E\u200F\u202A-\u202E\u2066-\u2069]/g

/** How messages are made. */
export interface MessageStyle {
  /** Program name in front of each line. */
  readonly ident: string
  readonly facility: Facility
  readonly authFacility: Facility
  readonly pid: number
}

/** One datagram for the local syslog socket: `<22>Nov  3 09:08:07 mailwright[42]: Login user=alice host=[192.0.2.1]`. */
export function syslogMessage(style: MessageStyle, level: Level, event: string, facts: Readonly<Record<string, unknown>>, now: Date): Buffer {
  const authAlert = AUTH_ALERTS.some((pattern) => pattern.test(event))
  const alert = authAlert || ALERTS.some((pattern) => pattern.test(event))
  const notice = AUTH_NOTICES.some((pattern) => pattern.test(event))
  const facility = FACILITIES[authAlert || notice ? style.authFacility : style.facility]
  const severity = alert ? ALERT : notice ? NOTICE : SEVERITIES[level]
  const head = `<${facility * 8 + severity}>${timestamp(now)} ${style.ident}[${style.pid}]: `
  const line = Buffer.from(head + text(event, facts), 'utf8')
  return line.length <= LONGEST_OCTETS ? line : line.subarray(0, LONGEST_OCTETS)
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
/** RFC 3164 §4.1.2: local time, day of the month padded with a space. */
function timestamp(now: Date): string {
  const two = (n: number): string => String(n).padStart(2, '0')
  return `${MONTHS[now.getMonth()] ?? 'Jan'} ${String(now.getDate()).padStart(2, ' ')} ${two(now.getHours())}:${two(now.getMinutes())}:${two(now.getSeconds())}`
}

function text(event: string, facts: Readonly<Record<string, unknown>>): string {
  let line = safe(event)
  let trailing = ''
  for (const [key, value] of Object.entries(facts)) {
    const shown = shownAs(value)
    if (shown === undefined) continue
    if (key === 'text') trailing = `: ${shown}`
    else if (SESSION_FACTS.has(key)) line += ` ${key}=${shown.slice(0, LONGEST_FACT)}`
    else line += ` ${safe(key)}=${/^[^\s"=]+$/.test(shown) ? shown : JSON.stringify(shown)}`
  }
  return line + trailing
}

function shownAs(value: unknown): string | undefined {
  if (value === undefined) return undefined
  if (typeof value === 'string') return safe(value)
  if (value instanceof Error) return safe(value.message)
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} octets]`
  if (typeof value === 'object' && value !== null) {
    // A secret says so itself in JSON; one from another copy of the package carries the tag.
    return Reflect.get(value, Symbol.toStringTag) === 'Secret' ? '[secret]' : safe(JSON.stringify(value))
  }
  return safe(String(value))
}

function safe(value: string): string {
  return value.replace(UNSAFE, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`)
}
