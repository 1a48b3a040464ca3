import type { Pop3Arguments } from '../../api/pop3.js'

const SPACE = 32

/** Word of a command in upper case, and what follows it. */
export interface CommandLine {
  readonly name: string
  readonly args: Pop3Arguments
}

/** Splits a line at its first space; octets that are no ASCII make no command (RFC 1939 §3). */
export function parseCommandLine(line: Uint8Array): CommandLine {
  const space = line.indexOf(SPACE)
  const name = Buffer.from(line.subarray(0, space < 0 ? line.length : space)).toString('latin1').toUpperCase()
  return { name, args: new LineArguments(space < 0 ? line.subarray(line.length) : line.subarray(space + 1)) }
}

class LineArguments implements Pop3Arguments {
  readonly rest: Uint8Array
  #words: readonly string[] | undefined
  constructor(rest: Uint8Array) {
    this.rest = rest
  }
  get words(): readonly string[] {
    this.#words ??= Buffer.from(this.rest).toString('utf8').split(/[ \t]+/).filter((word) => word !== '')
    return this.#words
  }
}

/** A message number or a count of lines: digits alone. Undefined: it is none. */
export function parseNumber(word: string | undefined): number | undefined {
  return word !== undefined && /^\d{1,10}$/.test(word) ? Number(word) : undefined
}
