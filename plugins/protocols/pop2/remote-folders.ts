import { MailError } from 'mailwright/api'
import type { MaildropSource } from 'mailwright/api'
import { Folder } from './folder.js'
import type { Folders } from './local-folders.js'

/** Mailboxes of an account on another server: the session stays there, whatever it opens. */
export class RemoteFolders implements Folders {
  #first: MaildropSource | undefined
  readonly #source: MaildropSource

  constructor(source: MaildropSource) {
    this.#first = source
    this.#source = source
  }

  async open(name: string, signal: AbortSignal): Promise<Folder | undefined> {
    const first = this.#first
    this.#first = undefined
    try {
      // The login has opened INBOX already.
      const source = first ?? (await this.#source.another?.(name, signal))
      return source === undefined ? undefined : new Folder(name, { ...parts(source), close: () => Promise.resolve() })
    } catch (error) {
      if (error instanceof MailError) return undefined
      throw error
    }
  }
  /** The connection goes with the session, not with a mailbox. */
  async close(signal: AbortSignal): Promise<void> {
    await this.#source.close(signal)
  }
}

function parts(source: MaildropSource): Omit<ConstructorParameters<typeof Folder>[1], 'close'> {
  const { uids, sizes, marks } = source
  return { uids, sizes, marks, read: (index, signal) => source.read(index, signal), update: (seen, deleted, signal) => source.update(seen, deleted, signal) }
}
