import { CommandFailure, EXIT } from '../exit-codes.js'

/** Whom a message is for. */
export interface Recipient {
  /** Name or address without the folder; undefined: whoever runs the command. */
  readonly account: string | undefined
  /** Undefined: INBOX. */
  readonly folder: string | undefined
}

/** Octets of the longest folder name. */
const MAX_FOLDER = 256

/**
 * `alice`, `alice+lists`, `alice+lists@example.org`, `+lists`, or the account and `+lists` as two words.
 * @throws CommandFailure for what is none of them.
 */
export function recipientOf(words: readonly string[]): Recipient {
  const [first = '', second] = words
  if (second !== undefined && (!second.startsWith('+') || first.startsWith('+'))) {
    throw new CommandFailure(EXIT.usage, `a message has one recipient: "${second}" is neither its account nor +FOLDER`)
  }
  const at = first.lastIndexOf('@')
  const [local, domain] = at < 0 ? [first, ''] : [first.slice(0, at), first.slice(at)]
  const plus = local.indexOf('+')
  const account = `${plus < 0 ? local : local.slice(0, plus)}${domain}`
  const folder = second === undefined ? (plus < 0 ? '' : local.slice(plus + 1)) : second.slice(1)
  return { account: account === '' ? undefined : account, folder: folder === '' || folder.toUpperCase() === 'INBOX' ? undefined : folder }
}

/**
 * Why a message may not be filed under a name; undefined when it may. Whoever sends mail chooses the name, so only plain names below the
 * account's own folder are taken; a program of the account itself (procmail, maildrop) may also name other namespaces.
 */
export function folderFault(folder: string, byTheUser: boolean): string | undefined {
  if (Buffer.byteLength(folder) > MAX_FOLDER) return 'the name is too long'
  if (/^[%*/~]/.test(folder) || /\.\.|\/\/|\/~/.test(folder)) return 'names of this form are not taken from mail'
  if (folder.startsWith('#') && !byTheUser) return 'a namespace may only be named with --user-mode'
  return undefined
}
