import { spawnSync } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { driversFor, isInboxMade } from '../support/inbox-format.js'
import { has, run } from '../support/programs.js'
import { RawClient } from '../support/raw-client.js'
import { RawPop3 } from '../support/raw-pop3.js'
import { CLI, startServer, type RunningServer } from '../support/running-server.js'

/*
 * Files that may not grow beyond a size (RLIMIT_FSIZE), the one quota that every machine has: writes answer EFBIG, at the mailbox and at
 * whatever else the server writes beside it.
 */

const LIMIT = 64 * 1024
/** Of a message: twelve of them nearly fill a file. */
const LINES = 280
const names = Array.from({ length: 12 }, (_, i) => `m${i + 1}`)
/** Those that have another number of lines. */
const LINES_OF: Readonly<Record<string, number>> = { more: 400, small: 1 }
const textOf = (name: string, lines = LINES): string => `a line of ${name}    \r\n`.repeat(lines)
const message = (name: string, lines = LINES): string => `From: bob@example.org\r\nSubject: ${name}\r\n\r\n${textOf(name, lines)}`
/** Where a mailbox is one file it is nearly full; where messages are files only a message can be too large. */
const FORMATS = [
  { format: 'unix', oneFile: true },
  { format: 'mmdf', oneFile: true },
  { format: 'mbx', oneFile: true },
  { format: 'mtx', oneFile: true },
  { format: 'tenex', oneFile: true },
  { format: 'mix', oneFile: true },
  { format: 'mx', oneFile: false },
  { format: 'mh', oneFile: false },
] as const

