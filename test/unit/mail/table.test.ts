import { describe, expect, test } from 'vitest'
import { createColumn, type Modseq, type Row } from '../../../core/api/index.js'
import { MailTable } from '../../../core/mail/table/table.js'
import { listOf, never, setOf, StillClock } from '../../support/mail.js'
import { BelievingClient } from '../../support/mail-client.js'
import { PassiveSource, sharedOver } from '../../support/mail-table.js'

const seen = { how: 'add', system: 1, keywords: [] } as const
async function withMessages(count: number, more: Partial<PassiveSource['traits']> = {}) {
  const made = sharedOver(new PassiveSource(more))
  await made.shared.edit(async (edit) => {
    edit.keywords([], true)
    for (let uid = 1; uid <= count; uid++) edit.add(uid, edit.flagSet(0, []), false)
  }, never)
  return made
}

/** Counts how often its space was taken back. */
class ReclaimingSource extends PassiveSource {
  reclaimed = 0
  async reclaim(): Promise<void> {
    this.reclaimed++
  }
}

describe('an edit', () => {
  test('is used up when its operation ends', () => {
    const t = new MailTable({ ownModseqs: false, firstModseq: 1 })
    const edit = t.begin()
    expect(() => t.begin()).toThrow(/overlap/)
    edit.commit()
    expect(() => edit.add(1, edit.flagSet(0, []), false)).toThrow(/after its operation/)
    t.begin().drop()
  })
  test('refuses uids that do not ascend, and rows that are not there', () => {
    const edit = new MailTable({ ownModseqs: false, firstModseq: 1 }).begin()
    edit.add(5, edit.flagSet(0, []), false)
    for (const uid of [5, 4, 0, -1, 1.5, 2 ** 32]) expect(() => edit.add(uid, edit.flagSet(0, []), false)).toThrow(RangeError)
    expect(() => edit.setFlags(1 as Row, edit.flagSet(0, []))).toThrow(RangeError)
  })
  test('finds rows by uids, in whatever order they are asked for', async () => {
    const { shared, table } = await withMessages(0)
    const numbers = [2, 3, 5, 8, 13, 21, 34, 55]
    await shared.edit(async (edit) => {
      for (const uid of numbers) edit.add(uid, edit.flagSet(0, []), false)
    }, never)
    for (const first of [0, 2, 5, 30, 55, 60]) {
      for (let second = 0; second <= 60; second++) {
        table.generation.find(first)
        expect(table.generation.find(second), `${second} after ${first}`).toBe(numbers.indexOf(second))
      }
    }
  })
  test('that is dropped leaves every column as it was, private ones too, and nothing to trust', async () => {
    const PLACE = createColumn('place', 'u32')
    const { shared, table } = await withMessages(3)
    await shared.edit(async (edit) => {
      edit.stamp = 's'
      edit.setSize(0 as Row, 10)
      edit.setDate(0 as Row, 20, 30)
      edit.set(0 as Row, PLACE, 7)
    }, never)
    const picture = (): unknown => {
      const g = table.generation
      return [table.length, g.length, g.gaps, g.size[0], g.date[0], g.zone[0], g.flags[0], g.column(PLACE)[0], table.uidNext, table.uidValidity, table.highestModseq]
    }
    const before = picture()
    const failing = shared.edit(async (edit) => {
      edit.setSize(0 as Row, 11)
      edit.setDate(0 as Row, 21, 31)
      edit.setSize(1 as Row, 5)
      edit.set(0 as Row, PLACE, 8)
      edit.set(0 as Row, PLACE, 9)
      edit.setFlags(0 as Row, edit.flagSet(1, ['x']))
      edit.setFlags(0 as Row, edit.flagSet(3, []))
      edit.set(edit.add(9, edit.flagSet(0, []), true), PLACE, 1)
      edit.uidNext = 99
      throw new Error('no')
    }, never)
    await expect(failing).rejects.toThrow('no')
    expect(picture()).toEqual(before)
    expect([table.stamp, table.unclaimed.count]).toEqual([undefined, 0])
    await expect(
      shared.edit(async (edit) => {
        edit.reset(5)
        edit.add(1, edit.flagSet(0, []), false)
        throw new Error('no')
      }, never),
    ).rejects.toThrow('no')
    expect(picture()).toEqual(before)
  })
  test('whose flags somebody fetched before it failed is taken back there', async () => {
    const { shared, view } = await withMessages(2)
    const client = new BelievingClient(view())
    await expect(
      shared.edit(async (edit) => {
        edit.apply({ ...seen, uids: setOf(2) })
        client.messages[1]!.flags = client.flagsAt(1)
        throw new Error('no')
      }, never),
    ).rejects.toThrow('no')
    expect(client.messages[1]!.flags).toBe('\\Seen')
    client.take(false)
    expect(client.messages[1]!.flags).toBe('')
  })
  test('to and fro is no news', async () => {
    const { shared, view, table } = await withMessages(2)
    const v = view()
    const before = table.highestModseq
    await shared.edit(async (edit) => {
      edit.apply({ ...seen, uids: setOf(1) })
      edit.apply({ ...seen, how: 'remove', uids: setOf(1) })
    }, never)
    expect([v.take({ expunge: true }), table.highestModseq]).toEqual([undefined, before])
  })
  test('removes what is there, not what it adds afterwards', async () => {
    const { shared, table } = await withMessages(3)
    await shared.edit(async (edit) => {
      edit.remove(setOf(1, 2, 3, 4, 5))
      edit.add(4, edit.flagSet(0, []), false)
    }, never)
    expect([...table.generation.uid.subarray(0, table.length)]).toEqual([4])
  })
})

