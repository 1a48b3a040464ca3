import { crc32 } from 'node:zlib'
import {
  createColumn,
  MailError,
  uids,
  type AppendItem,
  type AppendResult,
  type Delivery,
  type Files,
  type FlagChange,
  type FoundMailbox,
  type MailboxEntry,
  type MailboxSource,
  type MailDriver,
  type MailLocation,
  type MailStore,
  type OpenFile,
  type OpenMailbox,
  type Row,
  type SourceTraits,
  type StoredMessage,
  type TableEdit,
  type UidSet,
} from 'mailwright/api'
import type { KitServices } from 'mailwright/testing'

/** What a flawed variant changes; the defaults are right. */
export interface LedgerRules {
  readonly syncs: boolean
  readonly syncsNames: boolean
  readonly oneRecordPerDelivery: boolean
  readonly remembersUids: boolean
  readonly writesClaims: boolean
  readonly checksSums: boolean
  readonly cutsTail: boolean
  readonly closes: boolean
}
const right: LedgerRules = { syncs: true, syncsNames: true, oneRecordPerDelivery: true, remembersUids: true, writesClaims: true, checksSums: true, cutsTail: true, closes: true }

interface Note {
  readonly uid: number
  readonly system: number
  readonly keywords: readonly string[]
  readonly ms: number
  readonly zone: number
  readonly size: number
}
type Record_ =
  | { readonly kind: 'begin'; readonly uidValidity: number }
  | { readonly kind: 'mail'; readonly notes: readonly Note[] }
  | { readonly kind: 'flags'; readonly flags: readonly (readonly [number, number, readonly string[]])[] }
  | { readonly kind: 'gone'; readonly uids: readonly number[] }
  | { readonly kind: 'claim'; readonly upTo: number }

const OFFSET = createColumn('ledger.offset', 'f64')
const SUFFIX = '.ledger'
const HEAD = 12

/**
 * The smallest honest driver over files: a mailbox is a list of records, each with its check sum, that only grows at its end.
 * A record is there whole or not at all, so nothing else is needed against crashes. It proves the kit, and flawed variants of
 * it prove that the kit finds flaws.
 */
export function createLedgerDriver(services: KitServices, rules: Partial<LedgerRules> = {}): MailDriver {
  const whole = { ...right, ...rules }
  return { openStore: () => Promise.resolve(new LedgerStore(services, whole)) }
}

