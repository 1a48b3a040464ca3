import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Codec, MailLocation, MailUser, Mount, Sidecar, SidecarKind, Sidecars } from '../../../core/api/index.js'
import { SystemFiles } from '../../../core/os/files.js'
import { FileSidecars } from '../../../plugins/sidecars/files/backend.js'

const text: Codec<string> = { encode: (value) => new TextEncoder().encode(value), decode: (bytes) => new TextDecoder().decode(bytes) }
const RIGHTS: SidecarKind<string> = { id: 'acl.rights', codec: text }
const NOTES: SidecarKind<string> = { id: 'notes', codec: text }

let home: string
let mount: Mount
let user: MailUser
let backend: FileSidecars
let sidecars: Sidecars
const at = (path: string): MailLocation => ({ mount, path })
const make = (stateDirectory = '{home}/.mailwright'): FileSidecars => new FileSidecars({ files: new SystemFiles(undefined), mailbox: { stateDirectory, durability: 'full' } })
const renamed = async (from: string, to: string): Promise<void> => sidecars.renamed?.(at(from), at(to))
async function all(of: Sidecar, kind: SidecarKind<string>): Promise<readonly (readonly [string, string])[]> {
  const out: (readonly [string, string])[] = []
  for await (const batch of of.each(kind)) out.push(...batch)
  return out
}
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'sidecars-'))
  mount = { prefix: '', class: 'personal', store: 'files', root: home, advertised: true, listed: true }
  user = { name: 'alice', kind: 'account', home, facts: {} }
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
    await renamed('work', 'old/work')
    expect(await sidecars.of(at('old/work')).get(NOTES, 'k')).toBe('work')
    expect(await sidecars.of(at('old/work/2026')).get(NOTES, 'k')).toBe('2026')
    expect(await sidecars.of(at('work')).get(NOTES, 'k')).toBeUndefined()
  })
  test('records go with a delete, those of what is below stay', async () => {
    await sidecars.of(at('work')).put(NOTES, 'k', 'work')
    await sidecars.of(at('work/2026')).put(NOTES, 'k', '2026')
    await sidecars.removed?.(at('work'))
    expect(await sidecars.of(at('work')).get(NOTES, 'k')).toBeUndefined()
    expect(await sidecars.of(at('work/2026')).get(NOTES, 'k')).toBe('2026')
  })
  test('a get that comes with a rename sees what is true after it', async () => {
    await sidecars.of(at('a')).put(NOTES, 'k', 'x')
    const [, found] = await Promise.all([renamed('a', 'b'), sidecars.of(at('b')).get(NOTES, 'k')])
    expect(found).toBe('x')
  })
  test('whoever opened them first', async () => {
    await sidecars.of(at('a')).put(NOTES, 'k', 'x')
    const next = await make().open(user)
    await next.renamed?.(at('a'), at('b'))
    expect(await next.of(at('b')).get(NOTES, 'k')).toBe('x')
  })
  test('what an older mailbox of the name left does not stop them, nor mix with them', async () => {
    for (const path of ['b', 'b/x', 'b/old', 'b/deep/y']) await sidecars.of(at(path)).put(NOTES, 'k', 'stale')
    for (const path of ['a/x', 'a/deep/z']) await sidecars.of(at(path)).put(NOTES, 'k', path)
    await renamed('a', 'b')
    const now = async (path: string): Promise<string | undefined> => sidecars.of(at(path)).get(NOTES, 'k')
    expect([await now('b'), await now('b/x'), await now('b/deep/z'), await now('b/old'), await now('a/x')]).toEqual([undefined, 'a/x', 'a/deep/z', 'stale', undefined])
  })
  test('a slash at the end makes no other mailbox', async () => {
    await sidecars.of(at('a/')).put(NOTES, 'k', 'x')
    expect(await sidecars.of(at('a')).get(NOTES, 'k')).toBe('x')
  })
})

describe('files of records', () => {
  test.each(['null', '[]', '3', '{"notes":{"k":1}}', '{"notes":null}', '{"notes":["k"]}', ''])('%j is damaged', async (damaged) => {
    const side = sidecars.account(user)
    await side.put(NOTES, 'x', 'y')
    await writeFile(join(home, '.mailwright', 'sidecars', 'account.records'), damaged)
    await expect(side.get(NOTES, 'k')).rejects.toMatchObject({ kind: 'corrupt' })
    await expect(side.put(NOTES, 'k', 'z')).rejects.toMatchObject({ kind: 'corrupt' })
  })
  test('what would be too large to be read again is refused, and the rest stays', async () => {
    const side = sidecars.account(user)
    await side.put(NOTES, 'k', 'small')
    await expect(side.put(NOTES, 'big', 'x'.repeat(14 << 20))).rejects.toMatchObject({ kind: 'limit' })
    expect(await all(side, NOTES)).toEqual([['k', 'small']])
  })
  test('lie in the state folder that the mailboxes use', async () => {
    const other = make(`${home}/state/{user}`)
    await (await other.open({ ...user, name: 'alice@example.org' })).account(user).put(NOTES, 'k', 'x')
    await (await other.open({ ...user, name: '../bob' })).account(user).put(NOTES, 'k', 'x')
    expect((await readdir(join(home, 'state'))).sort()).toEqual(['..%2Fbob', 'alice%40example.org'])
  })
  test('two hosts with the same homes get on with each other', async () => {
    const [a, b] = [sidecars.of(at('a')), (await make().open(user)).of(at('a'))]
    await Promise.all([a.put(NOTES, 'k', '1'), b.put(NOTES, 'k', '2')])
    expect(['1', '2']).toContain(await a.get(NOTES, 'k'))
    expect(await readdir(join(home, '.mailwright', 'sidecars'))).toHaveLength(1)
  })
})
