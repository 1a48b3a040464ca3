import { expect, test } from 'vitest'
import { Turns } from '../../../core/api/index.js'

/** A promise that is open until it is let go. */
function held(): { readonly promise: Promise<void>; letGo(): void } {
  let letGo = (): void => undefined
  const promise = new Promise<void>((resolve) => (letGo = resolve))
  return { promise, letGo: () => letGo() }
}

test('work of one key runs one after the other, also behind one that failed; other keys do not wait', async () => {
  const turns = new Turns()
  const seen: string[] = []
  const first = held()
  const running = [
    turns.run('a', async () => {
      await first.promise
      seen.push('a1')
      throw new Error('a1 fails')
    }),
    turns.run('a', async () => seen.push('a2')),
    turns.run('b', async () => seen.push('b1')),
  ]
  await running[2]
  expect(seen).toEqual(['b1'])
  first.letGo()
  expect((await Promise.allSettled(running)).map((r) => r.status)).toEqual(['rejected', 'fulfilled', 'fulfilled'])
  expect(seen).toEqual(['b1', 'a1', 'a2'])
})

test('ended waits for what was begun, and for nothing when nothing was', async () => {
  const turns = new Turns()
  const hold = held()
  const seen: string[] = []
  const work = turns.run('a', () => hold.promise).then(() => seen.push('work'))
  await turns.ended('b')
  const ended = turns.ended().then(() => seen.push('ended'))
  hold.letGo()
  await Promise.all([work, ended])
  await turns.ended()
  expect(seen.toSorted()).toEqual(['ended', 'work'])
  expect(seen.at(-1)).toBe('ended')
})
