import { MailError, SYSTEM, uids } from '../../api/index.js'
import type { Clock, Located, Logger, MailboxSettings, MailLocation, MailStore, Mount, Sidecar, UidSet } from '../../api/index.js'
import { throwIfCancelled } from '../failures.js'
import type { SourceRegistry, StateKeeper } from '../registry/registry.js'
import type { SharedMailbox } from '../registry/shared-mailbox.js'
import { TableView, type ViewOwner } from '../view/view.js'
import { copyMessages } from './copying.js'
import { copiedBefore, MOVE_NOTES, type MoveNote } from './move-note.js'
import type { Delivering } from './delivering.js'
import { personalMount } from './mounts.js'

/** Looked for at the opening of a mailbox, and so often while it is open. */
const EVERY_MS = 60_000
/** Messages moved together. */
const BATCH = 200

/** A delivery place, as all logins of the process that move mail from it know it. */
interface Place {
  /** One moves, the others wait: messages must not be copied twice. */
  turn: Promise<void>
  waiting: number
  /** Copied, and still to be removed because another program had the delivery place; not to be copied again. */
  copied: { readonly uidValidity: number; readonly set: UidSet } | undefined
}
const places = new WeakMap<SourceRegistry, Map<string, Place>>()

/** Runs when no other login moves mail from there. */
async function inTurn(registry: SourceRegistry, key: string, work: (place: Place) => Promise<void>): Promise<void> {
  const known = places.get(registry) ?? new Map<string, Place>()
  places.set(registry, known)
  const place = known.get(key) ?? { turn: Promise.resolve(), waiting: 0, copied: undefined }
  known.set(key, place)
  place.waiting++
  const mine = place.turn.then(() => work(place))
  place.turn = mine.catch(() => undefined)
  try {
    await mine
  } finally {
    place.waiting--
    if (place.waiting === 0 && place.copied === undefined) known.delete(key)
  }
}

/** What moving new mail needs of the login. */
export interface NewMailParts {
  readonly login: Delivering & ViewOwner
  readonly mounts: readonly Mount[]
  readonly registry: SourceRegistry
  readonly settings: MailboxSettings
  readonly clock: Clock
  readonly logger: Logger
  store(mount: Mount): Promise<MailStore>
  states(at: MailLocation): StateKeeper | undefined
  /** Of the account. */
  sidecar(): Sidecar
}

/**
 * Moves mail from where the system delivers it to an INBOX that is kept elsewhere. Messages are removed only after their copies are on the disk: a
 * crash in between leaves them in both places, never in none, and a note of what was under way tells the next who moves what was copied already. What the
 * delivery place holds of \Deleted messages stays there.
 */
