import { describe, expect, test, vi } from 'vitest'
import { ENVELOPE, createFact, sealDeriver, uids } from '../../../core/api/index.js'
import type { FactDeriver, FileStat, FoundMailbox, StoredMessage, TableEdit, UidSet, Wants } from '../../../core/api/index.js'
import { SourceRegistry, type StateKeeper } from '../../../core/mail/registry/registry.js'
import { SystemFiles } from '../../../core/os/files.js'
import { deriverTable } from '../../../core/mail/view/deriving.js'
import { factsOf } from '../../../core/mail/view/facts.js'
import { readMessages } from '../../../core/mail/view/reader.js'
import { MemorySource } from '../../../plugins/drivers/memory/source.js'
import { MemoryMailbox } from '../../../plugins/drivers/memory/mailbox.js'
import { QuietLogger, StillClock, deliverNotes, listOf, mailFixture, named, never, note, once, setOf, testSettings } from '../../support/mail.js'
import { PassiveSource, sharedOver } from '../../support/mail-table.js'

const statOf = (path: string): Promise<FileStat | undefined> => new SystemFiles(undefined).stat(path)

function counted() {
  const log: string[] = []
  const found: FoundMailbox = {
    key: 'k',
    empty: false,
    open: async () => {
      log.push('open')
      return Object.assign(new PassiveSource(), {
        refresh: async () => void log.push('refresh'),
        close: async () => void log.push('close'),
      })
    },
  }
  const clock = new StillClock()
  const registry = new SourceRegistry(clock, new QuietLogger())
  const acquire = () => registry.acquire(found, testSettings, undefined, never)
  return { log, clock, registry, acquire, found }
}

