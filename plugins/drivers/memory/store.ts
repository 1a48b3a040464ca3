import { MailError, uids, type GivenNumbers } from 'mailwright/api'
import type {
  AppendItem,
  AppendResult,
  Delivery,
  FoundMailbox,
  ListQuery,
  MailboxEntry,
  MailDriver,
  MailLocation,
  MailStore,
  MailUser,
  OpenMailbox,
} from 'mailwright/api'
import { MemoryMailbox, octetsOf, type NewMessage } from './mailbox.js'
import { MemorySource, addRow } from './source.js'

const DELIMITER = '/'
const INBOX = 'INBOX'

/** All mailboxes of one account, by path. A path that is in between others without being a mailbox is not selectable. */
class MemoryAccount {
  readonly mailboxes = new Map<string, MemoryMailbox>()
  readonly #name: string
  readonly #now: () => number
  #made = 0
  constructor(name: string, now: () => number) {
    this.#name = name
    this.#now = now
    this.make(INBOX)
  }
  /** UIDVALIDITY never repeats within an account. */
  make(path: string): MemoryMailbox {
    const n = ++this.#made
    const mailbox = new MemoryMailbox(`memory:${this.#name}:${n}`, Math.floor(this.#now() / 1000) + n)
    this.mailboxes.set(path, mailbox)
    return mailbox
  }
  at(path: string): MemoryMailbox | undefined {
    return this.mailboxes.get(path.toUpperCase() === INBOX ? INBOX : path)
  }
  hasBelow(path: string): boolean {
    for (const other of this.mailboxes.keys()) if (other.startsWith(path + DELIMITER)) return true
    return false
  }
}

/** The reference driver: mail of each account in this process's memory, gone with it. */
export class MemoryDriver implements MailDriver {
  readonly accounts = new Map<string, MemoryAccount>()
  readonly #now: () => number
  readonly #seed: (account: MemoryAccount, user: string) => void
  constructor(now: () => number, seed: (account: MemoryAccount, user: string) => void = () => undefined) {
    this.#now = now
    this.#seed = seed
  }
  account(name: string): MemoryAccount {
    let account = this.accounts.get(name)
    if (account === undefined) {
      account = new MemoryAccount(name, this.#now)
      this.accounts.set(name, account)
      this.#seed(account, name)
    }
    return account
  }
  async openStore(user: MailUser): Promise<MailStore> {
    return new MemoryStore(this.account(user.name), this.#now)
  }
}

/** The names of one login. */
class MemoryStore implements MailStore {
  readonly delimiter = DELIMITER
  readonly #account: MemoryAccount
  readonly #now: () => number
  constructor(account: MemoryAccount, now: () => number) {
    this.#account = account
    this.#now = now
  }
  async *list(_query: ListQuery): AsyncGenerator<readonly MailboxEntry[]> {
    const paths = new Set<string>()
    for (const path of this.#account.mailboxes.keys()) {
      const parts = path.split(DELIMITER)
      for (let i = 1; i <= parts.length; i++) if (parts[i - 1] !== '') paths.add(parts.slice(0, i).join(DELIMITER))
    }
    const entries = [...paths].sort().map((path): MailboxEntry => {
      const children = this.#account.hasBelow(path) ? 'yes' : 'no'
      return { path, selectable: this.#account.at(path) !== undefined, children, inferiors: true, attributes: [] }
    })
    if (entries.length > 0) yield entries
  }
  async find(at: MailLocation): Promise<FoundMailbox | undefined> {
    const mailbox = this.#account.at(at.path)
    if (mailbox === undefined) return undefined
    return {
      key: mailbox.key,
      empty: mailbox.messages.size === 0,
      open: async () => new MemorySource(mailbox, (to) => (to.mount.store === at.mount.store ? this.#account.at(to.path) : undefined)),
    }
  }
  async create(at: MailLocation, how: GivenNumbers): Promise<void> {
    // `a/` announces that names below `a` will follow; in memory they need no preparation (RFC 3501 §6.3.3).
    if (at.path.endsWith(DELIMITER)) return
    if (this.#account.at(at.path) !== undefined) throw new MailError('exists', 'the mailbox exists')
    const made = this.#account.make(at.path)
    if (how.uidValidity !== undefined) made.uidValidity = how.uidValidity
    if (how.uidNext !== undefined) made.uidNext = how.uidNext
  }
  async remove(at: MailLocation): Promise<void> {
    const mailbox = this.#account.at(at.path)
    if (mailbox === undefined) throw new MailError('not-found', 'no such mailbox')
    mailbox.isGone = true
    this.#account.mailboxes.delete(at.path)
  }
  async rename(from: MailLocation, to: MailLocation): Promise<void> {
    const moved: [string, MemoryMailbox][] = []
    for (const [path, mailbox] of this.#account.mailboxes) {
      if (path === from.path || path.startsWith(from.path + DELIMITER)) moved.push([path, mailbox])
    }
    if (moved.length === 0) throw new MailError('not-found', 'no such mailbox')
    if (this.#account.at(to.path) !== undefined) throw new MailError('exists', 'a mailbox of the new name exists')
    for (const [path] of moved) this.#account.mailboxes.delete(path)
    for (const [path, mailbox] of moved) this.#account.mailboxes.set(to.path + path.slice(from.path.length), mailbox)
  }
  async append(at: MailLocation): Promise<Delivery> {
    const mailbox = this.#account.at(at.path)
    if (mailbox === undefined) throw new MailError('not-found', 'no such mailbox')
    return new MemoryDelivery(mailbox, this.#now)
  }
  async close(): Promise<void> {}
}

class MemoryDelivery implements Delivery {
  readonly #mailbox: MemoryMailbox
  readonly #now: () => number
  #waiting: NewMessage[] = []
  constructor(mailbox: MemoryMailbox, now: () => number) {
    this.#mailbox = mailbox
    this.#now = now
  }
  async add(item: AppendItem): Promise<void> {
    const octets = await octetsOf(item)
    item.bytes.willBe?.(octets)
    const date = item.date ?? { ms: this.#now(), zone: 0 }
    this.#waiting.push({ octets, date, system: item.system, keywords: item.keywords, recent: true, wish: item.uid })
  }
  async commit(open: OpenMailbox | undefined): Promise<AppendResult> {
    const m = this.#mailbox
    if (m.isGone) throw new MailError('not-found', 'the mailbox was removed')
    // Rows are added here when the table is as the mailbox was; otherwise the next refresh does it.
    const edit = open?.edit.stamp === m.stamp ? open.edit : undefined
    const made = this.#waiting.map((message) => m.add(message))
    this.#waiting = []
    m.changed(edit === undefined)
    if (edit !== undefined) {
      for (const message of made) addRow(edit, message)
      edit.stamp = m.stamp
    }
    return { uidValidity: m.uidValidity, uids: uids.from(made.map((message) => message.uid)) }
  }
  async abort(): Promise<void> {
    this.#waiting = []
  }
}
