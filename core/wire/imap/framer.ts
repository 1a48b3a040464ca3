import { LIMITS } from '../limits.js'
import { commandName, latin1 } from './words.js'
import { parseLiteralMark } from './literal-mark.js'
import type { LiteralMark } from './literal-mark.js'
import type { BadFrame, Frame, FramerLimits, LineFrame } from './frames.js'

/*
 * Cuts the client's octets into commands. Pure and synchronous: `push` what arrived, then call `next` until it gives undefined.
 *
 * - Octets given out (`args`, `octets`) are views that hold until the next `push`; a cursor copies what a request keeps.
 * - One octet is looked at once, however the input is cut; a pushed chunk is copied only when a command spans chunks.
 * - After `{ kind: 'literal' }` nothing goes on before `accept`, `stream` or `refuse` was called.
 * - Nothing before `#start` is needed any more; every other place in the buffer lies between `#start` and `#end`.
 */

/** Before the login. */
export const PRELOGIN_FRAMER_LIMITS: FramerLimits = {
  line: LIMITS.commandLine,
  literal: LIMITS.literal,
  literals: LIMITS.literalsPerCommand,
  nonSync: Number.MAX_SAFE_INTEGER,
  discard: LIMITS.discardedLiteralPrelogin,
}
/** After it. */
export const FRAMER_LIMITS: FramerLimits = { ...PRELOGIN_FRAMER_LIMITS, discard: LIMITS.discardedLiteral }

const EMPTY = new Uint8Array(0)
const LF = 10
const CR = 13
const SP = 32
const SMALLEST = 512
/** What an idle framer may keep. */
const IDLE_BUFFER = 4096
/** End of a dropped line that is kept, so that a literal announced there is seen. */
const TAIL = 32

/**
 * What the next octets are: `line` command text up to LF; `await` a decision about a literal; `fill` octets of an accepted literal; `stream`
 * octets given out; `drop` octets of a refused literal; `skip` the rest of a refused line; `raw` one line for the caller; `lost` and `dead` the end.
 */
type State = 'line' | 'await' | 'fill' | 'stream' | 'drop' | 'skip' | 'raw' | 'lost' | 'dead'

export class ImapFramer {
  limits: FramerLimits
  /** How much may wait for the rest of a command; the bounds of lines and literals hold besides. Read whenever `push` was not enough. */
  mostWaiting = Infinity
  #buffer: Uint8Array = EMPTY
  /** The buffer is the framer's own, with room to append. */
  #own = false
  #start = 0
  #end = 0
  /** How far octets were looked at. */
  #at = 0
  #state: State = 'line'
  /** Octets of a literal that are still to come. */
  #left = 0
  #mark: LiteralMark | undefined

  // The command being read. `#argsAt` is -1 until its first line is complete; `#pieceAt` is where the line being read begins.
  #tag = ''
  #name = ''
  #uid = false
  #argsAt = -1
  #pieceAt = 0
  #lineOctets = 0
  #literals = 0
  #streamed = 0
  #dropBound = 0

  #rawLimit = 0
  #rawTooLong = false

  constructor(limits: FramerLimits = PRELOGIN_FRAMER_LIMITS) {
    this.limits = limits
  }

