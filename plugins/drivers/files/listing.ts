import type { DirectoryEntry, Files, FileStat, ListQuery, MailboxEntry, MailboxFormat } from 'mailwright/api'
import { below, failedWith, isInbox, pathOf } from './paths.js'
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
  readonly stateDirectory: string
}

/** Octets of the longest name. */
const LONGEST_NAME = 256
/** Entries handed over together, and looked at side by side. */
const BATCH = 64
/** The original's own files, and ours; no mailboxes whatever they hold. */
const INTERNAL = /^(?:\.mailboxlist|\.mlbxlsttmp|\..*\.mailwright-(?:redo|sidecar|subscriptions)(?:\..*)?|.*\.lock(?:\.\d+\.\d+\..*)?)$/

/**
 * Names below a mount by reading directories; no file is opened. Any regular file is listed, since only opening it could
 * tell whether it is a mailbox. Symbolic links are followed; a directory that is on the way to itself is not entered.
 */
export async function* listDirectory(l: Listing, query: ListQuery, signal: AbortSignal): AsyncGenerator<readonly MailboxEntry[]> {
  const { mount } = query.under
  if (!mount.root.startsWith('/')) return
  const walk = new Walk(l, query, signal)
  const base = pathOf(query.under)
  const prefix = query.under.path === '' || query.under.path.endsWith('/') ? query.under.path : `${query.under.path}/`
  yield* walk.directory(base, prefix, Reach.of(query.patterns), 1, [])
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
    const visible = entries.filter((e) => this.#visible(path, e.name, names) && !this.#inside(path, e, names)).sort((a, b) => (a.name < b.name ? -1 : 1))
    for (let first = 0; first < visible.length && this.#left > 0; first += BATCH) {
      const part = visible.slice(first, first + BATCH)
      const looked = await Promise.all(part.map((e) => this.#look(path, prefix, e, reach)))
      const found = looked.filter((x) => x !== undefined)
      const batch = found.flatMap((x) => (x.entry === undefined ? [] : [x.entry])).slice(0, this.#left)
      this.#left -= batch.length
      if (batch.length > 0) yield batch
      for (const { folder, name, next } of found) {
        if (folder === undefined || !next.goesOn || depth >= this.#l.settings.maxDepth) continue
        const id = `${folder.device}:${folder.inode}`
        if (above.includes(id)) continue
        yield* this.directory(below(path, name), `${prefix}${name}/`, next, depth + 1, [...above, id])
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
  #visible(folder: string, name: string, names: readonly string[]): boolean {
    if (this.#l.settings.hideDotFiles && name.startsWith('.')) return false
    if (/[\0\r\n]/.test(name) || below(folder, name) === this.#l.stateDirectory) return false
    if (!INTERNAL.test(name)) return true
    // A mailbox may be called anything; only what lies beside the mailbox it locks is a lock.
    const locked = /^(.*)\.lock(?:\.|$)/.exec(name)?.[1]
    return locked !== undefined && !names.includes(locked)
  }
  /** Parts of a mailbox that is a directory. */
  #inside(folder: string, entry: DirectoryEntry, names: readonly string[]): boolean {
    if (entry.kind !== 'directory') return false
    return this.#l.formats.some((f) => f.claims?.({ path: below(folder, entry.name), names }) === 'inside')
  }

  async #look(folder: string, prefix: string, entry: DirectoryEntry, reach: Reach): Promise<{ entry: MailboxEntry | undefined; folder: FileStat | undefined; name: string; next: Reach } | undefined> {
    const path = below(folder, entry.name)
    const name = prefix + entry.name
    if (Buffer.byteLength(name) > LONGEST_NAME) return undefined
    const here = reach.after(entry.name)
    const next = here.after('/')
    if (!here.matches && !next.matches && !next.goesOn) return undefined
    const stat = await this.#stat(path)
    if (stat?.kind === 'file') {
      if (!here.matches || isInbox({ mount: this.#query.under.mount, path: name })) return undefined
      return { entry: { path: name, selectable: true, children: 'no', inferiors: false, marked: isMarked(stat), attributes: [] }, folder: undefined, name: entry.name, next }
    }
    if (stat?.kind !== 'directory') return undefined
    if (!here.matches && !next.matches) return { entry: undefined, folder: stat, name: entry.name, next }
    const inside = this.#query.wantChildren || this.#l.formats.some((f) => f.claims !== undefined) ? await this.#read(path) : undefined
    const names = inside?.map((e) => e.name) ?? []
    const selectable = this.#l.formats.some((f) => f.claims?.({ path, names }) === 'mailbox')
    const children = inside === undefined ? 'unknown' : inside.some((e) => this.#visible(path, e.name, names) && !this.#inside(path, e, names)) ? 'yes' : 'no'
    return { entry: { path: name, selectable, children, inferiors: true, attributes: [] }, folder: stat, name: entry.name, next }
  }
  async #stat(path: string): Promise<FileStat | undefined> {
    try {
      return await this.#l.files.stat(path)
    } catch (error) {
      if (failedWith(error, 'EACCES', 'EPERM', 'ELOOP')) return undefined
      throw error
    }
  }
}

/** There is something, and it was not read since it came. Mail programs set these times by whole seconds. */
export function isMarked(stat: Pick<FileStat, 'size' | 'atimeMs' | 'ctimeMs'>): boolean {
  return stat.size > 0 && Math.floor(stat.atimeMs / 1000) < Math.floor(stat.ctimeMs / 1000)
}
