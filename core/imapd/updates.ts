import { ConnectionLost, MailError, ProtocolAbort } from '../api/index.js'
import type { Clock, ImapWriter, MailSession, MailboxView, RowSet, Updates, ViewChanges } from '../api/index.js'
import { Bell } from '../session/bell.js'
import { BoundItem, boundItem } from './items/bound-item.js'
import { FLAGS, UID } from './items/columns.js'
import { writeFetchLines } from './fetch-lines.js'
import { writeFlagLines } from './flag-lines.js'
import { cut } from './texts.js'

/** A mailbox whose driver gives no notice is looked at this often by a session that sends commands without asking for news. */
const LOOK_AGAIN_MS = 10_000

type Hear = (c: ViewChanges, view: MailboxView, out: ImapWriter) => void | Promise<void>

/** What updates need of their session. */
export interface UpdateOwner {
  readonly clock: Clock
  /** Once logged in. */
  readonly session: () => MailSession
  /** Hands written lines over before a wait. */
  readonly send: () => void
  /** More commands wait. */
  readonly busy: () => boolean
  /** Alert and shutdown files, where it is time. */
  readonly alerts: () => Promise<void>
  /** Takes back a line that was begun; false when a part of it has left. True as well when none was begun. */
  readonly dropLine: () => boolean
  /** A listener has failed. */
  readonly failed: (error: unknown) => void
  /** For the last line, should the mailbox be lost. */
  readonly serverName: string
}

/**
 * What a session is told without asking. Numbering changes here and nowhere else: `take` moves the view on, and what it gave is written before
 * anything else is. RFC 3501 §7.4.1: removals are told only where the caller says so.
 */
export class SessionUpdates implements Updates {
  readonly #owner: UpdateOwner
  readonly #bell = new Bell()
  readonly #listeners = new Set<{ readonly hear: Hear; readonly until: 'unselect' | 'logout' }>()
  #watch: Disposable | undefined
  /** The source said that a look may find something. */
  #stale = false
  #lookedAt = 0

  constructor(owner: UpdateOwner) {
    this.#owner = owner
  }

