import { ProtocolAbort } from 'mailwright/api'
import type { MaildropSource, MessageBytes } from 'mailwright/api'
import { POP3_MARK } from 'mailwright/api'
import { blankLineOctets } from 'mailwright/toolkit'
import type { Talk } from './talk.js'

/** The status line, and the line end behind every text. */
const ADDED_OCTETS = 12 + 2
const PIECE = 65_536
const CRLF = Buffer.from('\r\n')
const LF = 10

/** What a folder needs of where its messages are. */
export type FolderSource = Pick<MaildropSource, 'uids' | 'sizes' | 'marks' | 'read' | 'update' | 'close'>
interface Stored {
  readonly headerSize: number
  readonly bytes: MessageBytes
}

/** An open mailbox of a session: messages are numbered once, and nothing is removed before FOLD or QUIT. */
export class Folder {
  readonly name: string
  readonly #source: FolderSource
  readonly #seen = new Set<number>()
  readonly #deleted = new Set<number>()

  constructor(name: string, source: FolderSource) {
    this.name = name
    this.#source = source
  }

  get count(): number {
    return this.#source.uids.length
  }
  /** What RETR sends; 0: there is no such message. */
  octets(n: number): number {
    const size = this.#source.sizes[n - 1]
    return size === undefined || this.#deleted.has(n) ? 0 : size + ADDED_OCTETS
  }
  markSeen(n: number): void {
    this.#seen.add(n)
  }
  markDeleted(n: number): void {
    this.#deleted.add(n)
  }
  async send(n: number, talk: Talk, signal: AbortSignal): Promise<void> {
    const message = await this.#source.read(n - 1, signal)
    if (message === undefined) throw new ProtocolAbort('Mailbox expunged from under me!', 'Mailbox closed')
    const { bytes, headerSize } = message
    const header = await octetsAt(message, 0, headerSize, signal)
    const blank = blankLineOctets(header)
    const open = blank === 0 && headerSize > 0 && header.at(-1) !== LF
    await talk.bytes(Buffer.concat([header.subarray(0, headerSize - blank), open ? CRLF : new Uint8Array(0), statusLine(this.#source.marks[n - 1] ?? 0), header.subarray(headerSize - blank)]))
    for (let at = headerSize; at < bytes.size; at += PIECE) await talk.bytes(await octetsAt(message, at, Math.min(PIECE, bytes.size - at), signal))
    // The size was announced: the line end that a broken header needed is missing here.
    if (!open) await talk.bytes(CRLF)
  }
  /** What was acknowledged becomes true. */
  async update(signal: AbortSignal): Promise<void> {
    const indices = (numbers: ReadonlySet<number>): number[] => [...numbers].map((n) => n - 1).sort((a, b) => a - b)
    const deleted = indices(this.#deleted)
    const seen = indices(this.#seen).filter((index) => !this.#deleted.has(index + 1))
    if (seen.length + deleted.length > 0) await this.#source.update(seen, deleted, signal)
  }
  async close(signal: AbortSignal): Promise<void> {
    await this.#source.close(signal)
  }
}

function statusLine(marks: number): Uint8Array {
  return Buffer.from(`Status: ${(marks & POP3_MARK.seen) === 0 ? ' ' : 'R'}${(marks & POP3_MARK.recent) === 0 ? 'O' : ' '}\r\n`)
}
async function octetsAt({ bytes }: Stored, at: number, length: number, signal: AbortSignal): Promise<Uint8Array> {
  const octets = new Uint8Array(length)
  for (let got = 0; got < length; ) {
    const n = await bytes.read(at + got, octets.subarray(got), signal)
    if (n === 0) throw new ProtocolAbort(undefined, 'a message ended before its size')
    got += n
  }
  return octets
}
