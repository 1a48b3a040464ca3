import { link, readdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SYSTEM, uids } from '../../../core/api/index.js'
import type { Box } from '../../../core/testing/box.js'
import { MaildirSite } from '../../support/maildir.js'

describe('two names of one message in a Maildir', () => {
  let site: MaildirSite
  beforeEach(async () => void (site = await MaildirSite.begin()))
  afterEach(() => site.end())
  const text = 'Subject: n1\n\nHello.\n\n'
  const flags = (box: Box): (readonly [number, string])[] => box.rows.map((r) => [r.uid, r.flags])
  /** Names of message `x1`, and of all that came later. */
  const names = async (): Promise<string[]> => {
    const all = await Promise.all(['cur', 'new'].map(async (folder) => (await readdir(site.at(folder))).map((name) => `${folder}/${name}`)))
    return all.flat().filter((name) => !/\/1700000000\.x0|\/1700000002\.x2/.test(name)).sort()
  }
  /** A further name of message `x1`, by a link or with these octets, at once or long ago. */
  async function doubled(to: 'link' | string, where: (name: string) => string): Promise<{ readonly box: Box; readonly base: string }> {
    const box = await site.filled(3)
    await site.settle(box)
    const name = await site.nameOf('x1.')
    if (to === 'link') await link(site.at('cur', name), site.at(where(name)))
    else await writeFile(site.at(where(name)), to)
    return { box, base: name.replace(/:.*/, '') }
  }
  const flagged = (name: string): string => `cur/${name.replace(/:2,.*/, ':2,FR')}`
  const fresh = (name: string): string => `new/${name.replace(/:2,.*/, '')}`
  /** So long after the change that nobody is in the middle of it. */
  const later = (): void => void (site.clock.ms = Date.now() + 700_000)

  test.each([
    { what: 'a link', to: 'link' },
    { what: 'a copy', to: text },
  ])('$what: one message with the flags of both, under one name', async ({ to }) => {
    const { box, base } = await doubled(to, flagged)
    later()
    await box.refresh()
    expect([flags(box), await names()]).toEqual([[[1, 'seen'], [2, 'seen flagged answered'], [3, 'seen']], [`cur/${base}:2,FRS`]])
    expect(Buffer.from((await box.read(uids.one(2))).get(2) ?? []).toString()).toBe(text.replaceAll('\n', '\r\n'))
  })
  test.each([
    { what: 'a link', to: 'link' },
    { what: 'a copy', to: text },
  ])('$what in new: it does not come back when the message is expunged', async ({ to }) => {
    const { box } = await doubled(to, fresh)
    later()
    await box.refresh({ claimRecent: true })
    await box.expunge(uids.one(2), { always: true })
    await writeFile(site.at('new/1800000000.a.host'), 'Subject: x\n\nHello.\n')
    await box.refresh()
    expect([flags(box), await names()]).toEqual([[[1, 'seen'], [3, 'seen'], [4, '']], ['new/1800000000.a.host']])
  })
  test('other octets are another message, under a name and a UID of its own, and nothing of either is lost', async () => {
    const { box, base } = await doubled('Subject: other\n\nx\n', flagged)
    later()
    await box.refresh()
    await box.refresh()
    const [kept, moved = ''] = await names()
    expect([flags(box), kept, moved.endsWith(':2,FR'), moved.includes(base)]).toEqual([[[1, 'seen'], [2, 'seen'], [3, 'seen'], [4, 'flagged answered']], `cur/${base}:2,S`, true, false])
    const read = await box.read(uids.from([2, 4]))
    expect([2, 4].map((uid) => /Subject: (.*)\r/.exec(Buffer.from(read.get(uid) ?? []).toString())?.[1])).toEqual(['n1', 'other'])
    expect((await readFile(site.at('dovecot-uidlist'), 'utf8')).split('\n').filter((line) => line.includes(base))).toEqual([`2 :${base}`])
    expect(site.warned).toEqual([['maildir.two-messages', expect.objectContaining({ path: site.path })]])
  })
  test('a mailbox that nobody has opened yet: the older file has the name', async () => {
    const box = await site.inbox()
    await writeFile(site.at('cur/1700000001.x1.host:2,S'), 'Subject: newer\n\n')
    await utimes(site.at('cur/1700000001.x1.host:2,S'), 1_700_000_001, 1_700_000_001)
    await writeFile(site.at('cur/1700000001.x1.host:2,FS'), 'Subject: older\n\n')
    await utimes(site.at('cur/1700000001.x1.host:2,FS'), 1_600_000_000, 1_600_000_000)
    later()
    await box.refresh()
    await box.refresh()
    const subjects = [...(await box.read(box.uids)).values()].map((bytes) => /Subject: (.*)\r/.exec(Buffer.from(bytes).toString())?.[1])
    expect([flags(box), subjects]).toEqual([[[1, 'seen flagged'], [2, 'seen']], ['older', 'newer']])
  })
  test('while another program may be in the middle of a change nothing is touched and the row stays; after that it is looked at by itself', async () => {
    const { box, base } = await doubled('link', flagged)
    site.clock.ms = Date.now() + 1000
    const seen = new Set<string>()
    for (let n = 0; n < 3; n++) {
      await writeFile(site.at(`cur/other${n}`), 'x')
      await rm(site.at(`cur/other${n}`))
      await box.refresh()
      seen.add(String(flags(box)))
    }
    expect([[...seen], await names()]).toEqual(['1,seen,2,seen,3,seen'].map((one) => [one]).concat([[`cur/${base}:2,FR`, `cur/${base}:2,S`]]))
    later()
    await box.refresh()
    expect([flags(box)[1], await names()]).toEqual([[2, 'seen flagged answered'], [`cur/${base}:2,FRS`]])
  })
  test('in that time an expunge removes every name of the file, and no other file', async () => {
    const { box, base } = await doubled('link', flagged)
    await writeFile(site.at(fresh(`${base}:2,S`)), 'Subject: other\n\nx\n')
    site.clock.ms = Date.now() + 1000
    await box.refresh()
    await box.expunge(uids.one(2), { always: true })
    later()
    await box.refresh()
    expect([flags(box), await names()]).toEqual([[[1, 'seen'], [3, 'seen'], [4, '']], [`new/${base}`]])
  })
  test('in that time flags are not stored over another file of that name', async () => {
    const { box, base } = await doubled('Subject: other\n\nx\n', (name) => `cur/${name.replace(/:2,.*/, ':2,FS')}`)
    site.clock.ms = Date.now() + 1000
    await box.refresh()
    await expect(box.store({ uids: uids.one(2), system: SYSTEM.flagged })).rejects.toMatchObject({ kind: 'in-use' })
    expect(await readFile(site.at(`cur/${base}:2,FS`), 'utf8')).toBe('Subject: other\n\nx\n')
    // Any other name is free, also the one that the row had before.
    for (const how of ['add', 'remove'] as const) await box.store({ uids: uids.one(2), how, system: SYSTEM.answered })
    expect(await names()).toEqual([`cur/${base}:2,FS`, `cur/${base}:2,S`])
    later()
    await box.store({ uids: uids.one(2), system: SYSTEM.flagged })
    await box.refresh()
    expect(flags(box)).toEqual([[1, 'seen'], [2, 'seen flagged'], [3, 'seen'], [4, 'seen flagged']])
  })
  test('nor over one that gets that name in the very moment, and neither is lost', async () => {
    const box = await site.filled(3)
    await site.settle(box)
    const name = await site.nameOf('x1.')
    const taken = name.replace(/:2,.*/, ':2,FS')
    site.meanwhile = { call: 'renameToFree', name: `cur/${name}`, work: () => writeFile(site.at('cur', taken), 'Subject: other\n\nx\n') }
    await expect(box.store({ uids: uids.one(2), system: SYSTEM.flagged })).rejects.toMatchObject({ kind: 'in-use' })
    expect([flags(box)[1], await readFile(site.at('cur', taken), 'utf8')]).toEqual([[2, 'seen'], 'Subject: other\n\nx\n'])
    later()
    await box.refresh()
    await box.refresh()
    expect(flags(box)).toEqual([[1, 'seen'], [2, 'seen'], [3, 'seen'], [4, 'seen flagged']])
  })
  test('nor is a message of new claimed over another file', async () => {
    const box = await site.filled(3)
    await writeFile(site.at('new/1800000000.a.host'), 'Subject: new\n\nx\n')
    site.meanwhile = { call: 'renameToFree', name: 'new/1800000000.a.host', work: () => writeFile(site.at('cur/1800000000.a.host:2,'), 'Subject: other\n\nx\n') }
    await box.refresh({ claimRecent: true })
    expect([await readFile(site.at('new/1800000000.a.host'), 'utf8'), await readFile(site.at('cur/1800000000.a.host:2,'), 'utf8')]).toEqual(['Subject: new\n\nx\n', 'Subject: other\n\nx\n'])
    later()
    await box.refresh()
    await box.refresh()
    expect(box.rows.length).toBe(5)
  })
  test.each(['renameToFree', 'unlink'] as const)('what another session stores in the moment in which its names become one stays (%s)', async (call) => {
    const { box, base } = await doubled('link', flagged)
    later()
    const name = call === 'renameToFree' ? `${base}:2,S` : `${base}:2,FR`
    site.meanwhile = { call, name: `cur/${name}`, work: () => rename(site.at('cur', name), site.at('cur', `${name}T`)) }
    await box.refresh()
    expect([box.rows.length, site.meanwhile]).toEqual([3, undefined])
    site.clock.ms += 600_000
    await box.refresh()
    expect([flags(box)[1], (await names()).length]).toEqual([[2, 'seen deleted flagged answered'], 1])
  })
  test('where nothing may be changed there is one message, always the same', async () => {
    const { box } = await doubled('link', flagged)
    later()
    const { files } = site
    const fixed = new Proxy(files, {
      get: (target, key) => (key === 'rename' || key === 'renameToFree' || key === 'unlink' ? () => Promise.reject(Object.assign(new Error('EROFS'), { code: 'EROFS' })) : Reflect.get(target, key)),
    })
    site.files = fixed
    const other = await site.inbox()
    const seen = new Set<string>()
    for (let n = 0; n < 3; n++) {
      site.clock.ms += 600_000
      await other.refresh()
      seen.add(String(other.rows.map((r) => [r.uid, r.flags.includes('seen') || r.flags.includes('flagged')])))
    }
    expect([[...seen], box.rows.length, (await names()).length]).toEqual([['1,true,2,true,3,true'], 3, 2])
  })
})
