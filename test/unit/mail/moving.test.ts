import { describe, expect, test } from 'vitest'
import { MailError, delegate } from '../../../core/api/index.js'
import type { Delivery, Located, MailAccess, MailboxView, MailEvent, MailPolicy, MailStore, Rights, StoreLayer } from '../../../core/api/index.js'
import { deliverNotes, listOf, mailFixture, named, never, note, once, setOf } from '../../support/mail.js'

async function subjects(mail: MailAccess, name: string): Promise<string[]> {
  const view = await mail.open(await mail.locate(named(name), 'open', never), 'read-only', never)
  const out = await subjectsOf(view)
  await view.close(never)
  return out
}
async function subjectsOf(view: MailboxView): Promise<string[]> {
  const out: string[] = []
  for await (const batch of view.read(view.resolve({ pairs: Uint32Array.of(1, 0xffffffff) }, 'seq'), { bytes: 'whole', sections: [], facts: [] }, never)) {
    for (const m of batch) out.push(/Subject: (.*)\r/.exec(new TextDecoder().decode(m.bytes.inline))![1]!)
  }
  return out
}
/** The general way instead of the driver's own. */
const withoutCopy: StoreLayer = {
  wrap: async (inner) =>
    delegate(inner, [], {
      find: async (at, signal) => {
        const found = await inner.find(at, signal)
        if (found === undefined) return undefined
        return { ...found, open: async (s) => delegate(await found.open(s), ['watch', 'reclaim'], {}) }
      },
    }),
}
/** What a delivery took is never there any more when it is written. */
const takingInVain: StoreLayer = {
  wrap: async (inner) =>
    delegate(inner, [], {
      append: async (at, signal): Promise<Delivery> => {
        const delivery = await inner.append(at, signal)
        let taken = false
        return {
          add: (item, s) => delivery.add(item, s),
          take: async () => (taken = true),
          commit: async (open, s) => {
            if (taken) throw new MailError('vanished', 'the mailbox was changed')
            return delivery.commit(open, s)
          },
          abort: () => delivery.abort(),
        }
      },
    }),
}
/** Deliveries break at the given step. */
function breaking(step: 'append' | 'second-add' | 'commit', aborted: string[]): StoreLayer {
  return {
    wrap: async (inner): Promise<MailStore> =>
      delegate(inner, [], {
        append: async (at, signal): Promise<Delivery> => {
          if (step === 'append') throw new MailError('unavailable', 'broken')
          const delivery = await inner.append(at, signal)
          let added = 0
          return {
            add: async (item, s) => {
              if (step === 'second-add' && ++added === 2) throw new MailError('over-quota', 'broken')
              await delivery.add(item, s)
            },
            commit: async (open, s) => {
              if (step === 'commit') throw new MailError('unavailable', 'broken')
              return delivery.commit(open, s)
            },
            abort: async () => {
              aborted.push(step)
              await delivery.abort()
            },
          }
        },
        find: async (at, signal) => {
          const found = await inner.find(at, signal)
          return found === undefined ? undefined : { ...found, open: async (s) => delegate(await found.open(s), ['watch'], {}) }
        },
      }),
  }
}

