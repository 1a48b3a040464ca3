import { describe, expect, test } from 'vitest'
import { MailError, type FlagChange } from '../../../core/api/index.js'
import { copyMessages } from '../../../core/mail/access/copying.js'
import { HostEvents } from '../../../core/mail/events.js'
import { PendingChanges } from '../../../core/mail/journal/pending.js'
import type { ArrivalHearer, SharedMailbox } from '../../../core/mail/registry/shared-mailbox.js'
import { TableView } from '../../../core/mail/view/view.js'
import { CRASH_MODES, afterCrash } from '../../../core/testing/disk/crash.js'
import { VirtualFiles } from '../../../core/testing/disk/virtual-files.js'
import { SeededRandom } from '../../../core/testing/random.js'
import { change, disk, flags, homes, serverProcess } from '../../support/journalled.js'
import { alice, never, setOf, testSettings } from '../../support/mail.js'
import { nobodysLogin, place } from '../../support/mail-table.js'
import { seedOf } from '../../support/random.js'
import type { TextDisk } from '../../support/mail-text-source.js'

const [SEEN, DELETED, FLAGGED] = [1, 2, 4]
const nobodyHears: ArrivalHearer = { arrived: () => undefined, copied: () => undefined, arriving: () => undefined, saving: () => ({ [Symbol.dispose]: () => undefined }), saved: () => undefined }

/** Two processes of the server that have one mailbox open, each with a clock of its own: the first has the journal. */
async function scene(...messages: readonly (readonly [number, number])[]) {
  const files = await homes()
  const d = disk(...messages)
  const [p, q] = [serverProcess(files), serverProcess(files)]
  const [a, b] = [await p.open(d), await q.open(d)]
  const close = async (): Promise<void> => {
    await p.registry[Symbol.asyncDispose]()
    await q.registry[Symbol.asyncDispose]()
  }
  return { files, d, p, q, a, b, close }
}
const inFile = (d: TextDisk): Record<number, number> => Object.fromEntries([...d.messages].map(([uid, { system }]) => [uid, system]))
/** The process is killed: its locks go with it, and nothing else of it happens. */
async function kill(files: VirtualFiles, m: SharedMailbox): Promise<void> {
  void m.inTurn(() => new Promise<never>(() => undefined))
  for (const file of files.open_) if (/\/journal(\.new)?$/.test(file.path)) await file.close()
}
/** Lets what is under way go on until it waits for the clock. */
async function settled(): Promise<void> {
  for (let i = 0; i < 4; i++) await new Promise((resolve) => setImmediate(resolve))
}

