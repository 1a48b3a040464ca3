import { chmod, mkdtemp, readdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Files } from 'mailwright/api'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SystemFiles } from '../../../core/os/files.js'
import { systemClock } from '../../../core/os/clock.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import { FileBackend, type FileBackendSettings } from '../../../plugins/auth/passwords/file/file-backend.js'
import { Hashing, schemeName } from '../../../plugins/auth/shared/hashing.js'
import { PasswordFile } from '../../../plugins/auth/shared/password-file.js'
import { PasswordLines } from '../../../plugins/auth/shared/password-lines.js'
import { plainScheme } from '../../../plugins/auth/schemes/plain.js'
import { scryptScheme } from '../../../plugins/auth/schemes/scrypt.js'
import { gateFor, held, HeldClock, LoggedLines, never, peers, turns, words } from '../../support/auth.js'

const schemes = [scryptScheme({ ln: 10, r: 8, p: 1 }), plainScheme(true)]
const files: Files = new SystemFiles(await nativeLocks())
let folder = ''
let path = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mailwright-passwords-'))
  path = join(folder, 'users')
})
afterEach(() => rm(folder, { recursive: true }))

function backend(more: { file?: string; files?: Files; clock?: HeldClock; log?: LoggedLines; fallthrough?: boolean; settings?: Partial<FileBackendSettings> } = {}): FileBackend {
  const log = more.log ?? new LoggedLines()
  const file = new PasswordFile(more.file ?? path, more.files ?? files, more.clock ?? systemClock, log)
  return new FileBackend(file, new Hashing(schemes, 2), log, { fallthrough: more.fallthrough ?? false, rehash: true, keep: [], ...more.settings })
}
const login = (b: FileBackend, user: string, password: string): Promise<unknown> => b.verify({ kind: 'password', user, password: words(password) }, peers.encrypted, never)
const accepted = (user: string): unknown => ({ kind: 'accepted', user, alerts: [] })

describe('checking', () => {
  test('names, locks, damaged and unknown hashes', async () => {
    const lines = ['# remark', '', 'alice:{PLAIN}secret', 'bob:!{PLAIN}secret', 'carol:', 'dave:$1$old$hash', 'erin:$scrypt$nonsense', 'ünï@example.org:{PLAIN}secret:1000:further', 'alice:{PLAIN}second']
    await writeFile(path, `${lines.join('\r\n')}\r\nno colon\n`, { mode: 0o600 })
    const log = new LoggedLines()
    const b = backend({ log })
    const verdicts: Record<string, unknown> = {}
    for (const user of ['alice', 'Alice', 'bob', 'carol', 'dave', 'erin', 'ünï@example.org', '# remark', 'no colon', 'zoe']) verdicts[user] = await login(b, user, 'secret')
    expect(verdicts).toEqual({
      alice: accepted('alice'),
      Alice: { kind: 'unknown-user' },
      bob: { kind: 'disabled' },
      carol: { kind: 'disabled' },
      dave: { kind: 'disabled' },
      erin: { kind: 'disabled' },
      'ünï@example.org': accepted('ünï@example.org'),
      '# remark': { kind: 'unknown-user' },
      'no colon': { kind: 'unknown-user' },
      zoe: { kind: 'unknown-user' },
    })
    expect(await login(b, 'alice', 'second')).toEqual({ kind: 'wrong-password' })
    expect(log.lines).toEqual([
      `warn password file has lines that say nothing path=${path} lines=9,10`,
      'warn stored password cannot be checked user=dave why=scheme 1 is not among the schemes of this host',
      'warn stored password cannot be checked user=erin why=a stored scrypt hash is not of the form $scrypt$ln=...,r=...,p=...$salt$hash',
    ])
  })

  test('names that objects have by birth are unknown users', async () => {
    await writeFile(path, 'alice:{PLAIN}x\n', { mode: 0o600 })
    for (const user of ['__proto__', 'constructor', 'toString']) expect(await login(backend(), user, 'x')).toEqual({ kind: 'unknown-user' })
  })

  test('a file that is missing, a directory or unreadable is an outage', async () => {
    await expect(login(backend(), 'alice', 'x')).rejects.toMatchObject({ kind: 'unavailable' })
    await expect(login(backend({ file: folder }), 'alice', 'x')).rejects.toMatchObject({ kind: 'unavailable' })
    const { gate } = gateFor({ backends: [backend()] })
    await expect(gate.password('alice', words('x'), peers.encrypted, never)).rejects.toMatchObject({ kind: 'unavailable' })
  })

  test('a change takes effect at the next login, also one that keeps size and time', async () => {
    await writeFile(path, 'alice:{PLAIN}one\n', { mode: 0o600 })
    await utimes(path, 1_000_000, 1_000_000)
    const b = backend()
    expect(await login(b, 'alice', 'one')).toEqual(accepted('alice'))
    await writeFile(path, 'alice:{PLAIN}two\n')
    await utimes(path, 1_000_000, 1_000_000)
    expect(await login(b, 'alice', 'two')).toEqual(accepted('alice'))
    expect(await login(b, 'alice', 'one')).toEqual({ kind: 'wrong-password' })
  })

  test('an old file is read once', async () => {
    await writeFile(path, 'alice:{PLAIN}one\n', { mode: 0o600 })
    let opened = 0
    const counting: Files = new Proxy(files, {
      get(target, key) {
        // Members of the interface, called on the real object.
        const member: unknown = Reflect.get(target, key)
        if (typeof member !== 'function') return member
        return (...args: unknown[]): unknown => {
          if (key === 'open') opened++
          return Reflect.apply(member, target, args) as unknown
        }
      },
    })
    const b = backend({ files: counting, clock: new HeldClock(Date.now() + 10_000) })
    await Promise.all([login(b, 'alice', 'one'), login(b, 'alice', 'one'), login(b, 'bob', 'one')])
    await login(b, 'alice', 'one')
    expect(opened).toBe(1)
  })

  test('a file that others may read is pointed out once', async () => {
    await writeFile(path, 'alice:{PLAIN}one\n')
    await chmod(path, 0o644)
    const log = new LoggedLines()
    const b = backend({ log })
    await login(b, 'alice', 'one')
    await login(b, 'alice', 'one')
    expect(log.lines).toEqual([`warn password file is open to others than its owner path=${path} mode=0644`])
  })
})

