import { describe, expect, test } from 'vitest'
import { Pace } from '../../../../core/api/index.js'
import type { ImapWriter, ThreadNode } from '../../../../core/api/index.js'
import { orderedSubject } from '../../../../plugins/imap/sort-thread/ordered-subject.js'
import { references } from '../../../../plugins/imap/sort-thread/references.js'
import { writeThreads } from '../../../../plugins/imap/sort-thread/thread-lines.js'
import type { ThreadedMessages } from '../../../../plugins/imap/sort-thread/threaded-messages.js'
import { seedOf } from '../../../support/random.js'
import { SeededRandom } from '../../../../core/testing/random.js'
import { oracleThreads } from '../../../support/threading-oracle.js'
import type { OracleMessage, OracleTree } from '../../../support/threading-oracle.js'

const pace = (): Pace => new Pace(new AbortController().signal)

/** Uids are 10, 20 and so on. */
function known(messages: readonly OracleMessage[]): ThreadedMessages {
  return {
    uid: Uint32Array.from(messages, (_, i) => 10 * (i + 1)),
    byDate: Uint32Array.from(messages.map((_, i) => i).toSorted((a, b) => messages[a]!.sent - messages[b]!.sent)),
    subject: messages.map((m) => m.subject),
    threading: messages.map((m) => `${m.isReply ? 'R' : ' '}${[m.id, ...m.references].join('\n')}`),
  }
}
/** `3 6 (4 23)(44)` as the numbers of messages from 1. */
async function written(trees: readonly ThreadNode[]): Promise<string> {
  let text = ''
  const out = {
    raw(more: string) {
      text += more
      return out
    },
    number(n: number) {
      text += n
      return out
    },
    room: () => undefined,
  }
  // Nothing else of the writer is used.
  await writeThreads(trees, (uid) => uid / 10, out as unknown as ImapWriter, new AbortController().signal)
  return text.trimStart()
}
function message(id: string, more: Partial<OracleMessage> = {}): OracleMessage {
  return { id, references: [], sent: 0, subject: id, isReply: false, ...more }
}
function expected(trees: readonly OracleTree[]): ThreadNode[] {
  return trees.map(([at, ...below]) => ({ uid: at === -1 ? 0 : 10 * (at + 1), children: expected(below) }))
}