describe('changes of one flag in two processes', () => {
  test.each([
    ['set, and taken away by the second', change('add', FLAGGED, 1), change('remove', FLAGGED, 1), 0],
    ['taken away, and set by the second', change('remove', SEEN, 2), change('add', SEEN, 2), SEEN],
    ['set, and replaced by the second', change('add', FLAGGED, 1), change('replace', DELETED, 1), DELETED],
    ['replaced, and another added by the second', change('replace', DELETED, 1), change('add', FLAGGED, 1), DELETED | FLAGGED],
  ] as const)('%s: the later one counts, and nobody waits for the delay', async (_, first, second, expected) => {
    const { d, a, b, close } = await scene([1, 0], [2, SEEN])
    await a.store(first, undefined, never)
    await b.store(second, undefined, never)
    const [uid] = [second.uids.ranges[0]!]
    expect([inFile(d)[uid], flags(b)[uid]]).toEqual([expected, expected])
    await a.refresh(never)
    expect(flags(a)[uid]).toBe(expected)
    await close()
    expect(inFile(d)[uid]).toBe(expected)
  })
  test('of different flags, or messages, wait for nothing', async () => {
    const { d, a, b, close } = await scene([1, 0], [2, 0])
    await a.store(change('add', FLAGGED, 1), undefined, never)
    await b.store(change('add', SEEN, 1), undefined, never)
    await b.store(change('remove', FLAGGED, 2), undefined, never)
    expect([d.checkpoints, inFile(d)[1]]).toEqual([0, SEEN])
    await close()
    expect(inFile(d)).toEqual({ 1: FLAGGED | SEEN, 2: 0 })
  })
  test('the first does again what the second undid, though it has not looked', async () => {
    const { d, a, b, close } = await scene([1, 0])
    await a.store(change('add', FLAGGED, 1), undefined, never)
    await a.checkpoint(never)
    await b.store(change('remove', FLAGGED, 1), undefined, never)
    // It knows nothing of that yet.
    expect(flags(a)).toEqual({ 1: FLAGGED })
    await a.store(change('add', FLAGGED, 1), undefined, never)
    await close()
    expect(inFile(d)).toEqual({ 1: FLAGGED })
  })
  test('a look of the second has what the first acknowledged written, so that the next one finds it', async () => {
    const { d, q, a, b, close } = await scene([1, 0])
    await a.store(change('add', FLAGGED, 1), undefined, never)
    await b.refresh(never)
    await settled()
    expect(inFile(d)).toEqual({ 1: FLAGGED })
    await b.refresh(never)
    expect(flags(b)).toEqual({ 1: FLAGGED })
    // Not at each look.
    await a.store(change('add', SEEN, 1), undefined, never)
    await b.refresh(never)
    await settled()
    expect(d.checkpoints).toBe(1)
    q.clock.advance(testSettings.pollMs)
    await b.refresh(never)
    await settled()
    expect(d.checkpoints).toBe(2)
    await close()
  })
  test('messages that the second copies have the flags that the first acknowledged', async () => {
    const { a, b, close } = await scene([1, 0], [2, 0])
    await a.store(change('add', FLAGGED, 1), undefined, never)
    await b.settle(setOf(2), never)
    expect(flags(b)).toEqual({ 1: 0, 2: 0 })
    await b.settle(setOf(1), never)
    expect(flags(b)).toEqual({ 1: FLAGGED, 2: 0 })
    await close()
  })
  test('where notices are not to be had the first looks whether somebody waits', async () => {
    const { files, d, p, q, a, b, close } = await scene([1, 0])
    files.watch = () => {
      throw Object.assign(new Error('ENOSPC: inotify'), { code: 'ENOSPC' })
    }
    await a.store(change('add', FLAGGED, 1), undefined, never)
    const done = b.store(change('remove', FLAGGED, 1), undefined, never)
    let waited = 0
    void done.finally(() => (waited = NaN))
    for (; waited < 9000; waited += 250) {
      await settled()
      p.clock.advance(250)
      q.clock.advance(250)
    }
    expect(waited).toBe(NaN)
    await done
    expect(inFile(d)).toEqual({ 1: 0 })
    await close()
  })
})