describe('mod-sequences', () => {
  test('numbered by core: one for each edit that changes something, for what it changed', async () => {
    const { shared, table } = await withMessages(3)
    const first = table.highestModseq
    await shared.edit(async (edit) => edit.apply({ ...seen, uids: setOf(2) }), never)
    await shared.edit(async () => undefined, never)
    await shared.edit(async (edit) => edit.remove(setOf(1)), never)
    expect([table.highestModseq - first, [...table.generation.modseq.subarray(0, 2)].map((m) => m - first)]).toEqual([2, [1, 0]])
  })
  test('unchangedSince refuses what changed after it (RFC 7162 §3.1.3)', async () => {
    const { shared, table, view } = await withMessages(3)
    const v = view()
    const since = table.highestModseq as Modseq
    await shared.edit(async (edit) => edit.apply({ ...seen, uids: setOf(2) }), never)
    expect(listOf(await v.store({ uids: setOf(1, 2, 3), how: 'add', system: 2, keywords: [], unchangedSince: since }, false, never))).toEqual([2])
    expect([...v.take({ expunge: true })!.changed.pairs]).toEqual([0, 2])
  })
  test('of the source are taken as they are, and a new number is news', async () => {
    const { shared, table, view } = sharedOver(new PassiveSource({ modseqs: 'own' }))
    await shared.edit(async (edit) => edit.setModseq(edit.add(1, edit.flagSet(0, []), false), 700), never)
    const v = view()
    await shared.edit(async (edit) => edit.setModseq(0 as Row, 800), never)
    expect([table.highestModseq, table.generation.modseq[0], v.take({ expunge: false })?.changed.count]).toEqual([800, 800, 1])
  })
  test('uids removed since a number; without memory, those that are not there', async () => {
    const { shared, table } = await withMessages(5)
    const since = table.highestModseq
    await shared.expunge(setOf(2, 4), true, never)
    expect(listOf(await shared.vanished(since, setOf(1, 2, 3, 4, 5, 6, 7), never))).toEqual([2, 4])
  })
})

describe('keywords', () => {
  test('are one however they are written, and the first spelling stays', async () => {
    const { table, view } = await withMessages(2)
    const v = view()
    await v.store({ uids: setOf(1), how: 'add', system: 0, keywords: ['$Work'] }, true, never)
    await v.store({ uids: setOf(2), how: 'add', system: 0, keywords: ['$WORK', '$work'] }, true, never)
    expect([table.generation.flags[0] === table.generation.flags[1], table.keywords.defined]).toEqual([true, ['$Work']])
    expect(v.take({ expunge: true })).toMatchObject({ keywordsChanged: true, changed: { count: 0 } })
  })
  test('that a mailbox cannot create are left out', async () => {
    const { shared, table, view } = await withMessages(1)
    await shared.edit(async (edit) => edit.keywords(['old'], false), never)
    await view().store({ uids: setOf(1), how: 'add', system: 1, keywords: ['OLD', 'new'] }, true, never)
    expect(new TextDecoder().decode(table.generation.flagSets[table.generation.flags[0]!]!.wire)).toBe('\\Seen OLD')
    expect(table.keywords).toEqual({ defined: ['old'], canCreate: false })
  })
})

