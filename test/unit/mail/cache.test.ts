import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { UNKNOWN, createColumn, createFact } from '../../../core/api/index.js'
import { FactStore, SegmentPool } from '../../../core/mail/cache/fact-store.js'
import { decodeRows, encodeRows } from '../../../core/mail/cache/rows-codec.js'
import { Segment } from '../../../core/mail/cache/segment.js'
import { SourceRegistry } from '../../../core/mail/registry/registry.js'
import { stateFolder } from '../../../core/api/index.js'
import { stateKeeper } from '../../../core/mail/registry/state-folders.js'
import { MailTable } from '../../../core/mail/table/table.js'
import { CRASH_MODES, afterCrash } from '../../../core/testing/disk/crash.js'
import { VirtualFiles } from '../../../core/testing/disk/virtual-files.js'
import { SeededRandom } from '../../../core/testing/random.js'
import { QuietLogger, StillClock, alice, never, setOf, testSettings } from '../../support/mail.js'
import { place } from '../../support/mail-table.js'
import { TextDisk, type TextSource } from '../../support/mail-text-source.js'

const OFFSET = createColumn('offset', 'f64')
const HEAD = createColumn('head', 'u32')
const NAME = createColumn('name', 'ref')

function filled(): MailTable {
  const t = new MailTable({ ownModseqs: false, firstModseq: 100 })
  const edit = t.begin()
  edit.uidValidity = 9
  edit.stamp = 'as it was'
  edit.keywords(['$b', 'a'], true)
  for (let uid = 1; uid <= 40; uid += 1 + (uid % 3)) {
    const row = edit.add(uid, edit.flagSet(uid & 5, uid % 2 === 0 ? ['a', '$b'] : []), uid > 30)
    if (uid !== 7) edit.setSize(row, uid * 10)
    edit.setDate(row, uid * 1000.5, -60)
    edit.set(row, OFFSET, 2 ** 40 + uid)
    edit.set(row, HEAD, uid)
    if (uid % 2 === 0) edit.set(row, NAME, `name ${uid} ü`)
  }
  edit.commit()
  return t
}
function picture(t: MailTable): unknown {
  const g = t.generation
  const n = t.length
  return {
    of: [t.stamp, t.uidValidity, t.uidNext, t.highestModseq, t.keywords, g.gaps],
    recent: [...t.unclaimed.ranges],
    rows: Array.from({ length: n }, (_, row) => [
      g.uid[row],
      [g.size[row], g.date[row], g.zone[row], g.modseq[row]],
      new TextDecoder().decode(g.flagSets[g.flags[row]!]!.wire),
      [g.column(OFFSET)[row], g.column(HEAD)[row], g.column(NAME)[row]],
    ]),
  }
}

describe('rows in the cache', () => {
  test('come back as they were, private columns, gaps and waiting \\Recent too', () => {
    const t = filled()
    const bytes = encodeRows('key', t)!
    const again = new MailTable({ ownModseqs: false, firstModseq: 500 })
    expect(decodeRows(bytes, 'key', again)).toBe(true)
    expect(picture(again)).toEqual(picture(t))
    const edit = again.begin()
    edit.add(again.uidNext, edit.flagSet(1, ['A']), false)
    edit.commit()
    expect(again.highestModseq).toBe(500)
  })
  test('are ignored when a single octet is wrong, when cut, and for another mailbox', () => {
    const bytes = encodeRows('key', filled())!
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const damaged = bytes.slice()
        damaged[at]! ^= flip
        const t = new MailTable({ ownModseqs: false, firstModseq: 1 })
        expect(decodeRows(damaged, 'key', t)).toBe(false)
        expect(decodeRows(bytes.subarray(0, at), 'key', t)).toBe(false)
        expect([t.length, t.stamp]).toEqual([0, undefined])
      }),
    )
    expect(decodeRows(bytes, 'other', new MailTable({ ownModseqs: false, firstModseq: 1 }))).toBe(false)
  })
  test('without a stamp nothing is kept', () => {
    const t = filled()
    t.begin().drop()
    expect(encodeRows('key', t)).toBeUndefined()
  })
})

