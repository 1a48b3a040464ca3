import type { MailboxName } from 'mailwright/api'
import { decodeMailboxName, encodeMailboxName } from 'mailwright/toolkit'

/** A list as it stands in its file, so that a change leaves the lines of others as they are. */
export interface Lines {
  readonly raw: readonly Buffer[]
  /** Each once, in the order of the file. */
  readonly names: readonly MailboxName[]
}
const LF = Buffer.of(10)
const CR = 13

export function parseLines(bytes: Buffer): Lines {
  const raw: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(LF, at)
    raw.push(bytes.subarray(at, end < 0 ? bytes.length : end))
    at = end < 0 ? bytes.length : end + 1
  }
  return { raw, names: [...new Set(raw.map(nameOf).filter((name) => name !== undefined))] }
}
/** The file with the name at its end. */
export function withName(lines: Lines, name: MailboxName): Buffer {
  return joined([...lines.raw, Buffer.from(encodeMailboxName(name))])
}
/** The file without the name, however often and in whatever spelling it is there. */
export function withoutName(lines: Lines, name: MailboxName): Buffer {
  return joined(lines.raw.filter((line) => nameOf(line) !== name))
}
/** INBOX is written in capitals. */
export function canonical(name: string): MailboxName {
  // A name, or a line that is one.
  return (name.length === 5 && name.toUpperCase() === 'INBOX' ? 'INBOX' : name) as MailboxName
}
function nameOf(line: Buffer): MailboxName | undefined {
  const text = line[line.length - 1] === CR ? line.subarray(0, -1) : line
  if (text.length === 0) return undefined
  const decoded = decodeMailboxName(text)
  // What no client could have sent is taken as it stands.
  return canonical(decoded.problem === undefined ? decoded.name : text.toString())
}
function joined(lines: readonly Buffer[]): Buffer {
  return Buffer.concat(lines.flatMap((line) => [line, LF]))
}
