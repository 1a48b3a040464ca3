import { mkdtemp, readFile, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { MailError, secret } from '../../../core/api/index.js'
import { eventText, humanLine, journalLine, jsonLine } from '../../../core/log/format.js'
import { LogHub, withFacts } from '../../../core/log/log-hub.js'
import { neutralise, redact } from '../../../core/log/redact.js'
import { FileSink } from '../../../core/log/sinks/file-sink.js'
import { StreamSink } from '../../../core/log/sinks/stream-sink.js'
import { syslogMessage } from '../../../plugins/log/syslog/message.js'

const PASSWORD = secret(Buffer.from('hunter2'))

describe('what a log may hold', () => {
  const texts = [
    { name: 'line ends', text: 'alice\r\nLogin user=root', expected: 'alice\\x0d\\x0aLogin user=root' },
    { name: 'escape sequences', text: '\u001B[2J', expected: '\\x1b[2J' },
    { name: 'control characters of Latin-1', text: '\u009B1m', expected: '\\x9b1m' },
    { name: 'marks that turn the direction around', text: 'a\u202Eb', expected: 'a\\u202eb' },
    { name: 'letters of any script stay', text: 'Renée 日本', expected: 'Renée 日本' },
  ]
  test.each(texts)('$name', ({ text, expected }) => {
    expect(neutralise(text)).toBe(expected)
  })
  test('long text is cut', () => {
    expect(neutralise('x'.repeat(10_000))).toHaveLength(2003)
  })
  test('secrets, octets, depth and circles are hidden', () => {
    const circle: Record<string, unknown> = { password: PASSWORD, bytes: new Uint8Array(7), inner: { token: PASSWORD } }
    circle['self'] = circle
    const text = JSON.stringify(redact(circle))
    expect(text).not.toContain('hunter2')
    expect(redact({ password: PASSWORD, bytes: new Uint8Array(7) })).toEqual({ password: '[secret]', bytes: '[7 octets]' })
  })
  test('errors keep message, kind, code and cause', () => {
    const error = new MailError('unavailable', 'no answer', { cause: Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }) })
    expect(redact({ error })).toMatchObject({ error: { name: 'MailError', message: 'no answer', kind: 'unavailable', cause: { message: 'refused', code: 'ECONNREFUSED' } } })
  })
})