describe('REFERENCES', () => {
  const rows: readonly (readonly [name: string, messages: readonly OracleMessage[], answer: string])[] = [
    ['nothing', [], ''],
    ['a chain that stands the other way round in the mailbox', [message('c', { references: ['a', 'b'], sent: 3 }), message('b', { references: ['a'], sent: 2 }), message('a', { sent: 1 })], '(3 2 1)'],
    ['siblings by date', [message('a'), message('b', { references: ['a'], sent: 5 }), message('c', { references: ['a'], sent: 4 })], '(1 (3)(2))'],
    ['equal dates by their place', [message('a'), message('b', { references: ['a'] }), message('c', { references: ['a'] })], '(1 (2)(3))'],
    ['a missing parent within a thread gives its children to its own parent', [message('a'), message('b', { references: ['a', 'x'], sent: 1 }), message('c', { references: ['a', 'x'], sent: 2 })], '(1 (2)(3))'],
    ['a missing root holds two together', [message('b', { references: ['x'] }), message('c', { references: ['x'] })], '((1)(2))'],
    ['a missing root with one child is nothing', [message('b', { references: ['x', 'y', 'z'] })], '(1)'],
    ['missing ones in a row are one', [message('b', { references: ['x', 'y'] }), message('c', { references: ['x', 'z'] })], '((1)(2))'],
    ['itself', [message('a', { references: ['a'] })], '(1)'],
    ['a circle of three', [message('a', { references: ['c'], sent: 1 }), message('b', { references: ['a'], sent: 2 }), message('c', { references: ['b'], sent: 3 })], '(3 1 2)'],
    ['the second of one id is a message without one', [message('a'), message('a', { sent: 1, subject: 'other' }), message('b', { references: ['a'], sent: 2 })], '(1 3)(2)'],
    ['messages without ids are told apart', [message('', { subject: 'x' }), message('', { subject: 'y' })], '(1)(2)'],
    ['References that were cut are mended by the message itself', [message('c', { references: ['a', 'b'], sent: 3 }), message('b', { references: ['a', 'm'], sent: 2 }), message('m', { references: ['a'], sent: 1 }), message('a')], '(4 3 2 1)'],
    ['a message without references has no parent, whatever others say', [message('c', { references: ['a', 'b'], sent: 3 }), message('b', { sent: 2 }), message('a', { sent: 1 })], '(3)(2 1)'],
    ['a reply of the same subject is below', [message('a', { subject: 'S' }), message('b', { subject: 'S', isReply: true })], '(1 2)'],
    ['a reply that came first is below all the same', [message('a', { subject: 'S', isReply: true }), message('b', { subject: 'S', sent: 1 })], '(2 1)'],
    ['two of one subject are side by side', [message('a', { subject: 'S' }), message('b', { subject: 'S' }), message('c', { subject: 'S', isReply: true })], '((1)(2)(3))'],
    ['two replies are side by side', [message('a', { subject: 'S', isReply: true }), message('b', { subject: 'S', isReply: true })], '((1)(2))'],
    ['two missing roots of one subject become one', ['x', 'x', 'y', 'y'].map((above, i) => message(`m${i}`, { references: [above], subject: 'S', sent: i })), '((1)(2)(3)(4))'],
    ['a missing root takes messages of its subject', [message('a', { subject: 'S' }), message('b', { references: ['x'], subject: 'S', sent: 1 }), message('c', { references: ['x'], subject: 'S', sent: 2 })], '((1)(2)(3))'],
    ['the subject of a missing root is that of its first message', [message('b', { references: ['x'], subject: 'late', sent: 2 }), message('c', { references: ['x'], subject: 'S', sent: 1 }), message('a', { subject: 'S', isReply: true, sent: 3 })], '((2)(1)(3))'],
    ['messages without a subject are not gathered', [message('a', { subject: '' }), message('b', { subject: '', isReply: true })], '(1)(2)'],
  ]
  test.each(rows)('%s', async (_name, messages, answer) => {
    const trees = await references(known(messages), pace())
    expect(await written(trees)).toBe(answer)
    expect(trees).toEqual(expected(oracleThreads(messages)))
  })

  /** Few ids and subjects, so that everything meets everything: loops, duplicates, cut references, missing parents. */
  function anyMessages(random: SeededRandom): OracleMessage[] {
    const ids = Array.from({ length: 2 + random.below(12) }, (_, i) => `i${i}`)
    return Array.from({ length: random.below(24) }, () => ({
      id: random.chance(0.1) ? '' : random.pick(ids),
      references: Array.from({ length: random.below(5) }, () => random.pick(ids)),
      sent: random.below(8),
      subject: random.pick(['', 'A', 'B', 'C']),
      isReply: random.chance(0.5),
    }))
  }
  test('any messages are in the threads that the steps of the RFC give, each once', async () => {
    const seed = seedOf('threads')
    for (let round = 0; round < 4000; round++) {
      const messages = anyMessages(new SeededRandom(seed + round))
      const trees = await references(known(messages), pace())
      const told = (await written(trees)).split(/\D+/).filter((n) => n !== '').map(Number)
      expect(told.toSorted((a, b) => a - b), `seed ${seed + round}`).toEqual(messages.map((_, i) => i + 1))
      expect(trees, `seed ${seed + round}`).toEqual(expected(oracleThreads(messages)))
    }
  })
  test('a chain of 100 000 messages, in either order of the mailbox', async () => {
    const chain = Array.from({ length: 100_000 }, (_, i) => message(`m${i}`, { references: [`m${i - 2}`, `m${i - 1}`].slice(i > 1 ? 0 : 2 - i), sent: i, subject: 'S', isReply: i > 0 }))
    for (const messages of [chain, chain.toReversed()]) {
      const text = await written(await references(known(messages), pace()))
      expect(text.split(' ')).toHaveLength(100_000)
      expect(text).toMatch(/^\([\d ]+\)$/)
    }
  })
  test('references that make every look for a loop long end all the same', async () => {
    // One chain of missing messages, then pairs that hang a tree under its deepest one.
    const deep = Array.from({ length: 40 }, (_, m) => message(`m${m}`, { references: Array.from({ length: 1000 }, (_r, i) => `x${m * 999 + i}`) }))
    const pairs = Array.from({ length: 60_000 }, (_, i) => message(`p${i}`, { references: [`t${i}`, `u${i}`] }))
    const hang = Array.from({ length: 60_000 }, (_, i) => message(`h${i}`, { references: [`x${39 * 999 + 999}`, `t${i}`] }))
    const trees = await references(known([...deep, ...pairs, ...hang]), pace())
    const told = (await written(trees)).split(/\D+/).filter((n) => n !== '')
    expect(new Set(told).size).toBe(120_040)
    expect(told).toHaveLength(120_040)
  })
})

