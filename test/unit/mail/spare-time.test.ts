import { setImmediate } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { SpareTime, type Work } from '../../../core/mail/cache/spare-time.js'
import { StillClock } from '../../support/mail.js'

/** Work of so many slices, each of which is told. */
function work(name: string, told: string[], { slices = 1, size = 1 } = {}): Work {
  let done = 0
  return {
    size,
    work: () => {
      told.push(`${name}${++done}`)
      return Promise.resolve(done < slices)
    },
  }
}
function site(limits = { octets: 100, ms: 50 }) {
  const clock = new StillClock()
  const told: string[] = []
  const time = new SpareTime(clock, limits)
  async function pass(ms: number): Promise<void> {
    for (let at = 0; at < ms; at++) {
      clock.advance(1)
      for (let turn = 0; turn < 20; turn++) await setImmediate()
    }
  }
  return { clock, told, time, pass, [Symbol.asyncDispose]: () => time[Symbol.asyncDispose]() }
}

describe('spare time', () => {
  test('is used for one after the other, to the end, a pause after it came', async () => {
    await using s = site()
    s.time.add(work('a', s.told, { slices: 3 }))
    s.time.add(work('b', s.told))
    await s.pass(0)
    expect(s.told).toEqual([])
    await s.pass(20)
    expect(s.told).toEqual(['a1', 'a2', 'a3', 'b1'])
    expect(s.clock.waiting).toBe(0)
    s.time.add(work('c', s.told))
    await s.pass(20)
    expect(s.told.at(-1)).toBe('c1')
  })
  test('is none while others have something to do', async () => {
    await using s = site()
    s.time.add(work('a', s.told))
    for (let ms = 0; ms < 10; ms++) {
      s.time.busy()
      s.clock.advance(0.5)
      for (let turn = 0; turn < 20; turn++) await setImmediate()
    }
    expect(s.told).toEqual([])
    await s.pass(5)
    expect(s.told).toEqual(['a1'])
  })
  test('is none while it is held, by whomever', async () => {
    await using s = site()
    const [one, two] = [s.time.hold(), s.time.hold()]
    s.time.add(work('a', s.told))
    await s.pass(10)
    one[Symbol.dispose]()
    await s.pass(10)
    expect(s.told).toEqual([])
    two[Symbol.dispose]()
    await s.pass(5)
    expect(s.told).toEqual(['a1'])
  })
  test('work that waits for too long is given up', async () => {
    await using s = site()
    const held = s.time.hold()
    s.time.add(work('a', s.told))
    await s.pass(30)
    s.time.add(work('b', s.told))
    await s.pass(30)
    held[Symbol.dispose]()
    await s.pass(5)
    expect(s.told).toEqual(['b1'])
  })
  test('the oldest goes where more memory is held than may be; the last never does', async () => {
    await using s = site()
    s.time.add(work('a', s.told, { size: 60 }))
    s.time.add(work('b', s.told, { size: 40 }))
    s.time.add(work('c', s.told, { size: 50 }))
    await s.pass(10)
    expect(s.told).toEqual(['b1', 'c1'])
    s.time.add(work('d', s.told, { size: 500 }))
    await s.pass(10)
    expect(s.told).toEqual(['b1', 'c1', 'd1'])
  })
  test('work under way that is given up meanwhile ends with its slice', async () => {
    await using s = site()
    let end = (_isMore: boolean): void => undefined
    s.time.add({ size: 60, work: () => (s.told.push('a'), new Promise((resolve) => (end = resolve))) })
    await s.pass(5)
    s.time.add(work('b', s.told, { size: 60 }))
    end(true)
    await s.pass(5)
    expect(s.told).toEqual(['a', 'b1'])
  })
  test('ends with what is under way, and leaves no timer', async () => {
    const s = site()
    s.time.add(work('a', s.told))
    expect(s.clock.waiting).toBe(1)
    await s.time[Symbol.asyncDispose]()
    expect([s.told, s.clock.waiting]).toEqual([[], 0])
    s.time.add(work('b', s.told))
    await s.pass(5)
    expect([s.told, s.clock.waiting]).toEqual([[], 0])
  })
})
