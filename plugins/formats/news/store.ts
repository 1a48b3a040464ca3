import { MailError, Turns, failedWith, type Files, type FoundMailbox, type MailboxEntry, type MailDriver, type MailLocation, type MailStore, type MailUser, type StoreSubscriptions } from 'mailwright/api'
import { subscribedIn, withSubscription } from './newsrc.js'
import { NewsSource } from './source.js'
import { NewsState, type NewsParts } from './state.js'

export interface NewsSettings {
  /** Folder of the spool, and the list of its groups. */
  readonly spool: string
  readonly active: string
  /** Below the home. */
  readonly stateFile: string
}
/** Names of groups as they may stand in paths. */
const GROUP = /^[A-Za-z0-9+_-]+(?:\.[A-Za-z0-9+_-]+)*$/

/** Newsgroups of a local spool. */
export class NewsDriver implements MailDriver {
  readonly #settings: NewsSettings
  readonly #parts: NewsParts
  readonly #turns = new Turns()
  constructor(settings: NewsSettings, parts: NewsParts) {
    this.#settings = settings
    this.#parts = parts
  }
  async openStore(user: MailUser): Promise<MailStore> {
    const path = user.home === undefined || user.kind === 'anonymous' ? undefined : `${user.home}/${this.#settings.stateFile}`
    return new NewsStore(user, this.#settings, this.#parts.files, path === undefined ? undefined : new NewsState(path, this.#parts, this.#turns))
  }
}

class NewsStore implements MailStore {
  readonly delimiter = '.'
  readonly #user: MailUser
  readonly #settings: NewsSettings
  readonly #files: Files
  readonly #state: NewsState | undefined
  /** Absent for whoever has no state file. */
  readonly subscriptions?: StoreSubscriptions
  constructor(user: MailUser, settings: NewsSettings, files: Files, state: NewsState | undefined) {
    this.#user = user
    this.#settings = settings
    this.#files = files
    this.#state = state
    if (state === undefined) return
    this.subscriptions = {
      list: async () => subscribedIn((await state.text()) ?? ''),
      set: async (group, on) => {
        if (on && !(GROUP.test(group) && (await this.#groups()).has(group))) throw new MailError('not-found', `there is no newsgroup ${group}`)
        await state.change((text) => {
          const after = withSubscription(text, group, on, state.path)
          if (after === undefined) throw new MailError('not-found', `Not subscribed to newsgroup ${group}`)
          return after
        })
      },
    }
  }
  /** Names of the list of groups: the first word of each line. */
  async #groups(): Promise<ReadonlySet<string>> {
    try {
      const file = await this.#files.open(this.#settings.active)
      try {
        const bytes = Buffer.alloc((await file.stat()).size)
        const text = bytes.toString('latin1', 0, await file.read(bytes, 0))
        return new Set(text.split(/\r?\n/).flatMap((line) => /^\S+/.exec(line)?.[0] ?? []).filter((name) => GROUP.test(name)))
      } finally {
        await file.close()
      }
    } catch (error) {
      if (failedWith(error, 'ENOENT', 'ENOTDIR', 'EACCES')) return new Set()
      throw error
    }
  }
  async *list(): AsyncGenerator<readonly MailboxEntry[]> {
    const groups = await this.#groups()
    const parents = new Set<string>()
    for (const group of groups) for (let dot = group.indexOf('.'); dot > 0; dot = group.indexOf('.', dot + 1)) parents.add(group.slice(0, dot))
    const entry = (path: string, selectable: boolean): MailboxEntry => ({ path, selectable, children: parents.has(path) ? 'yes' : 'no', inferiors: true, attributes: [] })
    yield [...new Set([...groups, ...parents])].sort().map((path) => entry(path, groups.has(path)))
  }
  async find(at: MailLocation): Promise<FoundMailbox | undefined> {
    if (!GROUP.test(at.path) || !(await this.#groups()).has(at.path)) return undefined
    const path = `${this.#settings.spool}/${at.path.replaceAll('.', '/')}`
    const stat = await this.#files.stat(path)
    if (stat?.kind !== 'directory') return undefined
    // What was read is a user's own, so a group is a mailbox for each of them.
    const key = `news:${stat.device.toString(16)}-${stat.inode.toString(16)}:${this.#user.name}`
    return { key, empty: false, open: () => Promise.resolve(new NewsSource(this.#files, path, at.path, this.#state)) }
  }
  create(): Promise<never> {
    return refuse('created')
  }
  remove(): Promise<never> {
    return refuse('deleted')
  }
  rename(): Promise<never> {
    return refuse('renamed')
  }
  append(): Promise<never> {
    return refuse('posted to')
  }
  async close(): Promise<void> {
    // Nothing is held between calls.
  }
}
function refuse(what: string): Promise<never> {
  return Promise.reject(new MailError('read-only', `newsgroups cannot be ${what} here`))
}