  /** Follows the view that was selected, or none. */
  follow(view: MailboxView | undefined): void {
    this.#watch?.[Symbol.dispose]()
    this.#stale = false
    this.#lookedAt = this.#owner.clock.steady()
    this.#watch = view?.watch((what) => {
      if (what === 'sync') this.#stale = true
      this.#bell.ring()
    })
    for (const listener of this.#listeners) if (listener.until === 'unselect') this.#listeners.delete(listener)
  }
  listen(hear: Hear, until: 'unselect' | 'logout'): Disposable {
    const listener = { hear, until }
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }
  wake(): void {
    this.#bell.ring()
  }
  async changed(signal: AbortSignal): Promise<void> {
    this.#owner.send()
    await this.#bell.wait(signal)
  }
  /** Looks at the mailbox now; what is found waits for `flush`. A mailbox that is no more ends the session: its numbers mean nothing. */
  async look(): Promise<void> {
    const { selected, signal } = this.#owner.session()
    this.#stale = false
    this.#lookedAt = this.#owner.clock.steady()
    try {
      await selected?.sync(signal)
    } catch (cause) {
      if (!(cause instanceof MailError) || cause.kind === 'cancelled') throw cause
      // What passes is tried again; the log has it, once for the mailbox.
      if (cause.kind !== 'not-found' && cause.kind !== 'corrupt') return
      const what = cause.kind === 'corrupt' ? 'mailbox is damaged' : 'mailbox no longer exists'
      throw new ProtocolAbort(`${this.#owner.serverName} Fatal mailbox error: ${what}`, `Fatal mailbox error: ${cause.message}`, { cause })
    }
  }

  async flush(may: { readonly expunge: boolean }): Promise<void> {
    await this.#owner.alerts()
    if (this.#owner.session().selected !== undefined) await this.tell(may.expunge, false)
    this.#owner.send()
  }
  /** `withUid`: answers caused by a UID command bear the uid (RFC 3501 §6.4.8). */
  async tell(expunge: boolean, withUid: boolean): Promise<void> {
    const { selected } = this.#owner.session()
    if (selected === undefined) return
    if (this.#stale || this.#owner.clock.steady() - this.#lookedAt > LOOK_AGAIN_MS) await this.look()
    const held = this.#owner.session().tweaks.holdExpunge === 'never-while-busy' && this.#owner.busy()
    const changes = selected.take({ expunge: expunge && !held })
    if (changes !== undefined) await this.#write(changes, selected, withUid)
  }
  [Symbol.dispose](): void {
    this.#watch?.[Symbol.dispose]()
    this.#listeners.clear()
  }

  async #write(changes: ViewChanges, view: MailboxView, withUid: boolean): Promise<void> {
    const session = this.#owner.session()
    const { out, shape } = session
    if (changes.reset) {
      throw new ProtocolAbort(`${this.#owner.serverName} Fatal mailbox error: UIDVALIDITY has changed, select the mailbox again`, 'the selected mailbox began anew')
    }
    // Beside SELECT the code is rare; a client that passes over it sees another UIDVALIDITY when it selects again, and has cached nothing that is wrong.
    if (changes.newUidValidity) out.raw('* OK [UIDVALIDITY ').number(view.uidValidity).raw('] UID validity status').endLine()
    for (const { hear } of this.#listeners) await this.#heard(() => hear(changes, view, out))
    if (changes.removed.count > 0) {
      if (shape.expunge === 'vanished') out.raw('* VANISHED ').set(changes.removed).endLine()
      else writeExpunges(changes.removedRows, out)
    }
    for (const { severity, text } of changes.notices) out.raw(severity === 'warning' ? '* NO ' : '* OK ').raw(cut(text)).endLine()
    if (shape.quiet) return
    if (changes.keywordsChanged) writeFlagLines(out, view)
    if (changes.arrived.count > 0) out.raw('* ').number(view.announced).raw(' EXISTS').endLine()
    if (changes.recentChanged) out.raw('* ').number(view.recentCount).raw(' RECENT').endLine()
    if (changes.changed.count > 0) await this.#fetch(changes.changed, view, session, withUid, [boundItem(FLAGS), ...shape.changeItems.map(boundItem)])
    if (changes.arrived.count > 0 && shape.arrivalItems.length > 0) await this.#fetch(changes.arrived, view, session, withUid, shape.arrivalItems.map(boundItem))
  }
  /**
   * What an extension adds to the news. They were taken from the view already: a failure here must not keep the client from hearing of removals, for its
   * numbers would name other messages than the server's.
   */
  async #heard(hear: () => void | Promise<void>): Promise<void> {
    try {
      await hear()
    } catch (error) {
      if (error instanceof ProtocolAbort || error instanceof ConnectionLost) throw error
      if (!this.#owner.dropLine()) throw new ProtocolAbort(undefined, 'a line of an extension could not be finished', { cause: error })
      this.#owner.failed(error)
    }
  }
  async #fetch(rows: RowSet, view: MailboxView, session: MailSession, withUid: boolean, items: readonly BoundItem[]): Promise<void> {
    const wantsUid = withUid && session.shape.address === 'numbers' && !items.some((i) => i.name === 'UID')
    await writeFetchLines(rows, { view, session, items: wantsUid ? [boundItem(UID), ...items] : items })
  }
}

/** One EXPUNGE per message; each makes the numbers behind it smaller by one (RFC 3501 §7.4.1). */
function writeExpunges(rows: RowSet, out: ImapWriter): void {
  let gone = 0
  for (let p = 0; p < rows.pairs.length; p += 2) {
    const first = rows.pairs[p]!
    const last = rows.pairs[p + 1]!
    for (let row = first; row <= last; row++) out.raw('* ').number(first + 1 - gone).raw(' EXPUNGE').endLine()
    gone += last - first + 1
  }
}
