import { MailError, type Clock, type Files, type MailEvent, type MailEvents, type MailLocation, type MailUser, type Sidecar, type SidecarBackend, type Sidecars } from 'mailwright/api'
import { createHash } from 'node:crypto'
import { makeFolders, RecordFile } from './records.js'

interface Parts {
  readonly files: Files
  readonly clock: Clock
  readonly events: MailEvents
  readonly stateDirectory: string
}

/**
 * Records in files of the user's state directory, in a tree like that of the mailboxes, so that they follow a rename,
 * also of a directory, and go with a delete.
 */
export class FileSidecars implements SidecarBackend, Disposable {
  readonly #parts: Parts
  readonly #open = new Map<string, string>()
  readonly #turns = new Map<string, Promise<void>>()
  readonly #hearing: Disposable

  constructor(parts: Parts) {
    this.#parts = parts
    this.#hearing = parts.events.on((event) => this.#follow(event))
  }
  async open(user: MailUser): Promise<Sidecars> {
    if (user.home === undefined && this.#parts.stateDirectory.includes('{home}')) throw new MailError('unavailable', 'the user has no home directory for records')
    const root = `${this.#parts.stateDirectory.replaceAll('{home}', user.home ?? '').replaceAll('{user}', user.name)}/sidecars`
    this.#open.set(user.name, root)
    const at = (path: string): Sidecar => new RecordFile(this.#parts.files, this.#parts.clock, () => path, (key, work) => this.#turn(key, work))
    return { of: (location) => at(`${stem(root, location)}.records`), account: () => at(`${root}/account.records`) }
  }

  async #turn<T>(key: string, work: () => Promise<T>): Promise<T> {
    const running = (this.#turns.get(key) ?? Promise.resolve()).then(work)
    const ended = running.then(
      () => undefined,
      () => undefined,
    )
    this.#turns.set(key, ended)
    try {
      return await running
    } finally {
      if (this.#turns.get(key) === ended) this.#turns.delete(key)
    }
  }
  #follow(event: MailEvent): void {
    if (event.kind !== 'deleted' && event.kind !== 'renamed') return
    for (const root of this.#open.values()) {
      const here = stem(root, event.at)
      const from = event.kind === 'renamed' ? stem(root, event.from) : here
      void this.#turn(`${from}.records`, () => (event.kind === 'deleted' ? this.#forget(here) : this.#move(from, here))).catch(() => undefined)
    }
  }
  async #forget(at: string): Promise<void> {
    if ((await this.#parts.files.stat(`${at}.records`)) !== undefined) await this.#parts.files.unlink(`${at}.records`)
  }
  async #move(from: string, to: string): Promise<void> {
    const { files } = this.#parts
    for (const end of ['.records', '.below']) {
      if ((await files.stat(from + end)) === undefined) continue
      const folder = to.slice(0, to.lastIndexOf('/'))
      await makeFolders(files, folder)
      await files.rename(from + end, to + end)
      await files.syncDirectory(folder)
    }
  }
  [Symbol.dispose](): void {
    this.#hearing[Symbol.dispose]()
  }
  async [Symbol.asyncDispose](): Promise<void> {
    this[Symbol.dispose]()
    await Promise.all(this.#turns.values())
  }
}

/** Place of a mailbox's records, without the end of the file name. */
function stem(root: string, at: MailLocation): string {
  const mount = createHash('sha256').update(`${at.mount.store}\0${at.mount.root}`).digest('hex').slice(0, 16)
  return `${root}/${mount}/${at.path.split('/').map(part).join('.below/')}`
}
/** Octets that a file name can hold. */
const LONGEST = 200
function part(name: string): string {
  const safe = encodeURIComponent(name.toUpperCase() === 'INBOX' ? 'INBOX' : name).replaceAll('.', '%2E')
  return safe.length <= LONGEST ? safe : `%${createHash('sha256').update(name).digest('hex')}`
}
