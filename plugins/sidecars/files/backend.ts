import { MailError, stateFolder, Turns, type Files, type MailboxSettings, type MailLocation, type MailUser, type Sidecar, type SidecarBackend, type Sidecars } from 'mailwright/api'
import { createHash } from 'node:crypto'
import { makeFolders, RecordFile } from './records.js'

export interface SidecarParts {
  readonly files: Files
  readonly mailbox: Pick<MailboxSettings, 'stateDirectory' | 'durability'>
}

/**
 * Records in files of the user's state directory, in a tree like that of the mailboxes, so that they follow a rename,
 * also of a directory, and go with a delete. Changes of one user's records are made one after the other.
 */
export class FileSidecars implements SidecarBackend, AsyncDisposable {
  readonly #parts: SidecarParts
  readonly #turns = new Turns()
  constructor(parts: SidecarParts) {
    this.#parts = parts
  }
  async open(user: MailUser): Promise<Sidecars> {
    const state = stateFolder(this.#parts.mailbox.stateDirectory, user)
    if (state === undefined) throw new MailError('unavailable', 'the user has no home directory for records')
    const root = `${state}/sidecars`
    const durable = this.#parts.mailbox.durability === 'full'
    const at = (stem: string): Sidecar => new RecordFile({ files: this.#parts.files, durable, path: `${stem}.records`, turns: this.#turns, key: root })
    return {
      of: (location) => at(stemOf(root, location)),
      account: () => at(`${root}/account`),
      renamed: (from, to) => this.#turns.run(root, () => this.#move(stemOf(root, from), stemOf(root, to), durable)),
      removed: (location) => this.#turns.run(root, () => this.#forget(`${stemOf(root, location)}.records`)),
    }
  }

  async #forget(path: string): Promise<void> {
    if ((await this.#parts.files.stat(path)) !== undefined) await this.#parts.files.unlink(path)
  }
  /** What an older mailbox of the new name left gives way; there was none when the mailbox was renamed. */
  async #move(from: string, to: string, durable: boolean): Promise<void> {
    if (from === to) return
    const { files } = this.#parts
    await this.#forget(`${to}.records`)
    let moved = false
    for (const end of ['.records', '.below']) {
      if ((await files.stat(from + end)) === undefined) continue
      await makeFolders(files, folderOf(to), durable)
      await this.#merge(from + end, to + end)
      moved = true
    }
    if (!moved || !durable) return
    await files.syncDirectory(folderOf(to))
    if (folderOf(from) !== folderOf(to)) await files.syncDirectory(folderOf(from))
  }
  /** A directory that is in the way keeps what has no counterpart. */
  async #merge(from: string, to: string): Promise<void> {
    const { files } = this.#parts
    const [source, target] = [await files.stat(from), await files.stat(to)]
    if (source?.kind !== 'directory' || target?.kind !== 'directory') return files.rename(from, to)
    for (const { name } of await files.list(from)) await this.#merge(`${from}/${name}`, `${to}/${name}`)
    await files.removeDirectory(from)
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#turns.ended()
  }
}

/** Place of a mailbox's records, without the end of the file name. */
function stemOf(root: string, at: MailLocation): string {
  const mount = createHash('sha256').update(`${at.mount.store}\0${at.mount.root}`).digest('hex').slice(0, 16)
  const path = at.path.length > 1 && at.path.endsWith('/') ? at.path.slice(0, -1) : at.path
  return `${root}/${mount}/${path.split('/').map(part).join('.below/')}`
}
/** Octets that a file name can hold. */
const LONGEST = 200
function part(name: string): string {
  const safe = encodeURIComponent(name.toUpperCase() === 'INBOX' ? 'INBOX' : name).replaceAll('.', '%2E')
  return safe.length <= LONGEST ? safe : `%${createHash('sha256').update(name).digest('hex')}`
}
function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'))
}
