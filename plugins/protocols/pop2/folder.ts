import { MailError, POP3_MARK, ProtocolAbort, SYSTEM, uids } from 'mailwright/api'
import type { MailAccess, MailboxName, MailboxView, StoredMessage } from 'mailwright/api'
import { blankLineOctets } from 'mailwright/toolkit'
import type { Talk } from './talk.js'

/** The status line, and the line end behind every text. */
const ADDED_OCTETS = 12 + 2
const PIECE = 65_536
const CRLF = Buffer.from('\r\n')
const LF = 10

/** An open mailbox of a session: messages are numbered once, and nothing is removed before FOLD or QUIT. */
export class Folder {
  readonly name: string
  readonly #view: MailboxView
  readonly #uids: readonly number[]
  readonly #sizes: readonly number[]
  readonly #marks: readonly number[]
  readonly #seen = new Set<number>()
  readonly #deleted = new Set<number>()

  private constructor(name: string, view: MailboxView) {
    const { rows } = view
    const found = Array.from({ length: view.announced }, (_, row) => row).filter((row) => !is(view, row, SYSTEM.deleted))
    this.name = name
    this.#view = view
    this.#uids = found.map((row) => rows.uid[row] ?? 0)
    this.#sizes = found.map((row) => rows.size[row] ?? 0)
    this.#marks = found.map((row) => (is(view, row, SYSTEM.seen) ? POP3_MARK.seen : 0) | (view.isRecent(row) ? POP3_MARK.recent : 0))
  }
  /** Undefined: it cannot be opened, whyever; POP2 says no more. */
  static async open(mail: MailAccess, name: string, signal: AbortSignal): Promise<Folder | undefined> {
    try {
      // The name is text of the client; `locate` refuses what is no name.
      const view = await mail.open(await mail.locate(name as MailboxName, 'open', signal), 'read-write', signal)
      if (view.announced > 0 && view.rows.gaps > 0) await view.fill(view.resolve({ pairs: Uint32Array.of(1, view.announced) }, 'seq'), signal)
      return new Folder(name, view)
    } catch (error) {
      if (error instanceof MailError) return undefined
      throw error
    }
  }

  get count(): number {
    return this.#uids.length
  }
  /** What RETR sends; 0: there is no such message. */
  octets(n: number): number {
    const size = this.#sizes[n - 1]
    return size === undefined || this.#deleted.has(n) ? 0 : size + ADDED_OCTETS
  }
  markSeen(n: number): void {
    this.#seen.add(n)
  }
  markDeleted(n: number): void {
    this.#deleted.add(n)
  }
  async send(n: number, talk: Talk, signal: AbortSignal): Promise<void> {
    const message = await this.#read(n, signal)
    if (message === undefined) throw new ProtocolAbort('Mailbox expunged from under me!', 'Mailbox closed')
    const { bytes, headerSize } = message
    const header = await octetsAt(message, 0, headerSize, signal)
    const blank = blankLineOctets(header)
    const open = blank === 0 && headerSize > 0 && header.at(-1) !== LF
    await talk.bytes(Buffer.concat([header.subarray(0, headerSize - blank), open ? CRLF : new Uint8Array(0), statusLine(this.#marks[n - 1] ?? 0), header.subarray(headerSize - blank)]))
    for (let at = headerSize; at < bytes.size; at += PIECE) await talk.bytes(await octetsAt(message, at, Math.min(PIECE, bytes.size - at), signal))
    // The size was announced: the line end that a broken header needed is missing here.
    if (!open) await talk.bytes(CRLF)
  }
  /** What was acknowledged becomes true. */
  async close(signal: AbortSignal, apply: boolean): Promise<void> {
    try {
      if (!apply || this.#view.readOnly) return
      const seen = [...this.#seen].filter((n) => !this.#deleted.has(n))
      if (seen.length > 0) await this.#view.store({ uids: this.#set(seen), how: 'add', system: SYSTEM.seen, keywords: [] }, true, signal)
      if (this.#deleted.size > 0) await this.#view.remove(this.#set([...this.#deleted]), signal)
    } finally {
      await this.#view.close(signal)
    }
  }

  async #read(n: number, signal: AbortSignal): Promise<StoredMessage | undefined> {
    const uid = this.#uids[n - 1]
    if (uid === undefined) return undefined
    const rows = this.#view.resolve({ pairs: Uint32Array.of(uid, uid) }, 'uid')
    for await (const batch of this.#view.read(rows, { bytes: 'whole', sections: [], facts: [] }, signal)) for (const message of batch) return message
    return undefined
  }
  #set(numbers: readonly number[]): ReturnType<typeof uids.from> {
    return uids.from(numbers.map((n) => this.#uids[n - 1] ?? 0).sort((a, b) => a - b))
  }
}

function is(view: MailboxView, row: number, flag: number): boolean {
  const { rows } = view
  return ((rows.flagSets[rows.flags[row] ?? 0]?.system ?? 0) & flag) !== 0
}
function statusLine(marks: number): Uint8Array {
  return Buffer.from(`Status: ${(marks & POP3_MARK.seen) === 0 ? ' ' : 'R'}${(marks & POP3_MARK.recent) === 0 ? 'O' : ' '}\r\n`)
}
async function octetsAt({ bytes }: StoredMessage, at: number, length: number, signal: AbortSignal): Promise<Uint8Array> {
  const octets = new Uint8Array(length)
  for (let got = 0; got < length; ) {
    const n = await bytes.read(at + got, octets.subarray(got), signal)
    if (n === 0) throw new ProtocolAbort(undefined, 'a message ended before its size')
    got += n
  }
  return octets
}
