import { appendFile, mkdtemp, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SYSTEM, uids, type Files, type MailDriver, type MailStore, type Mount, type OpenFile } from '../../../core/api/index.js'
import { SystemFiles } from '../../../core/os/files.js'
import { inlineLane } from '../../../core/os/lane.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import { Box, never } from '../../../core/testing/box.js'
import { itemOf, sampleMessage } from '../../../core/testing/messages.js'
import { alice, mailboxSettings, quiet, TestClock } from '../../support/unix.js'

const store = pathToFileURL(fileURLToPath(new URL('../../../plugins/contrib/maildir/lib/store.js', import.meta.url))).href
// A package of its own, without types.
const { MaildirDriver } = (await import(store)) as { MaildirDriver: new (parts: object) => MailDriver }

describe('a Maildir that other programs change at any moment, and calls that fail', () => {
  let home: string
  let maildir: string
  let files: Files
  /** Runs once, before the next call of this kind, on the file of that name. */
  let meanwhile: { readonly call?: keyof Files; readonly name: string; readonly work: () => Promise<void> } | undefined
  /** Runs while `cur` is listed, once; the listing then has no name with this part, as readdir may have neither of a file that is renamed. */
  let missing: { readonly part: string; readonly work: () => Promise<void> } | undefined
  /** The next call of this kind, on the file of that name, fails. */
  let failing: { readonly call: keyof Files; readonly name: string } | undefined
  let clock: TestClock
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'mailwright-maildir-'))
    maildir = join(home, 'Maildir')
    const real = new SystemFiles(await nativeLocks())
    meanwhile = missing = failing = undefined
    files = new Proxy<Files>(real, {
      get(target, key) {
        // Members of the contract are methods.
        const member = Reflect.get(target, key) as (...args: unknown[]) => unknown
        return (...args: unknown[]) => {
          if (key === 'list' && missing !== undefined && args[0] === join(maildir, 'cur')) {
            const { part, work } = missing
            missing = undefined
            return (member.apply(target, args) as ReturnType<Files['list']>).then(async (found) => {
              await work()
              return found.filter(({ name }) => !name.includes(part))
            })
          }
          if (key === failing?.call && args[0] === join(maildir, failing.name)) {
            failing = undefined
            return Promise.reject(Object.assign(new Error('EMFILE'), { code: 'EMFILE' }))
          }
          if (key === (meanwhile?.call ?? 'open') && meanwhile !== undefined && args[0] === join(maildir, meanwhile.name)) {
            const { work } = meanwhile
            meanwhile = undefined
            return work().then(() => member.apply(target, args))
          }
          return member.apply(target, args)
        }
      },
    })
    clock = new TestClock(Date.now())
  })
  afterEach(() => rm(home, { recursive: true, force: true }))

  const mount = (): Mount => ({ prefix: '', class: 'personal', store: 'maildir', root: home, advertised: true, listed: true })
  async function mailStore(): Promise<MailStore> {
    const random = (octets: number): Uint8Array => Uint8Array.from({ length: octets }, () => Math.floor(256 * Math.random()))
    const driver = new MaildirDriver({ files, lane: inlineLane({ files, clock, random }), clock, random, mailbox: mailboxSettings('/nowhere'), logger: quiet, path: 'Maildir', delimiter: '/', machine: { host: hostname(), pid: process.pid } })
    return driver.openStore({ ...alice, home }, never)
  }
  async function inbox(): Promise<Box> {
    const found = await (await mailStore()).find({ mount: mount(), path: 'INBOX' }, never)
    if (found === undefined) throw new Error('no INBOX')
    return new Box('INBOX', await found.open(never))
  }
  /** One message into the open mailbox. */
  async function deliver(box: Box): Promise<void> {
    const delivery = await (await mailStore()).append({ mount: mount(), path: 'INBOX' }, never)
    await delivery.add(itemOf(sampleMessage(1)), never)
    await box.edit((edit) => delivery.commit({ source: box.source, edit }, never))
  }
  async function filled(count: number): Promise<Box> {
    const box = await inbox()
    for (let n = 0; n < count; n++) await writeFile(join(maildir, `cur/${1_700_000_000 + n}.x${n}.host,S=${20 + String(n).length}:2,S`), `Subject: n${n}\n\nHello.\n\n`)
    await box.refresh()
    return box
  }
  async function settle(box: Box): Promise<void> {
    clock.ms = Date.now() + 600_000
    await box.refresh()
    await box.refresh()
  }
  /** As after Dovecot wrote the list anew until the file has its inode again, on ext4 the second time; at another tick of the clock. */
  async function rewritten(text: string): Promise<void> {
    const list = join(maildir, 'dovecot-uidlist')
    const before = await stat(list)
    do await writeFile(list, text)
    while ((await stat(list)).ctimeMs === before.ctimeMs)
  }
  const nameOf = async (part: string): Promise<string> => (await readdir(join(maildir, 'cur'))).find((name) => name.includes(part)) ?? ''

  test('UIDs that another program gave stay when it wrote the list anew twice and it has the inode of before', async () => {
    const box = await inbox()
    const old = Array.from({ length: 9 }, (_, n) => `170000000${n}.M10${n}.host,S=21`)
    const fresh = Array.from({ length: 6 }, (_, n) => `170000001${n}.M1${n}.host,S=21`)
    for (const name of old) await writeFile(join(maildir, `cur/${name}:2,S`), 'Subject: n\n\nHello.\n\n')
    const lines = (from: number, names: string[]): string => names.map((name, i) => `${from + i} :${name}\n`).join('')
    await writeFile(join(maildir, 'dovecot-uidlist'), `3 V1700000000 N10 G0123456789abcdef0123456789abcdef\n${lines(1, old)}`)
    await settle(box)
    expect(box.rows.map(({ uid }) => uid)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9])
    // Dovecot: expunges 1 to 5, six come, and the list is written anew.
    for (const name of old.slice(0, 5)) await rm(join(maildir, `cur/${name}:2,S`))
    for (const name of fresh) await writeFile(join(maildir, `cur/${name}:2,`), 'Subject: n\n\nHello.\n\n')
    await rewritten(`3 V1700000000 N16 G0123456789abcdef0123456789abcdef\n${lines(6, old.slice(5))}${lines(10, fresh)}`)
    await box.refresh()
    expect(box.rows.map(({ uid }) => uid)).toEqual([6, 7, 8, 9, 10, 11, 12, 13, 14, 15])
  })
  test('another UIDVALIDITY is seen though the new list has the inode of the one before', async () => {
    const box = await inbox()
    await writeFile(join(maildir, 'cur/1700000000.a.host,S=21:2,'), 'Subject: n\n\nHello.\n\n')
    await writeFile(join(maildir, 'dovecot-uidlist'), `3 V1700000000 N2 Gab\n1 :1700000000.a.host,S=21\n`)
    await settle(box)
    await rewritten(`3 V1800000000 N2 Gab\n1 :1700000000.a.host,S=21\n`)
    await box.refresh()
    clock.ms += 60_000
    await box.refresh()
    expect(box.table.uidValidity).toBe(1_800_000_000)
  })
  test('a message that Dovecot delivers while its lock is waited for keeps its UID when the list is tidied', async () => {
    const box = await inbox()
    const list = join(maildir, 'dovecot-uidlist')
    await writeFile(list, `3 V1700000000 N301 Gab\n${Array.from({ length: 300 }, (_, n) => `${n + 1} :1600000000.gone${n}.host\n`).join('')}`)
    await writeFile(join(maildir, 'new/1800000000.bare.host'), 'Subject: x\n\nHello.\n')
    meanwhile = {
      name: 'dovecot-uidlist.lock',
      work: async () => {
        await appendFile(list, '301 :1800000001.dovecot.host\n')
        await writeFile(join(maildir, 'cur/1800000001.dovecot.host:2,S'), 'Subject: dovecot\n\nHello.\n')
      },
    }
    await box.refresh()
    await box.refresh()
    expect((await readFile(list, 'utf8')).split('\n')).toContain('301 :1800000001.dovecot.host')
  })
  test('a mailbox whose `new` is missing can be watched all the same', async () => {
    const box = await filled(1)
    await rm(join(maildir, 'new'), { recursive: true })
    await box.refresh()
    expect(() => box.source.watch?.(() => undefined)[Symbol.dispose]()).not.toThrow()
  })
  test('a number that another process read in the list is not given once more because it could not be synced', async () => {
    const box = await filled(2)
    const real = files
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
    await writeFile(join(maildir, 'new/1800000005.x.host'), 'Subject: x\n\nHello.\n')
    files = broken
    const first = await inbox()
    await first.refresh().catch(() => undefined)
    const told = new Map(box.rows.map(({ uid, size }) => [uid, size]))
    await writeFile(join(maildir, 'new/1800000001.y.host'), 'Subject: another\n\nHello, you.\n')
    await first.refresh()
    const now = new Map(first.rows.map(({ uid, size }) => [uid, size]))
    expect([told.size, now.get(3)]).toEqual([3, told.get(3)])
  })
  test('flags are stored though the message is renamed by others again and again while it is looked for', async () => {
    const box = await filled(3)
    await settle(box)
    const name = await nameOf('x1.')
    const base = name.replace(/:.*/, '')
    const at = (info: string): string => join(maildir, 'cur', `${base}:2,${info}`)
    meanwhile = { call: 'rename', name: `cur/${name}`, work: () => rename(at('S'), at('FS')) }
    missing = { part: 'x1.', work: () => rename(at('FS'), at('FPS')) }
    await box.store({ uids: uids.one(2), system: SYSTEM.answered })
    expect([await nameOf('x1.'), meanwhile, missing]).toEqual([`${base}:2,FPRS`, undefined, undefined])
  })
  test('a message that is renamed by others again and again is expunged', async () => {
    const box = await filled(3)
    await settle(box)
    const name = await nameOf('x1.')
    const base = name.replace(/:.*/, '')
    const at = (info: string): string => join(maildir, 'cur', `${base}:2,${info}`)
    meanwhile = { call: 'unlink', name: `cur/${name}`, work: () => rename(at('S'), at('FS')) }
    missing = { part: 'x1.', work: () => rename(at('FS'), at('FPS')) }
    await box.expunge(uids.one(2), { always: true })
    await box.refresh()
    expect([box.rows.map(({ uid }) => uid), await nameOf('x1.')]).toEqual([[1, 3], ''])
  })
  test('the size of a message that is renamed by others again and again is told', async () => {
    const box = await inbox()
    await writeFile(join(maildir, 'cur/1800000000.x1.host:2,S'), 'Subject: x\n\nHello.\n')
    const at = (info: string): string => join(maildir, `cur/1800000000.x1.host:2,${info}`)
    await box.edit((edit) => box.source.refresh(edit, { claimRecent: false }, never))
    meanwhile = { name: 'cur/1800000000.x1.host:2,S', work: () => rename(at('S'), at('FS')) }
    missing = { part: 'x1.', work: () => rename(at('FS'), at('FPS')) }
    await box.edit((edit) => box.source.fill?.(uids.one(1), edit, never) ?? Promise.resolve())
    clock.ms += 600_000
    for (let n = 0; n < 3; n++) await box.refresh()
    expect([box.rows[0]?.size, (box.rows[0]?.ms ?? 0) > 0, meanwhile, missing]).toEqual([22, true, undefined, undefined])
  })
  test('a file with a line end in its name is no message, and the list does not grow with each look', async () => {
    const box = await filled(1)
    await writeFile(join(maildir, 'cur/1800000000.a\nb.host:2,'), 'Subject: x\n\nHello.\n')
    for (let n = 0; n < 4; n++) {
      clock.ms += 60_000
      await box.refresh()
    }
    const lines = (await readFile(join(maildir, 'dovecot-uidlist'), 'utf8')).split('\n')
    expect([lines.length, box.table.uidNext]).toEqual([3, 2])
  })
  test('a delivery that has arrived is not refused because its row cannot be told yet', async () => {
    const box = await filled(2)
    await settle(box)
    failing = { call: 'list', name: 'new' }
    const outcome: unknown = await deliver(box).then(() => 'done', (error: unknown) => error)
    expect([outcome, (await readdir(join(maildir, 'new'))).length, failing]).toEqual(['done', 1, undefined])
  })
  test('no message at all is delivered', async () => {
    const box = await filled(2)
    await settle(box)
    const delivery = await (await mailStore()).append({ mount: mount(), path: 'INBOX' }, never)
    await box.edit((edit) => delivery.commit({ source: box.source, edit }, never))
    await box.refresh()
    expect(box.rows.map(({ uid }) => uid)).toEqual([1, 2])
  })
  test.each([{ more: -1000 }, { more: 1000 }])('a large message whose name says a wrong W ($more) is read whole', async ({ more }) => {
    const box = await inbox()
    const text = `Subject: large\n\n${'line\n'.repeat(100_000)}`
    const right = text.length + 100_002
    await writeFile(join(maildir, `cur/1800000000.a.host,S=5,W=${right + more}:2,`), text)
    await box.refresh()
    const [message] = await box.messages()
    expect(message?.bytes.length).toBe(right)
  })
  test('a lock of a process of this machine that is alive stays, whatever the clock says', async () => {
    const box = await inbox()
    await writeFile(join(maildir, 'new/1.a.host'), 'Subject: x\n\nHello.\n')
    const lock = join(maildir, 'dovecot-uidlist.lock')
    await writeFile(lock, `${process.ppid}:${hostname()}`)
    clock.ms += 121_000
    await box.refresh().catch(() => undefined)
    expect(await readFile(lock, 'utf8').catch(() => 'overridden')).toBe(`${process.ppid}:${hostname()}`)
  })
  test('after a rename of ours that failed the same one by another program is told', async () => {
    const box = await filled(3)
    await settle(box)
    clock.after = () => ({ [Symbol.dispose]: () => undefined })
    let watch: Disposable | undefined
    const told = new Promise<string>((resolve) => (watch = box.source.watch?.(() => resolve('told'))))
    const name = await nameOf('x1.')
    failing = { call: 'rename', name: `cur/${name}` }
    await box.store({ uids: uids.one(2), system: SYSTEM.flagged }).catch(() => undefined)
    await rename(join(maildir, 'cur', name), join(maildir, 'cur', name.replace(/:2,.*/, ':2,FS')))
    expect(await told).toBe('told')
    watch?.[Symbol.dispose]()
  })
  test('a lock that is a symbolic link to nothing is waited for with pauses, and given up', async () => {
    const box = await inbox()
    await writeFile(join(maildir, 'new/1.a.host'), 'Subject: x\n\nHello.\n')
    await symlink('/nowhere/at/all', join(maildir, 'dovecot-uidlist.lock'))
    const ending = new AbortController()
    const timer = setTimeout(() => ending.abort(new Error('still trying')), 1500)
    const began = clock.ms
    const failure: unknown = await box.refresh({ claimRecent: false }, ending.signal).catch((error: unknown) => error)
    clearTimeout(timer)
    expect([String(failure).includes('still trying'), clock.ms > began]).toEqual([false, true])
  })
  test('a lock that may not be opened (of another user) is waited for', async () => {
    await inbox()
    await writeFile(join(maildir, 'new/1.a.host'), 'Subject: x\n\nHello.\n')
    const lock = join(maildir, 'dovecot-uidlist.lock')
    await writeFile(lock, `${process.ppid}:${hostname()}`)
    let tries = 0
    const real = files
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
    files = denied
    const other = await inbox()
    await other.refresh()
    expect(other.rows.map(({ uid }) => uid)).toEqual([1])
  })
  test('after a damaged list UIDVALIDITY grows though the clock was set back', async () => {
    const box = await filled(2)
    const before = box.table.uidValidity
    clock.ms -= 86_400_000
    await writeFile(join(maildir, 'kept'), 'garbage\n')
    await rename(join(maildir, 'kept'), join(maildir, 'dovecot-uidlist'))
    await box.refresh()
    expect(box.table.uidValidity).toBeGreaterThan(before)
  })
  test('after the clock was set back an hour the second look comes in time', async () => {
    const box = await filled(3)
    await settle(box)
    const name = await nameOf('x2')
    meanwhile = { call: 'syncDirectory', name: 'cur', work: () => rename(join(maildir, 'cur', name), join(maildir, 'cur', name.replace(/:2,.*/, ':2,FS'))) }
    await box.store({ uids: uids.one(1), system: SYSTEM.answered })
    clock.ms -= 3_600_000
    clock.ms += 60_000
    await box.refresh()
    expect(box.rows.map(({ flags }) => flags)).toEqual(['seen answered', 'seen', 'seen flagged'])
  })
  test('after a list came out of a backup a number that clients know is not given to another message', async () => {
    const box = await filled(4)
    const list = join(maildir, 'dovecot-uidlist')
    const old = await readFile(list, 'utf8')
    await writeFile(join(maildir, 'new/1800000000.five.host'), 'Subject: five\n\nHello.\n')
    await box.refresh()
    await box.expunge(uids.one(5), { always: true })
    await writeFile(`${list}.old`, old)
    await rename(`${list}.old`, list)
    await writeFile(join(maildir, 'new/1800000001.six.host'), 'Subject: six\n\nHello.\n')
    await box.refresh()
    expect(box.rows.map(({ uid }) => uid)).toEqual([1, 2, 3, 4, 6])
  })
})
