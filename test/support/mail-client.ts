import { deepStrictEqual as same } from 'node:assert/strict'
import type { TableView } from '../../core/mail/view/view.js'
import { listOf } from './mail.js'

/** What a client believes, from what it was told alone. */
export class BelievingClient {
  readonly messages: { readonly uid: number; flags: string }[]
  readonly recent = new Set<number>()
  readonly view: TableView
  constructor(view: TableView) {
    this.view = view
    this.messages = Array.from({ length: view.announced }, (_, row) => ({ uid: view.rows.uid[row]!, flags: this.flagsAt(row) }))
    this.countRecent()
  }
  flagsAt(row: number): string {
    return new TextDecoder().decode(this.view.rows.flagSets[this.view.rows.flags[row]!]!.wire)
  }
  countRecent(): void {
    let count = 0
    for (let row = 0; row < this.view.announced; row++) if (this.view.isRecent(row)) count++
    same(this.view.recentCount, count)
    for (let row = 0; row < this.view.announced; row++) if (this.view.isRecent(row)) this.recent.add(this.view.rows.uid[row]!)
  }
  take(expunge: boolean): void {
    const told = this.view.take({ expunge })
    if (told === undefined) return
    same(told.reset, false)
    // EXPUNGE lines: highest first, so that lower numbers stay valid.
    const { pairs } = told.removedRows
    if (!expunge) same(pairs.length, 0)
    const gone: number[] = []
    for (let i = pairs.length - 2; i >= 0; i -= 2) {
      for (let row = pairs[i + 1]!; row >= pairs[i]!; row--) gone.push(this.messages.splice(row, 1)[0]!.uid)
    }
    same(gone.toReversed(), listOf(told.removed))
    for (let i = 0; i < told.arrived.pairs.length; i += 2) {
      for (let row: number = told.arrived.pairs[i]!; row <= told.arrived.pairs[i + 1]!; row++) {
        same(row, this.messages.length)
        this.messages.push({ uid: this.view.rows.uid[row]!, flags: this.flagsAt(row) })
      }
    }
    for (let i = 0; i < told.changed.pairs.length; i += 2) {
      for (let row = told.changed.pairs[i]!; row <= told.changed.pairs[i + 1]!; row++) this.messages[row]!.flags = this.flagsAt(row)
    }
    same(this.view.announced, this.messages.length)
    this.countRecent()
  }
}