describe('ORDEREDSUBJECT', () => {
  test('one thread for each subject, the first message above the others; threads by their first messages', async () => {
    const messages = [
      message('a', { subject: 'S', sent: 5 }), message('b', { subject: 'T', sent: 3 }), message('c', { subject: 'S', sent: 2 }), message('d', { subject: '', sent: 4 }),
      message('e', { subject: 'S', sent: 2 }), message('f', { subject: '', sent: 9 }),
    ]
    expect(await written(await orderedSubject(known(messages), pace()))).toBe('(3 (5)(1))(2)(4 6)')
  })
})

describe('what is written (RFC 5256 §5)', () => {
  const leaf = (n: number, ...children: readonly ThreadNode[]): ThreadNode => ({ uid: 10 * n, children })
  test.each([
    ['a message', [leaf(2)], '(2)'],
    ['the example of §4', [leaf(2), leaf(3, leaf(6, leaf(4, leaf(23)), leaf(44, leaf(7, leaf(96)))))], '(2)(3 6 (4 23)(44 7 96))'],
    ['a missing parent', [leaf(0, leaf(3), leaf(5))], '((3)(5))'],
    ['a missing parent within a thread', [leaf(1, leaf(2), leaf(0, leaf(3), leaf(4)))], '(1 (2)((3)(4)))'],
    ['a missing parent between a message and several', [leaf(1, leaf(0, leaf(3), leaf(4)))], '(1 (3)(4))'],
    ['missing ones that hold one, or nothing', [leaf(0), leaf(0, leaf(0, leaf(1))), leaf(2, leaf(0, leaf(3)), leaf(0))], '(1)(2 3)'],
    ['missing ones below missing ones', [leaf(0, leaf(0, leaf(1), leaf(2)), leaf(0))], '((1)(2))'],
  ])('%s', async (_name, trees, text) => {
    expect(await written(trees)).toBe(text)
  })
})

test('whatever the subjects are, each step of a threading asks now and then whether others wait', async () => {
  class CountingPace extends Pace {
    asked = 0
    override due(): boolean {
      this.asked++
      return false
    }
  }
  const count = 256 * 40
  const asked = async (subject: (i: number) => string): Promise<number> => {
    const counting = new CountingPace(new AbortController().signal)
    await references(known(Array.from({ length: count }, (_, i) => ({ id: `m${i}`, references: [], isReply: true, sent: i, subject: subject(i) }))), counting)
    return counting.asked
  }
  const often = await asked(() => 'one')
  // What is done with a subject that no other message has is less, but there are as many of them.
  expect([await asked(String), await asked(() => ''), await asked((i) => String(i >> 1))]).toEqual([often, often, often])
})