class LedgerStore implements MailStore {
  readonly delimiter = '/'
  readonly #x: KitServices
  readonly #rules: LedgerRules
  /** Of the last mailbox that was made: two in one second are not the same. */
  #uidValidity = 0
  constructor(x: KitServices, rules: LedgerRules) {
    this.#x = x
    this.#rules = rules
  }
  #path(path: string): string {
    return `${this.#x.home}/${encodeURIComponent(path).replaceAll('*', '%2A')}${SUFFIX}`
  }
  async #names(): Promise<string[]> {
    const entries = await this.#x.files.list(this.#x.home)
    return entries.filter((e) => e.name.endsWith(SUFFIX)).map((e) => decodeURIComponent(e.name.slice(0, -SUFFIX.length)))
  }
  async #syncNames(): Promise<void> {
    if (this.#rules.syncsNames) await this.#x.files.syncDirectory(this.#x.home)
  }
  async *list(): AsyncIterable<readonly MailboxEntry[]> {
    const names = await this.#names()
    yield names.map((path) => ({ path, selectable: true, children: names.some((n) => n.startsWith(`${path}/`)) ? 'yes' : 'no', inferiors: true, attributes: [] }))
  }
  async find(at: MailLocation): Promise<FoundMailbox | undefined> {
    const path = this.#path(at.path)
    const stat = await this.#x.files.stat(path)
    if (stat === undefined) return undefined
    return {
      key: `${stat.device}-${stat.inode}`,
      empty: stat.size <= encodeRecord({ kind: 'begin', uidValidity: Math.floor(this.#x.clock.now() / 1000) }).length,
      open: async () => new LedgerSource(await Ledger.open(path, this.#x, this.#rules)),
    }
  }
  async create(at: MailLocation): Promise<void> {
    const path = this.#path(at.path)
    const fresh = `${path}.fresh`
    const { files, clock } = this.#x
    if ((await files.stat(path)) !== undefined) throw new MailError('exists', 'it exists')
    const file = await files.open(fresh, { write: true, create: 'if-missing' })
    try {
      await file.truncate(0)
      this.#uidValidity = Math.max(Math.floor(clock.now() / 1000), this.#uidValidity + 1)
      await file.write([encodeRecord({ kind: 'begin', uidValidity: this.#uidValidity })], 0)
      if (this.#rules.syncs) await file.sync()
    } finally {
      await file.close()
    }
    await files.rename(fresh, path)
    await this.#syncNames()
  }
  async remove(at: MailLocation): Promise<void> {
    if ((await this.#x.files.stat(this.#path(at.path))) === undefined) throw new MailError('not-found', 'there is none')
    await this.#x.files.unlink(this.#path(at.path))
    await this.#syncNames()
  }
  async rename(from: MailLocation, to: MailLocation): Promise<void> {
    const names = await this.#names()
    const moved = names.filter((n) => n === from.path || n.startsWith(`${from.path}/`))
    if (moved.length === 0) throw new MailError('not-found', 'there is none')
    if (names.includes(to.path)) throw new MailError('exists', 'it exists')
    for (const name of moved) await this.#x.files.renameToFree(this.#path(name), this.#path(to.path + name.slice(from.path.length)))
    await this.#syncNames()
  }
  async append(at: MailLocation): Promise<Delivery> {
    const path = this.#path(at.path)
    if ((await this.#x.files.stat(path)) === undefined) throw new MailError('not-found', 'there is none')
    return new LedgerDelivery(path, this.#x, this.#rules)
  }
  async close(): Promise<void> {}
}

/** What the records of a file add up to. */
class LedgerState {
  uidValidity = 0
  uidNext = 1
  claimed = 0
  /** Octets that are whole records. */
  end = 0
  readonly messages = new Map<number, Note & { readonly offset: number }>()

  take(record: Record_, body: number): void {
    switch (record.kind) {
      case 'begin':
        this.uidValidity = record.uidValidity
        return
      case 'mail': {
        let offset = body
        for (const note of record.notes) {
          this.messages.set(note.uid, { ...note, offset })
          this.uidNext = Math.max(this.uidNext, note.uid + 1)
          offset += note.size
        }
        return
      }
      case 'flags':
        for (const [uid, system, keywords] of record.flags) {
          const note = this.messages.get(uid)
          if (note !== undefined) this.messages.set(uid, { ...note, system, keywords })
        }
        return
      case 'gone':
        for (const uid of record.uids) this.messages.delete(uid)
        return
      case 'claim':
        this.claimed = Math.max(this.claimed, record.upTo)
    }
  }
}

/** A mailbox file that is open. */
class Ledger {
  readonly file: OpenFile
  readonly state = new LedgerState()
  readonly rules: LedgerRules
  readonly #x: KitServices
  #inode = 0

  private constructor(file: OpenFile, x: KitServices, rules: LedgerRules) {
    this.file = file
    this.#x = x
    this.rules = rules
  }
  static async open(path: string, x: KitServices, rules: LedgerRules): Promise<Ledger> {
    const ledger = new Ledger(await x.files.open(path, { write: true }), x, rules)
    ledger.#inode = (await ledger.file.stat()).inode
    return ledger
  }
  get files(): Files {
    return this.#x.files
  }
  get stamp(): string {
    return `${this.#inode}/${this.state.uidValidity}/${this.state.end}`
  }
  now(): number {
    return this.#x.clock.now()
  }

  /** Reads what was added since the last time. */
  async catchUp(): Promise<void> {
    const { size } = await this.file.stat()
    const { state } = this
    if (size <= state.end) return
    const tail = Buffer.alloc(size - state.end)
    await this.file.read(tail, state.end)
    for (let at = 0; ; ) {
      const found = decodeRecord(tail, at, this.rules.checksSums)
      if (found === undefined) return
      state.take(found.record, state.end + found.body)
      state.end += found.end
      at = 0
      tail.copy(tail, 0, found.end)
      tail.fill(0, tail.length - found.end)
      if (state.end >= size) return
    }
  }
  /** With everybody else kept out, and the state true. */
  async locked<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    while (this.file.lock('flock', 'exclusive') === 'busy') {
      if (signal.aborted) throw new MailError('cancelled', 'cancelled')
      await new Promise<void>((resolve) => this.#x.clock.after(10, resolve))
    }
    try {
      await this.catchUp()
      return await work()
    } finally {
      this.file.unlock('flock')
    }
  }
  /** Under the lock: the record is on the disk when it resolves. */
  async write(record: Record_, bodies: readonly Uint8Array[] = []): Promise<void> {
    const { state } = this
    const octets = encodeRecord(record, bodies)
    try {
      if (this.rules.cutsTail && (await this.file.stat()).size > state.end) await this.file.truncate(state.end)
      await this.file.write([octets], state.end)
      if (this.rules.syncs) await this.file.sync()
    } catch (error) {
      // Nobody may find a record that was reported as failed.
      await this.file.truncate(state.end)
      await this.file.sync()
      throw error
    }
    state.take(record, state.end + octets.length - bodies.reduce((sum, b) => sum + b.length, 0))
    state.end += octets.length
  }
  async close(): Promise<void> {
    if (this.rules.closes) await this.file.close()
  }
}

class LedgerSource implements MailboxSource {
  readonly traits: SourceTraits = { writable: true, uidsPersist: true, modseqs: 'numbered-by-core', facts: [], columns: [OFFSET] }
  readonly #ledger: Ledger
  #claimSeen = 0
  constructor(ledger: Ledger) {
    this.#ledger = ledger
  }
  async refresh(edit: TableEdit, how: { readonly claimRecent: boolean }, signal: AbortSignal): Promise<void> {
    const { state, rules } = this.#ledger
    await this.#ledger.catchUp()
    if (!how.claimRecent || state.uidNext - 1 <= state.claimed) return this.#show(edit)
    await this.#ledger.locked(async () => {
      this.#show(edit)
      if (rules.writesClaims && state.uidNext - 1 > state.claimed) await this.#ledger.write({ kind: 'claim', upTo: state.uidNext - 1 })
      this.#claimSeen = state.claimed
      edit.stamp = this.#ledger.stamp
    }, signal)
  }
  /** Makes rows of the state. */
  #show(edit: TableEdit): void {
    const { state, stamp } = this.#ledger
    if (edit.uidValidity !== state.uidValidity || (edit.stamp !== stamp && this.#contradicts(edit))) edit.reset(state.uidValidity)
    if (edit.stamp !== stamp) {
      const gone: number[] = []
      const { rows } = edit
      const had = rows.length
      for (let row = 0; row < had; row++) {
        const note = state.messages.get(rows.uid[row] ?? 0)
        // Rows below `length` are rows.
        if (note === undefined) gone.push(rows.uid[row] ?? 0)
        else this.#fill(edit, row as Row, note)
      }
      edit.remove(uids.from(gone))
      const last = had === 0 ? 0 : (rows.uid[had - 1] ?? 0)
      for (const note of state.messages.values()) if (note.uid > last) this.#fill(edit, edit.add(note.uid, edit.flagSet(0, []), note.uid > state.claimed), note)
    }
    // Somebody else claimed them after they were seen here.
    for (let uid = this.#claimSeen + 1; uid <= state.claimed; uid++) {
      const row = edit.rows.find(uid)
      if (row !== -1) edit.setRecent(row, false)
    }
    this.#claimSeen = state.claimed
    edit.keywords([...new Map([...state.messages.values()].flatMap((m) => m.keywords.map((k) => [k.toLowerCase(), k]))).values()], true)
    edit.uidNext = state.uidNext
    edit.stamp = stamp
  }
  /** Rows lack a message between others; rows only grow at their end, so they are of no use. */
  #contradicts(edit: TableEdit): boolean {
    const { rows } = edit
    const last = rows.length === 0 ? 0 : (rows.uid[rows.length - 1] ?? 0)
    for (const uid of this.#ledger.state.messages.keys()) if (uid < last && rows.find(uid) === -1) return true
    return false
  }
  #fill(edit: TableEdit, row: Row, note: Note & { readonly offset: number }): void {
    edit.setFlags(row, edit.flagSet(note.system, note.keywords))
    edit.setSize(row, note.size)
    edit.setDate(row, note.ms, note.zone)
    edit.set(row, OFFSET, note.offset)
  }
  async store(change: FlagChange, edit: TableEdit, signal: AbortSignal): Promise<UidSet> {
    return await this.#ledger.locked(async () => {
      this.#show(edit)
      const { changed, refused } = edit.apply(change)
      await this.#writeFlags(changed, edit)
      return refused
    }, signal)
  }
  async checkpoint(dirty: UidSet, edit: TableEdit, signal: AbortSignal): Promise<void> {
    await this.#ledger.locked(() => this.#writeFlags(dirty, edit), signal)
  }
  async #writeFlags(set: UidSet, edit: TableEdit): Promise<void> {
    const flags: [number, number, readonly string[]][] = []
    for (const uid of this.#ledger.state.messages.keys()) {
      const row = set.has(uid) ? edit.rows.find(uid) : -1
      const made = row === -1 ? undefined : edit.rows.flagSets[edit.rows.flags[row] ?? 0]
      if (made !== undefined) flags.push([uid, made.system, made.keywords])
    }
    if (flags.length > 0) await this.#ledger.write({ kind: 'flags', flags })
    edit.stamp = this.#ledger.stamp
  }
  async expunge(among: UidSet, how: { readonly always: boolean }, edit: TableEdit, signal: AbortSignal): Promise<void> {
    await this.#ledger.locked(async () => {
      this.#show(edit)
      const { state } = this.#ledger
      // By the table, not by the file: core may hold \Deleted back until a checkpoint.
      const doomed = how.always ? among : edit.deleted(among)
      const gone = [...state.messages.keys()].filter((uid) => doomed.has(uid))
      if (gone.length === 0) return
      await this.#ledger.write({ kind: 'gone', uids: gone })
      if (!this.#ledger.rules.remembersUids) state.uidNext = Math.max(0, ...state.messages.keys()) + 1
      edit.remove(uids.from(gone))
      edit.stamp = this.#ledger.stamp
    }, signal)
  }
  async *read(set: UidSet): AsyncIterable<readonly StoredMessage[]> {
    for (const note of this.#ledger.state.messages.values()) {
      if (!set.has(note.uid)) continue
      const head = Buffer.alloc(Math.min(note.size, 256 * 1024))
      await this.#ledger.file.read(head, note.offset)
      yield [{ uid: note.uid, headerSize: headerSizeOf(head), bytes: bytesAt(this.#ledger.file, note.offset, note.size) }]
    }
  }
  watch(changed: () => void): Disposable {
    return this.#ledger.files.watch(this.#ledger.file.path, changed)
  }
  close(): Promise<void> {
    return this.#ledger.close()
  }
}

class LedgerDelivery implements Delivery {
  readonly #path: string
  readonly #x: KitServices
  readonly #rules: LedgerRules
  #waiting: { readonly item: AppendItem; readonly octets: Buffer }[] = []
  constructor(path: string, x: KitServices, rules: LedgerRules) {
    this.#path = path
    this.#x = x
    this.#rules = rules
  }
  async add(item: AppendItem): Promise<void> {
    const chunks: Uint8Array[] = []
    for await (const chunk of item.bytes) chunks.push(chunk)
    this.#waiting.push({ item, octets: Buffer.concat(chunks) })
  }
  async commit(_open: OpenMailbox | undefined, signal: AbortSignal): Promise<AppendResult> {
    const ledger = await Ledger.open(this.#path, this.#x, { ...this.#rules, closes: true })
    try {
      return await ledger.locked(async () => {
        const { state } = ledger
        // A mailbox that never kept count begins after its last message.
        if (!this.#rules.remembersUids) state.uidNext = Math.max(0, ...state.messages.keys()) + 1
        const first = state.uidNext
        const notes = this.#waiting.map(({ item, octets }, i): Note => {
          const date = item.date ?? { ms: ledger.now(), zone: 0 }
          return { uid: first + i, system: item.system, keywords: item.keywords, ms: date.ms, zone: date.zone, size: octets.length }
        })
        const bodies = this.#waiting.map((w) => w.octets)
        if (this.#rules.oneRecordPerDelivery) await ledger.write({ kind: 'mail', notes }, bodies)
        else for (const [i, note] of notes.entries()) await ledger.write({ kind: 'mail', notes: [note] }, bodies.slice(i, i + 1))
        return { uidValidity: state.uidValidity, uids: uids.from(notes.map((n) => n.uid)) }
      }, signal)
    } finally {
      await ledger.close()
    }
  }
  async abort(): Promise<void> {
    this.#waiting = []
  }
}

/** Length of the text, check sum, length of the bodies; the text; the bodies. */
function encodeRecord(record: Record_, bodies: readonly Uint8Array[] = []): Buffer {
  const text = Buffer.from(JSON.stringify(record))
  const body = Buffer.concat(bodies)
  const head = Buffer.alloc(HEAD)
  head.writeUInt32LE(text.length, 0)
  head.writeUInt32LE(crc32(body, crc32(text)), 4)
  head.writeUInt32LE(body.length, 8)
  return Buffer.concat([head, text, body])
}
function decodeRecord(octets: Buffer, at: number, checks: boolean): { readonly record: Record_; readonly body: number; readonly end: number } | undefined {
  if (octets.length < at + HEAD) return undefined
  const text = octets.readUInt32LE(at)
  const body = octets.readUInt32LE(at + 8)
  const from = at + HEAD
  const end = from + text + body
  if (text === 0 || end > octets.length) return undefined
  const words = octets.subarray(from, from + text)
  if (checks && crc32(octets.subarray(from + text, end), crc32(words)) !== octets.readUInt32LE(at + 4)) return undefined
  try {
    // Written by encodeRecord, as the sum says.
    return { record: JSON.parse(words.toString()) as Record_, body: from + text, end }
  } catch {
    return undefined
  }
}
function headerSizeOf(octets: Buffer): number {
  if (octets[0] === 13 && octets[1] === 10) return 2
  const end = octets.indexOf('\r\n\r\n')
  return end < 0 ? octets.length : end + 4
}
function bytesAt(file: OpenFile, offset: number, size: number): StoredMessage['bytes'] {
  return {
    size,
    async read(at, into) {
      const length = Math.max(0, Math.min(into.length, size - at))
      return await file.read(into.subarray(0, length), offset + at)
    },
  }
}