describe('the registry', () => {
  test('opens a mailbox once for everybody, and closes it some time after the last left', async () => {
    const { log, clock, registry, acquire } = counted()
    const [a, b] = await Promise.all([acquire(), acquire()])
    expect(a).toBe(b)
    registry.release(a)
    clock.advance(60_000)
    registry.release(b)
    clock.advance(29_000)
    expect(await acquire()).toBe(a)
    registry.release(a)
    clock.advance(31_000)
    const again = await acquire()
    expect([again === a, log]).toEqual([false, ['open', 'close', 'open']])
    await registry[Symbol.asyncDispose]()
    expect([log.length, clock.waiting]).toEqual([4, 0])
  })
  test('a mailbox that could not be opened is tried again', async () => {
    const { registry, found, acquire } = counted()
    const broken = { ...found, open: () => Promise.reject(Object.assign(new Error('no'), { code: 'EACCES' })) }
    await expect(registry.acquire(broken, testSettings, undefined, never)).rejects.toMatchObject({ kind: 'denied' })
    await acquire()
    await registry[Symbol.asyncDispose]()
  })
  test('keeps no more than a number of mailboxes that nobody uses', async () => {
    const { registry, log, found } = counted()
    for (let i = 0; i < 80; i++) registry.release(await registry.acquire({ ...found, key: `k${i}` }, testSettings, undefined, never))
    await registry.evict('k15', 'the last one to be closed', false)
    expect(log.filter((x) => x === 'close').length).toBe(16)
    await registry[Symbol.asyncDispose]()
  })
  test('of those that nobody uses it keeps the ones that were left last', async () => {
    const { registry, found } = counted()
    const acquire = (i: number) => registry.acquire({ ...found, key: `k${i}` }, testSettings, undefined, never)
    for (let i = 0; i < 64; i++) registry.release(await acquire(i))
    // Opened first, and left once more; one that is in use is none of them.
    registry.release(await acquire(0))
    await acquire(1)
    for (let i = 64; i < 67; i++) registry.release(await acquire(i))
    const open: number[] = []
    for (let i = 0; i < 67; i++) if ((await registry.borrow(`k${i}`)) !== undefined) open.push(i)
    expect(Array.from({ length: 67 }, (_, i) => i).filter((i) => !open.includes(i))).toEqual([2, 3])
    await registry[Symbol.asyncDispose]()
  })
  test('what was read of a mailbox is given up when its format cannot open it', async () => {
    const { registry, log, found } = counted()
    const states: StateKeeper = {
      read: async () => ({ journalled: true, fill: () => expect.unreachable(), close: async () => void log.push('given up') }),
      claim: () => Promise.resolve(undefined),
      alone: () => Promise.resolve(undefined),
    }
    const broken = { ...found, open: () => Promise.reject(Object.assign(new Error('no'), { code: 'EACCES' })) }
    await expect(registry.acquire(broken, testSettings, states, never)).rejects.toMatchObject({ kind: 'denied' })
    expect(log).toEqual(['given up'])
  })
  test('what is kept of a mailbox is asked for where numbers last, and left alone where they mean other messages in another process', async () => {
    const { registry, log, found } = counted()
    const states: StateKeeper = {
      read: async () => ({ journalled: true, fill: () => { throw new Error('asked for') }, close: async () => void log.push('given up') }),
      claim: () => Promise.resolve(undefined),
      alone: () => Promise.resolve(undefined),
    }
    const acquire = (uidsPersist: boolean) => registry.acquire({ ...found, open: () => Promise.resolve(new PassiveSource({ uidsPersist })) }, testSettings, states, never)
    await expect(acquire(true)).rejects.toThrow('asked for')
    expect((await acquire(false)).state).toBeUndefined()
    expect(log).toEqual(['given up', 'given up'])
    await registry[Symbol.asyncDispose]()
  })
  test('facts that are kept in memory are those of the numbers they were made for', async () => {
    const { shared } = sharedOver(new PassiveSource({ uidsPersist: false }))
    const facts = async () => factsOf(shared, ENVELOPE)
    ;(await facts()).put(1, Buffer.from('of the first'))
    expect((await facts()).get(1)).toEqual(new Uint8Array(Buffer.from('of the first')))
    await shared.edit((edit) => Promise.resolve(edit.reset(2)), never)
    expect((await facts()).get(1)).toBeUndefined()
  })
  test('looks asked for together are one look, and one session does not cancel it for another', async () => {
    const { log, registry, acquire } = counted()
    const m = await acquire()
    const impatient = new AbortController()
    const looks = [m.refresh(impatient.signal), m.refresh(never), m.refresh(never)]
    impatient.abort()
    const ends = await Promise.allSettled(looks)
    expect(ends.map((e) => e.status)).toEqual(['rejected', 'fulfilled', 'fulfilled'])
    expect(log).toEqual(['open', 'refresh'])
    await registry[Symbol.asyncDispose]()
  })
  test('what a session has found spares it the look, and no other session, whose command may be younger', async () => {
    const seen: (FileStat | undefined)[] = []
    const { shared } = sharedOver(Object.assign(new PassiveSource(), { refresh: async (_edit: TableEdit, how: { readonly found?: FileStat }) => void seen.push(how.found) }))
    const [first, second] = await Promise.all([statOf(import.meta.filename), statOf(import.meta.dirname)])
    for (const found of [[first, second], [first, undefined], [undefined, second], [first]]) await Promise.all(found.map((f) => shared.refresh(never, f)))
    expect(seen).toEqual([undefined, undefined, undefined, first])
  })
  test('an operation whose signal is given while it waits is not begun, and the queue goes on', async () => {
    const { registry, acquire } = counted()
    const m = await acquire()
    let open: (() => void) | undefined
    const first = m.inTurn(() => new Promise<void>((resolve) => (open = resolve)))
    const stop = new AbortController()
    let begun = false
    const second = m.edit(async () => (begun = true), stop.signal)
    const third = m.edit(async () => 3, never)
    stop.abort()
    await Promise.resolve()
    open?.()
    await first
    await expect(second).rejects.toMatchObject({ kind: 'cancelled' })
    expect([(await third).value, begun]).toEqual([3, false])
    await registry[Symbol.asyncDispose]()
  })
  test('a look that is under way makes nothing current: a session that asks meanwhile hears what it finds', async () => {
    const ends: (() => void)[] = []
    const { shared, view } = sharedOver(Object.assign(new PassiveSource(), { watch: () => ({ [Symbol.dispose]: () => undefined }), refresh: () => new Promise<void>((resolve) => ends.push(resolve)) }))
    const first = shared.refresh(never)
    await vi.waitFor(() => expect(ends.length).toBe(1))
    expect(shared.current).toBe(false)
    let heard = false
    const second = view().sync(never).then(() => (heard = true))
    await new Promise((resolve) => setImmediate(resolve))
    expect(heard).toBe(false)
    ends[0]?.()
    await first
    await vi.waitFor(() => expect(ends.length).toBe(2))
    ends[1]?.()
    await second
    expect([shared.current, heard]).toEqual([true, true])
  })
  test('a source that watches is looked at when it says so; others while somebody listens', async () => {
    const { registry, acquire, clock } = counted()
    const m = await acquire()
    const heard: string[] = []
    const listening = m.listen((what) => heard.push(what))
    clock.advance(testSettings.pollMs * 2)
    expect(heard).toEqual(['sync', 'sync'])
    listening[Symbol.dispose]()
    clock.advance(testSettings.pollMs * 3)
    expect(heard.length).toBe(2)
    await registry[Symbol.asyncDispose]()
    const box = new MemoryMailbox('m', 1)
    const watching = await registry.acquire({ key: 'm', empty: true, open: async () => new MemorySource(box, () => undefined) }, testSettings, undefined, never)
    await watching.refresh(never)
    // What happened before it is watched, which begins when the first look has its answer, is found by another one.
    expect(watching.current).toBe(false)
    await new Promise((resolve) => setImmediate(resolve))
    await watching.refresh(never)
    expect(watching.current).toBe(true)
    using _ = watching.listen((what) => heard.push(what))
    box.changed()
    expect([watching.current, heard.length]).toEqual([false, 3])
    await registry[Symbol.asyncDispose]()
  })
})

