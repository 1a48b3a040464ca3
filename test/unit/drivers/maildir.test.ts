import { appendFile, mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { MailError, SYSTEM, uids } from '../../../core/api/index.js'
import { never, type Box } from '../../../core/testing/box.js'
import { itemOf, sampleMessage } from '../../../core/testing/messages.js'
import { MaildirSite } from '../../support/maildir.js'

describe('a Maildir on real files', () => {
  let site: MaildirSite
  beforeEach(async () => void (site = await MaildirSite.begin()))
  afterEach(() => site.end())

  test('a change of one message lists no folder; after a while the one that it changed is listed once', async () => {
    const box = await site.filled(300)
    site.clock.ms = Date.now() + 600_000
    await box.refresh()
    await box.refresh()
    site.listed = []
    for (const uid of [3, 77, 200]) {
      await box.store({ uids: uids.one(uid), system: SYSTEM.flagged })
      await box.refresh()
    }
    await box.expunge(uids.one(100), { always: true })
    await box.refresh()
    expect(site.listed).toEqual([])
    site.clock.ms += 3_600_000
    await box.refresh()
    await box.refresh()
    expect(site.listed.map((path) => path.slice(site.path.length))).toEqual(['/cur'])
    expect([box.rows.length, box.rows[2]?.flags]).toEqual([299, 'seen flagged'])
  })

  test('flags that another program gave in the meantime stay beside ours, and so do letters that mean nothing here', async () => {
    const box = await site.filled(3)
    const name = (await readdir(site.at('cur'))).find((n) => n.includes('x1'))?.split(':')[0] ?? ''
    await rename(site.at(`cur/${name}:2,S`), site.at(`cur/${name}:2,FPS`))
    await box.store({ uids: uids.one(2), system: SYSTEM.answered })
    expect(await readdir(site.at('cur'))).toContain(`${name}:2,FPRS`)
    expect(box.rows[1]?.flags).toBe('seen flagged answered')
  })

  test('sizes that no name says are counted with CRLF, and dates are those of the files', async () => {
    const box = await site.inbox()
    await writeFile(site.at('new/1700000000.a.host'), 'Subject: x\n\nHello.\n')
    await utimes(site.at('new/1700000000.a.host'), 1_600_000_000, 1_600_000_000)
    await box.refresh({ claimRecent: true })
    expect(box.rows).toEqual([{ uid: 1, flags: '', size: 22, ms: 1_600_000_000_000, zone: 0 }])
    expect(await readdir(site.at('cur'))).toEqual(['1700000000.a.host:2,'])
  })

  test('a delivery of several that a crash interrupted arrives whole', async () => {
    const box = await site.filled(1)
    for (const n of ['a', 'b']) await writeFile(site.at(`tmp/${n}`), `Subject: ${n}\n\nx\n`)
    await rename(site.at('tmp/a'), site.at('new/1800000000.a.host'))
    await writeFile(site.at('mailwright-incoming'), 'a\tnew/1800000000.a.host\nb\tnew/1800000000.b.host\nend\n')
    await box.refresh()
    expect(box.rows.length).toBe(3)
    expect(await readdir(site.at('tmp'))).toEqual([])
    await expect(stat(site.at('mailwright-incoming'))).rejects.toThrow('ENOENT')
  })

  test.each([
    { name: 'a process that is gone', content: `999999999:${hostname()}` },
    { name: 'this process, which does not hold it', content: `${process.pid}:${hostname()}` },
  ])('a lock of $name is overridden at once', async ({ content }) => {
    const box = await site.inbox()
    await writeFile(site.at('dovecot-uidlist.lock'), content)
    await writeFile(site.at('new/1.a.host'), 'Subject: x\n\nHello.\n')
    const before = site.clock.ms
    await box.refresh()
    expect([box.rows.length, site.clock.ms - before]).toEqual([1, 0])
    await expect(stat(site.at('dovecot-uidlist.lock'))).rejects.toThrow('ENOENT')
  })
  test('a lock of another machine is waited for, and stays', async () => {
    const box = await site.inbox()
    await mkdir(site.at('cur'), { recursive: true })
    await writeFile(site.at('new/1.a.host'), 'Subject: x\n\nHello.\n')
    const lock = site.at('dovecot-uidlist.lock')
    await writeFile(lock, '1:another.example.org')
    // It is touched as long as its holder works.
    await utimes(lock, Date.now() / 1000 + 1000, Date.now() / 1000 + 1000)
    const failure: unknown = await box.refresh().catch((error: unknown) => error)
    expect(failure instanceof MailError && failure.kind).toBe('in-use')
    expect(await readFile(lock, 'utf8')).toBe('1:another.example.org')
  })

  test('a damaged list of UIDs is told, and messages get new ones under another UIDVALIDITY', async () => {
    const box = await site.filled(2)
    const before = box.table.uidValidity
    site.clock.ms += 5000
    await rename(site.at('dovecot-uidlist'), site.at('kept'))
    await writeFile(site.at('dovecot-uidlist'), 'garbage\n')
    await box.refresh()
    expect([box.rows.map(({ uid }) => uid), box.table.uidValidity > before]).toEqual([[1, 2], true])
    expect(site.warned).toEqual([['maildir.uid-list-damaged', { path: site.path }]])
  })

  test('a message that got its number while the folders were listed, before one that was found there, is not passed over', async () => {
    const box = await site.filled(2)
    const list = site.at('dovecot-uidlist')
    await writeFile(site.at('new/1800000000.found.host'), 'Subject: found\n\nHello.\n')
    site.meanwhile = {
      name: 'dovecot-uidlist',
      work: async () => {
        await writeFile(site.at('new/1800000001.came.host'), 'Subject: came\n\nHello.\n')
        await appendFile(list, '3 :1800000001.came.host\n4 :1800000000.found.host\n')
      },
    }
    await box.refresh()
    expect([box.rows.map(({ uid }) => uid), site.meanwhile]).toEqual([[1, 2, 3, 4], undefined])
  })
  test('numbers of messages that are gone cost one more listing, once', async () => {
    const box = await site.filled(2)
    await appendFile(site.at('dovecot-uidlist'), '3 :1800000000.gone.host\n4 :1800000001.there.host\n')
    await writeFile(site.at('new/1800000001.there.host'), 'Subject: there\n\nHello.\n')
    site.listed = []
    await box.refresh()
    expect([box.rows.map(({ uid }) => uid), site.listed.map((path) => path.slice(site.path.length))]).toEqual([[1, 2, 4], ['/new', '/new', '/cur']])
  })
  test('what others noted in the list of UIDs stays when it is written anew', async () => {
    const box = await site.filled(2)
    const list = site.at('dovecot-uidlist')
    const [one = '', two = ''] = (await readFile(list, 'utf8')).split('\n').slice(1).map((line) => line.split(':')[1])
    // Its last line was not finished, so the next number has no place behind it.
    await writeFile(list, `3 V7 N9 G0123456789abcdef0123456789abcdef Xlater\n1 W30 P0000abc O1 :${one}\n2 S21 Gfeed :${two}\n3 :un`)
    await writeFile(site.at('new/1800000000.a.host'), 'Subject: x\n\nHello.\n')
    await box.refresh()
    expect(await readFile(list, 'utf8')).toBe(`3 V7 N10 G0123456789abcdef0123456789abcdef Xlater\n1 W30 P0000abc O1 :${one}\n2 S21 Gfeed :${two}\n9 :1800000000.a.host\n`)
  })

  test('keywords get letters while there are some; no more can be made then', async () => {
    const box = await site.filled(1)
    for (let n = 0; n < 30; n++) await box.store({ uids: uids.one(1), keywords: [`word${n}`] })
    expect(box.table.keywords.canCreate).toBe(false)
    expect(box.rows[0]?.flags.split(' ')).toHaveLength(27)
    const lines = (await readFile(site.at('dovecot-keywords'), 'utf8')).split('\n')
    expect([lines.length, lines[0], lines[25]]).toEqual([27, '0 word0', '25 word25'])
  })

  test('messages are kept octet by octet, with their sizes in the name', async () => {
    const box = await site.inbox()
    await box.refresh()
    await writeFile(site.at('new/1.a.host'), 'Subject: x\n\nHello.\n')
    const { bytes } = sampleMessage(4)
    const store = await site.mailStore({ random: (octets: number) => new Uint8Array(octets), machine: { host: 'a/b:c', pid: 7 } })
    const delivery = await store.append({ mount: site.mount(), path: 'INBOX' }, never)
    await delivery.add(itemOf(sampleMessage(4)), never)
    expect(await readdir(site.at('tmp'))).toHaveLength(1)
    await delivery.commit(undefined, never)
    const name = (await readdir(site.at('new'))).find((n) => n !== '1.a.host') ?? ''
    expect(name).toMatch(new RegExp(`^\\d+\\.M\\d+P7Q\\d+R0+\\.a\\\\057b\\\\072c,S=${bytes.length},W=${bytes.length}$`))
    expect(await readFile(site.at('new', name))).toEqual(Buffer.from(bytes))
    expect(await readdir(site.at('tmp'))).toEqual([])
  })

  /** Nothing of it is so fresh that it would be listed once more. */
  async function settled(count: number): Promise<Box> {
    const box = await site.filled(count)
    await site.settle(box)
    return box
  }

  test('a delivery of another program lists new alone, and reads the end of the list of UIDs', async () => {
    const box = await settled(300)
    await writeFile(site.at('new/1800000000.a.host'), 'Subject: x\n\nHello.\n')
    await box.refresh()
    expect(box.rows.at(-1)).toMatchObject({ uid: 301, size: 22 })
    expect([site.listed.every((path) => path.endsWith('/new')), site.octetsRead < 10_000]).toEqual([true, true])
    expect((await readFile(site.at('dovecot-uidlist'), 'utf8')).endsWith('\n301 :1800000000.a.host\n')).toBe(true)
    // One to which somebody else gave a number, and one without.
    await writeFile(site.at('new/1700000005.b.host,S=9,W=11'), 'Subject: ')
    await appendFile(site.at('dovecot-uidlist'), '305 W11 :1800000001.c.host\n')
    await writeFile(site.at('new/1800000001.c.host'), 'Subject: ')
    await box.refresh()
    expect(box.rows.slice(-3).map(({ uid, size }) => [uid, size])).toEqual([[301, 22], [305, 11], [306, 11]])
    expect(site.listed.every((path) => path.endsWith('/new'))).toBe(true)
  })
  test('what another program renamed while this one changed flags, and a moment later shows in no time, is found', async () => {
    const box = await settled(3)
    const name = await site.nameOf('x2')
    site.meanwhile = { call: 'syncDirectory', name: 'cur', work: () => rename(site.at('cur', name), site.at('cur', name.replace(/:2,.*/, ':2,FS'))) }
    await box.store({ uids: uids.one(1), system: SYSTEM.answered })
    await box.refresh()
    expect([box.rows.map(({ flags }) => flags), site.listed, site.meanwhile]).toEqual([['seen answered', 'seen', 'seen'], [], undefined])
    site.clock.ms += 60_000
    await box.refresh()
    expect(box.rows.map(({ flags }) => flags)).toEqual(['seen answered', 'seen', 'seen flagged'])
  })
  test('a message that was taken away and comes back is another one', async () => {
    const box = await settled(3)
    const name = await site.nameOf('x0')
    await rename(site.at('cur', name), join(site.home, name))
    await box.refresh()
    expect(box.rows.map(({ uid }) => uid)).toEqual([2, 3])
    await rename(join(site.home, name), site.at('cur', name))
    await box.refresh()
    expect([box.rows.map(({ uid }) => uid), box.table.epoch]).toEqual([[2, 3, 4], 0])
  })
  test('a name in new of a message that is in cur is nobody', async () => {
    const box = await settled(3)
    await writeFile(site.at('new', (await site.nameOf('x1')).replace(/:.*/, '')), 'Subject: n1\n\nHello.\n\n')
    await box.refresh()
    site.clock.ms += 60_000
    await box.refresh()
    expect(box.rows.map(({ uid, flags }) => [uid, flags])).toEqual([[1, 'seen'], [2, 'seen'], [3, 'seen']])
  })
  test('of a large message no more than the beginning is read for its header', async () => {
    const box = await site.inbox()
    const text = `Subject: large\n\n${'line\n'.repeat(200_000)}`
    await writeFile(site.at(`cur/1800000000.a.host,W=${text.length + 200_002}:2,`), text)
    await box.refresh()
    site.octetsRead = 0
    for await (const batch of box.source.read(uids.one(1), { bytes: 'header', sections: [], facts: [] }, box.table.generation, never)) {
      const [message] = batch
      if (message === undefined) throw new Error('no message')
      const header = new Uint8Array(message.headerSize)
      await message.bytes.read(0, header, never)
      expect([Buffer.from(header).toString(), message.bytes.size, site.octetsRead <= 16_384]).toEqual(['Subject: large\r\n\r\n', text.length + 200_002, true])
      const tail = new Uint8Array(6)
      await message.bytes.read(message.bytes.size - 6, tail, never)
      expect(Buffer.from(tail).toString()).toBe('line\r\n')
    }
    expect(site.octetsRead).toBeGreaterThan(text.length)
  })
  test('a delivery reads the ends of the list of UIDs, however long that is, and the next look nothing', async () => {
    const box = await settled(2000)
    await site.deliver(box)
    await box.refresh()
    expect([(await stat(site.at('dovecot-uidlist'))).size > 40_000, site.octetsRead < 10_000, box.rows.at(-1)?.uid]).toEqual([true, true, 2001])
    expect(site.listed.every((path) => path.endsWith('/new'))).toBe(true)
    // What comes then is read from where that one ends.
    site.octetsRead = 0
    await appendFile(site.at('dovecot-uidlist'), '2005 W11 :1800000001.c.host\n')
    await writeFile(site.at('new/1800000001.c.host'), 'Subject: ')
    await box.refresh()
    expect([box.rows.at(-1)?.uid, site.octetsRead < 10_000]).toEqual([2005, true])
  })
  test('a list of UIDs that is mostly of messages that are gone becomes short with a delivery', async () => {
    const box = await settled(2)
    const list = site.at('dovecot-uidlist')
    await appendFile(list, Array.from({ length: 1000 }, (_, n) => `${n + 3} :1600000000.gone${n}.host\n`).join(''))
    await site.deliver(box)
    await box.refresh()
    await site.deliver(box)
    expect((await readFile(list, 'utf8')).split('\n').map((line) => line.split(' ')[0])).toEqual(['3', '1', '2', '1003', '1004', ''])
    site.listed = []
    await writeFile(site.at('new/1900000000.a.host'), 'Subject: x\n\nHello.\n')
    await box.refresh()
    expect([box.rows.map(({ uid }) => uid), site.listed.every((path) => path.endsWith('/new')), site.warned]).toEqual([[1, 2, 1003, 1004, 1005], true, []])
  })

  /** Counts calls of a watcher, and waits for so many. */
  function watched(box: Box, awaited = 1): { readonly calls: () => number; readonly called: Promise<void> } & Disposable {
    let calls = 0
    let tell: (() => void) | undefined
    const called = new Promise<void>((resolve) => (tell = resolve))
    const watch = box.source.watch?.(() => {
      calls++
      if (calls === awaited) tell?.()
    })
    return { calls: () => calls, called, [Symbol.dispose]: () => watch?.[Symbol.dispose]() }
  }
  test('of changes of its own nobody is told; flags that another program changed meanwhile are followed without a listing', async () => {
    const box = await settled(300)
    // What is due a while after a change is told as well; here it is left to the last look.
    site.clock.after = () => ({ [Symbol.dispose]: () => undefined })
    // Both names of the file that another program renames: with one of them told it counts as gone, and is looked for by a listing.
    using watch = watched(box, 2)
    await box.store({ uids: uids.one(7), system: SYSTEM.flagged })
    await box.expunge(uids.one(9), { always: true })
    const name = await site.nameOf('x42.')
    await rename(site.at('cur', name), site.at('cur', name.replace(/:2,.*/, ':2,RS')))
    await watch.called
    // Those of the changes before are told first.
    expect(watch.calls()).toBe(2)
    await box.refresh()
    await box.store({ uids: uids.one(43), system: SYSTEM.flagged })
    expect([box.rows.find(({ uid }) => uid === 43)?.flags, await site.nameOf('x42.'), site.listed]).toEqual(['seen flagged answered', name.replace(/:2,.*/, ':2,FRS'), []])
    // By a listing it is as it was told.
    site.clock.ms += 60_000
    await box.refresh()
    expect([box.rows.length, box.rows[6]?.flags, box.rows.find(({ uid }) => uid === 43)?.flags, site.listed.map((path) => path.slice(site.path.length))]).toEqual([299, 'seen flagged', 'seen flagged answered', ['/cur']])
  })
  test.each([
    { what: 'a message that another program takes away', change: (name: string) => rm(site.at('cur', name)), left: [1, 3] },
    { what: 'one that it puts into cur', change: () => writeFile(site.at('cur/1800000000.a.host:2,'), 'Subject: x\n\nHello.\n'), left: [1, 2, 3, 4] },
  ])('$what is found by a listing', async ({ change, left }) => {
    const box = await settled(3)
    using watch = watched(box)
    await change(await site.nameOf('x1.'))
    await watch.called
    await box.refresh()
    expect([box.rows.map(({ uid }) => uid), site.listed.includes(site.at('cur'))]).toEqual([left, true])
  })
})
