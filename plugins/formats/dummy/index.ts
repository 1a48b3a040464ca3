import { CLOCK, definePlugin, FILES, mailboxFormats, MailError, noSettings, type FilePlace, type Files, type MailboxFormat, type MailboxSource } from 'mailwright/api'

/** A mailbox that is always empty: a file without octets, or none. */
class EmptySource implements MailboxSource {
  readonly traits = { writable: false, uidsPersist: false, modseqs: 'numbered-by-core', facts: [], columns: [] } as const
  readonly #files: Files
  readonly #path: string
  readonly #nowMs: () => number
  constructor(files: Files, path: string, nowMs: () => number) {
    this.#files = files
    this.#path = path
    this.#nowMs = nowMs
  }
  async refresh(edit: Parameters<MailboxSource['refresh']>[0]): Promise<void> {
    const stat = await this.#files.stat(this.#path)
    // Sessions end, and find the mailbox in its format when they come again.
    if (stat !== undefined && stat.size > 0) throw new MailError('not-found', 'the mailbox has got a format')
    if (edit.uidValidity === 0) edit.uidValidity = Math.floor(this.#nowMs() / 1000)
    edit.stamp = 'empty'
  }
  async store(): Promise<never> {
    throw new MailError('read-only', 'an empty mailbox has no messages')
  }
  async expunge(): Promise<never> {
    throw new MailError('read-only', 'an empty mailbox has no messages')
  }
  async *read(): AsyncGenerator<never> {
    // There is nothing.
  }
  async close(): Promise<void> {
    // Nothing is open.
  }
}

/** Files that no other format knows: empty ones. It makes them, shows them empty, and leaves the choice of a format to others. */
class DummyFormat implements MailboxFormat {
  readonly placeholder = true
  readonly #files: Files
  readonly #nowMs: () => number
  constructor(files: Files, nowMs: () => number) {
    this.#files = files
    this.#nowMs = nowMs
  }
  async recognise(at: FilePlace): Promise<'empty' | 'not-mine'> {
    const stat = await this.#files.stat(at.path)
    return stat?.kind === 'file' && stat.size === 0 ? 'empty' : 'not-mine'
  }
  async create(at: FilePlace): Promise<void> {
    await (await this.#files.open(at.path, { write: true, create: 'new', mode: at.fileMode })).close()
  }
  async open(at: FilePlace): Promise<MailboxSource> {
    return new EmptySource(this.#files, at.path, this.#nowMs)
  }
  async append(at: FilePlace): Promise<never> {
    throw new MailError('unsupported', `Indeterminate mailbox format: ${at.path}`)
  }
}

/** Directories and empty files. */
export default definePlugin({
  id: 'format-dummy',
  api: '1.0',
  summary: 'Empty mailbox files, before a format is known',
  setup(p) {
    p.to(mailboxFormats).contribute({
      name: 'dummy',
      about: { modseqs: false, keywords: 'none', uidsPersist: false, hierarchy: false, watches: false, facts: [], manyProcesses: true, acceptsUids: false },
      settings: noSettings,
      needs: { files: FILES, clock: CLOCK },
      create: (_settings, { files, clock }) => new DummyFormat(files, () => clock.now()),
    })
  },
})
