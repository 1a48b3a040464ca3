import { EXIT } from '../exit-codes.js'

/** Code and enhanced status code (RFC 2034). */
export type Outcome = readonly [code: number, status: string]

/** What the exit code of `mailwright deliver` says, as a reply: 4xx keeps a message in the queue of whoever sends it. */
const OF_EXIT_CODE = new Map<number, Outcome>([
  [EXIT.badData, [554, '5.6.0']],
  [EXIT.noUser, [550, '5.1.1']],
  [EXIT.cannotCreate, [552, '5.2.2']],
  [EXIT.noPermission, [550, '5.7.1']],
])
const LATER: Outcome = [451, '4.3.0']

export function outcomeOf(exitCode: number): Outcome {
  return OF_EXIT_CODE.get(exitCode) ?? LATER
}
/** One line, with its CRLF; what would break it is left out. */
export function replyLine([code, status]: Outcome, text: string): string {
  return `${code} ${status} ${text.replaceAll(/[^\x20-\x7e]+/g, ' ').slice(0, 400)}\r\n`
}
