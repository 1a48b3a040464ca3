import { describe, expect, test } from 'vitest'
import { MailError } from '../../../core/api/index.js'
import { deliverNotes, listOf, mailFixture, named, never, note, once, setOf } from '../../support/mail.js'

const everything = { bytes: 'whole', sections: [], facts: [] } as const

describe('mail of a login over the memory driver', () => {
  test('append, select, fetch, store, expunge', async () => {
    await using f = mailFixture()
    const mail = await f.login()
    await deliverNotes(mail, 'INBOX', 'one', 'two', 'three')
    const inbox = await mail.locate(named('inbox'), 'open', never)
    expect(inbox.name).toBe('INBOX')
    const view = await mail.open(inbox, 'read-write', never)
    expect([view.announced, view.recentCount, view.uidNext]).toEqual([3, 3, 4])
    const texts: string[] = []
    for await (const batch of view.read(view.resolve({ pairs: Uint32Array.of(2, 0xffffffff) }, 'seq'), everything, never)) {
      for (const m of batch) texts.push(new TextDecoder().decode(m.bytes.inline!.subarray(m.headerSize)))
    }
    expect(texts).toEqual(['two\r\n', 'three\r\n'])
    await view.store({ uids: setOf(1, 3), how: 'add', system: 2, keywords: ['$Done'] }, false, never)
    const told = view.take({ expunge: true })!
    expect([...told.changed.pairs]).toEqual([0, 0, 2, 2])
    expect(told.keywordsChanged).toBe(true)
    expect(new TextDecoder().decode(view.rows.flagSets[view.rows.flags[0]!]!.wire)).toBe('\\Deleted $Done')
    expect(listOf(await view.expunge(setOf(1), never))).toEqual([1])
    expect(view.take({ expunge: false })).toBeUndefined()
    expect(view.announced).toBe(3)
    const after = view.take({ expunge: true })!
    expect([listOf(after.removed), [...after.removedRows.pairs], view.announced]).toEqual([[1], [0, 0], 2])
  })
  test('two sessions of different logins share one table and hear of each other', async () => {
    await using f = mailFixture()
    const one = await f.login()
    const two = await f.login()
    const inbox = await deliverNotes(one, 'INBOX', 'first')
    const a = await one.open(inbox, 'read-write', never)
    const b = await two.open(await two.locate(named('INBOX'), 'open', never), 'read-write', never)
    expect(a.rows).toBe(b.rows)
    expect([a.recentCount, b.recentCount]).toEqual([1, 0])
    const heard: string[] = []
    using _ = b.watch((what) => heard.push(what))
    await a.store({ uids: setOf(1), how: 'replace', system: 1, keywords: [] }, true, never)
    expect(heard).toContain('changes')
    expect(a.take({ expunge: true })).toBeUndefined()
    expect(b.take({ expunge: true })?.changed.count).toBe(1)
    await one.append(inbox, once(note('second')), never)
    await b.sync(never)
    expect(b.take({ expunge: true })?.arrived.count).toBe(1)
    expect([a.take({ expunge: true })?.arrived.count, a.recentCount, b.recentCount]).toEqual([1, 1, 1])
  })
  test('a missing mailbox is not found, an existing one exists', async () => {
    await using f = mailFixture()
    const mail = await f.login()
    await expect(mail.locate(named('nowhere'), 'append', never)).rejects.toMatchObject({ kind: 'not-found' })
    await mail.create(named('there'), { specialUse: [] }, never)
    await expect(mail.create(named('there'), { specialUse: [] }, never)).rejects.toBeInstanceOf(MailError)
  })
})
