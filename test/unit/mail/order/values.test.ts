import { describe, expect, test } from 'vitest'
import { ENVELOPE, sealDeriver, uids } from '../../../../core/api/index.js'
import type { FactDeriver, MailAccess, MailboxView, MessageValue, Row, RowSet, SearchAbility, SortKey, TableEdit, UidSet } from '../../../../core/api/index.js'
import type { TableView } from '../../../../core/mail/view/view.js'
import { deriverTable } from '../../../../core/mail/view/deriving.js'
import { envelopeDeriver } from '../../../../core/mime/facts.js'
import { envelopeText } from '../../../../core/mime/envelope-wire.js'
import { OrderMemory } from '../../../../core/mail/order/memory.js'
import { valuesOf } from '../../../../core/mail/order/values.js'
import { generalSearch } from '../../../../core/mail/access/engine.js'
import { StillClock, listOf, mailFixture, named, never, note, once, setOf, type MailFixture, type MailOverrides } from '../../../support/mail.js'
import { PassiveSource, sharedOver } from '../../../support/mail-table.js'

const ALL = { kind: 'and', terms: [] } as const

/** Subjects out of the envelope, with the uids that were asked for. */
class Subjects {
  readonly asked: number[] = []
  readonly value: MessageValue = {
    name: 'SUBJECT',
    needs: { bytes: 'none', sections: [], facts: [ENVELOPE] },
    of: (_row, _rows, m) => {
      this.asked.push(m.uid)
      return envelopeText(m.fact?.(ENVELOPE) ?? new Uint8Array(0), 'subject') ?? ''
    },
  }
  get key(): SortKey {
    return { by: 'SUBJECT', reverse: false, value: this.value }
  }
}
const size: MessageValue = { name: 'SIZE', needs: 'columns', fills: true, of: (row, rows) => rows.size[row]! }

async function opened(subjects: readonly string[], more: MailOverrides = {}): Promise<{ f: MailFixture; mail: MailAccess & AsyncDisposable; view: MailboxView; derived: number[]; rows: (from: number, to: number) => RowSet }> {
  const derived: number[] = []
  const counting: FactDeriver<Uint8Array> = {
    ...envelopeDeriver,
    derive(m, signal) {
      derived.push(m.uid)
      return envelopeDeriver.derive(m, signal)
    },
  }
  const f = mailFixture({ derivers: deriverTable([sealDeriver(counting)]), ...more })
  const mail = await f.login()
  await deliver(mail, subjects)
  const view = await mail.open(await mail.locate(named('INBOX'), 'open', never), 'read-write', never)
  return { f, mail, view, derived, rows: (from, to) => view.resolve({ pairs: Uint32Array.of(from, to) }, 'seq') }
}
async function deliver(mail: MailAccess, subjects: readonly string[]): Promise<void> {
  await mail.append(await mail.locate(named('INBOX'), 'append', never), once(...subjects.map((s) => note(s))), never)
}

