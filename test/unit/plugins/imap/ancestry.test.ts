import { expect, test } from 'vitest'
import { Pace } from '../../../../core/api/index.js'
import { Ancestry } from '../../../../plugins/imap/sort-thread/ancestry.js'

/** Counts how often somebody asks whether it is time for others. */
class CountingPace extends Pace {
  asked = 0
  constructor() {
    super(new AbortController().signal)
  }
  override due(): boolean {
    this.asked++
    return super.due()
  }
}
const message = (id: string, ...references: readonly string[]): string => ` ${[id, ...references].join('\n')}`

test('one message whose references take long to look at lets others have their turn', async () => {
  const deep = 20_000
  const several = 500
  const chain = Array.from({ length: deep }, (_, i) => (i === 0 ? message('0') : message(String(i), String(i - 1))))
  // Each hangs below the deepest message then, and is looked for from there up to the first.
  const roots = Array.from({ length: several }, (_, i) => [message(`r${i}`), message(`c${i}`, `r${i}`)]).flat()
  const references = Array.from({ length: several }, (_, i) => [String(deep - 1), `r${i}`]).flat()
  const [without, among] = [new CountingPace(), new CountingPace()]
  await Ancestry.of([...chain, ...roots, message('last')], without)
  const made = await Ancestry.of([...chain, ...roots, message('last', ...references)], among)
  // Ten million steps upwards, of which a hundred thousand are taken in a row.
  expect(among.asked - without.asked).toBeGreaterThan(80)
  const parents = await made.pruned(among)
  expect(parents.subarray(0, 2)).toEqual(Int32Array.of(-1, 0))
  expect(roots.map((_, i) => parents[deep + i])).toEqual(roots.map((_, i) => (i % 2 === 0 ? deep - 1 : deep + i - 1)))
  expect(parents[deep + roots.length]).toBe(deep + roots.length - 2)
})

test('ids that no message has take no memory without bound; those of messages are found behind them', async () => {
  const made = new Set<number>()
  const messages = Array.from({ length: 700 }, (_, i) => message(`m${i}`, ...Array.from({ length: 1000 }, (_none, n) => `${i}.${n}`)))
  const pace = new CountingPace()
  const ancestry = await Ancestry.of([...messages, message('root'), message('reply', 'nobody', 'root', 'none either')], pace)
  expect(ancestry.count).toBeLessThan(messages.length + 600_000)
  const parents = await ancestry.pruned(pace)
  for (let i = 0; i < messages.length; i++) made.add(parents[i]!)
  expect([...made]).toEqual([-1])
  expect([parents[messages.length], parents[messages.length + 1]]).toEqual([-1, messages.length])
})

test('messages with many references let others have their turn after each, and so does a long way up', async () => {
  const messages = 64
  const made = Array.from({ length: messages }, (_, i) => message(`m${i}`, ...Array.from({ length: 1000 }, (_none, n) => `x${i * 999 + n}`)))
  const pace = new CountingPace()
  const ancestry = await Ancestry.of([message('deepest', `x${messages * 999}`), ...made], pace)
  expect(pace.asked).toBeGreaterThanOrEqual(messages)
  const before = pace.asked
  // From the deepest up over all missing ones to the first, which holds all together.
  expect(new Set(await ancestry.pruned(pace))).toEqual(new Set([-2]))
  expect(pace.asked - before).toBeGreaterThan(1)
})
