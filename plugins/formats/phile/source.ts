import { MailError, type FilePlace, type Files, type FileStat, type MailboxSource, type MessageBytes, type OpenFile, type Row, type StoredMessage, type TableEdit, type UidSet, type Wants, type Rows } from 'mailwright/api'
import { TextReader } from '../shared/text-file.js'
import { localZone } from '../shared/zone.js'
import { readContents, readEncoded, type Contents } from './contents.js'

/** What the format is made of. */
export interface PhileParts {
  readonly files: Files
  readonly serverName: string
}
/** The file as it was looked at. */
interface Seen {
  readonly stat: FileStat
  readonly contents: Contents
  readonly head: Buffer
}
const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const two = (n: number): string => String(n).padStart(2, '0')

/** RFC 5322 §3.3 `date-time`. */
function dateLine(ms: number, zone: number): string {
  const at = new Date(ms + zone * 60_000)
  const minutes = Math.abs(zone)
  const time = `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:${two(at.getUTCSeconds())}`
  return `${DAYS[at.getUTCDay()]}, ${at.getUTCDate()} ${MONTHS[at.getUTCMonth()]} ${at.getUTCFullYear()} ${time} ${zone < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}${two(minutes % 60)}`
}
/** As a word that needs no quoting, or quoted. */
function word(text: string): string {
  const plain = text.replaceAll(/[\r\n\0]/g, ' ')
  return /^[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~.]+$/.test(plain) ? plain : `"${plain.replaceAll(/[\\"]/g, (c) => `\\${c}`)}"`
}

/** A file that is no mailbox, as one message that nobody can change. */
export class PhileSource implements MailboxSource {
  readonly traits = { writable: false, uidsPersist: true, modseqs: 'numbered-by-core', facts: [], columns: [] } as const
  readonly #place: FilePlace
  readonly #parts: PhileParts
  #seen: Seen | undefined
  constructor(place: FilePlace, parts: PhileParts) {
    this.#place = place
    this.#parts = parts
  }

  async refresh(edit: TableEdit): Promise<void> {
    const stat = await this.#parts.files.stat(this.#place.path)
    if (stat?.kind !== 'file') throw new MailError('not-found', `${this.#place.path} is gone`)
    const stamp = `phile/1 ${stat.inode} ${stat.size} ${stat.mtimeMs} ${stat.ctimeMs}`
    if (edit.stamp === stamp && this.#seen !== undefined) return
    const seen = await this.#look(stat)
    const validity = Math.max(1, Math.floor(stat.mtimeMs / 1000))
    if (edit.rows.length > 0 && (edit.uidValidity !== validity || edit.rows.size[0] !== seen.head.length + seen.contents.size)) edit.reset(validity)
    edit.uidValidity = validity
    const row = edit.rows.length > 0 ? (0 as Row) : edit.add(1, edit.flagSet(0, []), true)
    edit.setSize(row, seen.head.length + seen.contents.size)
    const ms = Math.floor(stat.mtimeMs / 1000) * 1000
    edit.setDate(row, ms, localZone(ms))
    edit.keywords([], false)
    edit.uidNext = 2
    edit.stamp = stamp
    this.#seen = seen
  }
  async #look(stat: FileStat): Promise<Seen> {
    const contents = await this.#opened((file) => readContents(file))
    return { stat, contents, head: Buffer.from(this.#head(stat, contents)) }
  }
  /** The file's own name is told, not its path: that is nobody's business. */
  #head(stat: FileStat, contents: Contents): string {
    const { user, path } = this.#place
    const name = path.slice(path.lastIndexOf('/') + 1)
    const owner = user.ids === undefined || user.ids.uid === stat.uid ? user.name : `User-Number-${stat.uid}`
    const from = owner.includes('@') ? owner : `${word(owner)}@${this.#parts.serverName}`
    const ms = Math.floor(stat.mtimeMs / 1000) * 1000
    const subject = /^[\x20-\x7e]*$/.test(name) ? name : `=?UTF-8?B?${Buffer.from(name).toString('base64')}?=`
    const lines = [`Date: ${dateLine(ms, localZone(ms))}`, `From: ${from}`, `Subject: ${subject}`, 'MIME-Version: 1.0']
    if (contents.kind === 'binary') lines.push(`Content-Type: APPLICATION/OCTET-STREAM; name=${word(name)}`, 'Content-Transfer-Encoding: BASE64')
    else lines.push(`Content-Type: TEXT/PLAIN; charset=${contents.charset}`, ...(contents.eightBit ? ['Content-Transfer-Encoding: 8BIT'] : []))
    return [...lines, '', ''].join('\r\n')
  }
  async #opened<T>(work: (file: OpenFile) => Promise<T>): Promise<T> {
    const file = await this.#parts.files.open(this.#place.path, { keepAccessTime: true })
    try {
      return await work(file)
    } finally {
      await file.close()
    }
  }

  async *read(set: UidSet, _wants: Wants, rows: Rows): AsyncGenerator<readonly StoredMessage[]> {
    const seen = this.#seen ?? (await this.#look((await this.#parts.files.stat(this.#place.path)) ?? missing(this.#place.path)))
    this.#seen = seen
    if (!set.has(1) || rows.length === 0) return
    yield [{ uid: 1, headerSize: seen.head.length, bytes: new PhileBytes(seen, (work) => this.#opened(work)) }]
  }
  async store(): Promise<never> {
    throw new MailError('read-only', 'a file that is no mailbox cannot be changed')
  }
  async expunge(): Promise<never> {
    throw new MailError('read-only', 'a file that is no mailbox cannot be changed')
  }
  async close(): Promise<void> {
    // Nothing is open between two operations.
  }
}
function missing(path: string): never {
  throw new MailError('not-found', `${path} is gone`)
}

/** Header made here, body from the file. */
class PhileBytes implements MessageBytes {
  readonly size: number
  readonly #seen: Seen
  readonly #opened: <T>(work: (file: OpenFile) => Promise<T>) => Promise<T>
  readonly #text = new TextReader()
  constructor(seen: Seen, opened: <T>(work: (file: OpenFile) => Promise<T>) => Promise<T>) {
    this.#seen = seen
    this.#opened = opened
    this.size = seen.head.length + seen.contents.size
  }
  async read(at: number, into: Uint8Array): Promise<number> {
    const { head, contents, stat } = this.#seen
    if (at < head.length) {
      const part = head.subarray(at, at + into.length)
      into.set(part)
      return part.length
    }
    const part = into.subarray(0, Math.max(0, Math.min(into.length, this.size - at)))
    if (part.length === 0) return 0
    return this.#opened(async (file) => {
      const now = await file.stat()
      if (now.size !== stat.size || now.mtimeMs !== stat.mtimeMs) throw new MailError('vanished', 'the file has changed')
      const body = at - head.length
      if (contents.kind === 'binary') return readEncoded(file, body, part)
      return contents.hasCr ? file.read(part, body) : this.#text.read(file, body, part)
    })
  }
}
