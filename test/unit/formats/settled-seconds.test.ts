import { expect, test } from 'vitest'
import { SettledSeconds } from '../../../plugins/formats/shared/text/settled-seconds.js'

const NOW = 1_800_000_000_400

test('a mailbox file that is changed never gets a second back that it had within ten minutes, and never one that is to come', () => {
  const seconds = new SettledSeconds()
  const had = new Set<number>([Math.floor((NOW - 200) / 1000)])
  let before = NOW - 200
  for (let n = 0; n < 599; n++) {
    const now = NOW + n * 10
    const second = seconds.next(now, before)
    expect(second).toBeLessThan(Math.floor(now / 1000))
    expect(second).toBeGreaterThanOrEqual(Math.floor(now / 1000) - 601)
    expect(had.has(second), `change ${n}`).toBe(false)
    had.add(second)
    before = second * 1000 + 500
  }
})
test('what another program wrote counts too, in the second in which it wrote', () => {
  const seconds = new SettledSeconds()
  const first = seconds.next(NOW, NOW - 86_400_000)
  expect(first).toBe(1_799_999_999)
  // A delivery in the second that would be next.
  expect(seconds.next(NOW + 1000, NOW)).toBe(1_799_999_998)
})
test('after ten minutes they are free again, and a mailbox that is changed without a pause gets the oldest', () => {
  const seconds = new SettledSeconds()
  expect(seconds.next(NOW, 0)).toBe(1_799_999_999)
  expect(seconds.next(NOW, 1_799_999_999_000)).toBe(1_799_999_998)
  for (let n = 0; n < 2000; n++) expect(seconds.next(NOW, 0)).toBeLessThan(1_800_000_000)
  expect(seconds.next(NOW + 600_001, 0)).toBe(1_800_000_599)
})