describe('a restart', () => {
  async function site() {
    const files = new VirtualFiles()
    await files.makeDirectory('/home', 0o755)
    const clock = new StillClock()
    const start = () => {
      const registry = new SourceRegistry(clock, new QuietLogger())
      const keeper = stateKeeper({ files, settings: testSettings, clock, logger: new QuietLogger(), pool: new SegmentPool() }, place.at, { ...alice, home: '/home' })
      return {
        registry,
        open: async (d: TextDisk) => {
          const m = await registry.acquire(d.found(), testSettings, keeper, never)
          await m.refresh(never)
          return m
        },
      }
    }
    return { files, clock, start }
  }
  const disk = (): TextDisk => {
    const d = new TextDisk()
    for (let uid = 1; uid <= 5; uid++) d.messages.set(uid, { system: 0, keywords: [] })
    return d
  }
  test('opens an unchanged mailbox without parsing it, mod-sequences and removals as they were', async () => {
    const { start } = await site()
    const d = disk()
    const one = start()
    const m = await one.open(d)
    const first = m.table.highestModseq
    await m.store({ uids: setOf(2), how: 'add', system: 1, keywords: [] }, undefined, never)
    await m.expunge(setOf(4), true, never)
    const seqs = [...m.table.generation.modseq.subarray(0, 4)]
    const highest = m.table.highestModseq
    await one.registry[Symbol.asyncDispose]()
    const two = start()
    const again = await two.open(d)
    expect((again.source as TextSource).parsed).toBe(0)
    expect([[...again.table.generation.modseq.subarray(0, 4)], again.table.highestModseq]).toEqual([seqs, highest])
    expect([...(await again.vanished(first, setOf(1, 2, 3, 4, 5, 6), never)).ranges]).toEqual([4, 4])
    await two.registry[Symbol.asyncDispose]()
  })
  test('an expunge takes the facts of its messages out of the cache', async () => {
    const { start, files } = await site()
    const d = disk()
    const one = start()
    const m = await one.open(d)
    const facts = await m.state!.cache.facts(createFact<Uint8Array>('envelope', 1, { encode: (v) => v, decode: (b) => b }))
    for (let uid = 1; uid <= 5; uid++) facts.put(uid, new Uint8Array(2000))
    await facts.flush()
    const octets = async (): Promise<(number | undefined)[]> => (await files.list('/home/.mailwright/mailboxes')).map(({ name }) => files.contents(`/home/.mailwright/mailboxes/${name}/facts-0`)?.length)
    expect(await octets()).toEqual([expect.closeTo(10_000, -3)])
    await m.expunge(setOf(1, 2, 3, 5), true, never)
    await one.registry[Symbol.asyncDispose]()
    expect(await octets()).toEqual([expect.closeTo(2000, -2)])
  })
  test('after a crash counts everything as changed, with numbers never told before', async () => {
    const { start, files, clock } = await site()
    const d = disk()
    const one = start()
    const m = await one.open(d)
    clock.advance(11_000)
    await m.inTurn(async () => undefined)
    await m.store({ uids: setOf(2), how: 'add', system: 1, keywords: [] }, undefined, never)
    const told = m.table.highestModseq
    const crashed = new VirtualFiles(files.disk)
    const registry = new SourceRegistry(clock, new QuietLogger())
    clock.advance(1)
    const keeper = stateKeeper({ files: crashed, settings: testSettings, clock, logger: new QuietLogger(), pool: new SegmentPool() }, place.at, { ...alice, home: '/home' })
    const again = await registry.acquire(d.found(), testSettings, keeper, never)
    await again.refresh(never)
    for (let row = 0; row < again.table.length; row++) expect(again.table.generation.modseq[row]).toBeGreaterThan(told)
    await registry[Symbol.asyncDispose]()
    await one.registry[Symbol.asyncDispose]()
  })
  test('a deleted mailbox leaves nothing behind', async () => {
    const { files, clock } = await site()
    const keeper = stateKeeper({ files, settings: testSettings, clock, logger: new QuietLogger(), pool: new SegmentPool() }, place.at, { ...alice, home: '/home' })!
    const registry = new SourceRegistry(clock, new QuietLogger())
    const m = await registry.acquire(disk().found(), testSettings, keeper, never)
    await m.refresh(never)
    registry.release(m)
    await registry.remove('text', keeper, () => Promise.resolve())
    expect(await files.list('/home/.mailwright/mailboxes')).toEqual([])
    await registry[Symbol.asyncDispose]()
  })
  test.each([
    { name: 'home', template: '{home}/.mailwright', expected: '/home/alice/.mailwright' },
    { name: 'user, whatever it is called', template: '/var/lib/x/{user}', expected: '/var/lib/x/alice' },
    { name: 'not absolute', template: 'state', expected: undefined },
  ])('state folder: $name', ({ template, expected }) => expect(stateFolder(template, alice)).toBe(expected))
  test('a user name is one folder name', () => {
    expect(stateFolder('/s/{user}', { ...alice, name: '../../etc' })).toBe('/s/..%2F..%2Fetc')
    expect(stateFolder('/s/{user}', { ...alice, name: '..' })).toBe('/s/%2E.')
  })
})