describe('a process that does not write what it has acknowledged (it is stopped)', () => {
  test('keeps the other from opposite changes alone, which are refused after ten seconds; when it is killed the other does all, in order', async () => {
    const { files, d, a, q, b } = await scene([1, 0], [2, 0])
    await a.store(change('add', FLAGGED, 1), undefined, never)
    void a.inTurn(() => new Promise<never>(() => undefined))
    const told: string[] = []
    using _heard = b.hearWaits((text) => told.push(text))
    const refused = b.store(change('remove', FLAGGED, 1), undefined, never).catch((error: unknown) => error)
    let waited = 0
    void refused.then(() => (waited = NaN))
    // Nobody else waits.
    await b.store(change('add', SEEN, 1), undefined, never)
    for (; waited < 10_000; waited += 250) {
      await settled()
      q.clock.advance(250)
    }
    await settled()
    expect(waited).toBe(NaN)
    const error = await refused
    expect(error instanceof MailError && error.kind).toBe('in-use')
    expect(told).toEqual(['Waiting for another process of the server to write flags, for up to 9 seconds...'])
    expect(inFile(d)).toEqual({ 1: SEEN, 2: 0 })
    await kill(files, a)
    await b.store(change('remove', FLAGGED, 1), undefined, never)
    expect(d.checkpoints).toBe(1)
    await q.registry[Symbol.asyncDispose]()
    expect(inFile(d)).toEqual({ 1: SEEN, 2: 0 })
  })
  test.each(['copy', 'move'] as const)('keeps sessions of the other from a %s of messages whose flags it has, and they hear what they wait for', async (how) => {
    const { a, q, b } = await scene([1, 0])
    await a.store(change('add', FLAGGED, 1), undefined, never)
    void a.inTurn(() => new Promise<never>(() => undefined))
    const told: string[] = []
    const nowhere = (): Promise<never> => Promise.reject(new Error('nothing is delivered'))
    const listening = (m: SharedMailbox): Disposable => m.hearWaits((text) => told.push(text))
    const login = { user: alice, policies: [], registry: q.registry, events: new HostEvents(() => undefined), arrivals: nobodyHears, reads: true, store: nowhere, probed: () => undefined, hold: nowhere, listening }
    const view = new TableView(b, place, false, { ...nobodysLogin, copy: (from, set, to, _how, signal) => copyMessages({ d: login, from, set, to, how, sameStore: true, signal }) })
    const refused = view.copy(view.resolve({ pairs: Uint32Array.of(1, 1) }, 'seq'), place, how, never).catch((error: unknown) => error)
    for (let waited = 0; waited < 11_000; waited += 250) {
      await settled()
      q.clock.advance(250)
    }
    expect(await refused).toMatchObject({ kind: 'in-use' })
    expect(told).toEqual(['Waiting for another process of the server to write flags, for up to 9 seconds...'])
  })
  test('is not kept from its own sessions by who rings again and again: it tries once, and later again', async () => {
    const { d, p, q, a, b, close } = await scene([1, 0])
    await a.store(change('add', FLAGGED, 1), undefined, never)
    d.interfere = () => {
      throw new MailError('in-use', 'another program has the mailbox')
    }
    let isFree = (): void => undefined
    void a.inTurn(() => new Promise<void>((resolve) => (isFree = resolve)))
    const refused = b.store(change('remove', FLAGGED, 1), undefined, never).catch((error: unknown) => error)
    for (let waited = 0; waited < 11_000; waited += 250) {
      await settled()
      q.clock.advance(250)
    }
    expect(await refused).toMatchObject({ kind: 'in-use' })
    isFree()
    await a.refresh(never)
    await settled()
    expect(d.checkpoints).toBe(1)
    d.interfere = undefined
    p.clock.advance(testSettings.checkpointDelayMs)
    await settled()
    expect(inFile(d)).toEqual({ 1: FLAGGED })
    await close()
  })
  test('and whose client goes away meanwhile: its change is given up', async () => {
    const { a, b } = await scene([1, 0])
    await a.store(change('add', FLAGGED, 1), undefined, never)
    void a.inTurn(() => new Promise<never>(() => undefined))
    const leaving = new AbortController()
    const given = b.store(change('remove', FLAGGED, 1), undefined, leaving.signal)
    await settled()
    leaving.abort()
    await expect(given).rejects.toMatchObject({ kind: 'cancelled' })
  })
})