describe('editing', () => {
  test('add, list, change, remove keep everything else', async () => {
    await writeFile(path, '# ours\nalice:{PLAIN}one:1000:x\n\nbob:!{PLAIN}two', { mode: 0o640 })
    const { accounts } = backend()
    await accounts.add('carol', words('three'), never)
    await accounts.setPassword('alice', words('uno'), never)
    expect(await accounts.list(never)).toEqual([
      { user: 'alice', enabled: true, scheme: 'scrypt' },
      { user: 'bob', enabled: false, scheme: '{PLAIN}' },
      { user: 'carol', enabled: true, scheme: 'scrypt' },
    ])
    await accounts.remove('bob', never)
    const text = await readFile(path, 'utf8')
    expect(text.replaceAll(/\$scrypt\$[^:\n]+/g, 'HASH')).toBe('# ours\nalice:HASH:1000:x\n\ncarol:HASH\n')
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect(await readdir(folder)).toEqual(['users'])
    expect([await login(backend(), 'carol', 'three'), await login(backend(), 'alice', 'uno')]).toEqual([accepted('carol'), accepted('alice')])
  })

  test('the first user makes file and folder', async () => {
    const file = join(folder, 'a/b/users')
    await backend({ file }).accounts.add('alice', words('secret'), never)
    expect(await login(backend({ file }), 'alice', 'secret')).toEqual(accepted('alice'))
    expect((await stat(join(folder, 'a'))).mode & 0o777).toBe(0o700)
  })

  test.each(['', '#alice', 'al:ice', 'al\nice', ' alice', 'alice ', 'al\0ice', 'a'.repeat(255)])('"%s" is no name', async (user) => {
    await expect(backend().accounts.add(user, words('secret'), never)).rejects.toMatchObject({ kind: 'unsupported' })
    expect(await readdir(folder)).toEqual([])
  })

  test.each(['', 'sec\0ret', 'x'.repeat(256)])('a password that could not be used is refused', async (password) => {
    await expect(backend().accounts.add('alice', words(password), never)).rejects.toMatchObject({ kind: 'unsupported' })
  })

  test('who is there is not added, and who is not there is neither changed nor removed', async () => {
    const { accounts } = backend()
    await accounts.add('alice', words('secret'), never)
    const before = await readFile(path, 'utf8')
    await expect(accounts.add('alice', words('x'), never)).rejects.toMatchObject({ kind: 'exists' })
    await expect(accounts.setPassword('bob', words('x'), never)).rejects.toMatchObject({ kind: 'not-found' })
    await expect(accounts.remove('bob', never)).rejects.toMatchObject({ kind: 'not-found' })
    expect(await readFile(path, 'utf8')).toBe(before)
    expect(await readdir(folder)).toEqual(['users'])
  })

  test('a link is followed, and stays a link', async () => {
    await writeFile(join(folder, 'real'), 'alice:{PLAIN}one\n', { mode: 0o600 })
    await symlink('real', path)
    await backend().accounts.add('bob', words('two'), never)
    expect(await readFile(join(folder, 'real'), 'utf8')).toContain('bob:')
    expect((await readdir(folder)).sort()).toEqual(['real', 'users'])
  })

  test('editors at the same time lose nothing', async () => {
    const names = Array.from({ length: 8 }, (_, i) => `user${i}`)
    const [one, two] = [backend(), backend()]
    await Promise.all(names.map((name, i) => (i % 2 === 0 ? one : two).accounts.add(name, words('x'), never)))
    expect((await one.accounts.list(never)).map((a) => a.user).sort()).toEqual(names)
  })

  test('a lock that was left behind is removed after a minute, a fresh one is waited for', async () => {
    await writeFile(`${path}.lock`, '')
    const clock = new HeldClock(Date.now())
    const log = new LoggedLines()
    const b = backend({ clock, log })
    const cancelled = new AbortController()
    const waiting = b.accounts.add('alice', words('x'), cancelled.signal)
    waiting.catch(() => undefined)
    while (clock.pending.length === 0) await turns()
    cancelled.abort()
    await expect(waiting).rejects.toMatchObject({ kind: 'cancelled' })
    expect(clock.pending).toEqual([])
    clock.advance(61_000)
    await b.accounts.add('alice', words('x'), never)
    expect(log.lines).toEqual([`warn lock of the password file was left behind and is removed path=${path}.lock`])
    expect((await readdir(folder)).sort()).toEqual(['users'])
  })
})