describe('facts in the cache', () => {
  const fact = createFact<Uint8Array>('envelope', 1, { encode: (v) => v, decode: (b) => b })
  const other = { id: 'structure', version: 2 }
  const now = { uidValidity: 7, sizeOf: () => UNKNOWN, countOf: (first: number, last: number) => last - first + 1 }
  const value = (text: string): Uint8Array => new TextEncoder().encode(text)
  const text = (b: Uint8Array | undefined): string | undefined => (b === undefined ? undefined : new TextDecoder().decode(b))
  async function folder() {
    const files = new VirtualFiles()
    await files.makeDirectory('/f', 0o700)
    return files
  }
  test('survive a restart, the later value wins, versions are apart', async () => {
    const files = await folder()
    const one = new FactStore(files, '/f', new SegmentPool(), now)
    const facts = one.of(fact)
    await facts.load(1, 9000)
    facts.put(1, value('one'))
    facts.put(5000, value('far'))
    await facts.flush()
    facts.put(1, value('ONE'))
    one.of(other).put(2, value(''))
    await one.close()
    const two = new FactStore(files, '/f', new SegmentPool(), now)
    const again = two.of(fact)
    expect(again.get(1)).toBeUndefined()
    await again.load(1, 5000)
    expect([text(again.get(1)), text(again.get(5000)), text(again.get(2)), text(two.of(other).get(2))]).toEqual(['ONE', 'far', undefined, ''])
    expect(two.of({ id: 'envelope', version: 2 }).get(1)).toBeUndefined()
    await two.close()
  })
  test('of many messages at once are those of each, also where a file or a size is another', async () => {
    const files = await folder()
    const sizes = { ...now, sizeOf: (uid: number) => 100 + (uid % 3) }
    const facts = new FactStore(files, '/f', new SegmentPool(), sizes).of(fact)
    await facts.load(1, 5000)
    for (const uid of [1, 2, 3, 4095, 4096, 9000]) facts.put(uid, value(`of ${uid}`))
    await facts.flush()
    sizes.sizeOf = (uid) => (uid === 2 ? 7 : 100 + (uid % 3))
    const uids = Uint32Array.of(1, 2, 4, 4095, 4096, 5000, 9000, 20_000)
    expect(facts.all(uids).map(text)).toEqual(['of 1', undefined, undefined, 'of 4095', 'of 4096', undefined, 'of 9000', undefined])
    expect(facts.all(uids)).toEqual([...uids].map((uid) => facts.get(uid)))
    expect(facts.all(new Uint32Array(0))).toEqual([])
  })
  test('every torn or damaged file gives right values or none', async () => {
    const segment = new Segment(0, 7, undefined)
    let file: Uint8Array = new Uint8Array(0)
    for (let round = 0; round < 3; round++) {
      for (let uid = 1; uid < 6; uid++) segment.put('f@1', uid, UNKNOWN, value(`${uid}/${round}`))
      const batch = segment.batch()!
      file = Buffer.concat([file, batch.bytes])
      batch.written()
    }
    for (let cut = 0; cut <= file.length; cut++) {
      const again = new Segment(0, 7, file.slice(0, cut))
      for (let uid = 1; uid < 6; uid++) expect([undefined, `${uid}/0`, `${uid}/1`, `${uid}/2`]).toContain(text(again.get('f@1', uid, UNKNOWN)))
      expect(again.end).toBeLessThanOrEqual(cut)
    }
    expect(text(new Segment(0, 7, file).get('f@1', 3, UNKNOWN))).toBe('3/2')
    fc.assert(
      fc.property(fc.nat(file.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const damaged = file.slice()
        damaged[at]! ^= flip
        const got = text(new Segment(0, 7, damaged).get('f@1', 3, UNKNOWN))
        expect([undefined, '3/0', '3/1', '3/2']).toContain(got)
      }),
    )
  })
  test('what is put while others are written stays, and what was handed out does not change', () => {
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.record({ uid: fc.integer({ min: 1, max: 6 }), name: fc.constantFrom('f@1', 'g@1'), text: fc.string({ maxLength: 40 }) }) },
      { weight: 2, arbitrary: fc.constantFrom('batch' as const, 'anew' as const) },
      { weight: 2, arbitrary: fc.constantFrom('written' as const, 'failed' as const) },
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const segment = new Segment(0, 7, undefined)
        const kept = new Map<string, string>()
        const out: (readonly [Uint8Array, string])[] = []
        let file: Uint8Array = new Uint8Array(0)
        let writing: (() => void) | undefined
        const begin = (anew: boolean): void => {
          const batch = anew ? segment.rewritten(() => true) : segment.batch()
          if (batch === undefined) return
          const before = anew ? new Uint8Array(0) : file.subarray(0, segment.end)
          writing = () => {
            file = Buffer.concat([before, batch.bytes])
            batch.written()
          }
        }
        const same = (of: Segment): void => {
          for (const name of ['f@1', 'g@1']) for (let uid = 1; uid < 7; uid++) expect(text(of.get(name, uid, UNKNOWN))).toBe(kept.get(`${name} ${uid}`))
        }
        for (const one of steps) {
          if (typeof one === 'object') {
            segment.put(one.name, one.uid, UNKNOWN, value(one.text))
            kept.set(`${one.name} ${one.uid}`, one.text)
            out.push([segment.get(one.name, one.uid, UNKNOWN)!, one.text])
          } else if (one === 'written') {
            writing?.()
            writing = undefined
          } else if (one === 'failed') writing = undefined
          else if (writing === undefined) begin(one === 'anew')
          same(segment)
        }
        writing?.()
        begin(false)
        writing?.()
        expect(segment.isDirty).toBe(false)
        same(new Segment(0, 7, file))
        for (const [octets, as] of out) expect(text(octets)).toBe(as)
      }),
    )
  })
  test('values are octets of one kind, however they came to be there', () => {
    const segment = new Segment(0, 7, undefined)
    const kinds = (of: Segment): readonly (string | undefined)[] => [1, 2].map((uid) => of.get('f@1', uid, UNKNOWN)?.constructor.name)
    const plain = ['Uint8Array', 'Uint8Array']
    for (const uid of [1, 2]) segment.put('f@1', uid, UNKNOWN, Buffer.from(`of ${uid}`))
    expect(kinds(segment), 'fresh').toEqual(plain)
    const batch = segment.batch()!
    batch.written()
    expect(kinds(segment), 'written').toEqual(plain)
    segment.rewritten(() => true)!.written()
    expect(kinds(segment), 'written anew').toEqual(plain)
    expect(kinds(new Segment(0, 7, Buffer.from(batch.bytes))), 'read').toEqual(plain)
  })
  test.each([
    { name: 'another UIDVALIDITY', change: { uidValidity: 8 }, kept: undefined },
    { name: 'another size', change: { size: 11 }, kept: undefined },
    { name: 'a size that nobody knows', change: { size: UNKNOWN }, kept: 'of ten octets' },
    { name: 'the same message', change: {}, kept: 'of ten octets' },
  ])('of $name, in memory and on the disk', async ({ change, kept }) => {
    const files = await folder()
    const mailbox = { ...now, size: 10, sizeOf: () => mailbox.size }
    const one = new FactStore(files, '/f', new SegmentPool(), mailbox)
    const facts = one.of(fact)
    facts.put(1, value('of ten octets'))
    Object.assign(mailbox, change)
    expect(text(facts.get(1))).toBe(kept)
    Object.assign(mailbox, { uidValidity: 7, size: 10 })
    facts.put(1, value('of ten octets'))
    await one.close()
    Object.assign(mailbox, change)
    const again = new FactStore(files, '/f', new SegmentPool(), mailbox)
    await again.of(fact).load(1, 1)
    expect(text(again.of(fact).get(1))).toBe(kept)
    again.of(fact).put(1, value('now'))
    await again.close()
    const third = new FactStore(files, '/f', new SegmentPool(), mailbox)
    await third.of(fact).load(1, 1)
    expect(text(third.of(fact).get(1))).toBe('now')
    await third.close()
  })
  test('memory is bounded over all mailboxes; what was dropped is loaded again', async () => {
    const files = await folder()
    const pool = new SegmentPool(200_000)
    const store = new FactStore(files, '/f', pool, now)
    const facts = store.of(fact)
    for (let n = 0; n < 10; n++) {
      await facts.load(n * 4096 + 1, n * 4096 + 1)
      facts.put(n * 4096 + 1, new Uint8Array(30_000).fill(n))
      await facts.flush()
    }
    expect(pool.octets).toBeLessThan(300_000)
    expect(facts.get(1)).toBeUndefined()
    await facts.load(1, 1)
    expect(facts.get(1)?.length).toBe(30_000)
    await store.close()
    expect(pool.octets).toBe(0)
  })
  test('a full disk costs nothing but the cache', async () => {
    const files = await folder()
    const store = new FactStore(files, '/f', new SegmentPool(), now)
    const facts = store.of(fact)
    facts.put(1, value('kept'))
    files.fault = { at: files.log.length, code: 'ENOSPC', lasting: true }
    await expect(facts.flush()).rejects.toMatchObject({ code: 'ENOSPC' })
    expect(text(facts.get(1))).toBe('kept')
    files.fault = undefined
    await facts.flush()
    await store.close()
  })

  /** A mailbox of which messages go. */
  function shrinking(last: number) {
    const there = new Set(Array.from({ length: last }, (_, i) => i + 1))
    const keep = (wanted: (uid: number) => boolean): number => [...there].filter((uid) => !wanted(uid) && there.delete(uid)).length
    return { ...now, keep, countOf: (from: number, to: number) => [...there].filter((uid) => uid >= from && uid <= to).length }
  }
  const octetsOf = (files: VirtualFiles, number: number): number | undefined => files.contents(`/f/facts-${number}`)?.length
  async function written(files: VirtualFiles, mailbox: ReturnType<typeof shrinking>, last: number) {
    const store = new FactStore(files, '/f', new SegmentPool(), mailbox)
    const facts = store.of(fact)
    await facts.load(1, last)
    for (let uid = 1; uid <= last; uid++) facts.put(uid, value(`${uid} `.padEnd(100, 'x')))
    await facts.flush()
    return store
  }
  const shrinks = [
    { name: 'more than half', keep: (uid: number) => uid % 3 === 0, least: 100 / 3 },
    { name: 'less than half', keep: (uid: number) => uid % 3 !== 0, least: 100 },
    { name: 'all', keep: () => false, least: undefined },
  ]
  test.each(shrinks)('of messages that are gone go with them: $name of the messages', async ({ keep, least }) => {
    const files = await folder()
    const mailbox = shrinking(300)
    const store = await written(files, mailbox, 300)
    const before = octetsOf(files, 0)!
    store.removed(mailbox.keep(keep))
    await store.close()
    const after = octetsOf(files, 0)
    if (least === undefined) expect([after, await files.list('/f')]).toEqual([undefined, []])
    else expect(after! / before).toBeCloseTo(least / 100, 2)
    const again = new FactStore(files, '/f', new SegmentPool(), mailbox)
    await again.of(fact).load(1, 300)
    const wrong = Array.from({ length: 300 }, (_, i) => i + 1).filter((uid) => keep(uid) && text(again.of(fact).get(uid))?.startsWith(`${uid} `) !== true)
    expect(wrong).toEqual([])
    await again.close()
  })
  test('of messages that come and go take bounded room, also when they were left by a process that did not look', async () => {
    const files = await folder()
    const mailbox = shrinking(9000)
    const one = await written(files, mailbox, 9000)
    mailbox.keep((uid) => uid > 8990)
    // Nothing was said of removals: as after a crash.
    await one.close()
    expect([octetsOf(files, 0), octetsOf(files, 1), octetsOf(files, 2)].every((octets) => octets! > 50_000)).toBe(true)
    const two = new FactStore(files, '/f', new SegmentPool(), mailbox)
    two.removed(mailbox.keep((uid) => uid > 8995))
    await two.close()
    expect([octetsOf(files, 0), octetsOf(files, 1)]).toEqual([undefined, undefined])
    expect(octetsOf(files, 2)).toBeLessThan(5 * 150)
  })
  test('are dropped while the mailbox stays open, what was put meanwhile stays', async () => {
    const files = await folder()
    const mailbox = shrinking(3000)
    const store = await written(files, mailbox, 3000)
    const facts = store.of(fact)
    const before = octetsOf(files, 0)!
    store.removed(mailbox.keep((uid) => uid > 2000))
    facts.put(2500, value('before'))
    const flushed = facts.flush()
    facts.put(2600, value('meanwhile'))
    await flushed
    expect(octetsOf(files, 0)! / before).toBeCloseTo(1 / 3, 1)
    expect([2400, 2500, 2600].map((uid) => text(facts.get(uid))?.slice(0, 9))).toEqual(['2400 xxxx', 'before', 'meanwhile'])
    await facts.flush()
    await store.close()
    const again = new FactStore(files, '/f', new SegmentPool(), mailbox)
    await again.of(fact).load(1, 3000)
    expect([2400, 2500, 2600].map((uid) => text(again.of(fact).get(uid))?.slice(0, 9))).toEqual(['2400 xxxx', 'before', 'meanwhile'])
    await again.close()
  })
  test.each(CRASH_MODES)('a crash (%s) at any step of dropping them leaves right values or none', async (mode) => {
    const earlier = await folder()
    const mailbox = shrinking(300)
    await (await written(earlier, mailbox, 300)).close()
    const files = new VirtualFiles(earlier.disk)
    const store = new FactStore(files, '/f', new SegmentPool(), mailbox)
    store.removed(mailbox.keep((uid) => uid > 290))
    await store.close()
    expect(files.log.length).toBeGreaterThan(1)
    for (let point = 0; point <= files.log.length; point++) {
      const crashed = new VirtualFiles(afterCrash(files.start, files.log, point, mode, new SeededRandom(point)))
      const again = new FactStore(crashed, '/f', new SegmentPool(), mailbox)
      await again.of(fact).load(1, 300)
      const wrong = Array.from({ length: 300 }, (_, i) => i + 1).filter((uid) => text(again.of(fact).get(uid))?.startsWith(`${uid} `) === false)
      expect(wrong).toEqual([])
      again.of(fact).put(295, value('295 again'))
      again.removed(1)
      await again.close()
      const third = new FactStore(crashed, '/f', new SegmentPool(), mailbox)
      await third.of(fact).load(1, 300)
      expect(text(third.of(fact).get(295))).toBe('295 again')
      await third.close()
    }
  })
})
