import { CommandFailure, EXIT } from '../exit-codes.js'

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** What the trace lines of a delivery say (RFC 5321 §4.4). */
export interface Trace {
  readonly serverName: string
  readonly recipient: string
  /** Envelope sender; empty for the null sender, undefined when it was not told. */
  readonly sender: string | undefined
  readonly ms: number
}

/**
 * The lines in front of a delivered message, each with its CRLF.
 * @throws CommandFailure when an address would break a line.
 */
export function traceLines({ serverName, recipient, sender, ms }: Trace): string {
  for (const text of [recipient, sender ?? '']) if (/[\0\r\n]/.test(text)) throw new CommandFailure(EXIT.usage, 'an address holds a line end')
  const path = sender?.replace(/^<(.*)>$/, '$1')
  const returnPath = path === undefined ? '' : `Return-Path: <${path}>\r\n`
  return `${returnPath}Received: by ${serverName} (Mailwright)\r\n\tfor ${recipient}; ${dateTime(ms)}\r\n`
}
/** RFC 5322 §3.3, in UTC. */
function dateTime(ms: number): string {
  const d = new Date(ms)
  const two = (n: number): string => String(n).padStart(2, '0')
  return `${DAYS[d.getUTCDay()] ?? ''}, ${d.getUTCDate()} ${MONTHS[d.getUTCMonth()] ?? ''} ${d.getUTCFullYear()} ${two(d.getUTCHours())}:${two(d.getUTCMinutes())}:${two(d.getUTCSeconds())} +0000`
}