const ways = [
  { name: 'by the driver', layers: [] },
  { name: 'message by message', layers: [withoutCopy] },
  { name: 'message by message, after what was taken had gone', layers: [withoutCopy, takingInVain] },
]
test('a mailbox gets another name when what is moved out of it has left', async () => {
  let meanwhile: () => void = () => undefined
  const delivered: StoreLayer = {
    wrap: async (inner) =>
      delegate(inner, [], {
        append: async (at, signal) => {
          const delivery = await inner.append(at, signal)
          return {
            add: (item, s) => delivery.add(item, s),
            commit: async (open, s) => {
              const result = await delivery.commit(open, s)
              meanwhile()
              await new Promise((resolve) => setTimeout(resolve, 10))
              return result
            },
            abort: () => delivery.abort(),
          }
        },
      }),
  }
  const f = mailFixture({ layers: [withoutCopy, delivered] })
  const [mail, other] = [await f.login(), await f.login()]
  const [from, to] = [await mail.create(named('From'), { specialUse: [] }, never), await mail.create(named('To'), { specialUse: [] }, never)]
  await deliverNotes(mail, 'From', 'one', 'two')
  const view = await mail.open(from, 'read-write', never)
  let renaming: Promise<void> | undefined
  meanwhile = () => (renaming = other.rename(from, named('Renamed'), never))
  await view.copy(view.resolve({ pairs: Uint32Array.of(1, 1) }, 'seq'), to, 'move', never)
  await renaming
  expect([await subjects(mail, 'Renamed'), await subjects(mail, 'To')]).toEqual([['two'], ['one']])
  await f[Symbol.asyncDispose]()
})
describe.each(ways)('COPY and MOVE $name', ({ layers }) => {
  async function site() {
    const f = mailFixture({ layers })
    const mail = await f.login()
    await deliverNotes(mail, 'INBOX', 'one', 'two', 'three')
    const to = await mail.create(named('Work'), { specialUse: [] }, never)
    const view = await mail.open(await mail.locate(named('INBOX'), 'open', never), 'read-write', never)
    return { f, mail, to, view }
  }
  test('copies with flags, keywords and date; both uids are answered', async () => {
    const { f, mail, to, view } = await site()
    await view.store({ uids: setOf(2), how: 'add', system: 5, keywords: ['$x'] }, true, never)
    const result = await view.copy(view.resolve({ pairs: Uint32Array.of(2, 3) }, 'seq'), to, 'copy', never)
    expect([listOf(result!.from), listOf(result!.to)]).toEqual([[2, 3], [1, 2]])
    const target = await mail.open(await mail.locate(named('Work'), 'open', never), 'read-write', never)
    expect(target.uidValidity).toBe(result!.uidValidity)
    expect(new TextDecoder().decode(target.rows.flagSets[target.rows.flags[0]!]!.wire)).toBe('\\Seen \\Flagged $x')
    expect([target.rows.date[0], target.recentCount, await subjectsOf(target)]).toEqual([view.rows.date[1], 2, ['two', 'three']])
    await f[Symbol.asyncDispose]()
  })
  test('an open target hears of the copies', async () => {
    const { f, mail, to, view } = await site()
    const target = await mail.open(to, 'read-write', never)
    await view.copy(view.resolve({ pairs: Uint32Array.of(1, 1) }, 'seq'), to, 'copy', never)
    await target.sync(never)
    expect(target.take({ expunge: true })?.arrived.count).toBe(1)
    await f[Symbol.asyncDispose]()
  })
  test('MOVE removes the originals, also those without \\Deleted, and only them', async () => {
    const { f, mail, to, view } = await site()
    await view.store({ uids: setOf(3), how: 'add', system: 2, keywords: [] }, true, never)
    await view.copy(view.resolve({ pairs: Uint32Array.of(1, 2) }, 'seq'), to, 'move', never)
    expect([await subjects(mail, 'INBOX'), await subjects(mail, 'Work')]).toEqual([['three'], ['one', 'two']])
    expect([...view.take({ expunge: true })!.removedRows.pairs]).toEqual([0, 1])
    await f[Symbol.asyncDispose]()
  })
  test('a message that is gone spoils the whole copy (RFC 3501 §6.4.7)', async () => {
    const { f, mail, to, view } = await site()
    const other = await mail.open(await mail.locate(named('INBOX'), 'open', never), 'read-write', never)
    await other.store({ uids: setOf(2), how: 'add', system: 2, keywords: [] }, true, never)
    await other.expunge(setOf(2), never)
    const all = view.resolve({ pairs: Uint32Array.of(1, 3) }, 'seq')
    for (const how of ['copy', 'move'] as const) {
      if (layers.length === 0) await expect(view.copy(all, to, how, never)).rejects.toMatchObject({ kind: 'vanished' })
    }
    if (layers.length === 0) expect([await subjects(mail, 'INBOX'), await subjects(mail, 'Work')]).toEqual([['one', 'three'], []])
    // A source that keeps removed messages until nobody sees them can still copy them in the general way.
    else {
      await view.copy(all, to, 'copy', never)
      expect(await subjects(mail, 'Work')).toEqual(['one', 'two', 'three'])
    }
    await f[Symbol.asyncDispose]()
  })
  test('two sessions that move the same messages at once do not double them', async () => {
    const { f, mail, to, view } = await site()
    const other = await mail.open(await mail.locate(named('INBOX'), 'open', never), 'read-write', never)
    const moves = [view, other].map((one) => one.copy(one.resolve({ pairs: Uint32Array.of(1, 2) }, 'seq'), to, 'move', never))
    const refused = (await Promise.allSettled(moves)).filter((o) => o.status === 'rejected')
    expect(refused).toMatchObject([{ reason: { kind: 'vanished' } }])
    expect([await subjects(mail, 'INBOX'), await subjects(mail, 'Work')]).toEqual([['three'], ['one', 'two']])
    await f[Symbol.asyncDispose]()
  })
  test('what another session has removed is moved by nobody', async () => {
    const { f, mail, to, view } = await site()
    const other = await mail.open(await mail.locate(named('INBOX'), 'open', never), 'read-write', never)
    await other.store({ uids: setOf(2), how: 'add', system: 2, keywords: [] }, true, never)
    await other.expunge(setOf(2), never)
    await expect(view.copy(view.resolve({ pairs: Uint32Array.of(1, 3) }, 'seq'), to, 'move', never)).rejects.toMatchObject({ kind: 'vanished' })
    expect([await subjects(mail, 'INBOX'), await subjects(mail, 'Work')]).toEqual([['one', 'three'], []])
    await f[Symbol.asyncDispose]()
  })
  test('into the same mailbox', async () => {
    const { f, mail, view } = await site()
    await view.copy(view.resolve({ pairs: Uint32Array.of(1, 2) }, 'seq'), view.at, 'copy', never)
    await view.sync(never)
    expect(view.take({ expunge: true })?.arrived.count).toBe(2)
    expect(await subjects(mail, 'INBOX')).toEqual(['one', 'two', 'three', 'one', 'two'])
    await f[Symbol.asyncDispose]()
  })
})

