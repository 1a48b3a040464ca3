import { describe, expect, test } from 'vitest'
import { OrderMemory, octetsOf } from '../../../../core/mail/order/memory.js'
import type { SharedMailbox } from '../../../../core/mail/registry/shared-mailbox.js'
import { PassiveSource, sharedOver } from '../../../support/mail-table.js'
import { setOf } from '../../../support/mail.js'

function mailbox(): SharedMailbox {
  return sharedOver(new PassiveSource()).shared
}
const values = (count: number) => ({ uids: Uint32Array.from({ length: count }, (_, i) => i + 1), values: Array.from({ length: count }, (_, i) => i) })

describe('what sorting and threading keep', () => {
  test('is found again by name and set', () => {
    const facts = new OrderMemory().of(mailbox())
    const order = Uint32Array.of(3, 1)
    facts.orders.keep('DATE', setOf(1, 3), order)
    expect(facts.orders.get('DATE', setOf(1, 3))).toBe(order)
    expect(facts.orders.get('-DATE', setOf(1, 3))).toBe(undefined)
    expect(facts.orders.get('DATE', setOf(1, 2))).toBe(undefined)
    expect(facts.orders.get('DATE', setOf(1, 3, 4))).toBe(undefined)
  })
  test('are four results of a kind, those that were used last', () => {
    const memory = new OrderMemory()
    const facts = memory.of(mailbox())
    for (const n of [1, 2, 3, 4]) facts.orders.keep('DATE', setOf(n), Uint32Array.of(n))
    const full = memory.octets
    facts.orders.get('DATE', setOf(1))
    facts.orders.keep('DATE', setOf(5), Uint32Array.of(5))
    expect([1, 2, 3, 4, 5].filter((n) => facts.orders.get('DATE', setOf(n)) !== undefined)).toEqual([1, 3, 4, 5])
    expect(memory.octets).toBe(full)
  })
  test('is of the numbers as they are: a mailbox that began anew has nothing', () => {
    const memory = new OrderMemory()
    const m = mailbox()
    const facts = memory.of(m)
    facts.keep('DATE', values(3), 100)
    facts.orders.keep('DATE', setOf(1), Uint32Array.of(1))
    m.table.epoch++
    expect(memory.octets).toBeGreaterThan(0)
    expect(memory.of(m).values('DATE')).toBe(undefined)
    expect(memory.of(m).orders.get('DATE', setOf(1))).toBe(undefined)
    expect(memory.octets).toBe(0)
  })
  test('goes when the mailbox is closed', async () => {
    const memory = new OrderMemory()
    const m = mailbox()
    memory.of(m).keep('DATE', values(3), 100)
    memory.of(m).threads.keep('REFERENCES', setOf(1, 2), [{ uid: 1, children: [] }])
    expect(memory.octets).toBeGreaterThan(100)
    await m.close(false)
    expect(memory.octets).toBe(0)
  })
  test('has a bound: what was used longest ago goes, of whichever mailbox', () => {
    const memory = new OrderMemory(1000)
    const [a, b] = [mailbox(), mailbox()]
    memory.of(a).keep('DATE', values(1), 400)
    memory.of(b).keep('DATE', values(1), 400)
    memory.of(a).values('DATE')
    memory.of(b).keep('SUBJECT', values(1), 400)
    expect([memory.of(a).values('DATE'), memory.of(b).values('DATE'), memory.of(b).values('SUBJECT')].map((v) => v !== undefined)).toEqual([true, false, true])
    expect(memory.octets).toBe(800)
    // What is larger than all of it is not kept, and costs nobody else.
    memory.of(a).keep('FROM', values(1), 1001)
    const all = Array.from({ length: 100 }, (_, i) => i + 1)
    memory.of(a).threads.keep('REFERENCES', setOf(...all), [])
    expect([memory.of(a).values('FROM'), memory.of(a).threads.get('REFERENCES', setOf(...all))]).toEqual([undefined, undefined])
    expect(memory.octets).toBe(800)
  })
  test('values take the place of those before', () => {
    const memory = new OrderMemory()
    const facts = memory.of(mailbox())
    facts.keep('DATE', values(1), 100)
    const later = values(2)
    facts.keep('DATE', later, 150)
    expect(facts.values('DATE')).toBe(later)
    expect(memory.octets).toBe(150)
    expect(octetsOf('abc')).toBeGreaterThan(octetsOf(1))
  })
})