  /** Octets pushed and not yet given out. */
  get waiting(): number {
    return this.#end - this.#start
  }
  /** Octets of memory that the framer keeps while it waits for more. */
  get kept(): number {
    return this.#own ? this.#buffer.length : this.#end - this.#start
  }
  /** Something of a command has come, but not all of it. */
  get partial(): boolean {
    return this.#state === 'line' ? this.#argsAt >= 0 || this.#end > this.#start : this.#state !== 'dead' && this.#state !== 'lost'
  }
  /** What the octets to come belong to, in the words of the log. */
  get reading(): 'reading line' | 'reading literal' | 'discarding unread literal' {
    if (this.#state === 'fill' || this.#state === 'stream') return 'reading literal'
    return this.#state === 'drop' || this.#state === 'skip' ? 'discarding unread literal' : 'reading line'
  }

  /** Takes what arrived. Its owner may use the chunk again once `next` has given undefined, or after `settle`. */
  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return
    if (this.#start < this.#end) {
      this.#reserve(chunk.length)
      this.#buffer.set(chunk, this.#end)
      this.#end += chunk.length
      return
    }
    // Never a Buffer, whose `slice` is a view and not a copy.
    this.#buffer = new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length)
    this.#own = false
    this.#start = this.#at = this.#pieceAt = 0
    if (this.#argsAt >= 0) this.#argsAt = 0
    this.#end = chunk.length
  }
  /** Copies what waits into the framer's own memory, so that the last chunk may be used again although commands still wait. */
  settle(): void {
    if (!this.#own) this.#reserve(0)
  }
  /** Takes the waiting octets away, for a handover. Between commands only. */
  rest(): Uint8Array {
    const octets = this.#buffer.slice(this.#start, this.#end)
    this.clear()
    return octets
  }
  /** Drops everything that waits (plaintext that came before a layer began, RFC 3501 §6.2.1). */
  clear(): void {
    this.#buffer = EMPTY
    this.#own = false
    this.#start = this.#end = this.#at = 0
    this.#begin()
  }

  /** The next frame is one line as it stands (a SASL response, DONE). Between commands only. `limit` is without the line's end. */
  line(limit: number): void {
    this.#state = 'raw'
    this.#rawLimit = limit
    this.#rawTooLong = false
  }

  /** The announced literal becomes part of the arguments. */
  accept(): void {
    this.#left = this.#announced().size
    this.#literals++
    this.#state = 'fill'
  }
  /** The announced literal's octets follow as frames, and then the next piece of the command. */
  stream(): void {
    this.#left = this.#announced().size
    this.#streamed++
    this.#start = this.#argsAt = this.#pieceAt = this.#at
    this.#state = 'stream'
  }
  /** All octets of the announced literal, where they have come: it is streamed then, in this one piece. Undefined otherwise, and nothing is decided. */
  streamWhole(): Uint8Array | undefined {
    const mark = this.#mark
    if (this.#state !== 'await' || mark === undefined || this.#end - this.#at < mark.size) return undefined
    this.stream()
    const octets = this.#buffer.subarray(this.#at, this.#at + this.#left)
    this.#pass()
    this.#start = this.#argsAt = this.#pieceAt = this.#at
    this.#state = 'line'
    return octets
  }
  /** The command is over and the caller answers it. What the client sends of it regardless is read and dropped, up to `most` octets of literals. */
  refuse(most: number = this.limits.discard): void {
    const mark = this.#announced()
    this.#start = this.#at
    this.#dropBound = most
    if (mark.sync) this.#begin()
    else this.#drop(mark.size)
  }
  /** The command whose literals are being streamed is over before its end, and the caller answers it: its rest is dropped. Nothing if it has ended. */
  abandon(): void {
    this.#dropBound = Math.max(this.limits.discard, this.#left, LIMITS.appendLiteral)
    if (this.#state === 'await') this.refuse(this.#dropBound)
    else if (this.#state === 'stream' || this.#state === 'fill') {
      this.#start = this.#at
      this.#drop(this.#left)
    } else if (this.#state === 'line' && this.#argsAt >= 0) this.#skipFrom(this.#pieceAt)
  }

  /** The next frame; undefined: more octets are needed, or a decision about a literal. */
  next(): Frame | undefined {
    for (;;) {
      let frame: Frame | 'again' | undefined
      switch (this.#state) {
        case 'line':
          frame = this.#nextLine()
          break
        case 'fill':
          frame = this.#pass() ? this.#nextPiece() : undefined
          break
        case 'stream':
          frame = this.#nextOctets()
          break
        case 'drop':
          frame = this.#pass() ? this.#skipFrom(this.#at) : undefined
          this.#start = this.#at
          break
        case 'skip':
          frame = this.#skipLine()
          break
        case 'raw':
          frame = this.#rawLine()
          break
        case 'lost':
          this.#state = 'dead'
          return { kind: 'abort', text: 'Too much refused literal data' }
        case 'await':
        case 'dead':
          return undefined
      }
      if (frame === 'again') continue
      if (frame !== undefined) return frame
      if (this.#end - this.#start > this.mostWaiting) return this.#overfull()
      this.#rest()
      return undefined
    }
  }

  // ---- lines of a command

  #nextLine(): Frame | undefined {
    const lf = this.#findLf()
    if (this.#argsAt < 0) this.#pieceAt = this.#start
    const octets = (lf < 0 ? this.#at : lf + 1) - this.#pieceAt
    if (this.#lineOctets + octets > this.limits.line) return this.#tooLong()
    if (lf < 0) return undefined
    const stop = lf > this.#pieceAt && this.#buffer[lf - 1] === CR ? lf - 1 : lf
    if (this.#argsAt < 0) {
      const bad = this.#head(stop)
      if (bad !== undefined) {
        this.#dropBound = this.limits.discard
        this.#skipFrom(this.#start)
        return bad
      }
    }
    this.#at = lf + 1
    const mark = parseLiteralMark(this.#buffer, Math.max(this.#pieceAt, this.#argsAt), stop)
    const tag = this.#tag
    const name = this.#name
    const uid = this.#uid
    const streamed = this.#streamed
    if (mark === undefined) {
      const args = this.#buffer.subarray(this.#argsAt, stop)
      this.#begin()
      return { kind: 'command', tag, name, uid, args, tail: streamed > 0 }
    }
    this.#lineOctets += octets
    this.#mark = mark
    this.#state = 'await'
    const { size, sync, binary } = mark
    const args = this.#buffer.subarray(this.#argsAt, mark.at)
    return { kind: 'literal', tag, name, uid, args, size, sync, binary, streamed, excess: this.#excess(mark), unasked: !sync && size > this.limits.nonSync }
  }

  /** Tag, command and the place of the first argument, of the line from `#start` to `stop`. */
  #head(stop: number): BadFrame | undefined {
    const buffer = this.#buffer
    let at = this.#start
    while (at < stop && buffer[at] === SP) at++
    if (at === stop) return { kind: 'bad', tag: undefined, text: 'Null command', why: 'null-command' }
    const tagAt = at
    let proper = true
    while (at < stop && buffer[at] !== SP) proper = TAG_CHARS[buffer[at++]!] === 1 && proper
    if (at - tagAt > LIMITS.tag) return { kind: 'bad', tag: undefined, text: 'Excessively long tag', why: 'long-tag' }
    if (!proper) return { kind: 'bad', tag: undefined, text: 'Invalid tag', why: 'bad-tag' }
    this.#tag = latin1(buffer, tagAt, at)
    while (at < stop && buffer[at] === SP) at++
    if (at === stop) return { kind: 'bad', tag: this.#tag, text: 'Missing command', why: 'missing-command' }
    const wordAt = at
    while (at < stop && buffer[at] !== SP) at++
    this.#name = commandName(buffer, wordAt, at)
    this.#uid = false
    while (at < stop && buffer[at] === SP) at++
    if (this.#name === 'UID' && at < stop) {
      const uidWordAt = at
      while (at < stop && buffer[at] !== SP) at++
      this.#name = commandName(buffer, uidWordAt, at)
      this.#uid = true
      while (at < stop && buffer[at] === SP) at++
    }
    this.#argsAt = at
    return undefined
  }

  #excess(mark: LiteralMark): string | undefined {
    if (!mark.sync && mark.size > this.limits.nonSync) return 'Non-synchronizing literal too large'
    if (mark.size > this.limits.literal) return 'Absurdly long client literal'
    return this.#literals >= this.limits.literals ? 'Too many literals in command' : undefined
  }

  #tooLong(): BadFrame {
    const known = this.#argsAt >= 0 ? this.#tag : this.#tagOfLine()
    this.#dropBound = this.limits.discard
    this.#skipFrom(this.#pieceAt)
    return { kind: 'bad', tag: known, text: 'Command line too long', why: 'too-long' }
  }
  /** The tag of a line that is too long to be read, if it looks like one. */
  #tagOfLine(): string | undefined {
    const most = Math.min(this.#end, this.#start + LIMITS.tagSearch)
    let at = this.#start
    while (at < most && TAG_CHARS[this.#buffer[at]!] === 1) at++
    const length = at - this.#start
    return at < most && this.#buffer[at] === SP && length > 0 && length <= LIMITS.tag ? latin1(this.#buffer, this.#start, at) : undefined
  }

  // ---- literals

  #announced(): LiteralMark {
    const mark = this.#mark
    if (this.#state !== 'await' || mark === undefined) throw new Error('no literal was announced')
    this.#mark = undefined
    return mark
  }
  /** Passes over octets of a literal; true when it is complete. */
  #pass(): boolean {
    const taken = Math.min(this.#left, this.#end - this.#at)
    this.#at += taken
    this.#left -= taken
    return this.#left === 0
  }
  #nextPiece(): 'again' {
    this.#pieceAt = this.#at
    this.#state = 'line'
    return 'again'
  }
  #nextOctets(): Frame | undefined {
    const from = this.#at
    if (from === this.#end && this.#left > 0) return undefined
    const last = this.#pass()
    const octets = this.#buffer.subarray(from, this.#at)
    this.#start = this.#argsAt = this.#pieceAt = this.#at
    if (last) this.#state = 'line'
    return { kind: 'octets', octets, last }
  }

  // ---- what is dropped

  #drop(size: number): void {
    this.#dropBound -= size
    this.#left = size
    this.#state = this.#dropBound < 0 ? 'lost' : 'drop'
  }
  #skipFrom(place: number): 'again' {
    this.#start = this.#at = place
    this.#argsAt = -1
    this.#state = 'skip'
    return 'again'
  }
  #skipLine(): 'again' | undefined {
    const lf = this.#findLf()
    if (lf < 0) {
      this.#start = Math.max(this.#start, this.#end - TAIL)
      return undefined
    }
    const stop = lf > this.#start && this.#buffer[lf - 1] === CR ? lf - 1 : lf
    const mark = parseLiteralMark(this.#buffer, this.#start, stop)
    this.#start = this.#at = lf + 1
    // A synchronising literal is not sent after a refusal (RFC 3501 §7.5), so only the other kind prolongs the command.
    if (mark === undefined || mark.sync) this.#begin()
    else this.#drop(mark.size)
    return 'again'
  }

  #rawLine(): LineFrame | undefined {
    const lf = this.#findLf()
    const stop = lf > this.#start && this.#buffer[lf - 1] === CR ? lf - 1 : lf
    // Before the end is seen, two octets more may be the line's end.
    if (lf < 0 ? this.#at - this.#start > this.#rawLimit + 1 : stop - this.#start > this.#rawLimit) this.#rawTooLong = true
    if (lf < 0) {
      if (this.#rawTooLong) this.#start = this.#end
      return undefined
    }
    const bytes = this.#rawTooLong ? undefined : this.#buffer.slice(this.#start, stop)
    this.#at = lf + 1
    this.#begin()
    return { kind: 'line', bytes }
  }

  // ---- the buffer

  #overfull(): Frame {
    this.clear()
    this.#state = 'dead'
    return { kind: 'abort', text: '[UNAVAILABLE] Too many unfinished commands, try again later' }
  }
  /** The next LF; when there is none everything counts as looked at. */
  #findLf(): number {
    const buffer = this.#buffer
    // Most commands are short: a call into native code would cost more than the search.
    const near = Math.min(this.#end, this.#at + 48)
    for (let i = this.#at; i < near; i++) if (buffer[i] === LF) return i
    const found = near < this.#end ? buffer.indexOf(LF, near) : -1
    if (found >= 0 && found < this.#end) return found
    this.#at = this.#end
    return -1
  }
  #begin(): void {
    this.#state = 'line'
    this.#start = this.#at
    this.#argsAt = -1
    this.#lineOctets = this.#literals = this.#streamed = 0
  }
  /** Before more octets are awaited: the last chunk is not ours, and idle memory is given back. */
  #rest(): void {
    if (this.#start < this.#end) {
      const live = this.#end - this.#start
      if (!this.#own) this.#reserve(0)
      else if (this.#buffer.length > IDLE_BUFFER && live * 4 < this.#buffer.length) this.#shrink(live)
    } else if (!this.#own || this.#buffer.length > IDLE_BUFFER) {
      this.#buffer = EMPTY
      this.#own = false
      this.#start = this.#end = this.#at = this.#pieceAt = 0
      if (this.#argsAt >= 0) this.#argsAt = 0
    }
  }
  /** Room for `extra` octets after the waiting ones, in the framer's own memory. */
  #reserve(extra: number): void {
    const live = this.#end - this.#start
    if (this.#own && this.#buffer.length - this.#end >= extra) return
    const base = this.#start
    // Moving at most half of the buffer after at least half was used keeps the cost of an octet constant.
    if (this.#own && live + extra <= this.#buffer.length >>> 1) this.#buffer.copyWithin(0, base, this.#end)
    else this.#move(extra === 0 ? live : 2 ** Math.ceil(Math.log2((live + extra) * 1.25)))
    this.#rebase(base, live)
  }
  /** After a burst of which little is left: thousands of clients that stop in the middle of a command keep what they need. */
  #shrink(live: number): void {
    const base = this.#start
    this.#move(live)
    this.#rebase(base, live)
  }
  #move(size: number): void {
    const own = new Uint8Array(Math.max(SMALLEST, size))
    own.set(this.#buffer.subarray(this.#start, this.#end))
    this.#buffer = own
    this.#own = true
  }
  #rebase(base: number, live: number): void {
    this.#start = 0
    this.#end = live
    this.#at -= base
    this.#pieceAt -= base
    if (this.#argsAt >= 0) this.#argsAt -= base
  }
}

/** RFC 3501 §9 "tag": ASTRING-CHAR without `+`. */
const TAG_CHARS = new Uint8Array(256)
for (let c = 0x21; c < 0x7f; c++) TAG_CHARS[c] = '(){%*"\\+'.includes(String.fromCharCode(c)) ? 0 : 1
