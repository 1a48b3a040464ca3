import type { MailboxView } from '../../api/session.js'
import { flagText } from '../box.js'
import { must, mustEqual } from '../expecting.js'

/** What a mail program believes of a mailbox, from what its session told it alone. */
export class BelievingClient {
  readonly view: MailboxView
  messages: { readonly uid: number; flags: string }[]

  constructor(view: MailboxView) {
    this.view = view
    this.messages = Array.from({ length: view.announced }, (_, row) => ({ uid: view.rows.uid[row] ?? 0, flags: this.#flagsAt(row) }))
  }
  #flagsAt(row: number): string {
    const { rows } = this.view
    const set = rows.flagSets[rows.flags[row] ?? 0]
    return flagText(set?.system ?? 0, set?.keywords ?? [])
  }
  /** Uids that are recent in this session. */
  recent(): readonly number[] {
    const out: number[] = []
    for (let row = 0; row < this.view.announced; row++) if (this.view.isRecent(row)) out.push(this.view.rows.uid[row] ?? 0)
    mustEqual(this.view.recentCount, out.length, 'RECENT and the number of recent messages')
    return out
  }
  /** A silent STORE is not told: the program knows what it did. */
  knows(uids: ReadonlySet<number>): void {
    for (const [i, message] of this.messages.entries()) if (uids.has(message.uid)) message.flags = this.#flagsAt(i)
  }
  /** Hears the news, as EXPUNGE, EXISTS and FETCH lines would bring it. */
  hear(may: { readonly expunge: boolean }): void {
    const news = this.view.take(may)
    if (news === undefined) return
    must(!news.reset, 'the session was told that UIDVALIDITY changed')
    must(may.expunge || news.removedRows.count === 0, 'removals were told where they may not be (RFC 3501 §7.4.1)')
    const gone = new Set<number>()
    each(news.removedRows.pairs, (row) => gone.add(row))
    this.messages = this.messages.filter((_, row) => !gone.has(row))
    each(news.arrived.pairs, (row) => {
      mustEqual(row, this.messages.length, 'place of a new message')
      this.messages.push({ uid: this.view.rows.uid[row] ?? 0, flags: this.#flagsAt(row) })
    })
    each(news.changed.pairs, (row) => {
      const message = this.messages[row]
      must(message !== undefined, `flags of message ${row + 1} of ${this.messages.length} were told`)
      message.flags = this.#flagsAt(row)
    })
    mustEqual(this.view.announced, this.messages.length, 'number of messages that were announced')
  }
}

function each(pairs: Uint32Array, use: (row: number) => void): void {
  for (let i = 0; i < pairs.length; i += 2) for (let row = pairs[i] ?? 0; row <= (pairs[i + 1] ?? -1); row++) use(row)
}
