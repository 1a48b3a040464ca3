/** Bounds of one connection; replaced after the login. */
export interface FramerLimits {
  /** Octets of all line pieces of one command, ends of line included. */
  readonly line: number
  /** Octets of one literal that is held in memory. */
  readonly literal: number
  /** Such literals of one command. */
  readonly literals: number
  /** Largest `{n+}`; 4096 where LITERAL- is announced and LITERAL+ is not (RFC 7888 §5). */
  readonly nonSync: number
  /** Octets of refused non-synchronising literals that are read and dropped for one command. */
  readonly discard: number
}

/** A whole command, or what followed the last streamed literal of one (`tail`). */
export interface CommandFrame {
  readonly kind: 'command'
  readonly tag: string
  /** Upper case, without `UID `. */
  readonly name: string
  readonly uid: boolean
  /** From the first argument to before CRLF, accepted literals in place as they came (`{3}`, CRLF, octets). */
  readonly args: Uint8Array
  /** The last piece of a command whose earlier pieces were given with its streamed literals. */
  readonly tail: boolean
}
/** A literal was announced: `accept` it into the arguments, `stream` its octets, or `refuse` it. */
export interface LiteralFrame {
  readonly kind: 'literal'
  readonly tag: string
  readonly name: string
  readonly uid: boolean
  /** Arguments since the command's beginning or since the last streamed literal, up to before `{`. Empty and `streamed` 0: it is the first argument. */
  readonly args: Uint8Array
  readonly size: number
  /** `{n}`: the client waits for a continuation before it sends the octets. */
  readonly sync: boolean
  /** `~{n}` (RFC 3516 §4.4). */
  readonly binary: boolean
  /** How many literals of this command were streamed before. */
  readonly streamed: number
  /** Why it must not be accepted: the text of the BAD line. It may still be streamed, unless `unasked`. */
  readonly excess: string | undefined
  /** A `{n+}` beyond what LITERAL- allows: refuse it in any case. */
  readonly unasked: boolean
}
/** Octets of a literal that is streamed. */
export interface OctetsFrame {
  readonly kind: 'octets'
  readonly octets: Uint8Array
  /** Nothing more of this literal; an empty literal has one frame. */
  readonly last: boolean
}
/** The line asked for, without its end; undefined when it was too long (the whole of it was dropped). */
export interface LineFrame {
  readonly kind: 'line'
  readonly bytes: Uint8Array | undefined
}
/** No command: answer `<tag or *> BAD <text>` and go on. While a command is streamed it ends that command. */
export interface BadFrame {
  readonly kind: 'bad'
  readonly tag: string | undefined
  readonly text: string
  readonly why: 'too-long' | 'long-tag' | 'bad-tag' | 'null-command' | 'missing-command'
}
/** The link cannot be kept in step: say BYE and close. */
export interface AbortFrame {
  readonly kind: 'abort'
  readonly text: string
}
/** What `ImapFramer.next` gives. */
export type Frame = CommandFrame | LiteralFrame | OctetsFrame | LineFrame | BadFrame | AbortFrame
