import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { MailboxName, MailEvent, MailLocation, MailUser, Mount, SidecarKind } from '../../../core/api/index.js'
import { SystemFiles } from '../../../core/os/files.js'
import { FileSidecars } from '../../../plugins/sidecars/files/backend.js'
import { MailboxList } from '../../../plugins/subscriptions/mailboxlist/subscriptions.js'
import { TestClock } from '../../support/unix.js'

const files = new SystemFiles(undefined)
const name = (text: string): MailboxName => text as MailboxName
let dir = ''
let user: MailUser
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'mailwright-records-'))
  user = { name: 'alice', kind: 'account', home: dir, facts: {} }
})
afterEach(() => rm(dir, { recursive: true, force: true }))

describe('.mailboxlist', () => {
  const open = (): MailboxList => new MailboxList(files, new TestClock(), (u) => `${u.home}/.mailboxlist`)
  test('names stand one per line, in the order of subscribing, each once', async () => {
    const list = open()
    expect(await list.list(user)).toEqual([])
    await Promise.all([list.set(user, name('b'), true), list.set(user, name('a/ü'), true), list.set(user, name('b'), true)])
    expect(await readFile(join(dir, '.mailboxlist'), 'utf8')).toBe('b\na/ü\n')
    await list.set(user, name('b'), false)
    await list.set(user, name('none'), false)
    expect([await open().list(user), await readdir(dir)]).toEqual([['a/ü'], ['.mailboxlist']])
  })
  test('lists of other programs are read, with their line ends and repetitions', async () => {
    await writeFile(join(dir, '.mailboxlist'), 'x\r\n\ny\nx')
    expect(await open().list(user)).toEqual(['x', 'y'])
  })
  test('a name that is two lines is refused', async () => {
    await expect(open().set(user, name('a\nb'), true)).rejects.toMatchObject({ kind: 'denied' })
  })
})

describe('sidecars in files', () => {
  const mount: Mount = { prefix: '', class: 'personal', store: 'files', root: '/home/alice', advertised: true, listed: true }
  const at = (path: string): MailLocation => ({ mount, path })
  const NOTE: SidecarKind<string> = { id: 'note', codec: { encode: (s) => Buffer.from(s), decode: (b) => Buffer.from(b).toString() } }
  const listeners = new Set<(e: MailEvent) => void>()
  const events = {
    on(handler: (e: MailEvent) => void) {
      listeners.add(handler)
      return { [Symbol.dispose]: () => void listeners.delete(handler) }
    },
    emit(e: MailEvent) {
      for (const hear of listeners) hear(e)
    },
  }
  const open = (): FileSidecars => new FileSidecars({ files, clock: new TestClock(), events, stateDirectory: '{home}/.mailwright' })

  test('records last, by kind and key, and are gone when they are taken away', async () => {
    await using backend = open()
    const side = (await backend.open(user)).of(at('box'))
    await Promise.all([side.put(NOTE, 'a', '1'), side.put(NOTE, '__proto__', '2'), side.put({ ...NOTE, id: 'other' }, 'a', '3')])
    const again = (await open().open(user)).of(at('box'))
    expect([await again.get(NOTE, 'a'), await again.get(NOTE, '__proto__'), await again.get(NOTE, 'constructor')]).toEqual(['1', '2', undefined])
    await again.put(NOTE, 'a', undefined)
    const seen: unknown[] = []
    for await (const batch of again.each(NOTE)) seen.push(...batch)
    expect(seen).toEqual([['__proto__', '2']])
    expect(await (await backend.open(user)).account(user).get(NOTE, 'a')).toBeUndefined()
  })

  test('they follow a rename, also of what is above, and go with a delete', async () => {
    const backend = open()
    const sidecars = await backend.open(user)
    await sidecars.of(at('a/box')).put(NOTE, 'k', 'v')
    events.emit({ at: at('b'), kind: 'renamed', from: at('a') })
    await backend[Symbol.asyncDispose]()
    const later = open()
    const moved = await later.open(user)
    expect([await moved.of(at('b/box')).get(NOTE, 'k'), await moved.of(at('a/box')).get(NOTE, 'k')]).toEqual(['v', undefined])
    events.emit({ at: at('b/box'), kind: 'deleted' })
    await later[Symbol.asyncDispose]()
    expect(await (await open().open(user)).of(at('b/box')).get(NOTE, 'k')).toBeUndefined()
  })

  test('a name that climbs is one piece of a path', async () => {
    await using backend = open()
    await (await backend.open(user)).of(at('../../etc/passwd')).put(NOTE, 'k', 'v')
    expect(await readdir(dir)).toEqual(['.mailwright'])
    expect(await (await backend.open(user)).of(at('../../etc/passwd')).get(NOTE, 'k')).toBe('v')
  })
})
