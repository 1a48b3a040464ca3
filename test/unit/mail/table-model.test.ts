import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Row } from '../../../core/api/index.js'
import { never, setOf } from '../../support/mail.js'
import { BelievingClient as Client } from '../../support/mail-client.js'
import { PassiveSource, sharedOver } from '../../support/mail-table.js'

const some = fc.array(fc.nat(30), { maxLength: 6 })
const flagBits = fc.constantFrom(0, 1, 2, 3, 4, 8, 33)
const keywords = fc.constantFrom([], ['$a'], ['$A', 'b'])
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('add'), count: fc.integer({ min: 1, max: 4 }), recent: fc.boolean(), bits: flagBits }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('remove'), which: some }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('flags'), which: some, bits: flagBits, words: keywords, how: fc.constantFrom('add', 'remove', 'replace') }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('own-store'), who: fc.nat(5), which: some, bits: flagBits, silent: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('dropped'), which: some, bits: flagBits, add: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('mixed'), which: some, bits: flagBits }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('enter'), readOnly: fc.boolean() }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('take'), who: fc.nat(5), expunge: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('leave'), who: fc.nat(5) }) },
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

describe('table and views', () => {
  test('what sessions are told makes their clients right, however far they lag', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), fc.constantFrom(1, 3, 1024), async (steps: readonly Step[], logLinks) => {
        const { shared, table, view } = sharedOver(new PassiveSource({ columns: [] }), { logLinks })
        await shared.edit(async (edit) => edit.keywords([], true), never)
        const model = new Map<number, { bits: number; words: Set<string> }>()
        let nextUid = 1
        const clients: Client[] = []
        const claimed: number[] = []
        const pick = (which: readonly number[]): number[] => {
          const all = [...model.keys()]
          return all.length === 0 ? [] : [...new Set(which.map((n) => all[n % all.length]!))]
        }
        const apply = (uid: number, how: string, bits: number, words: readonly string[]): void => {
          const m = model.get(uid)!
          const lower = words.map((w) => w.toLowerCase())
          if (how === 'add') m.bits |= bits
          else if (how === 'remove') m.bits &= ~bits
          else m.bits = bits
          if (how === 'replace') m.words = new Set(lower)
          else for (const w of lower) if (how === 'add') m.words.add(w)
          else m.words.delete(w)
        }
        const leave = async (c: Client): Promise<void> => {
          if (!c.view.readOnly) claimed.push(...c.recent)
          await c.view.close(never)
        }
        for (const s of steps) {
          if (s.kind === 'add') {
            await shared.edit(async (edit) => {
              for (let i = 0; i < s.count; i++) {
                edit.add(nextUid, edit.flagSet(s.bits, []), s.recent)
                model.set(nextUid++, { bits: s.bits, words: new Set() })
              }
            }, never)
          } else if (s.kind === 'remove') {
            const gone = pick(s.which)
            await shared.edit(async (edit) => edit.remove(setOf(...gone)), never)
            for (const uid of gone) model.delete(uid)
          } else if (s.kind === 'flags') {
            const { which, how, bits, words } = s
            const set = pick(which)
            await shared.edit(async (edit) => edit.apply({ uids: setOf(...set), how, system: bits, keywords: words }), never)
            for (const uid of set) apply(uid, how, bits, words)
          } else if (s.kind === 'own-store' && clients.length > 0) {
            const c = clients[s.who % clients.length]!
            if (c.view.readOnly) continue
            const set = pick(s.which).filter((uid) => c.messages.some((m) => m.uid === uid))
            await c.view.store({ uids: setOf(...set), how: 'add', system: s.bits, keywords: [] }, s.silent, never)
            for (const uid of set) apply(uid, 'add', s.bits, [])
            if (s.silent) {
              // A client that asked for silence knows what it did to what it knew; others' changes before it are still to be told.
              for (const m of c.messages) if (set.includes(m.uid)) m.flags = c.flagsAt(c.view.generation.find(m.uid))
            }
          } else if (s.kind === 'dropped') {
            const set = pick(s.which)
            const failing = shared.edit(async (edit) => {
              edit.apply({ uids: setOf(...set), how: 'replace', system: s.bits, keywords: ['lost'] })
              if (s.add) edit.setSize(edit.add(nextUid, edit.flagSet(0, []), true), 5)
              edit.remove(setOf(...set))
              await Promise.resolve()
              throw new Error('disk on fire')
            }, never)
            await expect(failing).rejects.toThrow('disk on fire')
            expect(table.stamp).toBeUndefined()
          } else if (s.kind === 'mixed') {
            const set = pick(s.which)
            await shared.edit(async (edit) => {
              const row = edit.add(nextUid, edit.flagSet(s.bits, []), true)
              edit.setFlags(row, edit.flagSet(s.bits | 1, []))
              for (const uid of set) edit.setFlags(edit.rows.find(uid) as Row, edit.flagSet(s.bits, []))
              edit.remove(setOf(...set.slice(0, 2)))
            }, never)
            model.set(nextUid++, { bits: s.bits | 1, words: new Set() })
            for (const uid of set) apply(uid, 'replace', s.bits, [])
            for (const uid of set.slice(0, 2)) model.delete(uid)
          } else if (s.kind === 'enter' && clients.length < 6) {
            clients.push(new Client(view(s.readOnly)))
          } else if (s.kind === 'take' && clients.length > 0) {
            clients[s.who % clients.length]!.take(s.expunge)
          } else if (s.kind === 'leave' && clients.length > 0) {
            await leave(clients.splice(s.who % clients.length, 1)[0]!)
          }
        }
        expect([...table.generation.uid.subarray(0, table.length)]).toEqual([...model.keys()])
        for (const c of clients) {
          c.take(false)
          for (const m of c.messages) {
            const real = table.generation.find(m.uid)
            if (real !== -1) expect(m.flags).toBe(new TextDecoder().decode(table.generation.flagSets[table.generation.flags[real]!]!.wire))
          }
          c.take(true)
          expect(c.messages.map((m) => m.uid)).toEqual([...model.keys()])
          expect(c.view.generation).toBe(table.generation)
          expect(c.view.take({ expunge: true })).toBeUndefined()
          for (const [row, m] of c.messages.entries()) {
            const { bits, words } = model.get(m.uid)!
            const set = table.generation.flagSets[table.generation.flags[row]!]!
            expect([set.system, new Set(set.keywords.map((k) => k.toLowerCase()))]).toEqual([bits, words])
            expect(m.flags).toBe(new TextDecoder().decode(set.wire))
          }
        }
        for (const c of clients) await leave(c)
        expect(new Set(claimed).size).toBe(claimed.length)
        expect(table.lagging.size).toBe(0)
        let last = 0
        for (let row = 0; row < table.length; row++) last = Math.max(last, table.generation.modseq[row]!)
        expect(last).toBeLessThanOrEqual(table.highestModseq)
      }),
      { numRuns: 400 },
    )
  })
})