describe.skipIf(process.platform !== 'linux' || !has('prlimit'))('files that may not grow beyond a size', () => {
  let server: RunningServer
  afterEach(() => server.remove())
  const start = async (format: string): Promise<void> => {
    server = await startServer({
      host: `${driversFor(format)}\nmailbox: { poll: 1s, checkpointDelay: 1s }\nfiles: { dotlockTimeout: 2s }`,
      namespaces: "[ { use: mailboxfile, inboxPath: '{home}/delivered' }, { use: prefixes } ]",
      prepare: async (folder) => {
        if (format !== 'mh') return
        const home = join(folder, 'mail/alice')
        await writeFile(join(home, '.mh_profile'), 'Path: Mail\n')
        await mkdir(join(home, 'Mail/inbox'), { recursive: true })
      },
    })
  }
  const limit = (size: number | 'unlimited'): void => {
    const { status, stderr } = spawnSync('prlimit', ['--pid', String(server.process.pid), `--fsize=${size}:unlimited`], { encoding: 'utf8' })
    if (status !== 0) throw new Error(`prlimit: ${stderr}`)
  }
  const ok = async (client: RawClient, command: string): Promise<readonly string[]> => {
    const { status, text, untagged } = await client.do(command)
    expect(status, `${command}: ${text}`).toBe('OK')
    return untagged
  }
  const selected = async (): Promise<RawClient> => {
    const client = await RawClient.login(server.ports.imap, 'alice')
    await ok(client, 'SELECT INBOX')
    return client
  }
  /** Subjects, after a look at every octet. */
  const there = async (client: RawClient): Promise<readonly string[]> => {
    const { untagged } = await client.do('FETCH 1:* (FLAGS BODY.PEEK[])')
    return untagged.flatMap((line) => {
      const name = /Subject: (\S+)/.exec(line)?.[1]
      if (name === undefined) return []
      expect(line.includes(`\r\n\r\n${textOf(name, LINES_OF[name])}`), name).toBe(true)
      return [name]
    })
  }

  test.each(FORMATS)('a delivery is refused or done, mail is flagged and deleted, and nothing is lost: $format', async ({ format, oneFile }) => {
    await start(format)
    const setup = await RawClient.login(server.ports.imap, 'alice')
    if (isInboxMade(format)) await ok(setup, `CREATE #driver.${format}/INBOX`)
    for (const name of names) expect((await setup.append('INBOX', message(name))).status).toBe('OK')
    await setup.logout()
    await server.stop()
    await server.again()
    limit(LIMIT)

    const imap = await selected()
    const refused = await imap.append('INBOX', message('large', 5000))
    expect(refused).toMatchObject({ status: 'NO', text: expect.stringMatching(/^\[(?:LIMIT|OVERQUOTA)\] APPEND failed: /) })
    const more = await imap.append('INBOX', message('more', 400))
    expect(more.status, more.text).toBe(oneFile ? 'NO' : 'OK')
    if (oneFile) expect(more.text).toMatch(/^\[(?:LIMIT|OVERQUOTA)\] APPEND failed: /)
    const stays = oneFile ? names : [...names, 'more']
    expect(await there(imap)).toEqual(stays)
    if (oneFile) expect((await imap.do('COPY 1:3 INBOX')).text).toMatch(/^\[(?:LIMIT|OVERQUOTA)\] COPY failed: /)
    expect(await there(imap)).toEqual(stays)

    await ok(imap, 'STORE 4 +FLAGS (\\Flagged)')
    await ok(imap, 'STORE 2,7 +FLAGS (\\Deleted)')
    expect((await ok(imap, 'EXPUNGE')).filter((line) => line.endsWith(' EXPUNGE')).length).toBe(2)
    const left = stays.filter((name) => name !== 'm2' && name !== 'm7')
    expect(await there(imap)).toEqual(left)
    // What was answered holds without the process that answered it.
    await server.kill()
    imap.drop()
    await server.again()
    limit(LIMIT)
    const second = await selected()
    expect(await there(second)).toEqual(left)
    expect(await ok(second, 'SEARCH FLAGGED')).toContain('* SEARCH 3')
    await second.logout()

    const pop3 = await RawPop3.login(server.ports.pop3, 'alice')
    expect(await pop3.do('DELE 1')).toMatch(/^\+OK/)
    expect(await pop3.quit()).toMatch(/^\+OK/)

    // By the mail transport, under the same limit.
    const deliver = (name: string, lines: number): ReturnType<typeof run> =>
      run('prlimit', [`--fsize=${LIMIT}`, process.execPath, CLI, 'deliver', 'alice', '--config', server.config], { input: message(name, lines).replaceAll('\r\n', '\n'), limitMs: 120_000 })
    expect(await deliver('large', 5000)).toMatchObject({ code: 73 })
    const third = await selected()
    expect(await there(third)).toEqual(left.slice(1))
    const small = await deliver('small', 1)
    expect(small.code, small.stderr).toBe(0)
    await ok(third, 'NOOP')
    expect(await there(third)).toEqual([...left.slice(1), 'small'])
    await third.logout()
    expect(server.log()).not.toMatch(/^\S+ \S+ error /m)
  }, 240_000)

  // As of `mailwright deliver` under the mailbox_size_limit of Postfix, and of whoever brought more before the limit was set.
  test.each(FORMATS.filter(({ oneFile }) => oneFile))('a mailbox that is longer already is read; what cannot be done is refused before it begins, and nothing is lost: $format', async ({ format }) => {
    await start(format)
    const setup = await RawClient.login(server.ports.imap, 'alice')
    if (isInboxMade(format)) await ok(setup, `CREATE #driver.${format}/INBOX`)
    const many = Array.from({ length: 24 }, (_, i) => `m${i + 1}`)
    for (const name of many) expect((await setup.append('INBOX', message(name))).status).toBe('OK')
    await setup.logout()
    await server.stop()
    await server.again()
    limit(LIMIT)

    const left = new Set(many)
    const imap = await selected()
    expect(await there(imap)).toEqual(many)
    for (const number of [23, 2]) {
      // What only memory was told is told to the journal; formats that write it at once may refuse it.
      expect((await imap.do(`STORE ${number} +FLAGS (\\Deleted)`)).text).toMatch(/^(?:STORE completed|\[LIMIT\] STORE failed: .*)$/)
      const expunged = await imap.do('EXPUNGE')
      expect(expunged.text).toMatch(/^(?:EXPUNGE completed|\[(?:LIMIT|OVERQUOTA)\] EXPUNGE failed: .*)$/)
      if (expunged.untagged.includes(`* ${number} EXPUNGE`)) left.delete(`m${number}`)
      expect(await there(imap)).toEqual([...left])
    }
    for (let again = 0; again < 2; again++) expect((await imap.append('INBOX', message('large', 5000))).text).toMatch(/^\[(?:LIMIT|OVERQUOTA)\] APPEND failed: /)
    expect(await there(imap)).toEqual([...left])
    const other = await selected()
    expect(await there(other)).toEqual([...left])
    await other.logout()
    await server.kill()
    imap.drop()
    // Nothing was left behind that would have to be finished.
    await server.again()
    limit(LIMIT)
    const second = await selected()
    expect(await there(second)).toEqual([...left])
    await second.logout()
    limit('unlimited')
    const third = await selected()
    await ok(third, 'STORE 1:* +FLAGS (\\Flagged)')
    await ok(third, 'STORE 1 +FLAGS (\\Deleted)')
    await third.do('EXPUNGE')
    const rest = await there(third)
    expect([...left].slice(1)).toEqual(expect.arrayContaining([...rest]))
    expect(rest.length).toBeGreaterThanOrEqual(left.size - 3)
    await third.logout()
    expect(server.log()).not.toMatch(/^\S+ \S+ error /m)
  }, 120_000)
})