describe('what a process that was killed had acknowledged', () => {
  test.each(['the second, which is open', 'the next, which opens the mailbox'])('is written by %s, later when the mailbox could not be written then', async (who) => {
    const { files, d, q, a, b } = await scene([1, 0])
    await a.store(change('add', FLAGGED, 1), undefined, never)
    if (who.startsWith('the next')) await q.registry[Symbol.asyncDispose]()
    await kill(files, a)
    d.full = true
    const r = who.startsWith('the next') ? serverProcess(files) : q
    const m = r === q ? b : await r.open(d)
    await m.refresh(never)
    expect(flags(m)).toEqual({ 1: FLAGGED })
    d.full = false
    r.clock.advance(testSettings.checkpointDelayMs)
    await settled()
    expect(inFile(d)).toEqual({ 1: FLAGGED })
    await r.registry[Symbol.asyncDispose]()
  })
  test('of messages that the second has not seen yet stays, when that changes flags of those that were there before', async () => {
    const { files, d, q, a, b } = await scene([1, 0])
    d.uidValidity++
    d.version++
    await a.refresh(never)
    await a.store(change('add', FLAGGED, 1), undefined, never)
    await kill(files, a)
    await expect(b.store(change('add', SEEN, 1), undefined, never)).rejects.toMatchObject({ kind: 'vanished' })
    await b.refresh(never)
    expect(flags(b)).toEqual({ 1: FLAGGED })
    await q.registry[Symbol.asyncDispose]()
    expect(inFile(d)).toEqual({ 1: FLAGGED })
  })
})

/** One of the few changes of which most oppose another. */
function anyChange(random: SeededRandom): FlagChange {
  const how = random.chance(0.15) ? 'replace' : random.chance(0.5) ? 'add' : 'remove'
  return change(how, [SEEN, FLAGGED, SEEN | FLAGGED][random.below(3)]!, 1 + random.below(2), 1 + random.below(2))
}
function applied(state: Readonly<Record<number, number>>, { uids, how, system }: FlagChange): Record<number, number> {
  const next = { ...state }
  for (const uid of Object.keys(next).map(Number)) {
    if (uids.has(uid)) next[uid] = how === 'add' ? next[uid]! | system : how === 'remove' ? next[uid]! & ~system : system
  }
  return next
}

describe('changes that two processes make in turn', () => {
  const seed = seedOf('two processes')
  test.each([0, 1, 2, 3, 4, 5, 6, 7])('leave what they would in one (%i)', async (n) => {
    const random = new SeededRandom(seed + n)
    const { files, d, p, q, a, b, close } = await scene([1, 0], [2, 0])
    let state: Record<number, number> = { 1: 0, 2: 0 }
    for (let i = 0; i < 60; i++) {
      const step = anyChange(random)
      await (random.chance(0.5) ? a : b).store(step, undefined, never)
      state = applied(state, step)
      if (random.chance(0.1)) await a.checkpoint(never)
      if (random.chance(0.1)) await b.refresh(never)
      if (random.chance(0.1)) await a.refresh(never)
    }
    await a.refresh(never)
    expect(flags(a)).toEqual(state)
    if (n % 2 === 0) {
      await kill(files, a)
      await b.store(change('add', DELETED, 2), undefined, never)
      state = applied(state, change('add', DELETED, 2))
      // The first may have written all of its own, since a look of the second asked for it, and then nothing was left to do for it: that is in the mailbox.
      await b.refresh(never)
      expect(flags(b)).toEqual(state)
      await q.registry[Symbol.asyncDispose]()
      expect(inFile(d)).toEqual(state)
      return
    }
    await close()
    expect(inFile(d)).toEqual(state)
    expect(p.logger.lines).toEqual([])
  })
  test.each(CRASH_MODES)('and that were acknowledged are there after a crash at any write (%s), the last one last', async (mode) => {
    const random = new SeededRandom(seed)
    const { files, d, a, b, close } = await scene([1, 0], [2, 0])
    const disks = [{ at: files.log.length, disk: d.clone() }]
    d.changing = () => queueMicrotask(() => disks.push({ at: files.log.length, disk: d.clone() }))
    const from = files.log.length
    let state: Record<number, number> = { 1: 0, 2: 0 }
    const acknowledged = [{ at: from, state }]
    for (let i = 0; i < 16; i++) {
      const step = anyChange(random)
      await (i % 3 === 0 ? b : a).store(step, undefined, never)
      state = applied(state, step)
      acknowledged.push({ at: files.log.length, state })
    }
    for (let count = from; count <= files.log.length; count++) {
      const after = new VirtualFiles(afterCrash(files.start, files.log, count, mode, new SeededRandom(count)))
      const then = disks.findLast((x) => x.at <= count)!.disk.clone()
      const r = serverProcess(after)
      const again = await r.open(then)
      const last = acknowledged.findLastIndex((x) => x.at <= count)
      expect(acknowledged.slice(last, last + 2).map((x) => x.state), `crash after ${count} writes`).toContainEqual(flags(again))
      await r.registry[Symbol.asyncDispose]()
      expect(inFile(then)).toEqual(flags(again))
      expect(r.logger.lines).toEqual([])
    }
    await close()
  })
})

