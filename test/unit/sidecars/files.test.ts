import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Codec, MailLocation, MailUser, Mount, Sidecar, SidecarKind, Sidecars } from '../../../core/api/index.js'
import { HostEvents } from '../../../core/mail/events.js'
import { SystemFiles } from '../../../core/os/files.js'
import { FileSidecars } from '../../../plugins/sidecars/files/backend.js'
import { StillClock } from '../../support/mail.js'

const text: Codec<string> = { encode: (value) => new TextEncoder().encode(value), decode: (bytes) => new TextDecoder().decode(bytes) }
const RIGHTS: SidecarKind<string> = { id: 'acl.rights', codec: text }
const NOTES: SidecarKind<string> = { id: 'notes', codec: text }

let home: string
let mount: Mount
let user: MailUser
let events: HostEvents
let backend: FileSidecars
let sidecars: Sidecars
const at = (path: string): MailLocation => ({ mount, path })
const make = (): FileSidecars => new FileSidecars({ files: new SystemFiles(undefined), clock: new StillClock(), events, stateDirectory: '{home}/.mailwright' })
async function all(of: Sidecar, kind: SidecarKind<string>): Promise<readonly (readonly [string, string])[]> {
  const out: (readonly [string, string])[] = []
  for await (const batch of of.each(kind)) out.push(...batch)
  return out
}
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'sidecars-'))
  mount = { prefix: '', class: 'personal', store: 'files', root: home, advertised: true, listed: true }
  user = { name: 'alice', kind: 'account', home, facts: {} }
  events = new HostEvents((error) => {
    throw error
  })
  backend = make()
  sidecars = await backend.open(user)
})
afterEach(async () => {
  await backend[Symbol.asyncDispose]()
  await rm(home, { recursive: true, force: true })
})

describe('records beside mailboxes', () => {
  test('are by mailbox, kind and key', async () => {
    const side = sidecars.of(at('work'))
    expect(await side.get(RIGHTS, 'bob')).toBeUndefined()
    await side.put(RIGHTS, 'bob', 'lrs')
    await side.put(NOTES, 'bob', 'a friend')
    expect([await side.get(RIGHTS, 'bob'), await side.get(NOTES, 'bob')]).toEqual(['lrs', 'a friend'])
    expect(await sidecars.of(at('home')).get(RIGHTS, 'bob')).toBeUndefined()
    expect(await sidecars.account(user).get(RIGHTS, 'bob')).toBeUndefined()
    expect(await all(side, RIGHTS)).toEqual([['bob', 'lrs']])
  })
  test('are there for the next process', async () => {
    await sidecars.of(at('work')).put(RIGHTS, 'bob', 'lrs')
    await sidecars.account(user).put(NOTES, 'colour', 'green')
    const again = await make().open(user)
    expect(await again.of(at('work')).get(RIGHTS, 'bob')).toBe('lrs')
    expect(await again.account(user).get(NOTES, 'colour')).toBe('green')
  })
  test('go with undefined', async () => {
    const side = sidecars.of(at('work'))
    await side.put(RIGHTS, 'bob', 'lrs')
    await side.put(RIGHTS, 'bob', undefined)
    expect(await all(side, RIGHTS)).toEqual([])
  })
  test.each(['__proto__', 'constructor', '', 'ä\n', 'k'.repeat(1000)])('the key %j is a key like others', async (key) => {
    const side = sidecars.of(at('work'))
    expect(await side.get(NOTES, key)).toBeUndefined()
    await side.put(NOTES, key, 'x')
    expect(await all(side, NOTES)).toEqual([[key, 'x']])
  })
  test('many changes at once lose none', async () => {
    const side = sidecars.of(at('work'))
    await Promise.all(Array.from({ length: 30 }, (_, i) => side.put(NOTES, `k${i}`, `${i}`)))
    expect((await all(side, NOTES)).length).toBe(30)
  })
  test.each(['..', '../..', 'a/../../../x', '.', 'x'.repeat(255), 'é'.repeat(120), 'a.b', 'a%2Eb'])('the mailbox %j has a place below the state folder', async (path) => {
    await sidecars.of(at(path)).put(NOTES, 'k', 'x')
    expect(await sidecars.of(at(path)).get(NOTES, 'k')).toBe('x')
    expect(await readdir(home)).toEqual(['.mailwright'])
    expect(await readdir(join(home, '.mailwright'))).toEqual(['sidecars'])
  })
  test('INBOX is one mailbox in any capitals', async () => {
    await sidecars.of(at('INBOX')).put(NOTES, 'k', 'x')
    expect(await sidecars.of(at('inbox')).get(NOTES, 'k')).toBe('x')
  })
  test('a damaged file is said to be damaged, and is not overwritten', async () => {
    await sidecars.account(user).put(NOTES, 'k', 'x')
    await writeFile(join(home, '.mailwright', 'sidecars', 'account.records'), '{"notes":')
    await expect(sidecars.account(user).get(NOTES, 'k')).rejects.toMatchObject({ kind: 'corrupt' })
    await expect(sidecars.account(user).put(NOTES, 'k', 'y')).rejects.toMatchObject({ kind: 'corrupt' })
  })
  test('a user without home has no place for records', async () => {
    await expect(backend.open({ name: 'bob', kind: 'account', facts: {} })).rejects.toMatchObject({ kind: 'unavailable' })
  })
})

describe('with their mailbox', () => {
  test('records follow a rename, also of what is below', async () => {
    await sidecars.of(at('work')).put(NOTES, 'k', 'work')
    await sidecars.of(at('work/2026')).put(NOTES, 'k', '2026')
    events.emit({ kind: 'renamed', from: at('work'), at: at('old/work') })
    await backend[Symbol.asyncDispose]()
    expect(await sidecars.of(at('old/work')).get(NOTES, 'k')).toBe('work')
    expect(await sidecars.of(at('old/work/2026')).get(NOTES, 'k')).toBe('2026')
    expect(await sidecars.of(at('work')).get(NOTES, 'k')).toBeUndefined()
  })
  test('records go with a delete, those of what is below stay', async () => {
    await sidecars.of(at('work')).put(NOTES, 'k', 'work')
    await sidecars.of(at('work/2026')).put(NOTES, 'k', '2026')
    events.emit({ kind: 'deleted', at: at('work') })
    await backend[Symbol.asyncDispose]()
    expect(await sidecars.of(at('work')).get(NOTES, 'k')).toBeUndefined()
    expect(await sidecars.of(at('work/2026')).get(NOTES, 'k')).toBe('2026')
  })
})