describe('a session that lags', () => {
  test('hears of arrivals and flags, not of removals, and keeps its numbering', async () => {
    const { shared, view } = await withMessages(3)
    const v = view()
    await shared.expunge(setOf(1), true, never)
    await shared.edit(async (edit) => edit.setSize(edit.add(4, edit.flagSet(4, []), true), 44), never)
    await shared.edit(async (edit) => edit.apply({ ...seen, uids: setOf(3, 4) }), never)
    const told = v.take({ expunge: false })!
    expect([[...told.changed.pairs], [...told.arrived.pairs], v.rows.size[3], v.isRecent(3), v.seqOf(4 as never)]).toEqual([[2, 2], [3, 3], 44, true, 4])
    expect(new TextDecoder().decode(v.rows.flagSets[v.rows.flags[3]!]!.wire)).toBe('\\Seen \\Flagged')
    const later = v.take({ expunge: true })!
    expect([[...later.removedRows.pairs], later.changed.count, later.arrived.count, v.seqOf(4 as never)]).toEqual([[0, 0], 0, 0, 3])
  })
  test('costs no more than the mailbox, however much happens meanwhile', async () => {
    const { view, table } = await withMessages(50)
    const slow = view()
    const other = view()
    for (let i = 0; i < 5000; i++) {
      await other.store({ uids: setOf(1 + (i % 50)), how: Math.floor(i / 50) % 2 === 0 ? 'add' : 'remove', system: 4, keywords: [] }, i % 3 === 0, never)
      if (i % 3 === 0) other.take({ expunge: true })
    }
    let nodes = 0
    let parts = 0
    for (let node = slow.mark.next; node !== undefined; node = node.next) {
      nodes++
      parts += node.flags.length
    }
    expect(nodes).toBeLessThan(1100)
    expect(parts).toBeLessThan(2000)
    expect(slow.take({ expunge: true })?.changed.count).toBe(50)
    expect(table.slowestMark()).toBe(other.mark)
  })
  test('and old generations are reclaimed when nobody stands on them', async () => {
    const clock = new StillClock()
    const source = new ReclaimingSource()
    const { shared, view } = sharedOver(source, { clock })
    await shared.edit(async (edit) => {
      for (const uid of [1, 2, 3, 4, 5]) edit.add(uid, edit.flagSet(2, []), false)
    }, never)
    const settled = (): Promise<void> => shared.inTurn(async () => undefined)
    const a = view()
    const b = view()
    await a.expunge(setOf(2), never)
    a.take({ expunge: true })
    clock.advance(1000)
    await settled()
    expect(source.reclaimed).toBe(0)
    // Whoever goes on with the mailbox at once does not wait for it, and it is done once.
    b.take({ expunge: true })
    await a.expunge(setOf(3), never)
    for (const v of [a, b]) v.take({ expunge: true })
    await settled()
    expect(source.reclaimed).toBe(0)
    clock.advance(1000)
    await settled()
    expect(source.reclaimed).toBe(1)
    // Messages that went meanwhile are still somebody's.
    await a.expunge(setOf(4), never)
    for (const v of [a, b]) v.take({ expunge: true })
    await a.expunge(setOf(5), never)
    clock.advance(1000)
    await settled()
    expect(source.reclaimed).toBe(1)
    for (const v of [a, b]) v.take({ expunge: true })
    await shared.close(true)
    expect(source.reclaimed).toBe(2)
  })
  test.each([{ what: 'is about to change its name', times: 1 }, { what: 'was moved by somebody else', times: 0 }, { what: 'was deleted', times: 0 }])('and of a mailbox that $what, $times times', async ({ what, times }) => {
    const clock = new StillClock()
    const source = new ReclaimingSource()
    const { shared, view } = sharedOver(source, { clock })
    await shared.edit(async (edit) => edit.add(1, edit.flagSet(2, []), false), never)
    const v = view()
    await v.expunge(setOf(1), never)
    v.take({ expunge: true })
    shared.end(`the mailbox ${what}`)
    await (what === 'was deleted' ? shared.discard() : shared.close(times > 0))
    clock.advance(1000)
    expect(source.reclaimed).toBe(times)
  })
})

