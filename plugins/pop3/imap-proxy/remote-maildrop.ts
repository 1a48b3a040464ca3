import { MailError, POP3_MARK } from 'mailwright/api'
import type { MaildropSource, MessageBytes, Secret } from 'mailwright/api'
import { RemoteImap } from './remote-imap.js'
import type { RemoteHost } from './remote-imap.js'

/** Messages up to this size are fetched at once, longer ones in pieces of it. */
const PIECE = 1 << 18
/** Numbers of one command. */
const NUMBERS_PER_COMMAND = 200

interface Row {
  readonly uid: number
  readonly size: number
  readonly marks: number
}

/** The INBOX of an account on another IMAP server. */
export class RemoteMaildrop implements MaildropSource {
  readonly total: number
  readonly uidValidity: number
  readonly uids: Uint32Array
  readonly sizes: Uint32Array
  readonly marks: Uint8Array
  readonly #remote: RemoteImap
  readonly #canExpungeUids: boolean

  private constructor(remote: RemoteImap, facts: { readonly total: number; readonly uidValidity: number; readonly rows: readonly Row[]; readonly canExpungeUids: boolean }) {
    this.#remote = remote
    this.#canExpungeUids = facts.canExpungeUids
    this.total = facts.total
    this.uidValidity = facts.uidValidity
    this.uids = Uint32Array.from(facts.rows, (row) => row.uid)
    this.sizes = Uint32Array.from(facts.rows, (row) => row.size)
    this.marks = Uint8Array.from(facts.rows, (row) => row.marks)
  }

  /** Logs in there and opens INBOX. Throws MailError whatever fails. */
  static async open(at: RemoteHost, user: string, password: Secret, timeoutMs: number, signal: AbortSignal): Promise<RemoteMaildrop> {
    const remote = await RemoteImap.open(at, timeoutMs, signal)
    try {
      await remote.command('LOGIN', { string: Buffer.from(user, 'utf8') }, { string: password.reveal() })
      const capabilities = (await remote.command('CAPABILITY')).map((a) => a.text).join(' ')
      return await RemoteMaildrop.#selected(remote, 'INBOX', /\bUIDPLUS\b/i.test(capabilities))
    } catch (error) {
      remote.close()
      throw error
    }
  }