describe('values of messages', () => {
  test('are read once, in one go, and only of messages of which one is wanting', async () => {
    const { f, view, derived, rows } = await opened(['d', 'c', 'b', 'a'])
    await using _ = f
    const subjects = new Subjects()
    expect(await view.values([subjects.value], rows(2, 3), never)).toEqual([['c', 'b']])
    expect(await view.values([subjects.value, size, subjects.value], rows(1, 4), never)).toEqual([['d', 'c', 'b', 'a'], [...view.rows.size.subarray(0, 4)], ['d', 'c', 'b', 'a']])
    expect(await view.values([subjects.value], rows(1, 4), never)).toEqual([['d', 'c', 'b', 'a']])
    expect(derived).toEqual([2, 3, 1, 4])
    expect(new Set(subjects.asked.slice(2))).toEqual(new Set([1, 4]))
  })
  test('of facts that are there no message is read', async () => {
    const { f, view, derived, rows } = await opened(['b', 'a'])
    await using _ = f
    for await (const __ of view.read(rows(1, 2), { bytes: 'none', sections: [], facts: [ENVELOPE] }, never));
    derived.length = 0
    expect([...(await view.sort([new Subjects().key], ALL, never))]).toEqual([2, 1])
    expect(derived).toEqual([])
  })
  test('are shared by the sessions of a mailbox', async () => {
    const { f, mail, view } = await opened(['b', 'a'])
    await using _ = f
    await view.sort([new Subjects().key], ALL, never)
    const other = await mail.open(await mail.locate(named('INBOX'), 'open', never), 'read-only', never)
    const subjects = new Subjects()
    expect([...(await other.sort([subjects.key], { kind: 'uids', set: uids.one(2) }, never))]).toEqual([2])
    expect(subjects.asked).toEqual([])
  })
  test('of messages that were removed are forgotten with the next that are read', async () => {
    const { f, mail, view } = await opened(['c', 'b', 'a'])
    await using _ = f
    const subjects = new Subjects()
    const memory = new OrderMemory()
    // A view of this mail is one over a table.
    const table = view as TableView
    const read = (...rows: readonly number[]): Promise<unknown> => valuesOf(table, [subjects.value], Uint32Array.from(rows), memory, never)
    await read(0, 1, 2)
    await view.remove(uids.one(2), never)
    view.take({ expunge: true })
    await deliver(mail, ['aa'])
    view.take({ expunge: true })
    expect(await read(1, 2)).toEqual([['a', 'aa']])
    expect(subjects.asked).toEqual([1, 2, 3, 4])
    expect(memory.of(table.mailbox).values('SUBJECT')).toEqual({ uids: Uint32Array.of(1, 3, 4), values: ['c', 'a', 'aa'] })
  })
  test('a message that is gone but not told of has none, and is read again should it be there', async () => {
    const { f, mail, view, rows } = await opened(['c', 'b', 'a'])
    await using _ = f
    const other = await mail.open(await mail.locate(named('INBOX'), 'open', never), 'read-write', never)
    await other.remove(uids.one(2), never)
    const subjects = new Subjects()
    const [seen] = await view.values([subjects.value], rows(1, 3), never)
    expect(seen).toEqual(subjects.asked.includes(2) ? ['c', 'b', 'a'] : ['c', '', 'a'])
    expect([...(await view.sort([subjects.key], ALL, never))]).toHaveLength(3)
  })
  test('of columns are never kept', async () => {
    const { f, view, rows } = await opened(['b', 'a'])
    await using _ = f
    let factor = 1
    const changing: MessageValue = { name: 'X', needs: 'columns', of: (row) => factor * row }
    const key: SortKey = { by: 'X', reverse: false, value: changing }
    expect([await view.values([changing], rows(1, 2), never), [...(await view.sort([key], ALL, never))]]).toEqual([[[0, 1]], [1, 2]])
    factor = -1
    expect([await view.values([changing], rows(1, 2), never), [...(await view.sort([key], ALL, never))]]).toEqual([[[-0, -1]], [2, 1]])
  })
  test('of sizes and dates are filled in before they are looked at, of no more messages than asked for', async () => {
    const filled: number[][] = []
    class Gaps extends PassiveSource {
      override refresh(edit: TableEdit): Promise<void> {
        if (edit.rows.length > 0) return Promise.resolve()
        for (const uid of [1, 2, 3]) edit.add(uid, edit.flagSet(0, []), false)
        edit.uidNext = 4
        return Promise.resolve()
      }
      fill(set: UidSet, edit: TableEdit): Promise<void> {
        filled.push(listOf(set))
        for (const uid of listOf(set)) {
          const row = edit.rows.find(uid)
          if (row === -1) continue
          edit.setSize(row, 100 - uid)
          edit.setDate(row, 1000 * (10 - uid), 0)
        }
        return Promise.resolve()
      }
    }
    const { shared, view: look } = sharedOver(new Gaps())
    await shared.refresh(never)
    const view = look()
    const engine = generalSearch(new StillClock())
    const key: SortKey = { by: 'SIZE', reverse: false, value: size }
    expect([...(await engine.sort(view, undefined, [key], { kind: 'uids', set: setOf(2, 3) }, never))]).toEqual([3, 2])
    expect([...(await engine.sort(view, undefined, [key], ALL, never))]).toEqual([3, 2, 1])
    expect([...(await engine.sort(view, undefined, [key], ALL, never))]).toEqual([3, 2, 1])
    expect(filled).toEqual([[2, 3], [1]])
  })
  test('long work gives way to others, and ends with the signal', async () => {
    const { f, view } = await opened(Array.from({ length: 6000 }, (_, i) => `s${(i * 7919) % 6000}`))
    await using _ = f
    let turns = 0
    let running = true
    const turn = (): void => {
      turns++
      if (running) setImmediate(turn)
    }
    setImmediate(turn)
    const slow = (name: string): MessageValue => ({
      name,
      needs: { bytes: 'none', sections: [], facts: [ENVELOPE] },
      of(row: Row) {
        for (let i = 0; i < 20_000; i++) Math.sqrt(i)
        return row
      },
    })
    await view.sort([{ by: 'SLOW', reverse: true, value: slow('SLOW') }], ALL, never)
    running = false
    expect(turns).toBeGreaterThan(5)
    const ending = new AbortController()
    const sorting = view.sort([{ by: 'SLOWER', reverse: true, value: slow('SLOWER') }], ALL, ending.signal)
    setImmediate(() => ending.abort())
    await expect(sorting).rejects.toThrow('aborted')
  })
})

describe('an order', () => {
  test('is the index\'s where it knows the keys; only what it does not know is core\'s', async () => {
    const asked: string[] = []
    const ability: SearchAbility = {
      can: () => undefined,
      run: async () => uids.none,
      order: async (keys, within) => {
        asked.push(keys.map((k) => k.by).join(' '))
        return keys.length === 1 ? Uint32Array.of(2, 1, 3).filter((uid) => within.has(uid)) : undefined
      },
    }
    const { f, view } = await opened(['c', 'b', 'a'], { indexes: [{ of: async () => ability }] })
    await using _ = f
    const { key } = new Subjects()
    expect([...(await view.sort([key], ALL, never))]).toEqual([2, 1, 3])
    expect([...(await view.sort([key, { by: 'SIZE', reverse: false, value: size }], ALL, never))]).toEqual([3, 2, 1])
    expect(asked).toEqual(['SUBJECT', 'SUBJECT SIZE'])
  })
  test('by a key that was named before is none', async () => {
    const { f, view } = await opened(['b', 'a', 'c'])
    await using _ = f
    let asked = 0
    const row: MessageValue = { name: 'ROW', needs: 'columns', of: (r) => ((asked += 1), r) }
    const keys = Array.from({ length: 1000 }, (_k, i): SortKey => ({ by: 'ROW', reverse: i === 0, value: row }))
    expect([...(await view.sort(keys, ALL, never))]).toEqual([3, 2, 1])
    expect(asked).toBe(3)
  })
  test('fails when the mailbox began anew', async () => {
    const { f, view } = await opened(['b', 'a'])
    await using _ = f
    const { key } = new Subjects()
    await view.sort([key], ALL, never)
    // A view of this mail is one over a table.
    ;(view as TableView).mailbox.table.epoch++
    await expect(view.sort([key], ALL, never)).rejects.toThrow('began anew')
    await expect(view.values([key.value], view.resolve({ pairs: Uint32Array.of(1, 1) }, 'seq'), never)).rejects.toThrow('began anew')
  })
})