test('what the second acknowledges counts after a power failure too, where the word of the first that it has written its own is not on the disk yet', async () => {
  const { files, d, a, b, close } = await scene([1, 0])
  await a.store(change('add', FLAGGED, 1), undefined, never)
  await a.checkpoint(never)
  await a.store(change('remove', FLAGGED, 1), undefined, never)
  // The disk of the journal is slow from now on: what is written can be read, and waits.
  let isDone = (): void => undefined
  const done = new Promise<void>((resolve) => (isDone = resolve))
  for (const file of files.open_) {
    if (!file.path.endsWith('/journal')) continue
    const [log, write] = [files.change.bind(files), file.write.bind(file)]
    file.write = async (chunks, at) => {
      files.change = (op, path) => (op.op === 'sync' && path === file.path ? undefined : log(op, path))
      await write(chunks, at)
      files.change = log
      await done
      await file.sync()
    }
  }
  await b.store(change('add', FLAGGED, 1), undefined, never)
  const [then, count] = [d.clone(), files.log.length]
  for (const mode of CRASH_MODES) {
    const r = serverProcess(new VirtualFiles(afterCrash(files.start, files.log, count, mode, new SeededRandom(1))))
    expect([mode, flags(await r.open(then.clone()))]).toEqual([mode, { 1: FLAGGED }])
    await r.registry[Symbol.asyncDispose]()
  }
  isDone()
  await close()
})
test('what opposes what', () => {
  const word = (how: FlagChange['how'], ...keywords: string[]): FlagChange => ({ uids: setOf(1), how, system: 0, keywords })
  const pairs: readonly (readonly [FlagChange, FlagChange, boolean])[] = [
    [change('add', SEEN, 1), change('add', SEEN, 1), false],
    [change('remove', SEEN, 1), change('remove', SEEN, 1), false],
    [change('add', SEEN, 1), change('remove', SEEN, 1), true],
    [change('add', SEEN, 1), change('remove', SEEN, 2), false],
    [change('add', SEEN, 1), change('remove', FLAGGED, 1), false],
    [change('add', SEEN, 1), change('replace', SEEN | FLAGGED, 1), false],
    [change('add', SEEN, 1), change('replace', FLAGGED, 1), true],
    [change('remove', SEEN, 1), change('replace', SEEN, 1), true],
    [change('remove', SEEN, 1), change('replace', FLAGGED, 1), false],
    [change('replace', SEEN, 1), change('replace', SEEN, 1), false],
    [change('replace', SEEN, 1), change('replace', SEEN | FLAGGED, 1), true],
    [word('add', '$Work'), word('remove', '$work'), true],
    [word('add', '$Work'), word('remove', '$Home'), false],
    [word('add', '$Work'), change('replace', SEEN, 1), true],
    [word('add', '$Work'), word('replace', '$WORK'), false],
  ]
  for (const [x, y, expected] of pairs) {
    for (const [first, second] of [[x, y], [y, x]] as const) {
      const pending = new PendingChanges()
      pending.add(first, first.uids)
      expect([first, second, pending.opposes(second)]).toEqual([first, second, expected])
    }
  }
})
