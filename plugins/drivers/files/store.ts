import {
  failedWith, fileFailure, MailError, stateFolder, type Delivery, type DriverAbout, type Entry, type Examination, type FilePlace, type Files, type FileStat, type FormatChoice, type FoundMailbox, type ListQuery, type Logger,
  type MailboxEntry, type MailboxFormat, type MailboxSettings, type MailDriver, type MailLocation, type MailStore, type MailUser,
  type GivenNumbers, type TellWait,
} from 'mailwright/api'
import { fileHolds, folderHolds } from './holding.js'
import { likeliestFormat, readsAsItsOwn } from './likeliest-format.js'
import { listDirectory, type ListingSettings } from './listing.js'
import { isInternal, lockedBy, toDisk } from './names.js'
import { UnreadableInbox } from './unreadable-inbox.js'
import { Takers } from './takers.js'
import { below, folderOf, isInbox, lastOf, rootOf, tidy } from './paths.js'

type Format = Entry<MailboxFormat, DriverAbout>

/** What the driver is made of; one per host. */
export interface FilesParts {
  readonly files: Files
  /** In probing order. */
  readonly formats: readonly Format[]
  readonly choice: FormatChoice
  readonly mailbox: MailboxSettings
  readonly listing: ListingSettings
  readonly logger?: Pick<Logger, 'warn'>
}
/** Files that no name leads to, of which the log was told. */
const MOST_TOLD = 1000

/** Mailboxes in files and directories, in whatever format each of them has. */
export class FilesDriver implements MailDriver {
  readonly #parts: FilesParts
  readonly #takers = new Takers<Format>()
  readonly #told = new Set<string>()
  constructor(parts: FilesParts) {
    this.#parts = parts
  }
  async openStore(user: MailUser): Promise<MailStore> {
    return new FilesStore(user, this.#parts, this.#takers, (path, by) => this.#tellHidden(path, by))
  }
  /** Once for each. */
  #tellHidden(path: string, by: string): void {
    if (this.#told.has(path) || this.#told.size >= MOST_TOLD) return
    this.#told.add(path)
    this.#parts.logger?.warn('files.mailbox-hidden', { path, by })
  }
}

/** A format that takes a file, or the fact that it has none yet. */
interface Probed {
  readonly format: Format
  readonly empty: boolean
}

class FilesStore implements MailStore {
  readonly delimiter = '/'
  readonly #user: MailUser
  readonly #parts: FilesParts
  readonly #stateDirectory: string | undefined
  readonly #takers: Takers<Format>
  /** Which format took what was found, and where. What somebody made of an answer is not in it. */
  readonly #taken = new WeakMap<FoundMailbox, { readonly place: FilePlace; readonly format: Format }>()

  readonly #hidden: (path: string, by: string) => void

  constructor(user: MailUser, parts: FilesParts, takers: Takers<Format>, hidden: (path: string, by: string) => void) {
    this.#hidden = hidden
    this.#user = user
    this.#parts = parts
    this.#takers = takers
    this.#stateDirectory = stateFolder(parts.mailbox.stateDirectory, user)
  }

