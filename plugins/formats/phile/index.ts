import { definePlugin, FILES, HOST, mailboxFormats, MailError, noSettings, type FilePlace, type MailboxFormat, type MailboxSource } from 'mailwright/api'
import { PhileSource, type PhileParts } from './source.js'

/** Files of any kind, each a mailbox of one message. It comes behind all other formats: it takes what they leave. */
export class PhileFormat implements MailboxFormat {
  readonly #parts: PhileParts
  constructor(parts: PhileParts) {
    this.#parts = parts
  }
  /** Not the INBOX, whatever is in it: that is damage, and not for showing around. */
  async recognise(at: FilePlace): Promise<'mine' | 'not-mine'> {
    if (at.isInbox === true) return 'not-mine'
    const stat = await this.#parts.files.stat(at.path)
    return stat?.kind === 'file' && stat.size > 0 ? 'mine' : 'not-mine'
  }
  async create(at: FilePlace): Promise<never> {
    throw new MailError('unsupported', `Can't create mailbox ${at.path}: files of this kind are not made here`)
  }
  async open(at: FilePlace): Promise<MailboxSource> {
    return new PhileSource(at, this.#parts)
  }
  async append(at: FilePlace): Promise<never> {
    throw new MailError('read-only', `Can't append - not in valid mailbox format: ${at.path}`)
  }
}

export default definePlugin({
  id: 'format-phile',
  api: '1.0',
  summary: 'Files that are no mailboxes, each shown as one message',
  setup(p) {
    p.to(mailboxFormats).contribute({
      name: 'phile',
      about: { modseqs: false, keywords: 'none', uidsPersist: true, hierarchy: false, watches: false, facts: [], manyProcesses: true, acceptsUids: false },
      settings: noSettings,
      needs: { files: FILES, host: HOST },
      create: (_settings, { files, host }) => new PhileFormat({ files, serverName: host.serverName }),
    })
  },
})