describe('facts of messages', () => {
  function deriver(log: string[]): FactDeriver<Uint8Array> {
    return {
      fact: ENVELOPE,
      reads: 'header',
      derive: async (m: StoredMessage) => {
        log.push(`derive ${m.uid}`)
        return new TextEncoder().encode(`(envelope of ${m.uid})`)
      },
    }
  }
  test('are derived once; the second FETCH is a copy, for every session', async () => {
    const log: string[] = []
    await using f = mailFixture({ derivers: deriverTable([sealDeriver(deriver(log))]) })
    const mail = await f.login()
    const inbox = await deliverNotes(mail, 'INBOX', 'one', 'two', 'three')
    const wants: Wants = { bytes: 'none', sections: [], facts: [ENVELOPE] }
    const fetched = async (first: number, last: number, w = wants): Promise<string[]> => {
      const view = await mail.open(inbox, 'read-only', never)
      const out: string[] = []
      for await (const batch of view.read(view.resolve({ pairs: Uint32Array.of(first, last) }, 'seq'), w, never)) {
        for (const m of batch) out.push(`${m.uid} ${new TextDecoder().decode(m.fact?.(ENVELOPE))} ${w.bytes === 'none' ? '' : m.bytes.size}`.trim())
      }
      await view.close(never)
      return out
    }
    expect(await fetched(2, 2)).toEqual(['2 (envelope of 2)'])
    expect(await fetched(1, 3)).toEqual(['1 (envelope of 1)', '2 (envelope of 2)', '3 (envelope of 3)'])
    expect((await fetched(1, 3, { ...wants, bytes: 'whole' }))[0]).toMatch(/^1 \(envelope of 1\) \d+$/)
    expect(log).toEqual(['derive 2', 'derive 1', 'derive 3'])
    await mail.append(inbox, once(note('four')), never)
    await fetched(1, 4)
    expect(log.slice(3)).toEqual(['derive 4'])
  })
  test('are on their way before the next messages are read, in order with those that were there', async () => {
    const log: string[] = []
    const source = Object.assign(new PassiveSource(), {
      async *read(set: UidSet): AsyncGenerator<readonly StoredMessage[]> {
        const list = listOf(set)
        for (let i = 0; i < list.length; i += 2) {
          log.push(`read ${list.slice(i, i + 2).join(',')}`)
          yield list.slice(i, i + 2).map((uid) => ({ uid, headerSize: 0, bytes: { size: 0, inline: new Uint8Array(0), read: () => Promise.resolve(0) } }))
        }
      },
    })
    const { shared, table } = sharedOver(source)
    await shared.edit(async (edit) => {
      for (let uid = 1; uid <= 7; uid++) edit.add(uid, edit.flagSet(0, []), false)
    }, never)
    const ask = async (set: UidSet): Promise<void> => {
      const wants: Wants = { bytes: 'none', sections: [], facts: [ENVELOPE] }
      for await (const batch of readMessages({ mailbox: shared, generation: table.generation, epoch: table.epoch }, set, wants, deriverTable([sealDeriver(deriver([]))]), never)) {
        log.push(`give ${batch.map((m) => m.uid).join(',')}`)
      }
    }
    await ask(setOf(2, 3))
    expect(log.splice(0)).toEqual(['read 2,3', 'give 2,3'])
    await ask(setOf(1, 2, 4, 5, 7))
    expect(log.splice(0)).toEqual(['read 1,4', 'give 1,2,4', 'read 5,7', 'give 5,7'])
    await ask(setOf(1, 2, 3, 4, 5, 6))
    expect(log.splice(0)).toEqual(['read 6', 'give 1,2,3,4,5,6'])
    await ask(setOf(3, 6))
    expect(log).toEqual(['give 3,6'])
  })
  test('of scattered messages are asked for together, of some that are far from one another, or too many, apart', async () => {
    const asked: string[] = []
    const source = Object.assign(new PassiveSource(), {
      async *read(set: UidSet): AsyncGenerator<readonly StoredMessage[]> {
        asked.push(`${set.count} of ${set.ranges[0]}…${set.ranges[set.ranges.length - 1]}`)
        yield []
      },
    })
    const { shared, table } = sharedOver(source)
    await shared.edit(async (edit) => {
      for (let uid = 1; uid <= 9000; uid++) edit.add(uid, edit.flagSet(0, []), false)
    }, never)
    const ask = async (list: readonly number[]): Promise<void> => {
      const wants: Wants = { bytes: 'none', sections: [], facts: [ENVELOPE] }
      for await (const _ of readMessages({ mailbox: shared, generation: table.generation, epoch: table.epoch }, uids.from(list), wants, deriverTable([sealDeriver(deriver([]))]), never));
    }
    await ask(Array.from({ length: 1500 }, (_, i) => 1 + 2 * i))
    await ask([1, 3, 4096, 4098, 9000])
    await ask(Array.from({ length: 2000 }, (_, i) => 10 + i))
    expect(asked).toEqual(['1024 of 1…2047', '476 of 2049…2999', '3 of 1…4096', '1 of 4098…4098', '1 of 9000…9000', '1024 of 10…1033', '976 of 1034…2009'])
  })
  test('a message of which only facts were wanted still has its octets', async () => {
    await using f = mailFixture({ derivers: deriverTable([sealDeriver(deriver([]))]) })
    const mail = await f.login()
    const view = await mail.open(await deliverNotes(mail, 'INBOX', 'one'), 'read-write', never)
    for await (const [m] of view.read(view.resolve({ pairs: Uint32Array.of(1, 1) }, 'seq'), { bytes: 'none', sections: [], facts: [ENVELOPE] }, never)) {
      const into = new Uint8Array(5)
      expect([await m!.bytes.read(0, into, never), new TextDecoder().decode(into), m!.bytes.size]).toEqual([5, 'From:', view.rows.size[0]])
    }
  })
  test('a fact that nobody can derive is undefined', async () => {
    await using f = mailFixture()
    const mail = await f.login()
    const view = await mail.open(await deliverNotes(mail, 'INBOX', 'one'), 'read-write', never)
    const odd = createFact<string>('odd', 1, { encode: () => new Uint8Array(0), decode: () => '' })
    for await (const [m] of view.read(view.resolve({ pairs: Uint32Array.of(1, 1) }, 'seq'), { bytes: 'none', sections: [], facts: [odd] }, never)) {
      expect(m!.fact?.(odd)).toBeUndefined()
    }
  })
})