export class NewMail {
  readonly #parts: NewMailParts
  readonly #lookedAt = new Map<string, number>()
  /** Files of mailboxes, by key. */
  readonly #files = new Map<string, string>()
  readonly #under = new Set<string>()
  constructor(parts: NewMailParts) {
    this.#parts = parts
  }
  /** Whether new mail was moved to this mailbox before. */
  knows(key: string): boolean {
    return this.#lookedAt.has(key)
  }
  /** Into a mailbox, which is that file, unless that was tried not long ago. Failures are for the log: the mail is where it was. */
  async into(to: Located, target: SharedMailbox, signal: AbortSignal, file?: string): Promise<void> {
    const { clock, logger } = this.#parts
    const { key } = target
    if (file !== undefined) this.#files.set(key, file)
    if (this.#under.has(key) || clock.steady() - (this.#lookedAt.get(key) ?? -Infinity) < EVERY_MS) return
    this.#lookedAt.set(key, clock.steady())
    this.#under.add(key)
    try {
      await this.#move(to, target, signal)
    } catch (error) {
      // Another program has the delivery place; its mail comes the next time.
      if (error instanceof MailError && error.kind === 'in-use') logger.debug('mail.new-mail-waits', { path: to.at.path, error })
      else logger.warn('mail.new-mail-failed', { path: to.at.path, error })
    } finally {
      this.#under.delete(key)
    }
  }
  /** The file to which the system delivers, as a mailbox of its own. */
  #place(): MailLocation | undefined {
    const mount = personalMount(this.#parts.mounts)
    const file = mount?.inbox
    if (mount === undefined || file === undefined) return undefined
    const slash = file.lastIndexOf('/')
    const { inbox: _, ...rest } = mount
    return { mount: { ...rest, class: 'shared', root: slash > 0 ? file.slice(0, slash) : '/', listed: false, advertised: false }, path: file.slice(slash + 1) }
  }
  /** What would be moved to this mailbox at its next opening: others are told of it before. Undefined when there is nothing, or nothing that can be read now. */
  async waiting(key: string, signal: AbortSignal): Promise<{ readonly messages: number; readonly unseen: number } | undefined> {
    try {
      return await this.#opened(key, signal, async (from) => {
        await from.refresh(signal)
        const { generation, length } = from.table
        let [messages, unseen] = [0, 0]
        for (let row = 0; row < length; row++) {
          const system = generation.flagSets[generation.flags[row] ?? 0]?.system ?? 0
          if ((system & SYSTEM.deleted) !== 0) continue
          messages++
          if ((system & SYSTEM.seen) === 0) unseen++
        }
        return messages === 0 ? undefined : { messages, unseen }
      })
    } catch (error) {
      this.#parts.logger.debug('mail.new-mail-unread', { key, error })
      return undefined
    }
  }
  /** Works on the delivery place, unless it is missing, empty or the mailbox itself. */
  async #opened<T>(key: string, signal: AbortSignal, work: (from: SharedMailbox, at: MailLocation) => Promise<T>): Promise<T | undefined> {
    const { registry, settings } = this.#parts
    const at = this.#place()
    if (at === undefined) return undefined
    const found = await (await this.#parts.store(at.mount)).find(at, signal)
    if (found === undefined || found.empty || found.key === key) return undefined
    const from = await registry.acquire(found, settings, this.#parts.states(at), signal)
    try {
      return await work(from, at)
    } finally {
      registry.release(from)
    }
  }
  async #move(to: Located, target: SharedMailbox, signal: AbortSignal): Promise<void> {
    const { registry, logger } = this.#parts
    let octets = 0
    await this.#opened(target.key, signal, async (from, at) => {
      from.writers++
      try {
        // The session waits for the delivery place as for its mailbox.
        using _heard = this.#parts.login.listening(from)
        await inTurn(registry, from.key, async (place) => {
          throwIfCancelled(signal)
          // Another process that moves mail from there does it for all.
          await using alone = await this.#alone(to, from.key)
          if (alone === undefined) return
          await from.refresh(signal)
          if (from.source.traits.writable) octets = await this.#all(from, place, { ...to, name: to.name, at }, target, to, signal)
        })
      } finally {
        from.writers--
      }
    })
    if (octets > 0) logger.info(`Moved ${octets} bytes of new mail to ${this.#files.get(target.key) ?? to.at.path} from ${personalMount(this.#parts.mounts)?.inbox ?? ''}`)
  }
  /** Octets that were moved. */
  async #all(from: SharedMailbox, place: Place, source: Located, target: SharedMailbox, to: Located, signal: AbortSignal): Promise<number> {
    const { table } = from
    // Who may not remove messages must not copy them.
    await from.expunge(uids.none, true, signal)
    const known = place.copied?.uidValidity === table.uidValidity ? place.copied.set : uids.none
    if (known.count > 0) await this.#remove(from, known, signal)
    place.copied = undefined
    await this.#resume(from, source, target, to, signal)
    for (let octets = 0; ; ) {
      const { generation, epoch, uidValidity } = table
      const wanted: number[] = []
      for (let row = 0; row < table.length && wanted.length < BATCH; row++) {
        if (((generation.flagSets[generation.flags[row] ?? 0]?.system ?? 0) & SYSTEM.deleted) === 0) wanted.push(generation.uid[row] ?? 0)
      }
      if (wanted.length === 0) return octets
      const set = uids.from(wanted)
      // A delivery may leave its rows to the next look.
      await target.refresh(signal)
      const { uidValidity: toValidity, uidNext: toNext, length: toLength } = target.table
      await this.#note(from, { fromValidity: table.uidValidity, moving: [...set.ranges], to: target.key, toValidity, toNext, toLength })
      const view = new TableView(from, source, true, this.#parts.login)
      try {
        await copyMessages({ d: this.#parts.login, from: view, set, to, how: 'copy', sameStore: false, signal })
      } finally {
        await view.close(signal)
      }
      for (const uid of wanted) octets += generation.size[generation.find(uid)] ?? 0
      place.copied = { uidValidity, set }
      await this.#remove(from, set, signal, epoch)
      place.copied = undefined
      await this.#note(from, undefined)
    }
  }
  async #alone(to: Located, key: string): Promise<AsyncDisposable | undefined> {
    const states = this.#parts.states(to.at)
    return states === undefined ? { [Symbol.asyncDispose]: () => Promise.resolve() } : states.alone(`new mail ${key}`)
  }
  /** What an earlier process copied, and was stopped before it could remove it, is removed and not copied again. */
  async #resume(from: SharedMailbox, source: Located, target: SharedMailbox, to: Located, signal: AbortSignal): Promise<void> {
    const note = await this.#parts.sidecar().get(MOVE_NOTES, from.key).catch(() => undefined)
    if (note === undefined) return
    await target.refresh(signal)
    const copied = await copiedBefore(note, from, source, target, to, this.#parts.login, signal)
    if (copied.count > 0) await this.#remove(from, copied, signal)
    await this.#note(from, undefined)
  }
  /** Without a place for notes mail is moved all the same: a crash may then leave some of it in both places. */
  async #note(from: SharedMailbox, note: MoveNote | undefined): Promise<void> {
    try {
      await this.#parts.sidecar().put(MOVE_NOTES, from.key, note)
    } catch (error) {
      this.#parts.logger.debug('mail.new-mail-not-noted', { key: from.key, error })
    }
  }
  async #remove(from: SharedMailbox, set: UidSet, signal: AbortSignal, epoch = from.table.epoch): Promise<void> {
    await from.expunge(set, true, signal, epoch)
  }
}