  list(query: ListQuery, signal: AbortSignal): AsyncIterable<readonly MailboxEntry[]> {
    const { files, formats, listing } = this.#parts
    return listDirectory({ files, formats: formats.map((f) => f.made), settings: listing, stateDirectory: this.#stateDirectory, hidden: this.#hidden }, query, signal)
  }

  async find(at: MailLocation, signal: AbortSignal): Promise<FoundMailbox | undefined> {
    const place = await this.#place(at, signal)
    try {
      let stat = await this.#parts.files.stat(place.path)
      if (stat === undefined && isInbox(at)) stat = await this.#makeInbox(at, place)
      if (stat === undefined) return isInbox(at) ? this.#found(`absent:${place.path}`, true, this.#emptyFormat(at), place) : undefined
      const probed = await this.#probe(at, place, stat, signal)
      if (probed === undefined) return undefined
      // A file without a format is another mailbox than the one that it becomes.
      const key = probed.format.made.placeholder === true ? `empty:${keyOf(stat)}` : keyOf(stat)
      const found = { ...this.#found(key, probed.empty, probed.format, place), stat }
      // A format took the INBOX over; mail still comes to where the system delivers it.
      const answer = isInbox(at) && at.mount.inbox !== undefined && at.mount.inbox !== place.path ? { ...found, takesNewMail: true } : found
      this.#taken.set(answer, { place, format: probed.format })
      return answer
    } catch (error) {
      if (error instanceof MailError && error.kind === 'corrupt' && isInbox(at) && this.#parts.mailbox.invalidInbox === 'empty') return this.#unreadable(at, place, error)
      throw fileFailure(error, `Can't open ${at.path}`)
    }
  }
  /** An INBOX of no format, under a key of its own: what is kept of the real one must not meet it. */
  async #unreadable(at: MailLocation, place: FilePlace, problem: MailError): Promise<FoundMailbox> {
    const { files } = this.#parts
    const isInvalid = async (signal: AbortSignal): Promise<boolean> => {
      const stat = await files.stat(place.path)
      if (stat === undefined) return false
      return await this.#probe(at, place, stat, signal).then(() => false, (error: unknown) => error instanceof MailError && error.kind === 'corrupt')
    }
    const text = `Can't open INBOX (file ${place.path}): not in valid mailbox format`
    const stat = await files.stat(place.path)
    if (stat?.kind !== 'file') throw problem
    return { key: `invalid:${keyOf(stat)}`, place: place.path, empty: true, open: async () => new UnreadableInbox(text, () => isInvalid(new AbortController().signal)) }
  }
  #found(key: string, empty: boolean, format: Format, place: FilePlace): FoundMailbox {
    const isAlsoAt = async (path: string): Promise<boolean> => {
      const stat = await this.#parts.files.stat(path)
      return stat !== undefined && keyOf(stat) === key
    }
    return { key, place: place.path, isAlsoAt, empty, format: format.made.writtenAs ?? format.name, open: (signal) => format.made.open(place, signal) }
  }
  /** INBOX always exists. Its file or folder is made where that is allowed, so that it has an identity before the first message comes. */
  async #makeInbox(at: MailLocation, place: FilePlace): Promise<FileStat | undefined> {
    const { files } = this.#parts
    const { made } = this.#emptyFormat(at)
    try {
      await this.#makeFolders(folderOf(place.path), place.directoryMode)
      // An empty file can become a mailbox of any format that is a file; one that is a folder is made as such.
      if (made.claims !== undefined) await made.create(place)
      else await (await files.open(place.path, { write: true, create: 'if-missing', mode: place.fileMode })).close()
      return await files.stat(place.path)
    } catch (error) {
      if (failedWith(error, 'EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'EDQUOT')) return undefined
      throw error
    }
  }

  /** The first format that takes the file wins. */
  async #probe(at: MailLocation, place: FilePlace, stat: FileStat, signal: AbortSignal): Promise<Probed | undefined> {
    let empty = false
    // Opening a pipe waits for its other end.
    if (stat.kind === 'other') throw new MailError('corrupt', `Can't open ${at.path}: not in valid mailbox format`)
    const formats = this.#formats(at)
    const taker = this.#takers.of(place.path, stat)
    if (taker !== undefined && formats.includes(taker) && (await this.#answerOf(taker, at, place, stat, signal)) === 'mine') return { format: taker, empty: false }
    for (const format of formats) {
      const answer = await this.#answerOf(format, at, place, stat, signal)
      if (answer === 'mine') {
        // One that can hold nothing takes what others leave: they are asked each time.
        if (stat.kind === 'file' && format.about.keywords !== 'none') this.#takers.took(place.path, stat, format)
        return { format, empty: false }
      }
      empty ||= answer === 'empty'
    }
    if (empty) {
      const format = (isInbox(at) ? (await this.#takenOver(at, signal))?.format : undefined) ?? this.#emptyFormat(at)
      if (stat.kind === 'file' && format.made.claims !== undefined) throw new MailError('unsupported', `Indeterminate mailbox format: ${at.path} is an empty file, and "${format.name}" mailboxes are folders`)
      return { format, empty: true }
    }
    if (stat.kind === 'directory') return undefined
    throw new MailError('corrupt', `Can't open ${at.path}: not in valid mailbox format`)
  }
  async #answerOf(format: Format, at: MailLocation, place: FilePlace, stat: FileStat, signal: AbortSignal): Promise<'mine' | 'empty' | 'not-mine'> {
    try {
      return await format.made.recognise(place, signal, stat)
    } catch (error) {
      // The mailbox is damaged, and can still be put aside and examined.
      if (failedWith(error, 'EIO')) throw new MailError('corrupt', `Can't open ${at.path}: its beginning cannot be read from the disk`, { cause: error })
      throw error
    }
  }
  #formats(at: MailLocation): readonly Format[] {
    const { formats: all } = at.mount
    return all === undefined ? this.#parts.formats : this.#parts.formats.filter((f) => all.includes(f.name))
  }
  #emptyFormat(at: MailLocation): Format {
    return this.#named(at.format ?? this.#parts.choice.empty, at)
  }
  #named(name: string, at: MailLocation): Format {
    const format = this.#parts.formats.find((f) => f.name === name)
    if (format === undefined) throw new MailError('not-found', `${at.path}: unknown format "${name}"`)
    return format
  }

  async #place(at: MailLocation, signal: AbortSignal): Promise<FilePlace> {
    const { mailbox } = this.#parts
    const modes = { fileMode: at.mount.fileMode ?? mailbox.fileMode, directoryMode: at.mount.directoryMode ?? mailbox.directoryMode }
    if (!isInbox(at)) return { path: await this.#file(at), user: this.#user, ...modes }
    const taken = await this.#takenOver(at, signal)
    return taken?.place ?? { path: at.mount.inbox ?? below(rootOf(at), 'INBOX'), user: this.#user, ...modes, isInbox: true }
  }
  /** The first format with a mailbox at its place for an INBOX has it, also when that is empty. */
  async #takenOver(at: MailLocation, signal: AbortSignal): Promise<{ readonly format: Format; readonly place: FilePlace } | undefined> {
    if (!this.#isInHome(at)) return undefined
    for (const format of this.#formats(at)) {
      const place = await format.made.inbox?.(this.#user, signal, at.mount.inbox)
      if (place !== undefined) return { format, place }
    }
    return undefined
  }
  /** Elsewhere no format takes INBOX over. */
  #isInHome({ mount: { root } }: MailLocation): boolean {
    return root === this.#user.home || root.startsWith(`${this.#user.home}/`)
  }
  /** No name leads to what the server keeps for itself, whoever resolved it. */
  async #file(at: MailLocation): Promise<string> {
    const { files } = this.#parts
    // Made where it is thrown: an error takes a look at the stack, which costs more than all else here.
    const missing = (): MailError => new MailError('not-found', 'no such mailbox')
    const [root, path] = [rootOf(at), tidy(at.path)]
    if (path === '' || path.split('/').some(isInternal)) throw missing()
    try {
      const file = await toDisk(files, root, path)
      if (file === this.#stateDirectory || (this.#stateDirectory !== undefined && file.startsWith(`${this.#stateDirectory}/`))) throw missing()
      const locked = lockedBy(lastOf(file))
      if (locked !== undefined && locked !== '' && (await files.lstat(below(folderOf(file), locked))) !== undefined) throw missing()
      if (await this.#isPart(file, at)) throw missing()
      return file
    } catch (error) {
      throw fileFailure(error, at.path)
    }
  }
  /** Whether it is a part of a mailbox that is a folder (index, metadata, a message), or would make one of its folder. Only a name that could be one costs a look at the folder. */
  async #isPart(file: string, at: MailLocation): Promise<boolean> {
    const [folder, name] = [folderOf(file), lastOf(file)]
    const formats = this.#formats(at).map((f) => f.made)
    if (!formats.some((f) => f.claims !== undefined && f.owns?.(name) === true)) return false
    const { files } = this.#parts
    if ((await files.lstat(file))?.kind === 'directory') return false
    const entries = await files.list(folder).catch((error: unknown) => {
      if (failedWith(error, 'ENOENT', 'ENOTDIR', 'EACCES', 'EPERM')) return []
      throw error
    })
    const names = [...new Set([...entries.map((e) => e.name), name])]
    return formats.find((f) => f.claims?.({ path: folder, names }) === 'mailbox')?.owns?.(name) === true
  }
  /** INBOX is there always: under whatever name it is reached, its file stays. */
  async #notInbox(at: MailLocation, place: FilePlace, what: string, signal: AbortSignal): Promise<void> {
    if (at.mount.class !== 'personal') return
    const inbox = await this.#place({ mount: at.mount, path: 'INBOX' }, signal)
    if (inbox.path === place.path) throw new MailError('denied', `${what}: it is the INBOX`)
  }

  async create(at: MailLocation, numbers: GivenNumbers): Promise<void> {
    const { signal } = new AbortController()
    const { files, choice } = this.#parts
    const takesOver = isInbox(at) && at.format !== undefined
    const place = takesOver ? await this.#ownInbox(at, signal) : await this.#place(at, signal)
    const what = `Can't create mailbox ${at.path}`
    try {
      const there = await files.stat(place.path)
      if (lockedBy(lastOf(place.path)) !== undefined) throw new MailError('denied', `${what}: it would be the lock of another`)
      const format = this.#named(at.format ?? at.mount.createFormat ?? choice.create, at)
      // A folder is made a mailbox by formats that are folders; others need the name for a file.
      const becomes = there?.kind === 'directory' && !at.path.endsWith('/') && format.made.claims !== undefined && (await this.#owner(at, place, signal)) === undefined
      if (there !== undefined && !becomes) throw new MailError('exists', `${what}: mailbox already exists`)
      await this.#notInstead(at, place, signal)
      await this.#makeFolders(folderOf(place.path), place.directoryMode)
      if (at.path.endsWith('/')) await files.makeDirectory(place.path, place.directoryMode)
      else await format.made.create(place, numbers)
      if (takesOver) await this.#mustBeInbox(at, format, place, becomes, signal)
      if (at.path.endsWith('/')) await this.#sync(folderOf(place.path))
    } catch (error) {
      throw fileFailure(error, what)
    }
  }
  /** Where the format looks for an INBOX to take over (`#driver.mix/INBOX`). */
  async #ownInbox(at: MailLocation, signal: AbortSignal): Promise<FilePlace> {
    if (this.#user.home === undefined) throw new MailError('denied', "Can't create INBOX: the user has no home directory")
    const { made } = this.#named(at.format ?? this.#parts.choice.create, at)
    // A file that nobody takes for INBOX would stand in the home, out of reach.
    if (made.inbox === undefined) throw new MailError('unsupported', "Can't create INBOX: this format has none of its own; the one to which mail is delivered exists always")
    const there = await this.#takenOver(at, signal)
    if (there !== undefined) throw new MailError('exists', "Can't create mailbox INBOX: mailbox already exists")
    const delivered = await this.#place(at, signal)
    if (!this.#isInHome(at)) throw this.#noInbox(at, at.format ?? this.#parts.choice.create, delivered)
    const path = `${this.#user.home}/${made.inboxName ?? 'INBOX'}`
    // A program that delivers may have the file open, empty as it is: what it writes would be lost with the file, or in the middle of another format.
    if (path === delivered.path) throw new MailError('unsupported', `Can't create INBOX: mail is delivered to ${path} itself; which format that file has is said by drivers.empty`)
    return { ...delivered, path }
  }
  /** Where the format takes no INBOX over (it may want mail to be delivered elsewhere than below the home), nobody would ever read what was made. */
  async #mustBeInbox(at: MailLocation, format: Format, place: FilePlace, wasThere: boolean, signal: AbortSignal): Promise<void> {
    if ((await this.#takenOver(at, signal))?.format === format) return
    // What lies in a folder that was there would go with the mailbox.
    if (!wasThere) {
      if (format.made.remove === undefined) await this.#parts.files.unlink(place.path)
      else await format.made.remove(place)
    }
    throw this.#noInbox(at, format.name, place)
  }
  #noInbox(at: MailLocation, format: string, place: FilePlace): MailError {
    return new MailError('unsupported', `Can't create INBOX: where mail is delivered to ${at.mount.inbox ?? place.path}, "${format}" has no INBOX of its own`)
  }
  /** INBOX exists before its file does: no directory is made in its place, for mail could then not be delivered. */
  async #notInstead(at: MailLocation, place: FilePlace, signal: AbortSignal): Promise<void> {
    if (at.mount.class !== 'personal') return
    const inbox = await this.#place({ ...at, path: 'INBOX' }, signal)
    const asDirectory = place.path.startsWith(`${inbox.path}/`) || (place.path === inbox.path && at.path.endsWith('/'))
    if (asDirectory && (await this.#parts.files.stat(inbox.path))?.kind !== 'directory') throw new MailError('exists', `Can't create mailbox node ${inbox.path}: File exists`)
  }
  /** Missing superior directories are made; a file in the way is said so. */
  async #makeFolders(path: string, mode: number): Promise<void> {
    const { files } = this.#parts
    const there = await files.stat(path)
    if (there?.kind === 'directory') return
    if (there !== undefined) throw new MailError('exists', `Can't create mailbox node ${path}: File exists`)
    if (path === '/') return
    await this.#makeFolders(folderOf(path), mode)
    try {
      await files.makeDirectory(path, mode)
      await this.#sync(folderOf(path))
    } catch (error) {
      if (!failedWith(error, 'EEXIST')) throw error
    }
  }

  async remove(at: MailLocation, waits?: TellWait): Promise<void> {
    const { files } = this.#parts
    const { signal } = new AbortController()
    const place = await this.#place(at, signal)
    const what = `Can't delete mailbox ${at.path}`
    try {
      const stat = await files.stat(place.path)
      if (stat === undefined) throw new MailError('not-found', `${what}: no such mailbox`)
      await this.#notInbox(at, place, what, signal)
      const format = await this.#owner(at, place, signal)
      if (format?.made.remove !== undefined) await format.made.remove(place, waits)
      else if (stat.kind === 'directory' && (await files.lstat(place.path))?.kind === 'directory') await files.removeDirectory(place.path)
      else await files.unlink(place.path)
      await this.#sync(folderOf(place.path))
    } catch (error) {
      if (failedWith(error, 'ENOTEMPTY', 'EEXIST')) throw new MailError('denied', `${what}: it holds other mailboxes`, { cause: error })
      throw fileFailure(error, what)
    }
  }
  async rename(from: MailLocation, to: MailLocation, waits?: TellWait): Promise<void> {
    const { files } = this.#parts
    const { signal } = new AbortController()
    const [source, target] = [await this.#place(from, signal), await this.#place(to, signal)]
    const what = `Can't rename mailbox ${from.path} to ${to.path}`
    try {
      if ((await files.stat(source.path)) === undefined) throw new MailError('not-found', `${what}: no such mailbox`)
      if ((await files.lstat(target.path)) !== undefined) throw new MailError('exists', `${what}: destination already exists`)
      await this.#notInbox(from, source, what, signal)
      await this.#notInbox(to, target, what, signal)
      if (lockedBy(lastOf(target.path)) !== undefined) throw new MailError('denied', `${what}: it would be the lock of another`)
      if (target.path.startsWith(`${source.path}/`)) throw new MailError('denied', `${what}: a mailbox cannot be moved into itself`)
      await this.#notInstead(to, target, signal)
      await this.#makeFolders(folderOf(target.path), target.directoryMode)
      const format = await this.#owner(from, source, signal)
      if (format?.made.rename !== undefined) await format.made.rename(source, target, waits)
      else await files.renameToFree(source.path, target.path)
      await this.#sync(folderOf(target.path))
      if (folderOf(source.path) !== folderOf(target.path)) await this.#sync(folderOf(source.path))
    } catch (error) {
      throw fileFailure(error, what)
    }
  }
  /** The format of what is there; a file of no format is still a name that can be moved or deleted. */
  async #owner(at: MailLocation, place: FilePlace, signal: AbortSignal): Promise<Format | undefined> {
    if ((await this.#parts.files.stat(place.path))?.kind === 'other') return undefined
    for (const format of this.#formats(at)) {
      try {
        if ((await format.made.recognise(place, signal)) === 'mine') return format
      } catch (error) {
        // A disk that cannot be read there tells nothing of the format, and must not keep the mailbox from being put aside.
        if (!failedWith(error, 'EIO')) throw error
      }
    }
    return undefined
  }

  async holds(at: MailLocation, octets: Uint8Array, signal: AbortSignal): Promise<boolean> {
    const { files } = this.#parts
    const place = await this.#place(at, signal)
    try {
      const stat = await files.stat(place.path)
      if (stat?.kind === 'directory') return await folderHolds(files, this.#formats(at).map((f) => f.made), place, octets, signal)
      return stat?.kind === 'file' && stat.size >= octets.length && (await fileHolds(files, place.path, octets, signal))
    } catch (error) {
      throw fileFailure(error, `Can't look into ${at.path}`)
    }
  }

  async examine(at: MailLocation, signal: AbortSignal): Promise<Examination | undefined> {
    const place = await this.#place(at, signal)
    try {
      const stat = await this.#parts.files.stat(place.path)
      if (stat === undefined) throw new MailError('not-found', 'no such mailbox')
      const owner = await this.#owner(at, place, signal)
      // Some take whatever no other does, and what stands at the beginning may have become that of another format.
      const doubtful = owner === undefined || !(await readsAsItsOwn(owner, place, signal))
      const likeliest = doubtful && ((stat.kind === 'file' && stat.size > 0) || stat.kind === 'directory') ? await likeliestFormat(this.#formats(at), place, owner !== undefined, signal) : undefined
      const format = likeliest ?? owner
      if (format?.made.examine === undefined) return undefined
      const owns = format.made.owns?.bind(format.made)
      return { format: format.name, found: format.made.examine(place, signal), ...(owns === undefined ? {} : { owns }) }
    } catch (error) {
      throw fileFailure(error, `Can't examine ${at.path}`)
    }
  }

  async append(at: MailLocation, signal: AbortSignal, found?: FoundMailbox): Promise<Delivery> {
    const known = found && this.#taken.get(found)
    const place = known?.place ?? (await this.#place(at, signal))
    try {
      const format = known?.format ?? (await this.#formatFor(at, place, signal))
      return await format.made.append(place, signal)
    } catch (error) {
      throw fileFailure(error, cannotAppend(at))
    }
  }
  async #formatFor(at: MailLocation, place: FilePlace, signal: AbortSignal): Promise<Format> {
    const stat = await this.#parts.files.stat(place.path)
    if (stat === undefined) {
      if (!isInbox(at)) throw new MailError('not-found', 'Must create mailbox before append')
      if ((await this.#makeInbox(at, place)) === undefined) await this.#makeFolders(folderOf(place.path), place.directoryMode)
      return this.#emptyFormat(at)
    }
    const probed = await this.#probe(at, place, stat, signal)
    if (probed === undefined) throw new MailError('not-found', `${cannotAppend(at)}: not a mailbox`)
    return probed.format
  }
  /** Names of files are on the disk, unless the site gave that up. */
  async #sync(folder: string): Promise<void> {
    if (this.#parts.mailbox.durability === 'full') await this.#parts.files.syncDirectory(folder)
  }
  async close(): Promise<void> {
    // Nothing is held between calls.
  }
}

function cannotAppend({ path }: MailLocation): string {
  return `Can't append to mailbox ${path}`
}
/** Names the file itself, whatever its name is. */
function keyOf({ device, inode }: FileStat): string {
  return `${device.toString(16)}-${inode.toString(16)}`
}
