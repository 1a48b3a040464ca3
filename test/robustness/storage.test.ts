import { spawnSync } from 'node:child_process'
import { chmod, mkdir, readFile, rename, rm, stat, symlink, truncate, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../support/attack.js'
import { run } from '../support/programs.js'
import { LinkLost, RawClient } from '../support/raw-client.js'
import { startServer, type RunningServer } from '../support/running-server.js'
import { canMount, SmallDisk } from '../support/small-disk.js'

const message = (subject: string, octets = 0): string => `From: bob@example.org\r\nSubject: ${subject}\r\n\r\n${'x'.repeat(70)}\r\n`.padEnd(octets, 'y')
const stored = (subject: string): string => `From bob@example.org Mon Nov 23 01:44:50 2026\nSubject: ${subject}\n\nHello.\n\n`

let server: RunningServer
let logged = 0
beforeAll(async () => {
  server = await startServer({ host: 'files: { dotlockTimeout: 3s }\nmailbox: { poll: 1s, checkpointDelay: 1s }' })
  logged = server.log().length
})
afterAll(() => server.remove())
afterEach(() => {
  const bugs = log().filter((line) => /^\S+ \S+ error /.test(line))
  logged = server.log().length
  if (bugs.length > 0) throw new Error(bugs.join('\n'))
})
const log = (): readonly string[] => server.log().slice(logged).split('\n')
const logs = (line: RegExp): Promise<void> => eventually(String(line), () => log().some((l) => line.test(l)))
const alice = (): Promise<RawClient> => RawClient.login(server.ports.imap, 'alice')
const box = (name: string): string => join(server.home('alice'), name)
/** Subjects of a mailbox as another session sees them. */
async function subjects(mailbox: string): Promise<readonly string[]> {
  const client = await alice()
  await client.do(`EXAMINE ${mailbox}`)
  const { untagged } = await client.do('FETCH 1:* BODY.PEEK[HEADER.FIELDS (SUBJECT)]')
  await client.logout()
  return untagged.flatMap((line) => /Subject: (\S+)/.exec(line)?.[1] ?? [])
}
const limit = (what: string): void => {
  const { status, stderr } = spawnSync('prlimit', ['--pid', String(server.process.pid), what], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`prlimit: ${stderr}`)
}

describe.skipIf(process.platform !== 'linux')('no room', () => {
  const octets = 64 * 1024
  const rows: readonly { name: string; mailbox: string; before?: () => Promise<void>; full: () => void; room: () => void }[] = [
    { name: 'a file may not grow', mailbox: 'large', full: () => limit('--fsize=65536:unlimited'), room: () => limit('--fsize=unlimited') },
  ]
  test.each(rows)('$name: NO, and the mailbox is as it was', async ({ mailbox, full, room }) => {
    const client = await alice()
    await client.do(`CREATE ${mailbox}`)
    expect((await client.append(mailbox, message('first'))).status).toBe('OK')
    await client.do(`SELECT ${mailbox}`)
    full()
    try {
      const refused = await client.append(mailbox, message('large', 2 * octets))
      expect(refused).toMatchObject({ status: 'NO', text: expect.stringMatching(/^\[(?:LIMIT|OVERQUOTA)\] APPEND failed: /) })
      expect(refused.untagged.filter((line) => /EXISTS|EXPUNGE|FETCH/.test(line))).toEqual([])
      await logs(/^\S+ \S+ info {2}Command refused user=alice host=\[127\.0\.0\.1\].* command=APPEND mailbox=large reason=.*EFBIG/)
      expect((await client.do('NOOP')).status).toBe('OK')
    } finally {
      room()
    }
    expect(await subjects(mailbox)).toEqual(['first'])
    expect((await client.append(mailbox, message('second'))).status).toBe('OK')
    expect(await subjects(mailbox)).toEqual(['first', 'second'])
    await client.logout()
  })
  test.skipIf(!canMount())('a full disk: NO [UNAVAILABLE] to APPEND and COPY, nothing lost, and room again is room', async () => {
    const folder = join(server.home('alice'), 'small')
    await mkdir(folder)
    using disk = new SmallDisk(folder, '256k')
    const client = await alice()
    try {
      await client.do('CREATE small/box')
      await client.do('CREATE source')
      expect((await client.append('small/box', message('first'))).status).toBe('OK')
      for (const subject of ['one', 'two', 'three']) await client.append('source', message(subject, 20_000))
      await client.do('SELECT small/box')
      await disk.fill()
      expect(await client.append('small/box', message('large', 60_000))).toMatchObject({ status: 'NO', text: expect.stringMatching(/^\[UNAVAILABLE\] APPEND failed: /) })
      const copier = await alice()
      await copier.do('SELECT source')
      expect(await copier.do('COPY 1:3 small/box')).toMatchObject({ status: 'NO', text: expect.stringMatching(/^\[UNAVAILABLE\] COPY failed: /) })
      await copier.logout()
      expect(await subjects('source')).toEqual(['one', 'two', 'three'])
      await logs(/^\S+ \S+ warn .*user=alice host=\[127\.0\.0\.1\].* command=APPEND mailbox=small\/box reason=.*ENOSPC/)
      await logs(/^\S+ \S+ warn .*user=alice host=\[127\.0\.0\.1\].* command=COPY mailbox=small\/box reason=.*ENOSPC/)
      const flags = await client.do('STORE 1 +FLAGS (\\Flagged)')
      expect(flags.status).toMatch(/OK|NO/)
      expect(await subjects('small/box')).toEqual(['first'])
      await disk.room()
      expect((await client.append('small/box', message('second'))).status).toBe('OK')
      expect(await subjects('small/box')).toEqual(['first', 'second'])
      await client.logout()
    } finally {
      client.drop()
    }
  })
})

describe('locks', () => {
  test('a lock file that is renewed for ever: the command ends, and other mailboxes are served meanwhile', async () => {
    const setup = await alice()
    await setup.do('CREATE locked')
    await setup.append('locked', message('kept'))
    await setup.logout()
    const lock = box('locked.lock')
    const renew = async (): Promise<void> => {
      await rm(lock, { force: true })
      await writeFile(lock, '', { mode: 0o666 })
    }
    await renew()
    const holder = setInterval(() => void renew(), 400)
    try {
      const waiting = await alice()
      const answer = waiting.append('locked', message('late'))
      const other = await RawClient.login(server.ports.imap, 'bob')
      for (let n = 0; n < 20; n++) expect((await other.do('NOOP')).status).toBe('OK')
      expect((await other.append('INBOX', message('mine'))).status).toBe('OK')
      const own = await alice()
      expect((await own.do('SELECT INBOX')).status).toBe('OK')
      const { status, text } = await answer
      if (status === 'NO') expect(text).toMatch(/^\[INUSE\] APPEND failed: /)
      await own.logout()
      await other.logout()
      await waiting.logout()
    } finally {
      clearInterval(holder)
      await rm(lock, { force: true })
    }
    expect((await subjects('locked'))[0]).toBe('kept')
  }, 60_000)
  test('a client that leaves while it waits for a lock leaves nothing behind', async () => {
    const setup = await alice()
    await setup.do('CREATE left')
    await setup.logout()
    const lock = box('left.lock')
    await writeFile(lock, '')
    const now = new Date()
    await utimes(lock, now, now)
    const client = await alice()
    client.send(`x APPEND left {${message('never').length}+}\r\n${message('never')}\r\n`)
    await new Promise((resolve) => setTimeout(resolve, 300))
    client.drop()
    await rm(lock, { force: true })
    await logs(/^\S+ \S+ info {2}.*user=alice host=\[127\.0\.0\.1\]/)
    expect((await subjects('left')).length).toBeLessThanOrEqual(1)
    const next = await alice()
    expect((await next.append('left', message('next'))).status).toBe('OK')
    await next.logout()
    await expect(readFile(lock)).rejects.toThrow('ENOENT')
  })
})

describe('a mailbox that others damage', () => {
  const prepare = async (name: string): Promise<RawClient> => {
    await writeFile(box(name), stored('one') + stored('two') + stored('three'))
    const client = await alice()
    expect((await client.do(`SELECT ${name}`)).untagged).toContain('* 3 EXISTS')
    return client
  }
  const rows: readonly { name: string; harm: (path: string) => Promise<void> }[] = [
    { name: 'truncated to nothing', harm: (path) => truncate(path, 0) },
    { name: 'truncated inside a message', harm: (path) => truncate(path, stored('one').length + 60) },
    { name: 'replaced by garbage', harm: (path) => writeFile(path, Buffer.alloc(5000, 0xa5)) },
    { name: 'overwritten by a shorter mailbox', harm: (path) => writeFile(path, stored('other')) },
    {
      name: 'replaced by another file',
      harm: async (path) => {
        await writeFile(`${path}.new`, stored('another'))
        await rename(`${path}.new`, path)
      },
    },
    { name: 'removed', harm: (path) => rm(path) },
    {
      name: 'replaced by a directory',
      harm: async (path) => {
        await rm(path)
        await mkdir(path)
      },
    },
    {
      name: 'replaced by a pipe',
      harm: async (path) => {
        await rm(path)
        await run('mkfifo', [path])
      },
    },
  ]
  test.each(rows)('$name under a session: a clear answer, the file is left as it is, and others are served', async ({ name, harm }) => {
    const file = name.replaceAll(' ', '-')
    const client = await prepare(file)
    await harm(box(file))
    // A pipe would be waited for.
    const contents = async (): Promise<Buffer | undefined> => ((await stat(box(file)).catch(() => undefined))?.isFile() === true ? readFile(box(file)) : undefined)
    const damaged = await contents()
    // The session hears of it with one of these, and may be ended for it; never is it told something else than what is there.
    let ended = false
    const bugs: string[] = []
    const heard: string[] = []
    const ask = async (command: string): Promise<void> => {
      if (ended) return
      try {
        const { text, untagged } = await client.do(command)
        if (text.includes('SERVERBUG')) bugs.push(`${command}: ${text}`)
        heard.push(...untagged)
        ended = untagged.some((line) => line.startsWith('* BYE'))
      } catch (error) {
        if (!(error instanceof LinkLost)) throw error
        heard.push(...error.heard)
        ended = true
      }
    }
    for (const command of ['NOOP', 'FETCH 1:* (FLAGS RFC822.SIZE)', 'FETCH 3 BODY.PEEK[]', 'STORE 1 +FLAGS (\\Seen)', 'CHECK', 'EXPUNGE', 'CLOSE']) await ask(command)
    client.drop()
    expect(bugs).toEqual([])
    // Gone is not expunged: a client that synchronises would delete its own copies.
    if (['removed', 'replaced by a directory', 'replaced by a pipe'].includes(name)) expect(heard.join('\n')).toMatch(/^(?![^]*EXPUNGE)[^]*\* BYE .*Fatal mailbox error: mailbox no longer exists/)
    const after = await contents()
    // What somebody else wrote is still there, but for what a mailbox gets when its flags are stored.
    if (damaged !== undefined && damaged.length > 0 && !damaged.includes('From bob')) expect(after?.equals(damaged)).toBe(true)
    if (damaged?.includes('Subject: other') === true) expect(after?.includes('Subject: other')).toBe(true)
    const next = await alice()
    expect((await next.do(`SELECT ${file}`)).text).not.toContain('SERVERBUG')
    expect((await next.do('SELECT INBOX')).status).toBe('OK')
    await next.logout()
  })
  test('moved to another name while it is selected: found there, and the session is told that its own is gone', async () => {
    const client = await prepare('before')
    await rename(box('before'), box('after'))
    const next = await alice()
    expect((await next.do('SELECT after')).untagged).toContain('* 3 EXISTS')
    expect((await next.append('after', message('four'))).status).toBe('OK')
    expect((await next.do('NOOP')).status).toBe('OK')
    await expect(client.do('FETCH 1 FLAGS').then(() => client.do('NOOP'))).rejects.toMatchObject({ heard: expect.arrayContaining([expect.stringMatching(/^\* BYE /)]) })
    expect(await subjects('after')).toEqual(['one', 'two', 'three', 'four'])
    await next.logout()
  })
  test('one file under two names is one mailbox', async () => {
    const client = await prepare('name')
    await symlink('name', box('alias'))
    const next = await alice()
    expect((await next.do('SELECT alias')).untagged).toContain('* 3 EXISTS')
    expect((await next.append('alias', message('four'))).status).toBe('OK')
    expect((await client.do('NOOP')).untagged).toContain('* 4 EXISTS')
    await next.logout()
    await client.logout()
  })
  test('a file that may not be read is refused, unless the server may do everything', async () => {
    await writeFile(box('secret'), stored('one'))
    await chmod(box('secret'), 0)
    const client = await alice()
    const { status, text } = await client.do('SELECT secret')
    expect(`${status} ${text}`).toMatch(process.getuid?.() === 0 ? /^OK / : /^NO \[NOPERM\] /)
    await client.logout()
  })
  test('names that are no mailboxes: devices, pipes, sockets, links in a circle', async () => {
    spawnSync('mkfifo', [box('pipe')])
    spawnSync('ln', ['-s', 'circle', box('circle')])
    spawnSync('ln', ['-s', '/dev/zero', box('zero')])
    const client = await alice()
    for (const name of ['pipe', 'circle', 'zero']) {
      expect(await client.do(`SELECT ${name}`), name).toMatchObject({ status: 'NO' })
      expect(await client.append(name, message('x')), name).toMatchObject({ status: 'NO' })
    }
    expect((await client.do('LIST "" *')).status).toBe('OK')
    await client.logout()
  })
})