describe('reading what is gone', () => {
  test('a source that keeps removed messages is asked for them, in order', async () => {
    await using f = mailFixture()
    const mail = await f.login()
    const inbox = await deliverNotes(mail, 'INBOX', 'one', 'two', 'three', 'four')
    const a = await mail.open(inbox, 'read-write', never)
    const b = await mail.open(inbox, 'read-write', never)
    await b.store({ uids: setOf(2, 4), how: 'add', system: 2, keywords: [] }, true, never)
    await b.expunge(uids.all, never)
    const seen: number[] = []
    for await (const batch of a.read(a.resolve({ pairs: Uint32Array.of(1, 4) }, 'seq'), { bytes: 'whole', sections: [], facts: [] }, never)) seen.push(...batch.map((m) => m.uid))
    expect(seen).toEqual([1, 2, 3, 4])
    a.take({ expunge: true })
    b.take({ expunge: true })
    expect(listOf(a.uidsOf(a.resolve({ pairs: Uint32Array.of(1, 9) }, 'seq')))).toEqual([1, 3])
  })
})

describe('a session that ends', () => {
  test('closes its views; the view says so when it is used again', async () => {
    await using f = mailFixture()
    const mail = await f.login()
    const view = await mail.open(await mail.locate(named('INBOX'), 'open', never), 'read-write', never)
    await mail[Symbol.asyncDispose]()
    await mail[Symbol.asyncDispose]()
    await expect(view.store({ uids: setOf(1), how: 'add', system: 1, keywords: [] }, false, never)).rejects.toThrow(/closed/)
  })
})
