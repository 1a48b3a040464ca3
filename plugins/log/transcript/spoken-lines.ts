type Speaker = 'C' | 'S'

const LF = 0x0a
/** A longer line goes on in the next, after ` \`. */
const LONGEST_CHARACTERS = 8192

/**
 * Octets of both sides as lines of text: `0.031 C: a1 NOOP`. Time is in seconds since the first. Control characters other than tab, a CR that
 * ends no line, and octets beyond ASCII are `\x..`, so that no message can look like a line of the protocol.
 */
export class SpokenLines {
  readonly #write: (line: string) => void
  readonly #unfinished: Record<Speaker, string> = { C: '', S: '' }
  #began: number | undefined
  #at = 0

  constructor(write: (line: string) => void) {
    this.#write = write
  }
  said(who: Speaker, atMs: number, octets: Uint8Array): void {
    this.#at = atMs
    for (let from = 0; from < octets.length; ) {
      const end = octets.indexOf(LF, from)
      this.#unfinished[who] += Buffer.from(octets.subarray(from, end < 0 ? octets.length : end)).toString('latin1')
      if (end < 0) {
        if (this.#unfinished[who].length > LONGEST_CHARACTERS) this.#line(who, ' \\')
        return
      }
      this.#line(who, '')
      from = end + 1
    }
  }
  hidden(who: Speaker, atMs: number, octets: number): void {
    this.#at = atMs
    this.#line(who, `[${octets} octets]`)
  }
  /** What has no end of line yet. */
  end(): void {
    for (const who of ['C', 'S'] as const) if (this.#unfinished[who] !== '') this.#line(who, '')
  }

  #line(who: Speaker, rest: string): void {
    this.#began ??= this.#at
    const text = this.#unfinished[who].replace(/\r$/, '').replaceAll(/[^\t\x20-\x5b\x5d-\x7e]/g, escaped)
    this.#unfinished[who] = ''
    this.#write(`${((this.#at - this.#began) / 1000).toFixed(3)} ${who}: ${text}${rest}\n`)
  }
}
function escaped(character: string): string {
  return character === '\\' ? '\\\\' : `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`
}
