import { performance } from 'node:perf_hooks'
import { describe, expect, test } from 'vitest'
import { createFact, sealDeriver, uids, type FactDeriver, type StoredMessage, type UidSet, type Wants } from '../../../core/api/index.js'
import { deriverTable } from '../../../core/mail/view/deriving.js'
import { readMessages } from '../../../core/mail/view/reader.js'
import { PassiveSource, sharedOver } from '../../support/mail-table.js'
import { never } from '../../support/unix.js'

const COUNT = 200
const ALL = uids.ranges(Uint32Array.of(1, COUNT))

/** Hands out all that is asked for as one batch, as formats do with small messages. */
class OneBatch extends PassiveSource {
  override async *read(set: UidSet = uids.none): AsyncGenerator<readonly StoredMessage[]> {
    const batch: StoredMessage[] = []
    const inline = Buffer.from('x')
    for (let i = 0; i < set.ranges.length; i += 2) {
      for (let uid = set.ranges[i]!; uid <= set.ranges[i + 1]!; uid++) batch.push({ uid, headerSize: 0, bytes: { size: 1, inline, read: (at, into) => Promise.resolve(inline.copy(into, 0, at)) } })
    }
    yield batch
  }
}
const SLOW = createFact<string>('slow', 1, { encode: (value) => Buffer.from(value), decode: (octets) => Buffer.from(octets).toString() })
/** Takes a millisecond for each message; `made` is counted on for it. */
function slowDeriver(made: { since: number }): FactDeriver<string> {
  return {
    fact: SLOW,
    reads: 'header',
    derive: ({ uid }) => {
      for (const until = performance.now() + 1; performance.now() < until; );
      made.since++
      return String(uid)
    },
  }
}

describe('facts of a batch', () => {
  test.each<{ readonly name: string; readonly wants: Wants }>([
    { name: 'alone', wants: { bytes: 'none', sections: [], facts: [SLOW] } },
    { name: 'with octets', wants: { bytes: 'header', sections: [], facts: [SLOW] } },
  ])('$name are made in parts, between which others have their turn', async ({ wants }) => {
    const { shared, view } = sharedOver(new OneBatch())
    await shared.edit(async (edit) => {
      edit.reset(1)
      for (let uid = 1; uid <= COUNT; uid++) edit.setSize(edit.add(uid, edit.flagSet(0, []), false), 1)
    }, never)
    const { generation, epoch } = view()
    const made = { since: 0 }
    let longest = 0
    let running = true
    const turn = (): void => {
      longest = Math.max(longest, made.since)
      made.since = 0
      if (running) setImmediate(turn)
    }
    setImmediate(turn)
    const got: (string | undefined)[] = []
    for await (const batch of readMessages({ mailbox: shared, generation, epoch }, ALL, wants, deriverTable([sealDeriver(slowDeriver(made))]), never)) got.push(...batch.map((m) => m.fact?.(SLOW)))
    running = false
    turn()
    expect(got).toEqual(Array.from({ length: COUNT }, (_, i) => String(i + 1)))
    expect(longest).toBeLessThan(10)
  })
})
