import type { Phrase, Pop3Writer } from '../api/index.js'
import { OctetWriter } from '../wire/imap/writer.js'
import type { OctetSink } from '../wire/imap/writer.js'

/** A template with its values in place of `%1`, `%2`, ... */
function phraseText(text: Phrase, translate: (template: string) => string = (template) => template): string {
  if (typeof text === 'string') return translate(text)
  const [template, ...values] = text
  return translate(template).replaceAll(/%(\d)/g, (_, place: string) => String(values[Number(place) - 1] ?? ''))
}

/** Lines of a listing between two looks at whether the client keeps up. */
const LINES_PER_LOOK = 512
const UNPRINTABLE = /[^\x20-\x7e]/

/** Replies of a session; slabs and their limits are those of the IMAP writer. */
export class ReplyWriter implements Pop3Writer {
  readonly octets: OctetWriter
  translate: ((template: string) => string) | undefined
  /** An answer of several lines was begun and not ended: nothing else can be said. */
  open = false

  constructor(sink: OctetSink) {
    this.octets = new OctetWriter(sink)
  }

  /** Begins an answer of several lines. */
  ok(text: Phrase): void {
    this.open = true
    this.#status('+OK ', undefined, text)
  }
  /** An answer of one line. */
  line(kind: 'ok' | 'err', text: Phrase, more: { readonly code?: string | undefined; readonly prefix?: string | undefined } = {}): void {
    this.#status(kind === 'ok' ? '+OK ' : '-ERR ', more.code === undefined ? more.prefix : `[${more.code}]`, text)
  }
  raw(text: string): this {
    this.octets.raw(text)
    return this
  }
  number(n: number): this {
    this.octets.number(n)
    return this
  }
  bytes(octets: Uint8Array): this {
    this.octets.bytes(octets)
    return this
  }
  endLine(): void {
    this.octets.endLine()
  }
  async listing(count: number, line: (n: number) => string | undefined): Promise<void> {
    for (let n = 1; n <= count; ) {
      // As one string: what makes octets of it then is not this program, and listings are most often asked for once, before anything is warm.
      let lines = ''
      for (const stop = Math.min(count, n + LINES_PER_LOOK - 1); n <= stop; n++) {
        const text = line(n)
        if (text !== undefined) lines += `${UNPRINTABLE.test(text) ? text.replaceAll(/[^\x20-\x7e]/g, '?') : text}\r\n`
      }
      this.octets.bytes(Buffer.from(lines, 'latin1'))
      const wait = this.octets.room()
      if (wait !== undefined) await wait
    }
  }
  end(): void {
    this.octets.raw('.').endLine()
    this.open = false
  }
  room(): Promise<void> | undefined {
    return this.octets.room()
  }

  #status(kind: string, word: string | undefined, text: Phrase): void {
    this.octets.raw(kind)
    if (word !== undefined) this.octets.raw(word).raw(' ')
    if (this.translate === undefined) this.octets.raw(phraseText(text)).endLine()
    else {
      // Other languages are UTF-8 (RFC 6856 §3.2). No value may end the line.
      const line = phraseText(text, this.translate).replaceAll(/\p{Cc}/gu, '?')
      this.octets.bytes(Buffer.from(line, 'utf8')).endLine()
    }
  }
}
