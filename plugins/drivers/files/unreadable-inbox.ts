import { MailError, type MailboxSource, type SourceTraits, type StoredMessage, type TableEdit, type UidSet } from 'mailwright/api'

/** Below any number that a mailbox has: what clients know of the real one stays true of that one alone. */
const UID_VALIDITY = 1

/**
 * Stands for an INBOX whose file is of no format (FAQ 7.1): nothing is in it, nothing can be done to it, and who opens it is told why. The file is
 * neither read nor written. Its mail is there as before when the file has been repaired.
 */
export class UnreadableInbox implements MailboxSource {
  readonly traits: SourceTraits
  readonly #text: string
  readonly #isStill: () => Promise<boolean>
  #told = false
  /** @param isStill whether the file is still of no format. */
  constructor(text: string, isStill: () => Promise<boolean>) {
    this.#text = text
    this.#isStill = isStill
    this.traits = { writable: false, protected: text, uidsPersist: true, modseqs: 'numbered-by-core', facts: [], columns: [] }
  }
  async refresh(edit: TableEdit, how: { readonly claimRecent: boolean }): Promise<void> {
    // Sessions begin anew, with what the file holds now.
    if (!(await this.#isStill())) throw new MailError('not-found', 'the INBOX is another one now')
    edit.uidValidity = UID_VALIDITY
    edit.keywords([], false)
    // Whoever wants to write is told by the traits.
    if (!how.claimRecent && !this.#told) edit.notice('warning', this.#text)
    this.#told ||= !how.claimRecent
  }
  store(): Promise<UidSet> {
    return this.#refuse()
  }
  expunge(): Promise<void> {
    return this.#refuse()
  }
  async *read(): AsyncGenerator<readonly StoredMessage[]> {
    // There are no messages.
  }
  async close(): Promise<void> {
    // Nothing is held.
  }
  #refuse(): Promise<never> {
    return Promise.reject(new MailError('read-only', this.#text))
  }
}
