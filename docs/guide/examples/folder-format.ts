import { CLOCK, createColumn, definePlugin, FILES, MailError, mailboxFormats, noSettings, SPOOL, uids } from 'mailwright/api'
import type {
  AppendItem, AppendResult, Clock, Delivery, DriverAbout, FilePlace, Files, FlagChange, MailboxFormat, MailboxSource, OpenFile, Row, Rows, SourceTraits,
  Spool, Spooled, StoredMessage, TableEdit, UidSet, Wants,
} from 'mailwright/api'
import { headerEnd } from 'mailwright/toolkit'

/*
 * A mailbox is a folder: `index.json` says what is in it, and each message is a file `<uid>.eml`. The index is replaced as a whole, by a rename, and
 * only after everything it speaks of is on the disk. So at every moment, also after a crash, the folder holds one whole state; files that no index
 * names are leftovers.
 */

/** A number per message that is the format's own; core keeps it with the rows, also over a restart. */
const HEADER = createColumn('folder.header', 'u32')

interface Note {
  readonly uid: number
  readonly header: number
  readonly size: number
  readonly ms: number
  readonly zone: number
  readonly system: number
  readonly keywords: readonly string[]
}
interface Index {
  readonly uidValidity: number
  readonly uidNext: number
  /** Uids up to here were recent for somebody. */
  readonly claimed: number
  /** Rises with each change: with it the stamp names one state. */
  readonly version: number
  readonly messages: readonly Note[]
}

/** What the format is made of: plain arguments, so that a test makes it without the server. */
export interface FolderParts {
  readonly files: Files
  readonly clock: Clock
  readonly spool: Spool
}

/** What `check`, `explain` and the capabilities know of it before anything is made. */
export const folderAbout: DriverAbout = {
  modseqs: false, keywords: 'any', uidsPersist: true, hierarchy: true, watches: true, facts: [], manyProcesses: true, acceptsUids: false,
}