describe('learning', () => {
  test('a weak hash is replaced when its owner logs in, a strong one and a foreign one are not', async () => {
    await writeFile(path, 'alice:{PLAIN}secret\nbob:{PLAIN}other\n', { mode: 0o600 })
    const b = backend()
    await b.learn('alice', words('secret'), never)
    await b.learn('bob', words('secret'), never)
    await b.learn('zoe', words('secret'), never)
    const once = await readFile(path, 'utf8')
    expect(once).toMatch(/^alice:\$scrypt\$\S+\nbob:\{PLAIN\}other\n$/)
    await b.learn('alice', words('secret'), never)
    expect(await readFile(path, 'utf8')).toBe(once)
    expect(await login(b, 'alice', 'secret')).toEqual(accepted('alice'))
  })
})

test('two hosts with different files know different users', async () => {
  const second = join(folder, 'second')
  await backend().accounts.add('alice', words('one'), never)
  await backend({ file: second }).accounts.add('alice', words('two'), never)
  const [one, two] = [gateFor({ backends: [backend()] }), gateFor({ backends: [backend({ file: second })] })]
  expect(await one.gate.password('alice', words('one'), peers.encrypted, never)).toMatchObject({ kind: 'in' })
  expect(await two.gate.password('alice', words('two'), peers.encrypted, never)).toMatchObject({ kind: 'in' })
  expect((await held(two.clock, two.gate.password('alice', words('one'), peers.encrypted, never))).value).toEqual({ kind: 'out' })
})

test.each([
  { stored: '$argon2id$v=19$x', name: 'argon2id' },
  { stored: '{SSHA}abc', name: '{SSHA}' },
  { stored: 'letmein', name: 'unknown' },
])('lists call it $name', ({ stored, name }) => {
  expect(schemeName(stored)).toBe(name)
})

test('lines come out as they went in', () => {
  for (const text of ['', 'a:b\n', '# x\r\n\r\na:b:c\r\n', 'odd\n\n']) expect(new PasswordLines(text).toString()).toBe(text)
  expect(new PasswordLines('a:b').toString()).toBe('a:b\n')
})
