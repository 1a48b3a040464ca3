import { failedWith } from 'mailwright/api'
import type { DirectoryEntry, Files, FileStat, ListQuery, MailboxEntry, MailboxFormat } from 'mailwright/api'
import { fromDisk, isInternal, lockedBy, toDisk } from './names.js'
import { below, isInbox, rootOf, tidy } from './paths.js'
import { Reach } from './reach.js'

export interface ListingSettings {
  readonly maxDepth: number
  readonly maxEntries: number
  readonly hideDotFiles: boolean
}
interface Listing {
  readonly files: Files
  readonly formats: readonly MailboxFormat[]
  readonly settings: ListingSettings
  /** Folder of caches and journals; never listed. */
  readonly stateDirectory: string | undefined
  /** Hears of a file that no name leads to, since its name is that of another one in the folder. */
  hidden(path: string, by: string): void
}

/** Octets of the longest name. */
const LONGEST_NAME = 256
/** Entries handed over together, and looked at side by side. */
const BATCH = 64
/** A directory entry under the name that clients have for it. */
interface Named {
  readonly entry: DirectoryEntry
  readonly name: string
}

/**
 * Names below a mount by reading directories; no file is opened. Any regular file is listed, since only opening it could
 * tell whether it is a mailbox. Symbolic links are followed; a directory that is on the way to itself is not entered.
 */
export async function* listDirectory(l: Listing, query: ListQuery, signal: AbortSignal): AsyncGenerator<readonly MailboxEntry[]> {
  const { mount } = query.under
  if (!mount.root.startsWith('/')) return
  const walk = new Walk(l, query, signal)
  const under = tidy(query.under.path)
  const base = await toDisk(l.files, rootOf(query.under), under)
  const top = await walk.stat(base)
  if (top?.kind === 'directory') yield* walk.directory(base, under === '' ? '' : `${under}/`, Reach.of(query.patterns), 1, [`${top.device}:${top.inode}`])
}

/** What was found of one directory entry. */
interface Looked {
  /** Its line in the answer, where it matches. */
  readonly entry: MailboxEntry | undefined
  /** A directory to go on in. */
  readonly folder: FileStat | undefined
  readonly at: string
  readonly name: string
  readonly next: Reach
}

class Walk {
  readonly #l: Listing
  readonly #query: ListQuery
  readonly #signal: AbortSignal
  #left: number
  constructor(l: Listing, query: ListQuery, signal: AbortSignal) {
    this.#l = l
    this.#query = query
    this.#signal = signal
    this.#left = l.settings.maxEntries === 0 ? Number.POSITIVE_INFINITY : l.settings.maxEntries
  }

