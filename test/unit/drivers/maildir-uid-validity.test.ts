import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Located, MailStore } from '../../../core/api/index.js'
import { MaildirSite } from '../../support/maildir.js'

describe('UIDVALIDITY of mailboxes of one Maildir (RFC 9051 §2.3.1.1)', () => {
  let site: MaildirSite
  let store: MailStore
  beforeEach(async () => {
    site = await MaildirSite.begin()
    store = await site.mailStore()
  })
  afterEach(() => site.end())
  const at = (path: string): Located['at'] => ({ mount: site.mount(), path })
  const create = async (path: string, numbers?: { uidValidity: number; uidNext: number }): Promise<number> => {
    await store.create?.(at(path), { specialUse: [], ...numbers })
    return validity(path)
  }
  const validity = async (path: string): Promise<number> => {
    const box = await site.open(path, store)
    await box.refresh()
    return box.table.uidValidity
  }
  const remove = async (path: string): Promise<void> => store.remove?.(at(path))
  const highest = async (): Promise<string[]> => (await readdir(site.path)).filter((name) => name.startsWith('dovecot-uidvalidity'))
  const now = (): number => Math.floor(site.clock.ms / 1000)

  test('a mailbox that is deleted and made anew in one second has another one, and is above it', async () => {
    const first = await create('x')
    await remove('x')
    const second = await create('x')
    await remove('x')
    expect([first >= now(), second > first, (await create('x')) > second]).toEqual([true, true, true])
  })
  test('so has one that takes the name of a mailbox that was renamed in that second', async () => {
    const first = await create('x')
    await store.rename?.(at('x'), at('y'))
    expect([await create('x'), await validity('y')]).toEqual([first + 1, first])
  })
  test('and so have those that are made at the same time', async () => {
    const made = await Promise.all(['a', 'b', 'c', 'd'].map((name) => create(name)))
    expect([new Set(made).size, (await highest()).length]).toEqual([4, 1])
  })
  test('the last one is noted as Dovecot notes it, which goes on from it', async () => {
    await mkdir(site.path)
    await writeFile(site.at('dovecot-uidvalidity.7ffffff0'), '')
    await writeFile(site.at('dovecot-uidvalidity'), '7ffffff0')
    expect([await create('x'), (await highest()).sort()]).toEqual([0x7ffffff1, ['dovecot-uidvalidity', 'dovecot-uidvalidity.7ffffff1']])
  })
  test('also after the clock was set back, and after numbers that another mailbox brought', async () => {
    const brought = await create('x', { uidValidity: now() + 1000, uidNext: 7 })
    await remove('x')
    site.clock.ms -= 86_400_000
    expect([brought, await create('x')]).toEqual([now() + 87_400, now() + 87_401])
  })
  test('that of a mailbox of another program which noted none is not given again once it is deleted', async () => {
    for (const folder of ['cur', 'new', 'tmp']) await mkdir(site.at('.x', folder), { recursive: true })
    await writeFile(site.at('.x/dovecot-uidlist'), `3 V${now() + 5000} N1 G0123\n`)
    await remove('x')
    expect(await create('x')).toBe(now() + 5001)
  })
  test('where it cannot be noted it is above what is noted, and mail can be read', async () => {
    await create('x')
    const { files } = site
    site.files = new Proxy(files, {
      get: (target, key) => (key === 'rename' ? (from: string, to: string) => (from.includes('uidvalidity') ? Promise.reject(Object.assign(new Error('EACCES'), { code: 'EACCES' })) : target.rename(from, to)) : Reflect.get(target, key)),
    })
    await rm(site.at('.x/dovecot-uidlist'))
    const box = await site.open('x', await site.mailStore())
    await writeFile(site.at('.x/new/1700000000.a.host'), 'Subject: x\n\n')
    await box.refresh()
    expect([box.table.uidValidity, box.rows.length]).toEqual([now() + 1, 1])
  })
})
