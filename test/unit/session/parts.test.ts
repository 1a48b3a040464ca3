import { describe, expect, test } from 'vitest'
import { DEFAULT_TWEAKS, createSlot } from '../../../core/api/index.js'
import type { Codec, Workaround } from '../../../core/api/index.js'
import { Bell } from '../../../core/session/bell.js'
import { afterCommand, learned, unknownClient } from '../../../core/session/client-facts.js'
import { profileOf } from '../../../core/session/client-profile.js'
import { Deadline } from '../../../core/session/deadline.js'
import { SlotTable } from '../../../core/session/slots.js'
import { StillClock } from '../../support/mail.js'

const number: Codec<number> = { encode: (n) => Uint8Array.of(n), decode: (octets) => octets[0] ?? 0 }

describe('slots', () => {
  test('each has its initial value, made once per session', () => {
    const slot = createSlot('list', 'logout', () => [] as string[])
    const table = new SlotTable()
    table.get(slot).push('x')
    expect(table.get(slot)).toEqual(['x'])
    expect(new SlotTable().get(slot)).toEqual([])
  })
  test('those with a codec cross the login, the others begin anew', () => {
    const crossing = createSlot('a', 'logout', () => 0, number)
    const staying = createSlot('b', 'logout', () => 0)
    const before = new SlotTable()
    before.set(crossing, 7)
    before.set(staying, 7)
    const after = new SlotTable(before.cross())
    expect([after.get(crossing), after.get(staying)]).toEqual([7, 0])
    expect([...new SlotTable(before.cross()).cross()]).toEqual([['a', Uint8Array.of(7)]])
  })
  test.each([
    { event: 'unselect', left: [0, 2, 3] },
    { event: 'unauthenticate', left: [0, 0, 3] },
    { event: 'logout', left: [0, 0, 0] },
  ] as const)('$event ends what lives no longer', ({ event, left }) => {
    const slots = (['unselect', 'unauthenticate', 'logout'] as const).map((until) => createSlot(until, until, () => 0))
    const table = new SlotTable()
    slots.forEach((slot, i) => table.set(slot, i + 1))
    table.drop(event)
    expect(slots.map((slot) => table.get(slot))).toEqual(left)
  })
})

describe('client facts', () => {
  test('ID pairs are added, commands are noted once', () => {
    const first = learned(unknownClient('192.0.2.1'), { id: new Map([['name', 'x']]) })
    const second = learned(first, { id: new Map([['version', '1']]) })
    expect([...second.id]).toEqual([['name', 'x'], ['version', '1']])
    expect(afterCommand(afterCommand(second, 'NOOP'), 'NOOP').commands).toEqual(['NOOP'])
  })
})

describe('profile of workarounds', () => {
  const all: Workaround = { reason: 'all', applies: () => true, tweaks: { idleNudgeMs: 1, maxWriteOctets: 2 }, hide: ['idle'] }
  const named: Workaround = { reason: 'named', applies: (c) => c.id.get('name') === 'Old', tweaks: { idleNudgeMs: 3 }, without: ['idle'], with: ['xtra'], show: ['X-OLD'], text: (c) => void c.fill(46) }
  test('merged in order, later wins; those that do not apply are nothing', () => {
    const client = unknownClient('192.0.2.1')
    expect(profileOf([all, named], client, undefined)).toMatchObject({ tweaks: { ...DEFAULT_TWEAKS, idleNudgeMs: 1, maxWriteOctets: 2 }, hide: new Set(['IDLE']), without: new Set(), text: undefined })
    const old = profileOf([all, named], learned(client, { id: new Map([['name', 'Old']]) }), undefined)
    expect(old).toMatchObject({ tweaks: { idleNudgeMs: 3, maxWriteOctets: 2 }, without: new Set(['idle']), with: new Set(['xtra']), show: ['X-OLD'], reasons: ['all', 'named'] })
    expect(Object.isFrozen(old.tweaks)).toBe(true)
  })
  test('several text hooks run one after the other', () => {
    const hook = (by: number): Workaround => ({ reason: '', applies: () => true, text: (c) => c.forEach((v, i) => (c[i] = v * 2 + by)) })
    const octets = Uint8Array.of(1, 2)
    profileOf([hook(1), hook(0)], unknownClient(''), undefined).text?.(octets)
    expect([...octets]).toEqual([6, 10])
  })
})

describe('bell', () => {
  test('a ring before the wait is not lost, and counts once', async () => {
    const bell = new Bell()
    bell.ring()
    bell.ring()
    await bell.wait(new AbortController().signal)
    const stop = new AbortController()
    const waiting = bell.wait(stop.signal)
    stop.abort(new Error('stopped'))
    await expect(waiting).rejects.toThrow('stopped')
  })
  test('wakes who waits', async () => {
    const bell = new Bell()
    const waiting = bell.wait(new AbortController().signal)
    bell.ring()
    await expect(waiting).resolves.toBeUndefined()
  })
})

describe('deadline', () => {
  test('one timer, however often it is put off', () => {
    const clock = new StillClock(0)
    using deadline = new Deadline(clock)
    const fired: number[] = []
    deadline.set(100, () => fired.push(100))
    for (let at = 101; at <= 200; at++) deadline.set(at, () => fired.push(at))
    expect(clock.waiting).toBe(1)
    clock.advance(199)
    expect(fired).toEqual([])
    clock.advance(1)
    expect(fired).toEqual([200])
  })
  test('an earlier one is in time; a cleared one never comes', () => {
    const clock = new StillClock(0)
    using deadline = new Deadline(clock)
    const fired: string[] = []
    deadline.set(100, () => fired.push('late'))
    deadline.set(50, () => fired.push('early'))
    clock.advance(50)
    deadline.set(80, () => fired.push('never'))
    deadline.clear()
    clock.advance(1000)
    expect(fired).toEqual(['early'])
    expect(clock.waiting).toBe(0)
  })
})
