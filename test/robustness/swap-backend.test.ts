import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createServer, type EmbeddedServer } from '../../core/main/index.js'
import { RawClient } from '../support/raw-client.js'

const long = process.env['MAILWRIGHT_LONG'] === '1'
const SWAPS = long ? 200 : 20
const CLIENTS = 4
const MESSAGE = 'Subject: still here\r\n\r\nYes.\r\n'

let folder: string
let server: EmbeddedServer
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mailwright-swap-'))
  // The same people, with another password in each file.
  for (const [file, password, domain] of [['first', 'one', 'a.test'], ['second', 'two', 'a.test'], ['others', 'three', 'b.test']] as const) {
    const rows = Array.from({ length: CLIENTS }, (_, i) => `user${i}@${domain}:{PLAIN}${password}\n`)
    await writeFile(join(folder, file), rows.join(''), { mode: 0o600 })
  }
  server = createServer(site('first'), { folder })
  await server.start()
})
afterAll(async () => {
  await server.stop()
  await rm(folder, { recursive: true, force: true })
})

function site(users: 'first' | 'second'): object {
  const host = (domain: string, file: string): object => ({
    match: { domains: [domain] },
    auth: { passwords: [{ use: 'file', path: file }], users: [{ use: 'virtual', home: join(folder, domain, '{local}') }] },
  })
  return {
    version: 1,
    server: { name: 'localhost', runDirectory: join(folder, 'run') },
    log: [{ use: 'stderr', level: 'error' }],
    listeners: { imap: { protocol: 'imap4', address: '127.0.0.1', port: 0, tls: 'none' } },
    hosts: {
      default: { auth: { plaintext: 'always', failureDelay: '0s', schemes: [{ use: 'plain', allow: true }] } },
      a: host('a.test', users),
      b: host('b.test', 'others'),
    },
  }
}

test(`${SWAPS} reloads swap the password backend of one host under load; the other host has no error and no reconnect`, { timeout: 1_200_000 }, async () => {
  const [{ port } = { port: 0 }] = server.addresses
  for (const domain of ['a.test', 'b.test']) for (let i = 0; i < CLIENTS; i++) await mkdir(join(folder, domain, `user${i}`), { recursive: true })
  const done = new AbortController()
  const count = { commands: 0, logins: 0, refusals: 0 }

  /** A session that works from the first reload to the last, on one connection. */
  async function session(domain: string, client: RawClient): Promise<void> {
    let filed = 0
    const fine = async (command: string, literal?: string): Promise<readonly string[]> => {
      const reply = await client.do(command, literal)
      count.commands += 1
      if (reply.status !== 'OK') throw new Error(`${domain}: ${command}: ${reply.status} ${reply.text}`)
      return reply.untagged
    }
    await fine('SELECT INBOX')
    while (!done.signal.aborted) {
      await fine(`APPEND INBOX {${MESSAGE.length}}`, MESSAGE)
      filed += 1
      await fine(`STORE ${filed} +FLAGS (\\Seen)`)
      expect(await fine(`FETCH ${filed} BODY.PEEK[TEXT]`)).toContain(`* ${filed} FETCH (BODY[TEXT] {6}\r\nYes.\r\n)`)
    }
    expect((await fine('SEARCH SEEN')).find((line) => line.startsWith('* SEARCH'))?.split(' ')).toHaveLength(filed + 2)
    await client.logout()
  }
  /** Logins one after the other; what `passwords` are tried must be taken or refused, nothing else. */
  async function logins(domain: string, i: number, passwords: readonly string[], refusals: boolean): Promise<void> {
    for (let n = 0; !done.signal.aborted; n++) {
      const client = await RawClient.open(port)
      const { status, text } = await client.do(`LOGIN user${i}@${domain} ${passwords[n % passwords.length]}`)
      if (status === 'OK') count.logins += 1
      else if (refusals && text.startsWith('[AUTHENTICATIONFAILED]')) count.refusals += 1
      else throw new Error(`${domain}: LOGIN: ${status} ${text}`)
      await client.logout()
    }
  }

  const open = (domain: string, password: string): Promise<RawClient[]> => Promise.all(Array.from({ length: CLIENTS }, (_, i) => RawClient.login(port, `user${i}@${domain}`, password)))
  const [inA, inB] = [await open('a.test', 'one'), await open('b.test', 'three')]
  const work = Promise.all([
    ...inA.map((client) => session('a.test', client)),
    ...inB.map((client) => session('b.test', client)),
    ...Array.from({ length: CLIENTS }, (_, i) => [logins('a.test', i, ['one', 'two'], true), logins('b.test', i, ['three'], false)]).flat(),
  ])
  const swaps = (async () => {
    for (let n = 0; n < SWAPS; n++) {
      const users = n % 2 === 0 ? 'second' : 'first'
      const { changed } = await server.reload(site(users))
      expect(changed).toEqual(['a'])
      // From here on the new file decides, and only it.
      const [good, bad] = users === 'second' ? ['two', 'one'] : ['one', 'two']
      const client = await RawClient.open(port)
      expect((await client.do(`LOGIN user0@a.test ${bad}`)).text).toMatch(/^\[AUTHENTICATIONFAILED\]/)
      expect((await client.do(`LOGIN user0@a.test ${good}`)).status).toBe('OK')
      await client.logout()
    }
  })().finally(() => done.abort())
  await Promise.all([swaps, work])
  expect(count.commands).toBeGreaterThan(SWAPS)
  expect(count.logins).toBeGreaterThan(SWAPS)
  expect(count.refusals).toBeGreaterThan(0)
})