  static async #selected(remote: RemoteImap, mailbox: string, canExpungeUids: boolean): Promise<RemoteMaildrop> {
    const selected = await remote.command('SELECT', { string: Buffer.from(mailbox, 'utf8') })
    const said = selected.map((a) => a.text).join('\n')
    if (/\[READ-ONLY\]/i.test(said)) throw new MailError('in-use', `${mailbox} is open for reading only`)
    const total = Number(/^\* (\d+) EXISTS/im.exec(said)?.[1] ?? 0)
    const found = total === 0 ? [] : await remote.command('FETCH 1:* (UID FLAGS RFC822.SIZE)')
    const rows = found.flatMap((a) => rowOf(a.text) ?? []).sort((a, b) => a.uid - b.uid)
    return new RemoteMaildrop(remote, { total, uidValidity: Number(/UIDVALIDITY (\d+)/i.exec(said)?.[1] ?? 0), rows, canExpungeUids })
  }

  another(mailbox: string): Promise<RemoteMaildrop> {
    return RemoteMaildrop.#selected(this.#remote, mailbox, this.#canExpungeUids)
  }
  gone(): readonly number[] {
    return []
  }
  async read(index: number): Promise<{ readonly headerSize: number; readonly bytes: MessageBytes } | undefined> {
    const uid = this.uids[index] ?? 0
    const size = this.sizes[index] ?? 0
    const first = await this.#octets(uid, 0, PIECE)
    if (first === undefined) return undefined
    const blank = first.subarray(0, 2).equals(CRLF) ? 0 : first.indexOf('\r\n\r\n')
    const headerSize = blank < 0 ? first.length : blank === 0 && first.subarray(0, 2).equals(CRLF) ? 2 : blank + 4
    const read = async (at: number, into: Uint8Array): Promise<number> => {
      const part = at + into.length <= first.length ? first.subarray(at, at + into.length) : await this.#octets(uid, at, Math.min(PIECE, into.length))
      if (part === undefined) throw new MailError('vanished', 'the message is gone')
      into.set(part)
      return part.length
    }
    return { headerSize, bytes: { size, ...(first.length === size ? { inline: first } : {}), read } }
  }
  async update(seen: readonly number[], deleted: readonly number[]): Promise<void> {
    const doomed = this.#uidsOf(deleted)
    await this.#flag('+', this.#uidsOf(seen), '\\Seen')
    await this.#flag('+', doomed, '\\Deleted')
    if (this.#canExpungeUids) for (const set of sets(doomed)) await this.#remote.command(`UID EXPUNGE ${set}`)
    else if (doomed.length > 0) await this.#expungeAlone(new Set(doomed))
  }
  async close(): Promise<void> {
    await this.#remote.logout()
  }

  async #octets(uid: number, at: number, length: number): Promise<Buffer | undefined> {
    const answers = await this.#remote.command(`UID FETCH ${uid} (UID BODY.PEEK[]<${at}.${length}>)`)
    for (const { text, literals } of answers) {
      const [octets] = literals
      if (octets !== undefined && /^\* \d+ FETCH /i.test(text)) return Buffer.from(octets)
      if (/^\* \d+ FETCH .*BODY\[\](?:<\d+>)? (?:""|NIL)/i.test(text)) return Buffer.alloc(0)
    }
    return undefined
  }
  /** Without UIDPLUS all that bears \Deleted goes (RFC 3501 §6.4.3): what others flagged loses the flag meanwhile. */
  async #expungeAlone(doomed: ReadonlySet<number>): Promise<void> {
    const answers = await this.#remote.command('UID SEARCH DELETED')
    const flagged = answers.flatMap(({ text }) => /^\* SEARCH((?: \d+)+)/i.exec(text)?.[1]?.trim().split(' ').map(Number) ?? [])
    const others = flagged.filter((uid) => !doomed.has(uid))
    await this.#flag('-', others, '\\Deleted')
    try {
      await this.#remote.command('EXPUNGE')
    } finally {
      await this.#flag('+', others, '\\Deleted')
    }
  }
  async #flag(sign: '+' | '-', uids: readonly number[], flag: string): Promise<void> {
    for (const set of sets(uids)) await this.#remote.command(`UID STORE ${set} ${sign}FLAGS.SILENT (${flag})`)
  }
  #uidsOf(indices: readonly number[]): readonly number[] {
    return indices.map((index) => this.uids[index] ?? 0)
  }
}

/** Sequence sets of so many numbers as one command may have. */
function* sets(uids: readonly number[]): Generator<string> {
  for (let i = 0; i < uids.length; i += NUMBERS_PER_COMMAND) yield uids.slice(i, i + NUMBERS_PER_COMMAND).join(',')
}

const CRLF = Buffer.from('\r\n')

/** Undefined: no line of a message, or one that is flagged as deleted. */
function rowOf(text: string): Row | undefined {
  const uid = Number(/\bUID (\d+)/i.exec(text)?.[1] ?? 0)
  const size = /\bRFC822\.SIZE (\d+)/i.exec(text)?.[1]
  const flags = (/\bFLAGS \(([^)]*)\)/i.exec(text)?.[1] ?? '').toLowerCase().split(' ')
  if (!/^\* \d+ FETCH /i.test(text) || uid === 0 || size === undefined || flags.includes('\\deleted')) return undefined
  return { uid, size: Number(size), marks: (flags.includes('\\seen') ? POP3_MARK.seen : 0) | (flags.includes('\\recent') ? POP3_MARK.recent : 0) }
}
