import { equal, match } from 'node:assert/strict'
import type { Link } from '../../core/api/index.js'

/** How a client's octets arrive at the server. */
export type Cut = 'whole' | 'octets' | 'line ends' | 'literal counts'
export const CUTS: readonly Cut[] = ['whole', 'octets', 'line ends', 'literal counts']

/** Places where the text is cut in two; the server sees what stands before a cut in a turn of its own. */
function pieces(text: Buffer, cut: Cut): readonly Buffer[] {
  const at: number[] = []
  for (let i = 1; i < text.length; i++) {
    const before = text[i - 1]
    if (cut === 'octets') at.push(i)
    else if (cut === 'line ends' && before === 13) at.push(i)
    else if (cut === 'literal counts' && before === 0x7b) at.push(i + 1)
  }
  return [0, ...at.filter((n) => n < text.length)].map((from, i, all) => text.subarray(from, all[i + 1] ?? text.length))
}

/** Lets everything run that is ready; nothing here waits for time. */
export async function settle(turns = 12): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise<void>((resolve) => setImmediate(resolve))
}

const CRLF = Buffer.from('\r\n')

/** A client at its end of a link: sends text, and takes lines with their literals in place. */
export class ScriptClient {
  readonly #link: Link
  readonly #cut: Cut
  #buffer = Buffer.alloc(0)
  #ended = false
  #wake: (() => void) | undefined

  constructor(link: Link, cut: Cut = 'whole') {
    this.#link = link
    this.#cut = cut
    void this.#pump()
  }
  async #pump(): Promise<void> {
    try {
      for (;;) {
        const chunk = await this.#link.read()
        if (chunk === undefined) break
        this.#buffer = Buffer.concat([this.#buffer, chunk])
        this.#wake?.()
      }
    } catch {
      // The server has broken the link off: the same as its end.
    }
    this.#ended = true
    this.#wake?.()
  }
  /** Text as it stands; characters are octets. */
  async send(text: string): Promise<void> {
    for (const piece of pieces(Buffer.from(text, 'latin1'), this.#cut)) {
      this.#link.write(Buffer.from(piece))
      if (this.#cut !== 'whole') await settle(2)
    }
  }
  /** The next line without its CRLF, literals in place as `{3}\r\nabc`; undefined: the server closed the link. */
  async line(): Promise<string | undefined> {
    let from = 0
    for (;;) {
      const end = this.#buffer.indexOf(CRLF, from)
      const literal = end < 0 ? null : /\{(\d+)\}$/.exec(this.#buffer.subarray(Math.max(0, end - 20), end).toString('latin1'))
      const needed = literal === null ? 0 : end + 2 + Number(literal[1])
      if (end >= 0 && literal === null) {
        const line = this.#buffer.subarray(0, end).toString('latin1')
        this.#buffer = this.#buffer.subarray(end + 2)
        return line
      }
      if (end >= 0 && this.#buffer.length >= needed) from = needed
      else if (this.#ended) return undefined
      else await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }
  /** What came and was not read, once everything that is ready has run. */
  async unread(): Promise<string> {
    await settle()
    return this.#buffer.toString('latin1')
  }
  /** Sends a command and gives all lines up to its tagged one. */
  async command(tag: string, text: string): Promise<readonly string[]> {
    await this.send(`${tag} ${text}\r\n`)
    const lines: string[] = []
    for (;;) {
      const line = await this.line()
      if (line === undefined) return lines
      lines.push(line)
      if (line.startsWith(`${tag} `)) return lines
    }
  }
  async end(): Promise<void> {
    await this.#link.close()
  }

  /**
   * Plays a transcript: `C:` lines are sent, `S:` lines must come next, each whole and in order, and nothing else may have come before the next
   * `C:` or the end. `<any>` in an `S:` line stands for any text within the line, `\r\n` for a line break within a literal. `S: <end>` is the end of
   * the link; `C>` sends without a line end.
   */
  async play(script: string): Promise<void> {
    for (const { from, text } of steps(script)) {
      if (from === 'S') await this.#expect(text)
      else {
        await this.quiet()
        await this.send(from === 'C' ? `${text}\r\n` : text)
      }
    }
    await this.quiet()
  }
  /** Nothing has come that was not read. */
  async quiet(): Promise<void> {
    equal(await this.unread(), '', 'lines that nobody asked for')
  }
  async #expect(text: string): Promise<void> {
    const line = (await this.line()) ?? '<end>'
    if (text.includes('<any>')) match(line, pattern(text))
    else equal(line, text)
  }
}

function pattern(text: string): RegExp {
  const literal = text.split('<any>').map((part) => part.replaceAll(/[$()*+.?[\\\]^{|}]/g, String.raw`\$&`))
  return new RegExp(`^${literal.join('.*')}$`, 's')
}
interface Step {
  readonly from: 'C' | 'C>' | 'S'
  readonly text: string
}
function steps(script: string): readonly Step[] {
  return script
    .split('\n')
    .map((line) => line.trimStart())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line): Step => {
      const found = /^(C>|C|S):? ?(.*)$/s.exec(line)
      if (found === null) throw new Error(`no step of a transcript: ${line}`)
      const text = (found[2] ?? '').replaceAll(String.raw`\r`, '\r').replaceAll(String.raw`\n`, '\n').replaceAll(String.raw`\0`, '\0')
      return { from: found[1] as Step['from'], text }
    })
}
