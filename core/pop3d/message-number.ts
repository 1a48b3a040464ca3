import type { Pop3Arguments } from '../api/index.js'
import { parseNumber } from '../wire/pop3/command-line.js'
import { Refused } from './failure.js'
import type { LiveSession } from './session.js'

/**
 * The message that a command names.
 * @throws Refused when it names none, or one that is deleted, gone or never was.
 */
export function messageNumber(args: Pop3Arguments, session: LiveSession): number {
  const [word] = args.words
  if (word === undefined) throw new Refused('Missing message number argument')
  const n = parseNumber(word)
  if (n === undefined) throw new Refused('Bad message number argument')
  if (!session.maildrop.has(n)) throw new Refused('No such message')
  return n
}
