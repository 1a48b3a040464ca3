import { failedWith, fileFailure, MailError } from 'mailwright/api'
import { MaildirDelivery } from './delivery.js'
import { Folder } from './folder.js'
import { makeFolders } from './folders.js'
import { folderNameOf, mailboxNameOf } from './names.js'
import { noteUidValidity } from './uid-validity.js'
import { MaildirSource } from './source.js'

/** Folders that are being made, or taken away. */
const [MAKING, REMOVED] = ['..mailwright-new-', '..mailwright-removed-']

/** Maildirs of all users of a host. */
export class MaildirDriver {
  #ctx
  constructor(ctx) {
    this.#ctx = ctx
  }
  async openStore(user) {
    return new MaildirStore(user, this.#ctx)
  }
}

class MaildirStore {
  #ctx
  #user
  constructor(user, ctx) {
    this.#ctx = ctx
    this.#user = user
    this.delimiter = ctx.delimiter
  }
  /** A personal mount is somebody's home, not always the login's; any other is a Maildir itself. */
  #root({ mount }) {
    if (!mount.root.startsWith('/')) throw new MailError('not-found', 'no such mailbox')
    const root = mount.root.replace(/\/+$/, '')
    return mount.class === 'personal' && this.#ctx.path !== '' ? `${root}/${this.#ctx.path}` : root
  }
  #isInbox(at) {
    return at.mount.class === 'personal' && at.path.toUpperCase() === 'INBOX'
  }
  #place(at) {
    const { mailbox } = this.#ctx
    const root = this.#root(at)
    const path = this.#isInbox(at) ? root : `${root}/${folderNameOf(at.path, this.delimiter)}`
    return { path, root, user: this.#user, fileMode: at.mount.fileMode ?? mailbox.fileMode, directoryMode: at.mount.directoryMode ?? mailbox.directoryMode }
  }
  async #isMailbox(path) {
    const { files } = this.#ctx
    return (await files.stat(`${path}/cur`))?.kind === 'directory' || (await files.stat(`${path}/new`))?.kind === 'directory'
  }
  async #sync(path) {
    if (this.#ctx.mailbox.durability === 'full') await this.#ctx.files.syncDirectory(path)
  }

  async *list({ under }, signal) {
    const { files } = this.#ctx
    signal.throwIfAborted()
    const root = this.#root(under)
    const names = new Map()
    try {
      for (const { name: folder, kind } of await files.list(root)) {
        if (folder.startsWith('..') || (kind !== 'directory' && kind !== 'symlink')) continue
        const name = mailboxNameOf(folder, this.delimiter)
        if (name !== undefined && (await this.#isMailbox(`${root}/${folder}`))) names.set(name, true)
      }
    } catch (error) {
      if (!failedWith(error, 'ENOENT', 'ENOTDIR')) throw fileFailure(error, root)
    }
    const parents = new Set()
    for (const name of names.keys()) {
      for (let end = name.lastIndexOf(this.delimiter); end > 0; end = name.lastIndexOf(this.delimiter, end - 1)) parents.add(name.slice(0, end))
    }
    for (const name of parents) if (!names.has(name)) names.set(name, false)
    // The Maildir itself, not a folder of that name; it exists always.
    const personal = under.mount.class === 'personal'
    if (personal) for (const name of names.keys()) if (name.toUpperCase() === 'INBOX') names.delete(name)
    if (personal) names.set('INBOX', true)
    yield [...names].map(([path, selectable]) => ({ path, selectable, children: parents.has(path) ? 'yes' : 'no', inferiors: true, attributes: [] }))
  }
  async find(at) {
    const { files } = this.#ctx
    try {
      const place = this.#tryPlace(at)
      if (place === undefined) return undefined
      if (this.#isInbox(at)) await this.#makeRoot(place)
      if (!(await this.#isMailbox(place.path))) return undefined
      const keyOf = async (path) => {
        const stat = await files.stat(path)
        return stat === undefined ? undefined : `${stat.device.toString(16)}-${stat.inode.toString(16)}`
      }
      const key = await keyOf(place.path)
      if (key === undefined) return undefined
      return { key, place: place.path, isAlsoAt: async (path) => (await keyOf(path)) === key, empty: false, open: async () => new MaildirSource(place, this.#ctx) }
    } catch (error) {
      throw fileFailure(error, `Can't open ${at.path}`)
    }
  }
  /** A name that no folder can have names no mailbox. */
  #tryPlace(at) {
    try {
      return this.#place(at)
    } catch (error) {
      if (error instanceof MailError && error.kind === 'denied') return undefined
      throw error
    }
  }
  /** The Maildir itself, which is the INBOX: it exists always. */
  async #makeRoot({ path, directoryMode }) {
    if (await this.#isMailbox(path)) return
    await makeFolders(this.#ctx, path, directoryMode)
    for (const name of ['tmp', 'new', 'cur']) await makeFolders(this.#ctx, `${path}/${name}`, directoryMode)
  }

  /** Made under another name, so that a crash leaves a mailbox or none. */
  async create(at, numbers) {
    const { files, random } = this.#ctx
    const what = `Can't create mailbox ${at.path}`
    const signal = new AbortController().signal
    try {
      refuseFormat(at, what)
      const place = this.#place(at)
      if (this.#isInbox(at)) throw new MailError('exists', `${what}: INBOX exists always`)
      const root = { ...place, path: place.root }
      await this.#makeRoot(root)
      if ((await files.lstat(place.path)) !== undefined) throw new MailError('exists', `${what}: mailbox already exists`)
      const fresh = `${place.root}/${MAKING}${Buffer.from(random(8)).toString('hex')}`
      try {
        await files.makeDirectory(fresh, place.directoryMode)
        for (const name of ['tmp', 'new', 'cur']) await files.makeDirectory(`${fresh}/${name}`, place.directoryMode)
        await (await files.open(`${fresh}/maildirfolder`, { write: true, create: 'new', mode: place.fileMode })).close()
        const folder = new Folder({ ...place, path: fresh }, this.#ctx)
        // UIDVALIDITY is told with the mailbox, and must not change.
        await folder.locked(signal, () => folder.ownList(numbers))
        await this.#sync(fresh)
        await files.rename(fresh, place.path)
      } catch (error) {
        await this.#removeTree(fresh).catch(() => undefined)
        throw error
      }
      await this.#sync(place.root)
    } catch (error) {
      throw fileFailure(error, what)
    }
  }
  async remove(at) {
    const { files, random } = this.#ctx
    const what = `Can't delete mailbox ${at.path}`
    try {
      const place = this.#tryPlace(at)
      if (place === undefined || (await files.lstat(place.path)) === undefined) throw new MailError('not-found', `${what}: no such mailbox`)
      if (this.#isInbox(at)) throw new MailError('denied', `${what}: it is the INBOX`)
      const gone = `${place.root}/${REMOVED}${Buffer.from(random(8)).toString('hex')}`
      const folder = new Folder(place, this.#ctx)
      const list = await folder.list()
      if (list !== undefined) await noteUidValidity(folder, list.validity)
      await files.rename(place.path, gone)
      await this.#sync(place.root)
      // Nobody finds it any more; what cannot be removed now costs room and nothing else.
      await this.#removeTree(gone).catch((error) => this.#ctx.logger.warn('maildir.remains', { path: gone, error }))
    } catch (error) {
      throw fileFailure(error, what)
    }
  }
  async #removeTree(path) {
    const { files } = this.#ctx
    if ((await files.lstat(path)) === undefined) return
    for (const { name, kind } of await files.list(path)) {
      if (kind === 'directory') await this.#removeTree(`${path}/${name}`)
      else await files.unlink(`${path}/${name}`)
    }
    await files.removeDirectory(path)
  }
  /** Folders of mailboxes below it are renamed too. */
  async rename(from, to) {
    const { files } = this.#ctx
    const what = `Can't rename mailbox ${from.path} to ${to.path}`
    try {
      const source = this.#tryPlace(from)
      const target = this.#place(to)
      if (source === undefined) throw new MailError('not-found', `${what}: no such mailbox`)
      if (this.#isInbox(from) || this.#isInbox(to) || source.root !== target.root) throw new MailError('denied', `${what}: not permitted`)
      const last = (path) => path.slice(path.lastIndexOf('/') + 1)
      const folders = (await files.list(source.root)).map(({ name }) => name)
      const old = last(source.path)
      const moved = folders.filter((name) => name === old || name.startsWith(`${old}.`))
      if (moved.length === 0) throw new MailError('not-found', `${what}: no such mailbox`)
      const names = new Map(moved.map((name) => [name, last(target.path) + name.slice(old.length)]))
      const taken = [...names.values()].find((name) => folders.includes(name))
      if (taken !== undefined || folders.some((name) => name.startsWith(`${last(target.path)}.`))) throw new MailError('exists', `${what}: destination already exists`)
      if ([...names.values()].some((name) => Buffer.byteLength(name) > 255)) throw new MailError('denied', `${what}: the name is too long`)
      for (const [name, next] of names) await files.rename(`${source.root}/${name}`, `${source.root}/${next}`)
      await this.#sync(source.root)
    } catch (error) {
      throw fileFailure(error, what)
    }
  }
  async append(at) {
    try {
      refuseFormat(at, `Can't append to ${at.path}`)
      const place = this.#tryPlace(at)
      if (place !== undefined && this.#isInbox(at)) await this.#makeRoot(place)
      if (place === undefined || !(await this.#isMailbox(place.path))) throw new MailError('not-found', 'Must create mailbox before append')
      return new MaildirDelivery(new Folder(place, this.#ctx))
    } catch (error) {
      throw fileFailure(error, `Can't append to ${at.path}`)
    }
  }
  async close() {
    // Nothing is held between calls.
  }
}
/** Formats are of files; what asks for one is not answered with something else. */
function refuseFormat({ format }, what) {
  if (format !== undefined) throw new MailError('unsupported', `${what}: it is kept as a Maildir, not in format ${format}`)
}
