import { appendFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { appendFile, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SYSTEM, uids, type Files, type OpenFile } from '../../../core/api/index.js'
import { never, type Box } from '../../../core/testing/box.js'
import { MaildirSite } from '../../support/maildir.js'

describe('a Maildir that other programs change at any moment, and calls that fail', () => {
  let site: MaildirSite
  beforeEach(async () => void (site = await MaildirSite.begin()))
  afterEach(() => site.end())
  /** As after Dovecot wrote the list anew until the file has its inode again, on ext4 the second time; at another tick of the clock. */
  async function rewritten(text: string): Promise<void> {
    const list = site.at('dovecot-uidlist')
    const before = await stat(list)
    do await writeFile(list, text)
    while ((await stat(list)).ctimeMs === before.ctimeMs)
  }

  test('UIDs that another program gave stay when it wrote the list anew twice and it has the inode of before', async () => {
    const box = await site.inbox()
    const old = Array.from({ length: 9 }, (_, n) => `170000000${n}.M10${n}.host,S=21`)
    const fresh = Array.from({ length: 6 }, (_, n) => `170000001${n}.M1${n}.host,S=21`)
    for (const name of old) await writeFile(site.at(`cur/${name}:2,S`), 'Subject: n\n\nHello.\n\n')
    const lines = (from: number, names: string[]): string => names.map((name, i) => `${from + i} :${name}\n`).join('')
    await writeFile(site.at('dovecot-uidlist'), `3 V1700000000 N10 G0123456789abcdef0123456789abcdef\n${lines(1, old)}`)
    await site.settle(box)
    expect(box.rows.map(({ uid }) => uid)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9])
    // Dovecot: expunges 1 to 5, six come, and the list is written anew.
    for (const name of old.slice(0, 5)) await rm(site.at(`cur/${name}:2,S`))
    for (const name of fresh) await writeFile(site.at(`cur/${name}:2,`), 'Subject: n\n\nHello.\n\n')
    await rewritten(`3 V1700000000 N16 G0123456789abcdef0123456789abcdef\n${lines(6, old.slice(5))}${lines(10, fresh)}`)
    await box.refresh()
    expect(box.rows.map(({ uid }) => uid)).toEqual([6, 7, 8, 9, 10, 11, 12, 13, 14, 15])
  })
  test('another UIDVALIDITY is seen though the new list has the inode of the one before', async () => {
    const box = await site.inbox()
    await writeFile(site.at('cur/1700000000.a.host,S=21:2,'), 'Subject: n\n\nHello.\n\n')
    await writeFile(site.at('dovecot-uidlist'), `3 V1700000000 N2 Gab\n1 :1700000000.a.host,S=21\n`)
    await site.settle(box)
    await rewritten(`3 V1800000000 N2 Gab\n1 :1700000000.a.host,S=21\n`)
    await box.refresh()
    site.clock.ms += 60_000
    await box.refresh()
    expect(box.table.uidValidity).toBe(1_800_000_000)
  })
  test('a message that Dovecot delivers while its lock is waited for keeps its UID when the list is tidied', async () => {
    const box = await site.inbox()
    const list = site.at('dovecot-uidlist')
    await writeFile(list, `3 V1700000000 N301 Gab\n${Array.from({ length: 300 }, (_, n) => `${n + 1} :1600000000.gone${n}.host\n`).join('')}`)
    await writeFile(site.at('new/1800000000.bare.host'), 'Subject: x\n\nHello.\n')
    site.meanwhile = {
      name: 'dovecot-uidlist.lock',
      work: async () => {
        await appendFile(list, '301 :1800000001.dovecot.host\n')
        await writeFile(site.at('cur/1800000001.dovecot.host:2,S'), 'Subject: dovecot\n\nHello.\n')
      },
    }
    await box.refresh()
    await box.refresh()
    expect((await readFile(list, 'utf8')).split('\n')).toContain('301 :1800000001.dovecot.host')
  })
  test('a mailbox whose `new` is missing can be watched all the same', async () => {
    const box = await site.filled(1)
    await rm(site.at('new'), { recursive: true })
    await box.refresh()
    expect(() => box.source.watch?.(() => undefined)[Symbol.dispose]()).not.toThrow()
  })
  test('a number that another process read in the list is not given once more because it could not be synced', async () => {
    const box = await site.filled(2)
    const real = site.files
    let second: Box | undefined
    let armed = true
    const broken = new Proxy<Files>(real, {
      get(target, key) {
        const member = Reflect.get(target, key) as (...args: unknown[]) => unknown
        if (key !== 'open') return member.bind(target)
        return async (path: string, how?: { write?: boolean }) => {
          const file = (await member.call(target, path, how)) as OpenFile
          if (!path.endsWith('/dovecot-uidlist') || how?.write !== true || !armed) return file
          armed = false
          file.sync = async () => {
            await second?.refresh()
            throw Object.assign(new Error('EIO'), { code: 'EIO' })
          }
          return file
        }
      },
    })
    second = box
    await writeFile(site.at('new/1800000005.x.host'), 'Subject: x\n\nHello.\n')
    site.files = broken
    const first = await site.inbox()
    await first.refresh().catch(() => undefined)
    const told = new Map(box.rows.map(({ uid, size }) => [uid, size]))
    await writeFile(site.at('new/1800000001.y.host'), 'Subject: another\n\nHello, you.\n')
    await first.refresh()
    const now = new Map(first.rows.map(({ uid, size }) => [uid, size]))
    expect([told.size, now.get(3)]).toEqual([3, told.get(3)])
  })
  test('flags are stored though the message is renamed by others again and again while it is looked for', async () => {
    const box = await site.filled(3)
    await site.settle(box)
    const name = await site.nameOf('x1.')
    const base = name.replace(/:.*/, '')
    const at = (info: string): string => site.at('cur', `${base}:2,${info}`)
    site.meanwhile = { call: 'renameToFree', name: `cur/${name}`, work: () => rename(at('S'), at('FS')) }
    site.missing = { part: 'x1.', work: () => rename(at('FS'), at('FPS')) }
    await box.store({ uids: uids.one(2), system: SYSTEM.answered })
    expect([await site.nameOf('x1.'), site.meanwhile, site.missing]).toEqual([`${base}:2,FPRS`, undefined, undefined])
  })
  test('a message that is renamed by others again and again is expunged', async () => {
    const box = await site.filled(3)
    await site.settle(box)
    const name = await site.nameOf('x1.')
    const base = name.replace(/:.*/, '')
    const at = (info: string): string => site.at('cur', `${base}:2,${info}`)
    site.meanwhile = { call: 'unlink', name: `cur/${name}`, work: () => rename(at('S'), at('FS')) }
    site.missing = { part: 'x1.', work: () => rename(at('FS'), at('FPS')) }
    await box.expunge(uids.one(2), { always: true })
    await box.refresh()
    expect([box.rows.map(({ uid }) => uid), await site.nameOf('x1.')]).toEqual([[1, 3], ''])
  })
  test('the size of a message that is renamed by others again and again is told', async () => {
    const box = await site.inbox()
    await writeFile(site.at('cur/1800000000.x1.host:2,S'), 'Subject: x\n\nHello.\n')
    const at = (info: string): string => site.at(`cur/1800000000.x1.host:2,${info}`)
    await box.edit((edit) => box.source.refresh(edit, { claimRecent: false }, never))
    site.meanwhile = { name: 'cur/1800000000.x1.host:2,S', work: () => rename(at('S'), at('FS')) }
    site.missing = { part: 'x1.', work: () => rename(at('FS'), at('FPS')) }
    await box.edit((edit) => box.source.fill?.(uids.one(1), edit, never) ?? Promise.resolve())
    site.clock.ms += 600_000
    for (let n = 0; n < 3; n++) await box.refresh()
    expect([box.rows[0]?.size, (box.rows[0]?.ms ?? 0) > 0, site.meanwhile, site.missing]).toEqual([22, true, undefined, undefined])
  })
  test('a file with a line end in its name is no message, and the list does not grow with each look', async () => {
    const box = await site.filled(1)
    await writeFile(site.at('cur/1800000000.a\nb.host:2,'), 'Subject: x\n\nHello.\n')
    for (let n = 0; n < 4; n++) {
      site.clock.ms += 60_000
      await box.refresh()
    }
    const lines = (await readFile(site.at('dovecot-uidlist'), 'utf8')).split('\n')
    expect([lines.length, box.table.uidNext]).toEqual([3, 2])
  })
  test('a delivery that has arrived is not refused because its row cannot be told yet', async () => {
    const box = await site.filled(2)
    await site.settle(box)
    site.failing = { call: 'list', name: 'new' }
    const outcome: unknown = await site.deliver(box).then(() => 'done', (error: unknown) => error)
    expect([outcome, (await readdir(site.at('new'))).length, site.failing]).toEqual(['done', 1, undefined])
  })
  test('no message at all is delivered', async () => {
    const box = await site.filled(2)
    await site.settle(box)
    const delivery = await (await site.mailStore()).append({ mount: site.mount(), path: 'INBOX' }, never)
    await box.edit((edit) => delivery.commit({ source: box.source, edit }, never))
    await box.refresh()
    expect(box.rows.map(({ uid }) => uid)).toEqual([1, 2])
  })
  test.each([{ more: -1000 }, { more: 1000 }])('a large message whose name says a wrong W ($more) is read whole', async ({ more }) => {
    const box = await site.inbox()
    const text = `Subject: large\n\n${'line\n'.repeat(100_000)}`
    const right = text.length + 100_002
    await writeFile(site.at(`cur/1800000000.a.host,S=5,W=${right + more}:2,`), text)
    await box.refresh()
    const [message] = await box.messages()
    expect(message?.bytes.length).toBe(right)
  })
  test('a lock of a process of this machine that is alive stays, whatever the clock says', async () => {
    const box = await site.inbox()
    await writeFile(site.at('new/1.a.host'), 'Subject: x\n\nHello.\n')
    const lock = site.at('dovecot-uidlist.lock')
    await writeFile(lock, `${process.ppid}:${hostname()}`)
    site.clock.ms += 121_000
    await box.refresh().catch(() => undefined)
    expect(await readFile(lock, 'utf8').catch(() => 'overridden')).toBe(`${process.ppid}:${hostname()}`)
  })
  test('after a rename of ours that failed the same one by another program is told', async () => {
    const box = await site.filled(3)
    await site.settle(box)
    site.clock.after = () => ({ [Symbol.dispose]: () => undefined })
    let watch: Disposable | undefined
    const told = new Promise<string>((resolve) => (watch = box.source.watch?.(() => resolve('told'))))
    const name = await site.nameOf('x1.')
    site.failing = { call: 'renameToFree', name: `cur/${name}` }
    await box.store({ uids: uids.one(2), system: SYSTEM.flagged }).catch(() => undefined)
    await rename(site.at('cur', name), site.at('cur', name.replace(/:2,.*/, ':2,FS')))
    expect(await told).toBe('told')
    watch?.[Symbol.dispose]()
  })
  test('a lock that is a symbolic link to nothing is waited for with pauses, and given up', async () => {
    const box = await site.inbox()
    await writeFile(site.at('new/1.a.host'), 'Subject: x\n\nHello.\n')
    await symlink('/nowhere/at/all', site.at('dovecot-uidlist.lock'))
    const began = site.clock.ms
    // One that is not given up ends this test by its time.
    await expect(box.refresh({ claimRecent: false })).rejects.toThrow(/dovecot-uidlist/)
    expect(site.clock.ms).toBeGreaterThan(began)
  })
  test('a lock that may not be opened (of another user) is waited for', async () => {
    await site.inbox()
    await writeFile(site.at('new/1.a.host'), 'Subject: x\n\nHello.\n')
    const lock = site.at('dovecot-uidlist.lock')
    await writeFile(lock, `${process.ppid}:${hostname()}`)
    let tries = 0
    const real = site.files
    const denied = new Proxy<Files>(real, {
      get(target, key) {
        const member = Reflect.get(target, key) as (...args: unknown[]) => unknown
        if (key !== 'open') return member.bind(target)
        return async (path: string, how?: { create?: string }) => {
          if (path === lock && how?.create === undefined) {
            if (++tries === 3) await rm(lock)
            throw Object.assign(new Error('EACCES'), { code: 'EACCES' })
          }
          return member.call(target, path, how)
        }
      },
    })
    site.files = denied
    const other = await site.inbox()
    await other.refresh()
    expect(other.rows.map(({ uid }) => uid)).toEqual([1])
  })
  test('after a damaged list UIDVALIDITY grows though the clock was set back', async () => {
    const box = await site.filled(2)
    const before = box.table.uidValidity
    site.clock.ms -= 86_400_000
    await writeFile(site.at('kept'), 'garbage\n')
    await rename(site.at('kept'), site.at('dovecot-uidlist'))
    await box.refresh()
    expect(box.table.uidValidity).toBeGreaterThan(before)
  })
  test('after the clock was set back an hour the second look comes in time', async () => {
    const box = await site.filled(3)
    await site.settle(box)
    const name = await site.nameOf('x2')
    site.meanwhile = { call: 'syncDirectory', name: 'cur', work: () => rename(site.at('cur', name), site.at('cur', name.replace(/:2,.*/, ':2,FS'))) }
    await box.store({ uids: uids.one(1), system: SYSTEM.answered })
    site.clock.ms -= 3_600_000
    site.clock.ms += 60_000
    await box.refresh()
    expect(box.rows.map(({ flags }) => flags)).toEqual(['seen answered', 'seen', 'seen flagged'])
  })
  test('after a list came out of a backup a number that clients know is not given to another message', async () => {
    const box = await site.filled(4)
    const list = site.at('dovecot-uidlist')
    const old = await readFile(list, 'utf8')
    await writeFile(site.at('new/1800000000.five.host'), 'Subject: five\n\nHello.\n')
    await box.refresh()
    await box.expunge(uids.one(5), { always: true })
    await writeFile(`${list}.old`, old)
    await rename(`${list}.old`, list)
    await writeFile(site.at('new/1800000001.six.host'), 'Subject: six\n\nHello.\n')
    await box.refresh()
    expect(box.rows.map(({ uid }) => uid)).toEqual([1, 2, 3, 4, 6])
  })
  test('a name that is no UTF-8 stays octet by octet: message, flags and UID', async () => {
    const box = await site.filled(1)
    const octets = (text: string): Buffer => Buffer.from(text, 'latin1')
    const base = '1800000000.f\xfcr.host'
    writeFileSync(octets(site.at(`cur/${base}:2,S`)), 'Subject: x\n\nHello.\n')
    appendFileSync(site.at('dovecot-uidlist'), octets(`7 :${base}\n`))
    await box.refresh()
    await box.store({ uids: uids.one(7), system: SYSTEM.flagged })
    const names = readdirSync(site.at('cur'), { encoding: 'buffer' }).map((name) => name.toString('latin1'))
    expect([names.filter((name) => name.includes('180')), box.rows[1], (await box.read(uids.one(7))).get(7)?.length]).toEqual([[`${base}:2,FS`], { uid: 7, flags: 'seen flagged', size: 22, ms: expect.any(Number), zone: 0 }, 22])
    // One that has no number yet gets a line with the same octets, and so they stay when the list is written anew.
    writeFileSync(octets(site.at('new/1800000001.\xe4\xff')), 'Subject: y\n\n')
    await box.refresh({ claimRecent: true })
    const saved = box.save()
    await appendFile(site.at('dovecot-uidlist'), '9 :un')
    await writeFile(site.at('new/1800000002.z'), 'Subject: z\n\n')
    await box.refresh()
    expect(readFileSync(site.at('dovecot-uidlist'), 'latin1').split('\n').slice(2)).toEqual([`7 :${base}`, '8 :1800000001.\xe4\xff', '9 :1800000002.z', ''])
    const again = await site.inbox()
    again.restore(saved)
    await again.refresh()
    expect(again.rows.map(({ uid }) => uid)).toEqual([1, 7, 8, 9])
    await box.expunge(uids.from([7, 8]), { always: true })
    expect(readdirSync(site.at('cur')).length).toBe(1)
  })
})