describe('a delivery that breaks', () => {
  test.each(['append', 'second-add', 'commit'] as const)('at %s leaves both mailboxes as they were', async (step) => {
    const aborted: string[] = []
    await using plain = mailFixture()
    const first = await plain.login()
    await deliverNotes(first, 'INBOX', 'one', 'two')
    const to = await first.create(named('Work'), { specialUse: [] }, never)
    await using f = mailFixture({ driver: plain.driver, layers: [breaking(step, aborted)] })
    const mail = await f.login()
    const view = await mail.open(await mail.locate(named('INBOX'), 'open', never), 'read-write', never)
    const all = view.resolve({ pairs: Uint32Array.of(1, 2) }, 'seq')
    for (const how of ['copy', 'move'] as const) await expect(view.copy(all, to, how, never)).rejects.toBeInstanceOf(MailError)
    await expect(mail.append(to, once(note('a'), note('b')), never)).rejects.toBeInstanceOf(MailError)
    expect([await subjects(first, 'INBOX'), await subjects(first, 'Work')]).toEqual([['one', 'two'], []])
    expect(aborted).toEqual(step === 'append' ? [] : [step, step, step])
  })
  test('reservations are settled with what arrived, or given back', async () => {
    const settled: string[] = []
    let left = 2
    const quota: MailPolicy = {
      reserve: async (_at, _user, octets, messages) => {
        if (left-- === 0) throw new MailError('over-quota', 'full')
        return { settle: (o, m) => settled.push(`${octets}/${messages} ${o}/${m}`) }
      },
    }
    await using f = mailFixture({ policies: [quota] })
    const mail = await f.login()
    const inbox = await mail.locate(named('INBOX'), 'append', never)
    const one = note('one')
    await mail.append(inbox, once(one), never)
    await expect(mail.append(inbox, once(note('two'), note('three')), never)).rejects.toMatchObject({ kind: 'over-quota' })
    expect(settled).toEqual([`${one.size}/1 ${one.size}/1`, `${one.size}/1 0/0`])
    expect(await subjects(mail, 'INBOX')).toEqual(['one'])
  })
})

describe('rights', () => {
  const limited = (letters: string): MailPolicy => ({ rights: async () => letters as Rights })
  test('of all policies are what remains', async () => {
    await using f = mailFixture({ policies: [limited('lrswi'), limited('lrsx')] })
    expect((await (await f.login()).locate(named('INBOX'), 'open', never)).rights).toBe('lrs')
  })
  test('decide what a session may do', async () => {
    await using all = mailFixture()
    const owner = await all.login()
    await deliverNotes(owner, 'INBOX', 'one')
    const tried = async (letters: string, act: (mail: MailAccess, inbox: Located) => Promise<unknown>): Promise<unknown> => {
      await using f = mailFixture({ driver: all.driver, policies: [limited(letters)] })
      const mail = await f.login()
      try {
        return await act(mail, await mail.locate(named('INBOX'), 'open', never))
      } catch (error) {
        return (error as MailError).kind
      }
    }
    const store = async (mail: MailAccess, inbox: Located): Promise<number> => {
      const view = await mail.open(inbox, 'read-write', never)
      await view.store({ uids: setOf(1), how: 'replace', system: 7, keywords: [] }, true, never)
      return view.rows.flagSets[view.rows.flags[0]!]!.system
    }
    expect(await tried('lrs', store)).toBe(1)
    expect(await tried('lrst', store)).toBe(3)
    expect(await tried('lrw', store)).toBe(7)
    expect(await tried('lr', store)).toBe('read-only')
    expect(await tried('ls', store)).toBe('denied')
    expect(await tried('lrst', async (mail, inbox) => (await mail.open(inbox, 'read-write', never)).expunge(setOf(1), never))).toBe('denied')
    expect(await tried('lrs', async (mail, inbox) => mail.append(inbox, once(note('x')), never))).toBe('denied')
    expect(await tried('lrs', async (mail) => mail.create(named('New'), { specialUse: [] }, never))).toBe('denied')
  })
})

