import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { ScriptClient } from '../support/imap-client.js'
import { settle } from '../support/imap-client.js'
import { ImapFixture, testImapSettings } from '../support/imap.js'

const MINUTE_MS = 60_000

describe('timers (RFC 3501 §5.4)', () => {
  test('three minutes to log in, however they are used up', async () => {
    await using server = await ImapFixture.make()
    const client = server.connect()
    await client.line()
    server.clock.advance(2 * MINUTE_MS)
    expect(await client.command('a1', 'NOOP')).toEqual(['a1 OK NOOP completed'])
    await settle()
    server.clock.advance(MINUTE_MS - 1)
    await client.quiet()
    server.clock.advance(1)
    await client.play(`
      S: * BYE Autologout
      S: <end>
    `)
    expect(server.logged.at(-1)).toBe('info Autologout user=??? host=[127.0.0.1] session=s1')
  })
  test('half an hour without a command', async () => {
    await using server = await ImapFixture.make()
    const client = await server.session()
    await client.command('a1', 'NOOP')
    await settle()
    server.clock.advance(30 * MINUTE_MS - 1)
    await client.quiet()
    server.clock.advance(1)
    await client.play(`
      S: * BYE Autologout; idle for too long
      S: <end>
    `)
    expect(server.logged.at(-1)).toBe('info Autologout user=alice host=[127.0.0.1] session=s1')
  })
  test('five minutes in the middle of a command', async () => {
    await using server = await ImapFixture.make()
    const client = await server.session()
    await client.send('a1 SELECT {5}\r\n')
    expect(await client.line()).toBe('+ Ready for argument')
    await settle()
    server.clock.advance(5 * MINUTE_MS)
    expect(await client.line()).toBe('* BYE Autologout; idle for too long')
  })
  test('no timer is left behind', async () => {
    await using server = await ImapFixture.make()
    const client = await server.session()
    await client.command('a1', 'NOOP')
    await client.command('a2', 'LOGOUT')
    await client.end()
    await settle()
    expect(server.clock.waiting).toBe(0)
  })
})

async function folder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'mailwright-alerts-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) }
}
/** The lines of NOOPs until one of them says something, or a few were silent; files are looked at in real time. */
async function noop(client: ScriptClient, tag: string): Promise<readonly string[]> {
  return client.command(tag, 'NOOP')
}

describe('alerts (FAQ 4.2) and the shutdown file', () => {
  test('the system file is shown once, and again when it is touched; at most one look a minute', async () => {
    await using dir = await folder()
    const systemFile = join(dir.path, 'alert')
    await using server = await ImapFixture.make({ settings: { alert: { ...testImapSettings.alert, systemFile } } })
    const client = await server.session()
    expect(await noop(client, 'a0')).toEqual(['a0 OK NOOP completed'])
    await writeFile(systemFile, 'disk is\r\nfull')
    expect(await noop(client, 'a1')).toEqual(['a1 OK NOOP completed'])
    server.clock.advance(MINUTE_MS)
    expect(await noop(client, 'a2')).toEqual(['* OK [ALERT] disk is', '* OK [ALERT] full', 'a2 OK NOOP completed'])
    server.clock.advance(MINUTE_MS)
    expect(await noop(client, 'a3')).toEqual(['a3 OK NOOP completed'])
  })
  test('a login looks at once, and at the user\'s file; nothing is shown twice across it', async () => {
    await using dir = await folder()
    const systemFile = join(dir.path, 'alert')
    await writeFile(systemFile, 'hello\n')
    await writeFile(join(dir.path, 'mine'), 'for alice\n')
    await using server = await ImapFixture.make({ settings: { alert: { systemFile, userFile: join(dir.path, 'mine') } } })
    const client = server.connect()
    await client.line()
    server.clock.advance(MINUTE_MS)
    expect(await noop(client, 'a1')).toEqual(['* OK [ALERT] hello', 'a1 OK NOOP completed'])
    expect(await client.command('a2', 'LOGIN alice secret')).toHaveLength(1)
    expect(await noop(client, 'a3')).toEqual(['* OK [ALERT] for alice', 'a3 OK NOOP completed'])
    expect(await noop(client, 'a4')).toEqual(['a4 OK NOOP completed'])
  })
  test('the shutdown file: nobody gets in, and sessions get a minute', async () => {
    await using dir = await folder()
    const shutdownFile = join(dir.path, 'nologin')
    await using server = await ImapFixture.make({ settings: { shutdownFile } })
    const client = await server.session()
    expect(await noop(client, 'a0')).toEqual(['a0 OK NOOP completed'])
    await writeFile(shutdownFile, '')
    server.clock.advance(MINUTE_MS)
    expect(await noop(client, 'a1')).toEqual(['* OK [ALERT] Server shutting down shortly', 'a1 OK NOOP completed'])
    await rm(shutdownFile)
    server.clock.advance(MINUTE_MS)
    expect(await noop(client, 'a2')).toEqual(['* BYE Server shutting down'])
    await writeFile(shutdownFile, '')
    const late = server.connect()
    expect(await late.line()).toBe('* BYE Service not available mail.example.org IMAP4rev1 at Fri, 2 Jan 2026 03:06:05 +0000 (UTC)')
    expect(await late.line()).toBeUndefined()
  })
})

describe('the end of a session is told once in the log', () => {
  test('the client goes away', async () => {
    await using server = await ImapFixture.make()
    const client = await server.session()
    await client.end()
    await settle()
    expect(server.logged.filter((line) => line.includes('user=alice')).at(-1)).toBe('info Command stream end of file, while reading line user=alice host=[127.0.0.1] session=s1')
  })
})

describe('PREAUTH (RFC 3501 §7.1.4)', () => {
  test('greets somebody who is known already; there is nothing to log in to', async () => {
    await using server = await ImapFixture.make()
    const client = server.preauthenticated()
    await client.play(`
      S: * PREAUTH [CAPABILITY IMAP4REV1 I18NLEVEL=1 LITERAL+ ID IDLE <any>] Pre-authenticated user alice mail.example.org IMAP4rev1 at Fri, 2 Jan 2026 03:04:05 +0000 (UTC)
      C: a1 LOGIN alice secret
      S: a1 BAD Command unrecognized: LOGIN
      C: a2 STATUS INBOX (MESSAGES)
      S: * STATUS INBOX (MESSAGES 0)
      S: a2 OK STATUS completed
      C: a3 LOGOUT
      S: * BYE <any>
      S: a3 OK LOGOUT completed
      S: <end>
    `)
    expect(server.logged).toContain('info Preauthenticated user=alice host=[127.0.0.1] session=s1')
  })
})
