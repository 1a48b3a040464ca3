import { mkdir, readdir, rename, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { uids, type Files } from '../../../core/api/index.js'
import { never } from '../../../core/testing/box.js'
import { itemOf, sampleMessage } from '../../../core/testing/messages.js'
import { MaildirSite } from '../../support/maildir.js'

describe('sizes of messages in a Maildir (RFC 9051 §2.3.4)', () => {
  let site: MaildirSite
  beforeEach(async () => void (site = await MaildirSite.begin()))
  afterEach(() => site.end())
  const text = 'Subject: x\n\nHello.\n'

  test.each([
    { name: 'W= alone', sizes: ',W=5' },
    { name: 'S= of other octets', sizes: ',S=30,W=35' },
    { name: 'W= below S=', sizes: `,S=${text.length},W=7` },
    { name: 'W= beyond twice S=', sizes: `,S=${text.length},W=900` },
    { name: 'S= alone', sizes: `,S=${text.length}` },
  ])('$name: the size is that of the octets', async ({ sizes }) => {
    const box = await site.inbox()
    await writeFile(site.at(`cur/1800000000.a.host${sizes}:2,`), text)
    await box.refresh()
    expect([box.rows[0]?.size, (await box.messages())[0]?.bytes.length]).toEqual([22, 22])
  })
  test('a large message with W= alone is read whole', async () => {
    const box = await site.inbox()
    const large = `Subject: large\n\n${'line\n'.repeat(100_000)}`
    await writeFile(site.at('cur/1800000000.a.host,W=1000:2,'), large)
    await box.refresh()
    const right = large.length + 100_002
    expect([box.rows[0]?.size, (await box.messages())[0]?.bytes.length]).toEqual([right, right])
  })
  test.each([
    { name: 'a small message', lines: 1, more: 3 },
    { name: 'a large message, too few', lines: 100_000, more: -1000 },
    { name: 'a large message, too many', lines: 100_000, more: 1000 },
    { name: 'a large message, as many as octets of the file', lines: 100_000, more: -100_002 },
  ])('W= beside a right S=, and wrong: what is read is whole, and then its size is told ($name)', async ({ lines, more }) => {
    const box = await site.inbox()
    const large = `Subject: large\n\n${'line\n'.repeat(lines)}`
    const right = large.length + lines + 2
    const name = `cur/1800000000.a.host,S=${large.length},W=${right + more}:2,`
    await writeFile(site.at(name), large)
    await box.refresh()
    expect(box.rows[0]?.size).toBe(right + more)
    const [message] = await box.messages()
    expect(Buffer.from(message?.bytes ?? []).toString()).toBe(large.replaceAll('\n', '\r\n'))
    await box.refresh()
    expect([box.rows[0]?.size, site.warned]).toEqual([right, [['maildir.size-in-name-wrong', { path: site.path, name, told: right + more, size: right }]]])
    // Everything is read anew, and the name says the same.
    await writeFile(site.at('dovecot-keywords'), '0 Work\n')
    await box.refresh()
    expect(box.rows[0]?.size).toBe(right)
  })
  test('what is counted of a message is not told of the one that gets its number meanwhile', async () => {
    const box = await site.inbox()
    const count = 40
    const name = (n: number): string => `18000000${String(n).padStart(2, '0')}.a.host`
    const octets = (n: number): string => `Subject: ${n}\n\n${'.'.repeat(n)}\n`
    for (let n = 0; n < count; n++) await writeFile(site.at(`cur/${name(n)}:2,`), octets(n))
    await box.refresh()
    const reading = box.source.read(box.uids, { facts: [], bytes: 'whole', sections: [] }, box.table.generation, never)[Symbol.asyncIterator]()
    await reading.next()
    const lines = Array.from({ length: count }, (_, i) => `${i + 1} :${name(count - 1 - i)}`)
    await writeFile(site.at('dovecot-uidlist'), `3 V4000000000 N${count + 1} G0123\n${lines.join('\n')}\n`)
    await box.refresh()
    while ((await reading.next().catch(() => ({ done: true }))).done !== true);
    await box.refresh()
    const right = Array.from({ length: count }, (_, i) => octets(count - 1 - i).length + 3)
    expect(box.rows.map(({ size }) => size)).toEqual(right)
  })
  test('a name that tells both sizes, and rightly, costs no reading', async () => {
    const box = await site.inbox()
    await writeFile(site.at(`cur/1800000000.a.host,S=${text.length},W=22:2,`), text)
    await box.refresh()
    expect([box.rows[0]?.size, site.opened.filter((path) => path.includes('1800000000.a'))]).toEqual([22, []])
  })
  test('a message that was gone when its size was asked for, and is back, has it', async () => {
    const box = await site.inbox()
    const [name, away] = [site.at('cur/1800000000.a.host:2,'), join(site.home, 'away')]
    await writeFile(name, text)
    await box.edit((edit) => box.source.refresh(edit, { claimRecent: false }, never))
    await rename(name, away)
    await box.edit((edit) => box.source.fill?.(uids.one(1), edit, never) ?? Promise.resolve())
    await rename(away, name)
    await box.refresh()
    expect(box.rows.map(({ uid, size, ms }) => [uid, size, ms > 1e12])).toEqual([[1, 22, true]])
  })
  test.each([
    { name: '1700', ms: Date.UTC(1700, 0, 5, 8, 8, 7), zone: 60 },
    { name: '1965', ms: Date.UTC(1965, 0, 5, 8, 8, 7), zone: -300 },
    { name: '2015, with a zone of days', ms: Date.UTC(2015, 0, 5, 8, 8, 7), zone: 6039 },
    { name: '2600', ms: Date.UTC(2600, 0, 5, 8, 8, 7), zone: 60 },
  ])('a date that no time of a file says is told at once as it is told later: $name', async ({ ms, zone }) => {
    const box = await site.inbox()
    await box.refresh()
    await site.deliver(box, sampleMessage(1, { date: { ms, zone } }))
    const told = box.rows
    const again = await site.inbox()
    await again.refresh()
    expect([told.length, again.rows]).toEqual([1, told])
  })
  test('what cannot be read keeps nobody from the others', async () => {
    const box = await site.inbox()
    await writeFile(site.at('cur/1800000000.a.host:2,'), text)
    await mkdir(join(site.home, 'folder'))
    await symlink(join(site.home, 'folder'), site.at('cur/1800000001.b.host:2,'))
    await symlink(join(site.home, 'nothing'), site.at('cur/1800000002.c.host:2,'))
    await box.refresh()
    expect([box.rows.map(({ size }) => size), (await box.read(box.uids)).get(1)?.length]).toEqual([[22, 0, 0], 22])
  })
  test('a delivery of several that fails after another process claimed one of them is none', async () => {
    const box = await site.filled(1)
    const { files } = site
    let renames = 0
    site.files = new Proxy<Files>(files, {
      get(target, key) {
        if (key !== 'rename') return Reflect.get(target, key)
        return async (from: string, to: string) => {
          if (!from.startsWith(site.at('tmp/'))) return target.rename(from, to)
          if (++renames === 3) throw Object.assign(new Error('EIO'), { code: 'EIO' })
          await target.rename(from, to)
          if (renames === 1) await target.rename(to, `${to.replace('/new/', '/cur/')}:2,`)
        }
      },
    })
    const delivery = await (await site.mailStore()).append({ mount: site.mount(), path: 'INBOX' }, never)
    for (const n of [1, 2, 3]) await delivery.add(itemOf(sampleMessage(n)), never)
    await expect(delivery.commit(undefined, never)).rejects.toThrow('EIO')
    site.clock.ms += 60_000
    await box.refresh()
    expect([box.rows.length, await readdir(site.at('new')), await readdir(site.at('tmp'))]).toEqual([1, [], []])
  })
})