describe('RENAME and DELETE', () => {
  test('RENAME of INBOX moves its messages and leaves it there, its inferiors too (RFC 3501 §6.3.5)', async () => {
    await using f = mailFixture()
    const mail = await f.login()
    await deliverNotes(mail, 'INBOX', 'one', 'two')
    await mail.create(named('INBOX/sub'), { specialUse: [] }, never)
    await mail.rename(await mail.locate(named('INBOX'), 'rename', never), named('Old'), never)
    expect([await subjects(mail, 'INBOX'), await subjects(mail, 'Old')]).toEqual([[], ['one', 'two']])
    expect(await subjects(mail, 'INBOX/sub')).toEqual([])
  })
  test('RENAME takes inferiors along, tells events, and ends the sessions of the old names', async () => {
    await using f = mailFixture()
    const mail = await f.login()
    const events: string[] = []
    using _ = mail.events.on((e: MailEvent) => events.push(`${e.kind} ${e.at.path}`))
    const a = await mail.create(named('a'), { specialUse: [] }, never)
    await mail.create(named('a/b'), { specialUse: [] }, never)
    await deliverNotes(mail, 'a/b', 'deep')
    const view = await mail.open(await mail.locate(named('a/b'), 'open', never), 'read-write', never)
    await mail.rename(a, named('z'), never)
    expect(await subjects(mail, 'z/b')).toEqual(['deep'])
    expect(view.take({ expunge: true })?.reset).toBe(true)
    await expect(view.store({ uids: setOf(1), how: 'add', system: 1, keywords: [] }, false, never)).rejects.toMatchObject({ kind: 'not-found' })
    expect(events).toEqual(['created a', 'created a/b', 'arrived a/b', 'renamed z'])
  })
  test.each([
    { name: 'to a name that is taken', from: 'a', to: 'b', kind: 'exists' },
    { name: 'to INBOX', from: 'a', to: 'inbox', kind: 'exists' },
    { name: 'into itself', from: 'a', to: 'a/c', kind: 'denied' },
    { name: 'of nothing', from: 'nothing', to: 'x', kind: 'not-found' },
  ])('RENAME $name is refused', async ({ from, to, kind }) => {
    await using f = mailFixture()
    const mail = await f.login()
    for (const name of ['a', 'b']) await mail.create(named(name), { specialUse: [] }, never)
    await expect(mail.rename(await mail.locate(named(from), 'rename', never), named(to), never)).rejects.toMatchObject({ kind })
  })
  test('INBOX cannot be deleted; a deleted mailbox ends its sessions', async () => {
    await using f = mailFixture()
    const mail = await f.login()
    const inbox = await mail.locate(named('InBox'), 'remove', never)
    await expect(mail.remove(inbox, never)).rejects.toMatchObject({ kind: 'denied' })
    const box = await mail.create(named('box'), { specialUse: [] }, never)
    const view = await mail.open(box, 'read-write', never)
    await mail.remove(box, never)
    expect(view.take({ expunge: false })?.reset).toBe(true)
    await view.sync(never)
    await view.close(never)
    await expect(mail.locate(named('box'), 'open', never)).rejects.toMatchObject({ kind: 'not-found' })
    const again = await mail.open(await mail.create(named('box'), { specialUse: [] }, never), 'read-write', never)
    expect(again.uidValidity).not.toBe(view.uidValidity)
  })
})

describe('STATUS', () => {
  test('counts from the table, without claiming \\Recent', async () => {
    await using f = mailFixture()
    const mail = await f.login()
    const inbox = await deliverNotes(mail, 'INBOX', 'one', 'two', 'three')
    const figures = async () => {
      for await (const { at: _, highestModseq: __, ...rest } of mail.figures([inbox], never)) return rest
      return undefined
    }
    const before = await figures()
    const view = await mail.open(inbox, 'read-write', never)
    await view.store({ uids: setOf(1, 2), how: 'add', system: 1, keywords: [] }, true, never)
    await view.store({ uids: setOf(2), how: 'add', system: 2, keywords: [] }, true, never)
    expect(before).toMatchObject({ messages: 3, unseen: 3, recent: 3, deleted: 0, uidNext: 4 })
    expect(await figures()).toMatchObject({ messages: 3, unseen: 1, recent: 0, deleted: 1, size: before!.size })
    expect(view.recentCount).toBe(3)
  })
})