describe('sets of a view', () => {
  test('sequence and uid sets, stars and what is beyond', async () => {
    const { shared, view } = await withMessages(5)
    await shared.expunge(setOf(2, 4), true, never)
    const v = view()
    const rows = (pairs: number[], by: 'seq' | 'uid'): number[] => [...v.resolve({ pairs: Uint32Array.from(pairs) }, by).pairs]
    const star = 0xffffffff
    expect(rows([1, 1, 3, 3], 'seq')).toEqual([0, 0, 2, 2])
    expect(rows([3, 1], 'seq')).toEqual([0, 2])
    expect(rows([star, 2], 'seq')).toEqual([1, 2])
    expect(rows([2, 9], 'seq')).toEqual([1, 2])
    expect(rows([star, star], 'seq')).toEqual([2, 2])
    expect(rows([1, star], 'uid')).toEqual([0, 2])
    expect(rows([9, star], 'uid')).toEqual([2, 2])
    expect(rows([2, 4], 'uid')).toEqual([1, 1])
    expect(rows([2, 2, 4, 4], 'uid')).toEqual([])
    expect(listOf(v.uidsOf(v.resolve({ pairs: Uint32Array.of(1, star) }, 'seq')))).toEqual([1, 3, 5])
    expect([v.seqOf(3 as never), v.seqOf(4 as never)]).toEqual([2, -1])
    v.saved = setOf(1, 4, 5)
    expect([...v.resolve('saved', 'uid').pairs]).toEqual([0, 0, 2, 2])
    await shared.expunge(setOf(5), true, never)
    v.take({ expunge: true })
    expect(listOf(v.saved)).toEqual([1, 4])
  })
  test('in an empty mailbox nothing is named', () => {
    const { view } = sharedOver(new PassiveSource())
    const v = view()
    for (const by of ['seq', 'uid'] as const) expect(v.resolve({ pairs: Uint32Array.of(1, 0xffffffff) }, by).count).toBe(0)
    v.saved = setOf(1)
    expect(v.resolve('saved', 'seq').count).toBe(0)
  })
})

describe('\\Recent', () => {
  test('is given to one read-write session; sessions that only read see it and leave it', async () => {
    const { shared, view } = await withMessages(1)
    const reader = view(true)
    const first = view()
    const second = view()
    await shared.edit(async (edit) => edit.add(2, edit.flagSet(0, []), true), never)
    expect(reader.take({ expunge: true })).toMatchObject({ recentChanged: true })
    second.take({ expunge: true })
    first.take({ expunge: true })
    expect([reader.recentCount, first.recentCount, second.recentCount, view().recentCount, reader.isRecent(1)]).toEqual([1, 0, 1, 0, true])
  })
  test('of a removed message is gone', async () => {
    const { shared, view } = await withMessages(0)
    await shared.edit(async (edit) => edit.add(1, edit.flagSet(0, []), true), never)
    const v = view()
    await shared.expunge(setOf(1), true, never)
    expect(v.take({ expunge: true })).toMatchObject({ recentChanged: true })
    expect(v.recentCount).toBe(0)
  })
})

test('notices reach every session once, with or without other news', async () => {
  const { shared, view } = await withMessages(1)
  const views = [view(), view()]
  await shared.edit(async (edit) => edit.notice('warning', 'Mailbox vulnerable'), never)
  for (const v of views) {
    expect(v.take({ expunge: false })?.notices).toEqual([{ severity: 'warning', text: 'Mailbox vulnerable' }])
    expect(v.take({ expunge: true })).toBeUndefined()
  }
})
test('a reset voids everything once', async () => {
  const { shared, view } = await withMessages(3)
  const v = view()
  await shared.edit(async (edit) => {
    edit.reset(77)
    edit.add(1, edit.flagSet(0, []), false)
  }, never)
  expect(v.take({ expunge: false })).toMatchObject({ reset: true })
  expect([v.announced, v.uidValidity, v.take({ expunge: true })]).toEqual([1, 77, undefined])
})
