import type { Writable } from 'node:stream'
import { say } from '../terminal.js'

const CONTROL = /\p{Cc}/gu

/** Names are the choice of users: what a terminal would act on is written out. */
export function printable(text: string): string {
  return text.replaceAll(CONTROL, (c) => `\\x${(c.codePointAt(0) ?? 0).toString(16).padStart(2, '0')}`)
}
/** One line for the operator. */
export function tell(to: Writable, text: string): void {
  say(to, printable(text))
}
