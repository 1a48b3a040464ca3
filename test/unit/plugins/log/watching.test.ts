import { once } from 'node:events'
import { readFile, readdir, stat } from 'node:fs/promises'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { startTestServer } from 'mailwright/testing'
import { describe, expect, test } from 'vitest'
import { SlowHops } from '../../../../plugins/log/timings/slow-hops.js'
import { SpokenLines } from '../../../../plugins/log/transcript/spoken-lines.js'
import { HeldClock, LoggedLines } from '../../../support/auth.js'

/** Sends lines one after the other, each when the answer to the one before it is there. */
async function talk(port: number, steps: readonly (readonly [send: string, until: string])[]): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  let heard = ''
  socket.on('data', (chunk: Buffer) => (heard += chunk.toString()))
  await once(socket, 'data')
  for (const [send, until] of steps) {
    heard = ''
    socket.write(`${send}\r\n`)
    while (!heard.includes(until)) await once(socket, 'data')
  }
  return socket
}
async function filesBelow(folder: string): Promise<readonly string[]> {
  return (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.log')).sort()
}

describe('transcripts of a running server', () => {
  const steps = [
    ['b AUTHENTICATE PLAIN', '+ '],
    [Buffer.from('\0alice\0secret').toString('base64'), 'b OK'],
    ['c APPEND INBOX {14}', '+ Ready'],
    ['Subject: x\r\n\r\n', 'c OK'],
    ['d SELECT INBOX', 'd OK'],
    ['e LOGIN alice secret', 'e BAD'],
    ['f LOGOUT', 'f OK'],
  ] as const
  test('one file of the user, with what was said and without the secrets', async () => {
    let folder = ''
    let text = ''
    {
      await using server = await startTestServer({ more: { transcripts: [{ use: 'transcript', directory: 'transcripts' }] } })
      folder = join(server.folder, 'transcripts')
      const client = await talk(server.port, steps)
      client.destroy()
      // Files are complete when the server has stopped, which removes them with it: so they are read before, when the end of the session is in them.
      await expect.poll(async () => {
        const [file = ''] = await filesBelow(folder).catch(() => [])
        text = file === '' ? '' : await readFile(join(folder, file), 'latin1')
        return text
      }).toContain('f OK LOGOUT completed')
      const [file = ''] = await filesBelow(folder)
      expect(file).toMatch(/^default\/alice\/\d{8}T\d{6}-.+\.log$/)
      expect([(await stat(join(folder, file))).mode & 0o777, (await stat(join(folder, 'default/alice'))).mode & 0o777]).toEqual([0o600, 0o700])
    }
    const said = text.split('\n').map((line) => line.replace(/^\d+\.\d{3} /, ''))
    expect(said[0]).toMatch(/^S: \* OK \[CAPABILITY /)
    expect(said.filter((line) => line.startsWith('C: '))).toEqual([
      'C: [22 octets]', 'C: [22 octets]', 'C: c APPEND INBOX {14}', 'C: Subject: x', 'C: ', 'C: ', 'C: d SELECT INBOX', 'C: [22 octets]', 'C: f LOGOUT',
    ])
    expect(text).not.toMatch(/secret|AGFsaWNl/)
  })
  test('only of the users that are named, and of nobody who does not log in', async () => {
    await using server = await startTestServer({ more: { transcripts: [{ use: 'transcript', directory: 'transcripts', users: ['bob'] }] } })
    for (const user of ['alice', 'bob', 'nobody']) (await talk(server.port, [[`a LOGIN ${user} secret`, 'a '], ['b LOGOUT', 'b OK']])).destroy()
    await expect.poll(() => filesBelow(join(server.folder, 'transcripts')).catch(() => [])).toHaveLength(1)
    expect((await filesBelow(join(server.folder, 'transcripts')))[0]).toMatch(/^default\/bob\//)
  })
  test('a file ends where the setting says', async () => {
    await using server = await startTestServer({ more: { transcripts: [{ use: 'transcript', directory: 'transcripts', most: '1000' }] } })
    const folder = join(server.folder, 'transcripts')
    const noops = Array.from({ length: 60 }, (_, i) => [`n${i} NOOP`, `n${i} OK`] as const)
    const client = await talk(server.port, [['a LOGIN alice secret', 'a OK'], ...noops])
    await expect.poll(async () => readFile(join(folder, (await filesBelow(folder).catch(() => []))[0] ?? ''), 'latin1').catch(() => '')).toMatch(/-- not recorded from here on --\n$/)
    client.destroy()
  })
  test('a folder that cannot be had costs no session anything', async () => {
    await using server = await startTestServer({ more: { log: [{ use: 'file', path: 'log', level: 'warn' }], transcripts: [{ use: 'transcript', directory: 'users/below' }] } })
    // `users` is a file.
    ;(await talk(server.port, [['a LOGIN alice secret', 'a OK'], ['b LOGOUT', 'b OK']])).destroy()
    await expect.poll(() => readFile(join(server.folder, 'log'), 'utf8')).toContain('cannot write the transcript of session')
  })
})

test('lines of both sides do not mix, and nothing in them looks like another line', () => {
  const lines: string[] = []
  const spoken = new SpokenLines((line) => lines.push(line))
  spoken.said('C', 1000, Buffer.from('a NO'))
  spoken.said('S', 1010, Buffer.from('* OK x\r\n* BAD'))
  spoken.said('C', 1020, Buffer.from('OP\r\nb \\ \x1b[0m\xe9\ty\r', 'latin1'))
  spoken.hidden('C', 1500, 7)
  spoken.end()
  expect(lines).toEqual(['0.000 S: * OK x\n', '0.010 C: a NOOP\n', String.raw`0.490 C: b \\ \x1b[0m\xe9${'\t'}y[7 octets]` + '\n', '0.490 S: * BAD\n'])
})

test('a line without an end does not fill the memory', () => {
  const lines: string[] = []
  const spoken = new SpokenLines((line) => lines.push(line))
  for (let i = 0; i < 5; i++) spoken.said('C', 0, Buffer.alloc(6000, 'x'))
  expect(lines.map((line) => line.length)).toEqual([12_012, 12_012])
})

describe('timings', () => {
  const settings = { slowerThan: 1000, hops: ['run'] as const, except: ['IDLE'] }
  const table: readonly { readonly name: string; readonly hop: 'run' | 'parse'; readonly command: string; readonly ms: number; readonly logged: readonly string[] }[] = [
    { name: 'as slow as the setting', hop: 'run', command: 'UID FETCH', ms: 1000, logged: ['warn Slow run name=UID FETCH ms=1000 messages=120000 octets=512 outcome=ok session=s1'] },
    { name: 'a little faster', hop: 'run', command: 'UID FETCH', ms: 999, logged: [] },
    { name: 'slow by nature', hop: 'run', command: 'IDLE', ms: 60_000, logged: [] },
    { name: 'a hop that is not measured', hop: 'parse', command: 'SEARCH', ms: 60_000, logged: [] },
  ]
  test.each(table)('$name', ({ hop, command, ms, logged }) => {
    const clock = new HeldClock()
    const log = new LoggedLines()
    const slow = new SlowHops(settings, log, clock)
    const mark = slow.begin('s1', hop, command)
    clock.advance(ms)
    slow.end('s1', hop, mark, 'ok', 512, 120_000)
    expect(log.lines).toEqual(logged)
  })
  test('of a running server: every hop of a session', async () => {
    await using server = await startTestServer({
      more: {
        log: [{ use: 'file', path: 'log', level: 'warn' }],
        observers: [{ use: 'timings', slowerThan: '0', hops: ['accept', 'login', 'parse', 'run', 'resolve', 'store', 'flush', 'write'] }],
      },
    })
    const client = await talk(server.port, [['a LOGIN alice secret', 'a OK'], ['b APPEND INBOX {14}', '+ '], ['Subject: x\r\n\r\n', 'b OK'], ['c SELECT INBOX', 'c OK'], ['d FETCH 1 FLAGS', 'd OK'], ['e STATUS nowhere (MESSAGES)', 'e NO'], ['f FETCH', 'f BAD']])
    client.destroy()
    const hops = async (): Promise<readonly string[]> =>
      (await readFile(join(server.folder, 'log'), 'utf8')).split('\n').flatMap((line) => /Slow (\w+) name="?([^"]*?)"? ms=\d+ messages=(\d+) octets=\d+ outcome=(\w+)/.exec(line)?.slice(1).join(' ') ?? [])
    // The log is written behind the sessions.
    await expect.poll(async () => new Set(await hops())).toEqual(
      new Set([
        'accept imap 0 ok', 'parse LOGIN 0 ok', 'login LOGIN 0 ok', 'run LOGIN 0 ok', 'resolve append 0 ok', 'store append 0 ok', 'run APPEND 0 ok', 'parse SELECT 0 ok', 'resolve open 0 ok', 'store open 0 ok',
        'write write 0 ok', 'run SELECT 1 ok', 'flush SELECT 0 ok', 'parse FETCH 0 ok', 'run FETCH 1 ok', 'flush FETCH 0 ok', 'parse STATUS 0 ok', 'resolve status 0 error', 'run STATUS 1 no', 'flush STATUS 0 ok', 'parse FETCH 0 error', 'flush FETCH 0 ok',
      ]),
    )
  })
})
