import { MailError, POP3_MARK, SYSTEM, stateFolder, uids } from 'mailwright/api'
import type { MailAccess, MaildropHolder, MaildropLock, MaildropLocks, MailboxName, MailboxSettings, MailboxView, StoredMessage } from 'mailwright/api'
import type { FolderSource } from './folder.js'
import { Folder } from './folder.js'

/** Opens mailboxes for a session by the name that its client said; undefined: it cannot be opened, whyever; POP2 says no more. */
export interface Folders {
  open(name: string, signal: AbortSignal): Promise<Folder | undefined>
}
/** What the mailboxes of a login here need of the host. */
export interface LocalParts {
  readonly mailbox: MailboxSettings
  readonly locks: MaildropLocks
  readonly giveWayMs: number
}

/** The mailboxes of a login here. INBOX is the maildrop, which one POP session has alone, be it POP2 or POP3. */
export class LocalFolders implements Folders {
  readonly #mail: MailAccess
  readonly #holder: MaildropHolder
  readonly #parts: LocalParts

  constructor(mail: MailAccess, holder: MaildropHolder, parts: LocalParts) {
    this.#mail = mail
    this.#holder = holder
    this.#parts = parts
  }

  async open(name: string, signal: AbortSignal): Promise<Folder | undefined> {
    let lock: MaildropLock | undefined
    try {
      // The name is text of the client; `locate` refuses what is no name.
      const at = await this.#mail.locate(name as MailboxName, 'open', signal)
      if (name.toUpperCase() === 'INBOX') {
        lock = await this.#lock(await this.#mail.keyOf(at, signal), signal)
        if (lock === undefined) return undefined
      }
      return new Folder(name, await ViewFolder.of(await this.#mail.open(at, 'read-write', signal), lock, signal))
    } catch (error) {
      await lock?.release()
      if (error instanceof MailError) return undefined
      throw error
    }
  }

  #lock(key: string, signal: AbortSignal): Promise<MaildropLock | undefined> {
    const { mailbox, locks, giveWayMs } = this.#parts
    return locks.acquire({ key, folder: stateFolder(mailbox.stateDirectory, this.#mail.user), holder: this.#holder, giveWayMs }, signal)
  }
}

/** A mailbox that is open as a view. What bears \Deleted at the opening is not in it. */
class ViewFolder implements FolderSource {
  readonly uids: Uint32Array
  readonly sizes: Uint32Array
  readonly marks: Uint8Array
  readonly #view: MailboxView
  readonly #lock: MaildropLock | undefined

  private constructor(view: MailboxView, lock: MaildropLock | undefined) {
    const { rows } = view
    const found = Array.from({ length: view.announced }, (_, row) => row).filter((row) => !is(view, row, SYSTEM.deleted))
    this.#view = view
    this.#lock = lock
    this.uids = Uint32Array.from(found, (row) => rows.uid[row] ?? 0)
    this.sizes = Uint32Array.from(found, (row) => rows.size[row] ?? 0)
    this.marks = Uint8Array.from(found, (row) => (is(view, row, SYSTEM.seen) ? POP3_MARK.seen : 0) | (view.isRecent(row) ? POP3_MARK.recent : 0))
  }
  /** The view is closed when it cannot be read. */
  static async of(view: MailboxView, lock: MaildropLock | undefined, signal: AbortSignal): Promise<ViewFolder> {
    try {
      if (view.announced > 0 && view.rows.gaps > 0) await view.fill(view.resolve({ pairs: Uint32Array.of(1, view.announced) }, 'seq'), signal)
      return new ViewFolder(view, lock)
    } catch (error) {
      await view.close(signal)
      throw error
    }
  }

  async read(index: number, signal: AbortSignal): Promise<StoredMessage | undefined> {
    const uid = this.uids[index]
    if (uid === undefined) return undefined
    const rows = this.#view.resolve({ pairs: Uint32Array.of(uid, uid) }, 'uid')
    for await (const batch of this.#view.read(rows, { bytes: 'whole', sections: [], facts: [] }, signal)) for (const message of batch) return message
    return undefined
  }
  async update(seen: readonly number[], deleted: readonly number[], signal: AbortSignal): Promise<void> {
    if (this.#view.readOnly) return
    const set = (indices: readonly number[]): ReturnType<typeof uids.from> => uids.from(indices.map((index) => this.uids[index] ?? 0))
    if (seen.length > 0) await this.#view.store({ uids: set(seen), how: 'add', system: SYSTEM.seen, keywords: [] }, true, signal)
    if (deleted.length > 0) await this.#view.remove(set(deleted), signal)
  }
  async close(signal: AbortSignal): Promise<void> {
    try {
      await this.#lock?.release()
    } finally {
      await this.#view.close(signal)
    }
  }
}

function is(view: MailboxView, row: number, flag: number): boolean {
  const { rows } = view
  return ((rows.flagSets[rows.flags[row] ?? 0]?.system ?? 0) & flag) !== 0
}