export class FolderFormat implements MailboxFormat {
  readonly #parts: FolderParts
  /** Of the last mailbox that was made: no two have one, not even in the same second. */
  #uidValidity = 0
  constructor(parts: FolderParts) {
    this.#parts = parts
  }
  async recognise(at: FilePlace): Promise<'mine' | 'not-mine'> {
    return (await this.#parts.files.stat(`${at.path}/index.json`)) === undefined ? 'not-mine' : 'mine'
  }
  /** LIST saw a directory: `fresh` ones are mailboxes in the making. */
  claims({ path, names }: { readonly path: string; readonly names: readonly string[] }): 'mailbox' | 'inside' | undefined {
    if (path.endsWith('.fresh')) return 'inside'
    return names.includes('index.json') ? 'mailbox' : undefined
  }
  /** Made under another name and renamed, so that a crash leaves a mailbox or none. */
  async create(at: FilePlace): Promise<void> {
    const { files, clock } = this.#parts
    const slash = at.path.lastIndexOf('/')
    const fresh = `${at.path.slice(0, slash)}/.${at.path.slice(slash + 1)}.fresh`
    await removeFolder(files, fresh)
    await files.makeDirectory(fresh, at.directoryMode)
    try {
      this.#uidValidity = Math.max(Math.floor(clock.now() / 1000), this.#uidValidity + 1)
      await new Folder(fresh, this.#parts).write({ uidValidity: this.#uidValidity, uidNext: 1, claimed: 0, version: 1, messages: [] })
      await files.rename(fresh, at.path)
    } catch (error) {
      await removeFolder(files, fresh)
      throw error
    }
    await files.syncDirectory(at.path.slice(0, slash))
  }
  async open(at: FilePlace): Promise<MailboxSource> {
    return new FolderSource(new Folder(at.path, this.#parts))
  }
  async append(at: FilePlace): Promise<Delivery> {
    return new FolderDelivery(new Folder(at.path, this.#parts), this.#parts)
  }
  /** The index goes first: without it there is no mailbox. Mailboxes below it stay. */
  async remove(at: FilePlace): Promise<void> {
    const { files } = this.#parts
    await files.unlink(`${at.path}/index.json`)
    await files.syncDirectory(at.path)
    await removeFolder(files, at.path)
  }
}

/** The files of one mailbox. */
class Folder {
  readonly path: string
  readonly files: Files
  readonly #clock: Clock
  constructor(path: string, { files, clock }: FolderParts) {
    this.path = path
    this.files = files
    this.#clock = clock
  }
  message(uid: number): string {
    return `${this.path}/${uid}.eml`
  }
  async index(): Promise<Index> {
    try {
      const file = await this.files.open(`${this.path}/index.json`)
      try {
        const octets = new Uint8Array((await file.stat()).size)
        await file.read(octets, 0)
        // Written by `write`, and whole because of the rename.
        return JSON.parse(Buffer.from(octets).toString()) as Index
      } finally {
        await file.close()
      }
    } catch (error) {
      throw isMissing(error) ? new MailError('not-found', `${this.path} is gone`, { cause: error }) : error
    }
  }
  async write(index: Index): Promise<void> {
    const path = `${this.path}/index.new`
    await this.put(path, async function* () {
      yield Buffer.from(JSON.stringify(index))
    })
    await this.files.rename(path, `${this.path}/index.json`)
    await this.files.syncDirectory(this.path)
  }
  /** A new file with this content, on the disk when it resolves. */
  async put(path: string, content: () => AsyncIterable<Uint8Array>): Promise<void> {
    const file = await this.files.open(path, { write: true, create: 'if-missing' })
    try {
      await file.truncate(0)
      let at = 0
      for await (const chunk of content()) {
        await file.write([chunk], at)
        at += chunk.length
      }
      await file.sync()
    } finally {
      await file.close()
    }
  }
  /** Changes the index with everybody else kept out, in this process and in others. Returning the index as it was changes nothing. */
  async change(signal: AbortSignal, work: (index: Index) => Promise<Index>): Promise<void> {
    const lock = await this.#lock(signal)
    try {
      const before = await this.index()
      const after = await work(before)
      if (after !== before) await this.write(after)
    } finally {
      await lock.close()
    }
  }
  /** The lock is the open file's, so closing it gives it back. It is tried again and again, because waiting in the system would hold up others. */
  async #lock(signal: AbortSignal): Promise<OpenFile> {
    const file = await this.files.open(`${this.path}/lock`, { write: true, create: 'if-missing' }).catch((error: unknown) => {
      throw isMissing(error) ? new MailError('not-found', `${this.path} is gone`, { cause: error }) : error
    })
    try {
      for (;;) {
        if (signal.aborted) throw new MailError('cancelled', 'cancelled while waiting for the lock')
        const outcome = file.lock('flock', 'exclusive')
        if (outcome === 'locked') return file
        if (outcome === 'unavailable') throw new MailError('unavailable', 'this file system has no locks')
        await new Promise<void>((resolve) => this.#clock.after(10, resolve))
      }
    } catch (error) {
      await file.close()
      throw error
    }
  }
}

class FolderSource implements MailboxSource {
  readonly traits: SourceTraits = { writable: true, uidsPersist: true, modseqs: 'numbered-by-core', facts: [], columns: [HEADER] }
  readonly #folder: Folder
  /** Claims that this source knows of. */
  #claimed = 0
  constructor(folder: Folder) {
    this.#folder = folder
  }

  async refresh(edit: TableEdit, how: { readonly claimRecent: boolean }, signal: AbortSignal): Promise<void> {
    const index = await this.#folder.index()
    if (!how.claimRecent || index.uidNext - 1 <= index.claimed) return this.#show(edit, index)
    await this.#change(edit, signal, async (now) => ({ ...now, claimed: now.uidNext - 1 }))
  }
  async store(change: FlagChange, edit: TableEdit, signal: AbortSignal): Promise<UidSet> {
    let refused = uids.none
    await this.#change(edit, signal, async (index) => {
      // Flag arithmetic is core's: what it answers has to be written.
      const outcome = edit.apply(change)
      refused = outcome.refused
      if (outcome.changed.count === 0) return index
      return { ...index, messages: index.messages.map((note) => (outcome.changed.has(note.uid) ? withFlags(note, edit) : note)) }
    })
    return refused
  }
  async expunge(among: UidSet, how: { readonly always: boolean }, edit: TableEdit, signal: AbortSignal): Promise<void> {
    let gone: readonly number[] = []
    await this.#change(edit, signal, async (index) => {
      const doomed = how.always ? among : edit.deleted(among)
      gone = index.messages.filter(({ uid }) => doomed.has(uid)).map(({ uid }) => uid)
      return gone.length === 0 ? index : { ...index, messages: index.messages.filter(({ uid }) => !doomed.has(uid)) }
    })
    edit.remove(uids.from(gone))
    for (const uid of gone) await this.#folder.files.unlink(this.#folder.message(uid))
  }
  async *read(set: UidSet, wants: Wants, rows: Rows, signal: AbortSignal): AsyncIterable<readonly StoredMessage[]> {
    const headers = rows.column(HEADER)
    for (let row = 0; row < rows.length; row++) {
      const uid = rows.uid[row] ?? 0
      if (!set.has(uid)) continue
      if (signal.aborted) throw new MailError('cancelled', 'cancelled')
      if (wants.bytes !== 'none' && (await this.#folder.files.stat(this.#folder.message(uid))) === undefined) continue
      yield [{ uid, headerSize: headers[row] ?? 0, bytes: { size: rows.size[row] ?? 0, read: (at, into) => this.#octets(uid, at, into) } }]
    }
  }
  /** Each read stands alone: the message may have gone since the last one. */
  async #octets(uid: number, at: number, into: Uint8Array): Promise<number> {
    try {
      const file = await this.#folder.files.open(this.#folder.message(uid))
      try {
        return await file.read(into, at)
      } finally {
        await file.close()
      }
    } catch (error) {
      throw isMissing(error) ? new MailError('vanished', `message ${uid} is gone`, { cause: error }) : error
    }
  }
  /** The folder changes whenever its index is replaced. */
  watch(changed: () => void): Disposable {
    return this.#folder.files.watch(this.#folder.path, changed)
  }
  async close(): Promise<void> {}

  /** An operation that writes: the table is made true first, so that what it says of flags is what the folder says. */
  async #change(edit: TableEdit, signal: AbortSignal, work: (index: Index) => Promise<Index>): Promise<void> {
    await this.#folder.change(signal, async (before) => {
      this.#show(edit, before)
      const after = await work(before)
      if (after === before) return before
      const index = { ...after, version: before.version + 1 }
      this.#claimed = index.claimed
      edit.stamp = stampOf(index)
      return index
    })
  }
  /** Makes the rows say what the index says. Under the stamp of this state they do. */
  #show(edit: TableEdit, index: Index): void {
    if (edit.uidValidity !== index.uidValidity) edit.reset(index.uidValidity)
    if (edit.stamp !== stampOf(index)) {
      const notes = new Map(index.messages.map((note) => [note.uid, note]))
      if (contradicts(edit.rows, index)) edit.reset(index.uidValidity)
      const { rows } = edit
      const had = rows.length
      const gone: number[] = []
      for (let row = 0; row < had; row++) {
        const note = notes.get(rows.uid[row] ?? 0)
        // Numbers below `length` are rows.
        if (note === undefined) gone.push(rows.uid[row] ?? 0)
        else fill(edit, row as Row, note)
      }
      edit.remove(uids.from(gone))
      const last = had === 0 ? 0 : (rows.uid[had - 1] ?? 0)
      for (const note of index.messages) if (note.uid > last) fill(edit, edit.add(note.uid, edit.flagSet(0, []), note.uid > index.claimed), note)
    }
    // Another process gave them to one of its sessions.
    for (let uid = this.#claimed + 1; uid <= index.claimed; uid++) {
      const row = edit.rows.find(uid)
      if (row !== -1) edit.setRecent(row, false)
    }
    this.#claimed = index.claimed
    const keywords = new Map(index.messages.flatMap((note) => note.keywords.map((k) => [k.toLowerCase(), k])))
    edit.keywords([...keywords.values()], true)
    edit.uidNext = index.uidNext
    edit.stamp = stampOf(index)
  }
}

/** Octets are taken while they come, without a lock; `commit` makes all of them messages at once. */
class FolderDelivery implements Delivery {
  readonly #folder: Folder
  readonly #parts: FolderParts
  #waiting: { readonly item: AppendItem; readonly spooled: Spooled }[] = []
  constructor(folder: Folder, parts: FolderParts) {
    this.#folder = folder
    this.#parts = parts
  }
  async add(item: AppendItem, signal: AbortSignal): Promise<void> {
    this.#waiting.push({ item, spooled: await this.#parts.spool.take(item, signal) })
  }
  /** Adds no rows to a mailbox that is open: its next look finds them. */
  async commit(_open: unknown, signal: AbortSignal): Promise<AppendResult> {
    let result: AppendResult = { uidValidity: 0, uids: uids.none }
    try {
      await this.#folder.change(signal, async (index) => {
        const notes: Note[] = []
        try {
          for (const { item, spooled } of this.#waiting) notes.push(await this.#put(index.uidNext + notes.length, item, spooled))
        } catch (error) {
          for (const { uid } of notes) await this.#folder.files.unlink(this.#folder.message(uid))
          throw error
        }
        await this.#folder.files.syncDirectory(this.#folder.path)
        result = { uidValidity: index.uidValidity, uids: uids.from(notes.map(({ uid }) => uid)) }
        return { ...index, uidNext: index.uidNext + notes.length, version: index.version + 1, messages: [...index.messages, ...notes] }
      })
    } finally {
      await this.abort()
    }
    return result
  }
  async #put(uid: number, item: AppendItem, spooled: Spooled): Promise<Note> {
    await this.#folder.put(this.#folder.message(uid), () => spooled.chunks())
    const chunks: Uint8Array[] = []
    for await (const chunk of spooled.chunks()) chunks.push(chunk)
    const { ms, zone } = item.date ?? { ms: this.#parts.clock.now(), zone: 0 }
    return { uid, header: headerEnd(Buffer.concat(chunks)), size: spooled.size, ms, zone, system: item.system, keywords: item.keywords }
  }
  async abort(): Promise<void> {
    for (const { spooled } of this.#waiting.splice(0)) await spooled[Symbol.asyncDispose]()
  }
}

function stampOf(index: Index): string {
  return `folder/1 ${index.uidValidity} ${index.version}`
}
function fill(edit: TableEdit, row: Row, note: Note): void {
  edit.setFlags(row, edit.flagSet(note.system, note.keywords))
  edit.setSize(row, note.size)
  edit.setDate(row, note.ms, note.zone)
  edit.set(row, HEADER, note.header)
}
function withFlags(note: Note, edit: TableEdit): Note {
  const row = edit.rows.find(note.uid)
  const flags = row === -1 ? undefined : edit.rows.flagSets[edit.rows.flags[row] ?? 0]
  return flags === undefined ? note : { ...note, system: flags.system, keywords: flags.keywords }
}
/** Rows only grow at their end: restored ones that lack a message between others are of no use. */
function contradicts(rows: Rows, index: Index): boolean {
  const last = rows.length === 0 ? 0 : (rows.uid[rows.length - 1] ?? 0)
  return index.messages.some(({ uid }) => uid < last && rows.find(uid) === -1)
}
/** The files of a folder, and the folder itself when nothing else is in it. */
async function removeFolder(files: Files, path: string): Promise<void> {
  if ((await files.stat(path)) === undefined) return
  const entries = await files.list(path)
  for (const { name, kind } of entries) if (kind === 'file') await files.unlink(`${path}/${name}`)
  if (entries.every(({ kind }) => kind === 'file')) await files.removeDirectory(path)
  await files.syncDirectory(path.slice(0, path.lastIndexOf('/')))
}
function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}

export default definePlugin({
  id: 'acme-folder',
  api: '1.0',
  summary: 'Mailboxes as folders with one file per message',
  setup(p) {
    p.to(mailboxFormats).contribute({
      name: 'folder',
      about: folderAbout,
      settings: noSettings,
      needs: { files: FILES, clock: CLOCK, spool: SPOOL },
      create: (_settings, needs) => new FolderFormat(needs),
    })
  },
})