  async *directory(path: string, prefix: string, reach: Reach, depth: number, above: readonly string[]): AsyncGenerator<readonly MailboxEntry[]> {
    this.#signal.throwIfAborted()
    const entries = await this.#read(path)
    if (entries === undefined) return
    const names = entries.map((e) => e.name)
    const mailbox = this.#mailboxOf(path, names)
    const visible = this.#named(path, entries.filter((e) => this.#visible(path, e, names) && !this.#inside(path, e, names)))
    for (let first = 0; first < visible.length && this.#left > 0; first += BATCH) {
      const part = visible.slice(first, first + BATCH)
      const looked = await Promise.all(part.map((e) => this.#look(path, prefix, e, reach, mailbox)))
      const found = looked.filter((x) => x !== undefined)
      const batch = found.flatMap((x) => (x.entry === undefined ? [] : [x.entry])).slice(0, this.#left)
      this.#left -= batch.length
      if (batch.length > 0) yield batch
      for (const { folder, at, name, next } of found) {
        if (folder === undefined || !next.goesOn || depth >= this.#l.settings.maxDepth) continue
        const id = `${folder.device}:${folder.inode}`
        if (above.includes(id)) continue
        // Where no "*" was met the pattern itself says how deep it goes.
        yield* this.directory(at, `${prefix}${name}/`, next, next.isEndless ? depth + 1 : depth, [...above, id])
      }
    }
  }
  async #read(path: string): Promise<readonly DirectoryEntry[] | undefined> {
    try {
      return await this.#l.files.list(path)
    } catch (error) {
      // What may not be read has nothing to show.
      if (failedWith(error, 'ENOENT', 'ENOTDIR', 'EACCES', 'EPERM', 'ELOOP')) return undefined
      throw error
    }
  }
  /** In the order of their names; a name that two files could have is that of the one which it leads to. */
  #named(folder: string, entries: readonly DirectoryEntry[]): readonly Named[] {
    const byName = new Map<string, Named>()
    for (const entry of entries) {
      const name = fromDisk(entry.name)
      if (name === undefined) continue
      const other = byName.get(name)?.entry.name
      const shown = other === undefined || name !== entry.name ? entry.name : other
      if (other !== undefined) this.#l.hidden(below(folder, shown === other ? entry.name : other), below(folder, shown))
      if (shown !== other) byName.set(name, { entry, name })
    }
    return [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  }
  #visible(folder: string, { name, kind }: DirectoryEntry, names: readonly string[]): boolean {
    if (this.#l.settings.hideDotFiles && name.startsWith('.')) return false
    const path = below(folder, name)
    // The file of the INBOX is listed as INBOX; a folder is, too, and may hold other mailboxes.
    if (path === this.#l.stateDirectory || (path === this.#query.under.mount.inbox && kind === 'file') || isInternal(name)) return false
    // A mailbox may be called anything; only what lies beside the mailbox it locks is a lock.
    const locked = lockedBy(name)
    return locked === undefined || !names.includes(locked)
  }
  /** The format whose mailbox the directory is. */
  #mailboxOf(path: string, names: readonly string[]): MailboxFormat | undefined {
    return this.#l.formats.find((f) => f.claims?.({ path, names }) === 'mailbox')
  }
  /** Directories that are parts of such a mailbox. */
  #inside(folder: string, entry: DirectoryEntry, names: readonly string[]): boolean {
    if (entry.kind !== 'directory') return false
    return this.#l.formats.some((f) => f.claims?.({ path: below(folder, entry.name), names }) === 'inside')
  }

  async #look(folder: string, prefix: string, { entry, name: last }: Named, reach: Reach, within: MailboxFormat | undefined): Promise<Looked | undefined> {
    const path = below(folder, entry.name)
    const name = prefix + last
    if (Buffer.byteLength(name) > LONGEST_NAME) return undefined
    const here = reach.after(last)
    const next = here.after('/')
    if (!here.matches && !next.matches && !next.goesOn) return undefined
    const stat = await this.stat(path)
    if (stat?.kind === 'file') {
      if (isPart(within, entry.name) || !here.matches || isInbox({ mount: this.#query.under.mount, path: name })) return undefined
      return { entry: { path: name, selectable: true, children: 'no', inferiors: false, marked: isMarked(stat), attributes: [] }, folder: undefined, at: path, name: last, next }
    }
    if (stat?.kind !== 'directory') return undefined
    if (!here.matches && !next.matches) return { entry: undefined, folder: stat, at: path, name: last, next }
    const inside = this.#query.wantChildren || this.#l.formats.some((f) => f.claims !== undefined) ? await this.#read(path) : undefined
    const names = inside?.map((e) => e.name) ?? []
    const mailbox = this.#mailboxOf(path, names)
    const selectable = mailbox !== undefined
    const isChild = (e: DirectoryEntry): boolean => (e.kind !== 'file' || !isPart(mailbox, e.name)) && this.#visible(path, e, names) && !this.#inside(path, e, names)
    const children = inside === undefined ? 'unknown' : inside.some(isChild) ? 'yes' : 'no'
    return { entry: { path: name, selectable, children, inferiors: true, attributes: [] }, folder: stat, at: path, name: last, next }
  }
  async stat(path: string): Promise<FileStat | undefined> {
    try {
      return await this.#l.files.stat(path)
    } catch (error) {
      if (failedWith(error, 'EACCES', 'EPERM', 'ELOOP')) return undefined
      throw error
    }
  }
}

/** Whether a file in a mailbox that is a directory is a part of it, rather than a mailbox below it. */
function isPart(mailbox: MailboxFormat | undefined, fileName: string): boolean {
  return mailbox !== undefined && (mailbox.owns?.(fileName) ?? true)
}

/** There is something, and it was not read since it came. Mail programs set these times by whole seconds. */
export function isMarked(stat: Pick<FileStat, 'size' | 'atimeMs' | 'ctimeMs'>): boolean {
  return stat.size > 0 && Math.floor(stat.atimeMs / 1000) < Math.floor(stat.ctimeMs / 1000)
}