describe('lines', () => {
  const rows = [
    { event: 'Login', facts: { user: 'alice', host: 'localhost [127.0.0.1]' }, expected: 'Login user=alice host=localhost [127.0.0.1]' },
    { event: 'Authenticated', facts: { user: 'alice', host: '[192.0.2.1]', mech: 'PLAIN' }, expected: 'Authenticated user=alice host=[192.0.2.1] mech=PLAIN' },
    { event: 'Fatal mailbox error', facts: { user: 'alice', host: '[192.0.2.1]', mbx: 'a b', text: 'not a mailbox' }, expected: 'Fatal mailbox error user=alice host=[192.0.2.1] mbx=a b: not a mailbox' },
    { event: 'Login failed', facts: { user: 'x'.repeat(100), auth: '???' }, expected: `Login failed user=${'x'.repeat(80)} auth=???` },
    { event: 'reloaded', facts: { hosts: ['a', 'b'], file: 'my file', none: undefined }, expected: 'reloaded hosts=["a","b"] file="my file"' },
  ]
  test.each(rows)('$expected', ({ event, facts, expected }) => {
    expect(eventText(event, facts)).toBe(expected)
  })
  const event = { level: 'warn', event: 'Login failed', facts: { user: 'a\nb', password: PASSWORD }, timeMs: Date.UTC(2026, 0, 5, 9, 8, 7, 6) } as const
  test('for people, with colours only when asked', () => {
    expect(humanLine(event, false)).toBe('2026-01-05 09:08:07.006 warn  Login failed user=a\\x0ab password=[secret]')
    expect(humanLine(event, true)).toContain('\u001B[33mwarn')
  })
  test('for programs', () => {
    expect(JSON.parse(jsonLine(event))).toEqual({ time: '2026-01-05T09:08:07.006Z', level: 'warn', event: 'Login failed', user: 'a\\x0ab', password: '[secret]' })
  })
  test('for the journal', () => {
    expect(journalLine(event)).toBe('<4>Login failed user=a\\x0ab password=[secret]')
  })
  test('for syslog: refused logins go to the auth facility, and what cannot wait is an alert', () => {
    const style = { ident: 'mailwright', facility: 'mail', authFacility: 'auth', pid: 42 } as const
    const now = new Date(2026, 0, 5, 9, 8, 7)
    expect(syslogMessage(style, 'info', 'Login', { user: 'alice', host: '[192.0.2.1]', password: PASSWORD }, now).toString()).toBe('<22>Jan  5 09:08:07 mailwright[42]: Login user=alice host=[192.0.2.1] password=[secret]')
    expect(syslogMessage(style, 'info', 'Login failed', { user: 'a\nb' }, now).toString()).toBe('<37>Jan  5 09:08:07 mailwright[42]: Login failed user=a\\x0ab')
    expect(syslogMessage(style, 'error', 'Retrying after disk error', { user: 'alice', host: 'UNKNOWN', mbx: 'box', text: 'ENOSPC' }, now).toString()).toBe('<17>Jan  5 09:08:07 mailwright[42]: Retrying after disk error user=alice host=UNKNOWN mbx=box: ENOSPC')
    expect(syslogMessage(style, 'error', 'Unable to load certificate from /c.pem,', { host: '[192.0.2.1]' }, now).toString()).toBe('<17>Jan  5 09:08:07 mailwright[42]: Unable to load certificate from /c.pem, host=[192.0.2.1]')
    expect(syslogMessage(style, 'warn', 'Login SYSTEM BREAK-IN ATTEMPT', {}, now).toString()).toMatch(/^<33>/)
  })
})

describe('sinks', () => {
  test('a stream gets the lines of its level, gathered', async () => {
    const stream = new PassThrough()
    const sink = new StreamSink(stream, { level: 'warn', format: 'json', env: {} })
    sink.write('info', 'quiet', {})
    sink.write('warn', 'one', { n: 1 })
    sink.write('error', 'two', {})
    await new Promise((resolve) => setImmediate(resolve))
    const chunks = String(stream.read()).trim().split('\n')
    expect(chunks.map((c) => (JSON.parse(c) as { event: string }).event)).toEqual(['one', 'two'])
  })
  test('a file that was moved away is made anew', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'mailwright-log-'))
    try {
      const path = join(folder, 'mail.log')
      const failures: unknown[] = []
      await using sink = await FileSink.open({ path, mode: 0o640, level: 'info', format: 'json', failed: (e) => void failures.push(e) })
      sink.write('info', 'before', {})
      await settled(() => readFile(path, 'utf8').then((t) => t.includes('before')))
      await rename(path, `${path}.1`)
      sink.write('info', 'after', {})
      await settled(() => readFile(path, 'utf8').then((t) => t.includes('after'), () => false))
      expect(await readFile(`${path}.1`, 'utf8')).not.toContain('after')
      expect(failures).toEqual([])
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })
  test('a sink that throws does not fail what is logged, and the others get the line', () => {
    const first: string[] = []
    const second: string[] = []
    const hub = new LogHub({ write: (_level, event) => void first.push(event) })
    hub.info('early')
    hub.use([
      {
        write() {
          throw new Error('broken')
        },
      },
      { write: (_level, event, facts) => void second.push(`${event} ${JSON.stringify(facts)}`) },
    ])
    withFacts(hub, { host: 'default' }).warn('late', { n: 1 })
    expect(first).toEqual(['early', 'a log sink failed'])
    expect(second).toEqual(['late {"host":"default","n":1}'])
  })
})

/** Runs the loop until it holds. */
async function settled(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setImmediate(resolve))
}
