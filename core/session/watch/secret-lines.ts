const LF = 0x0a
const SPACE = 0x20
/** A line whose command is not known by then is kept to ourselves: what it is, nobody who means well would write so. */
const HEAD_OCTETS = 256
/** A line of answers in a dialogue has no space and may be long. */
const ANSWER_OCTETS = 16_384
const LONGEST_MARK = 24

/** First words of POP3 commands, second ones of IMAP4 commands, that carry what nobody may read. */
const FIRST = new Set(['PASS', 'APOP', 'AUTH'])
const SECOND = new Set(['LOGIN', 'AUTHENTICATE'])
const DIALOGUE = new Set(['AUTH', 'AUTHENTICATE'])

/** Hears what may be shown, and how much was not. */
export interface LineHearer {
  shown(octets: Uint8Array): void
  hidden(octets: number): void
}

/**
 * Parts what a client sends into what may be shown and what could be a secret: lines of commands that log in, their literals, and the
 * answers of a dialogue behind them. It knows nothing of what the server accepts, and takes every line for a command, those of a
 * message too: to hide too much does no harm.
 */
export class SecretLines {
  readonly #hear: LineHearer
  /** The line so far, while it is not known what it is. */
  #head: Uint8Array = new Uint8Array(0)
  #mode: 'head' | 'shown' | 'hidden' = 'head'
  /** The end of a hidden line, for the mark of a literal. */
  #tail = ''
  #literal = 0
  #dialogue = false

  constructor(hear: LineHearer) {
    this.#hear = hear
  }

  /** The chunk is the caller's again afterwards. */
  feed(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length; ) {
      if (this.#literal > 0) {
        const taken = Math.min(this.#literal, chunk.length - at)
        this.#literal -= taken
        at += taken
        this.#hear.hidden(taken)
        continue
      }
      const end = chunk.indexOf(LF, at)
      const piece = chunk.subarray(at, end < 0 ? chunk.length : end + 1)
      at += piece.length
      this.#line(piece, end >= 0)
    }
  }
  /** The client has gone. */
  end(): void {
    if (this.#head.length > 0) this.#hear.shown(this.#head)
    this.#head = new Uint8Array(0)
  }

  #line(piece: Uint8Array, complete: boolean): void {
    let octets = piece
    if (this.#mode === 'head') {
      octets = Buffer.concat([this.#head, piece])
      const mode = this.#judge(octets, complete)
      this.#head = mode === undefined ? octets : new Uint8Array(0)
      if (mode === undefined) return
      this.#mode = mode
    }
    if (this.#mode === 'shown') this.#hear.shown(octets)
    else {
      this.#hear.hidden(octets.length)
      this.#tail = (this.#tail + Buffer.from(octets.subarray(-LONGEST_MARK)).toString('latin1')).slice(-LONGEST_MARK)
    }
    if (complete) this.#endLine()
  }
  #endLine(): void {
    const mark = this.#mode === 'hidden' ? /\{(\d{1,15})[+-]?\}\r?\n$/.exec(this.#tail) : null
    this.#tail = ''
    // What follows a literal belongs to the same command.
    if (mark === null) this.#mode = 'head'
    else this.#literal = Math.min(Number(mark[1]), ANSWER_OCTETS)
  }
  #judge(head: Uint8Array, complete: boolean): 'shown' | 'hidden' | undefined {
    if (this.#dialogue) {
      if (!head.includes(SPACE)) return complete || head.length > ANSWER_OCTETS ? 'hidden' : undefined
      this.#dialogue = false
    }
    const words = /^[ \t]*([^\s]+)([ \t\r\n]+([^\s]+)?([\s])?)?/.exec(Buffer.from(head.subarray(0, HEAD_OCTETS)).toString('latin1'))
    const first = words?.[2] === undefined ? undefined : words[1]?.toUpperCase()
    const second = words?.[4] === undefined && !complete ? undefined : words?.[3]?.toUpperCase()
    const secret = [first !== undefined && FIRST.has(first) ? first : undefined, second !== undefined && SECOND.has(second) ? second : undefined].find((w) => w !== undefined)
    if (secret !== undefined) {
      this.#dialogue = DIALOGUE.has(secret)
      return 'hidden'
    }
    if (complete || second !== undefined) return head.length > HEAD_OCTETS && second === undefined && words !== null ? 'hidden' : 'shown'
    return head.length > HEAD_OCTETS ? 'hidden' : undefined
  }
}
