import { expect, test } from 'vitest'
import { SpreadMap } from '../../../../plugins/imap/sort-thread/spread-map.js'

test('a map of very many strings has what was set, each key for itself', () => {
  const map = new SpreadMap<number>()
  const keys = ['', 'a', 'aa', '\u00e4', '\ud83d\udc8c', ...Array.from({ length: 50_000 }, (_, i) => `<${i}@example.org>`)]
  for (const [i, key] of keys.entries()) map.set(key, i)
  map.set('a', -1)
  expect(keys.every((key, i) => map.has(key) && map.get(key) === (key === 'a' ? -1 : i))).toBe(true)
  expect([map.has('b'), map.get('<50000@example.org>')]).toEqual([false, undefined])
})
