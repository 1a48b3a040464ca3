import { connect as connectTls } from 'node:tls'
import { readFile } from 'node:fs/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { RudeClient, eventually, memoryOf } from '../support/attack.js'
import { RawClient } from '../support/raw-client.js'
import { startServer, type RunningServer } from '../support/running-server.js'

const MIB = 1024 * 1024
const message = (subject: string): string => `From: bob@example.org\r\nSubject: ${subject}\r\n\r\nHello.\r\n`

let server: RunningServer
let logged = 0
beforeAll(async () => {
  server = await startServer({ host: 'imap: { timeouts: { prelogin: 2s, input: 2s } }' })
  const bob = await RawClient.login(server.ports.imap, 'bob')
  await bob.append('INBOX', message('kept'))
  await bob.logout()
  logged = server.log().length
})
afterAll(() => server.remove())
afterEach(async () => {
  // Whatever a client did: the next one is served, nothing is lost, and nothing was a bug.
  const bob = await RawClient.login(server.ports.imap, 'bob')
  const { untagged } = await bob.do('SELECT INBOX')
  const kept = (await bob.do('FETCH 1 BODY.PEEK[HEADER.FIELDS (SUBJECT)]')).untagged.join()
  await bob.logout()
  const serious = log().filter((line) => /^\S+ \S+ (?:warn|error) /.test(line))
  logged = server.log().length
  if (!untagged.includes('* 1 EXISTS') || !kept.includes('Subject: kept')) throw new Error(`mail was lost: ${untagged.join(', ')} ${kept}`)
  if (serious.length > 0) throw new Error(serious.join('\n'))
})
/** Lines since the last test. */
const log = (): readonly string[] => server.log().slice(logged).split('\n')
/** Waits for a line of the log. */
const logs = (line: RegExp): Promise<void> => eventually(String(line), () => log().some((l) => line.test(l)))
const login = (): Promise<RudeClient> => RudeClient.login(server.ports.imap, 'alice')
const open = (): Promise<RudeClient> => RudeClient.open(server.ports.imap)

describe('size', () => {
  test('a line of 32 MiB is dropped while it comes, and answered', async () => {
    await using client = await login()
    const pid = server.process.pid ?? 0
    const before = (await memoryOf(pid)).rss
    client.send('a1 SELECT ')
    for (let n = 0; n < 32; n++) client.send(Buffer.alloc(MIB, 'x'))
    expect(await client.command('a2', '\r\na2 NOOP')).toEqual(['a1 BAD Command line too long', 'a2 OK NOOP completed'])
    if (process.platform === 'linux') expect((await memoryOf(pid)).rss - before).toBeLessThan(64 * 1024)
  })
  test('before the login too, with a line in the log', async () => {
    await using client = await open()
    client.send(`a1 ${'x'.repeat(MIB)}\r\n`)
    expect(await client.command('a2', 'NOOP')).toContain('a1 BAD Command line too long')
    await logs(/info {2}Line too long before authentication host=\[127\.0\.0\.1\]/)
  })
  test.each([
    { name: 'more than a message may have', literal: '{1073741825}' },
    { name: 'more than a number has digits', literal: `{${'9'.repeat(40)}}` },
    { name: 'just past 32 bits', literal: '{4294967297}' },
    { name: 'just past 53 bits', literal: '{9007199254740993}' },
  ])('an APPEND of $name is refused before its octets', async ({ literal }) => {
    await using client = await login()
    expect((await client.command('a1', `APPEND INBOX ${literal}`)).at(-1)).toMatch(/^a1 (?:NO|BAD) /)
    expect(await client.command('a2', 'NOOP')).toEqual(['a2 OK NOOP completed'])
  })
  test('refused octets that come all the same are read up to a bound, and then it is goodbye', async () => {
    await using client = await login()
    client.send('a1 SELECT {100000000+}\r\n')
    expect(await client.rest()).toMatch(/a1 BAD .*\r\n\* BYE Too much refused literal data\r\n$/)
    await logs(/info {2}Ended \(Too much refused literal data\) user=alice host=\[127\.0\.0\.1\]/)
  })
})

describe('lies', () => {
  test('fewer octets than announced, and the link ends: nothing is appended', async () => {
    const client = await login()
    client.send(`a1 APPEND INBOX {5000+}\r\n${message('torn')}`)
    client.socket.end()
    await client.rest()
    await logs(/info {2}Command stream end of file, while reading literal user=alice host=\[127\.0\.0\.1\]/)
    await using next = await login()
    expect(await next.command('s', 'STATUS INBOX (MESSAGES)')).toContain('* STATUS INBOX (MESSAGES 0)')
  })
  test('fewer octets than announced, and silence: the session is ended after the time for input', async () => {
    const client = await login()
    client.send(`a1 APPEND INBOX {5000+}\r\n${message('torn')}`)
    expect(await client.rest()).toMatch(/^\* BYE Autologout/m)
    await logs(/info {2}Autologout user=alice host=\[127\.0\.0\.1\]/)
    await using next = await login()
    expect(await next.command('s', 'STATUS INBOX (MESSAGES)')).toContain('* STATUS INBOX (MESSAGES 0)')
  })
  test('more octets than announced: the rest is no message and no command in its name', async () => {
    await using client = await login()
    client.send('a1 APPEND nowhere {4+}\r\nA: b junk that is no part of it\r\na2 NOOP\r\n')
    const lines = (await client.until('a2 '))?.split('\r\n') ?? []
    expect(lines).toEqual(['* OK [TRYCREATE] Must create mailbox before append', expect.stringMatching(/^a1 (?:NO|BAD) /), 'a2 OK NOOP completed'])
  })
  test('a literal announced inside a quoted string is text', async () => {
    await using client = await login()
    const [line] = await client.command('a1', 'SELECT "x{5}"')
    expect(line).toMatch(/^a1 NO /)
  })
  test('octets sent before the continuation was given belong to the literal', async () => {
    await using client = await login()
    client.send('a1 STATUS {5}\r\nINBOX (MESSAGES)\r\n')
    expect(await client.until('a1 ')).toMatch(/STATUS INBOX \(MESSAGES \d+\)\r\na1 OK/)
  })
})

describe('octets', () => {
  const rows = [
    { name: 'NUL in a command', text: 'a1 NO\0OP', answer: /^a1 BAD / },
    { name: 'NUL in a quoted string', text: 'a1 SELECT "a\0b"', answer: /^a1 BAD / },
    { name: 'NUL in a literal that names a mailbox', text: 'a1 SELECT {3+}\r\na\0b', answer: /^a1 (?:NO|BAD) / },
    { name: 'NUL in a tag', text: 'a\0 NOOP', answer: /^\* BAD / },
    { name: '8-bit in an atom', text: 'a1 SELECT b\xe9b\xe9', answer: /^a1 (?:NO|BAD) / },
    { name: '8-bit in a quoted string', text: 'a1 SELECT "b\xe9b\xe9"', answer: /^a1 (?:NO|BAD) / },
    { name: '8-bit in a tag', text: '\xff\xfe NOOP', answer: /^\* BAD / },
    { name: 'a bare CR in a line', text: 'a1 SELECT "a\rb"', answer: /^a1 BAD / },
    { name: 'escape codes of a terminal', text: 'a1 \x1b[2J\x07', answer: /^a1 BAD [ -~]*$/ },
  ]
  test.each(rows)('$name', async ({ text, answer }) => {
    await using client = await login()
    client.send(`${text}\r\na2 NOOP\r\n`)
    const lines = (await client.until('a2 '))?.split('\r\n') ?? []
    expect(lines).toEqual([expect.stringMatching(answer), 'a2 OK NOOP completed'])
  })
  test('octets of a client cannot begin a line of the log', async () => {
    await using client = await open()
    client.send('a1 LOGIN {19+}\r\nalice\r\n2026 error x secret\r\n')
    await client.until('a1 ')
    expect(log().filter((line) => line.startsWith('2026 error'))).toEqual([])
  })
})

describe('depth', () => {
  const deep = (n: number): string => `${'('.repeat(n)}ALL${')'.repeat(n)}`
  const rows = [
    { name: 'parentheses of SEARCH', text: `SEARCH ${deep(30_000)}` },
    { name: 'NOT of SEARCH', text: `SEARCH ${'NOT '.repeat(15_000)}ALL` },
    { name: 'OR of SEARCH', text: `SEARCH ${'OR ALL '.repeat(9000)}ALL` },
    { name: 'unclosed parentheses of FETCH', text: `FETCH 1 ${'('.repeat(60_000)}` },
    { name: 'parentheses of STATUS', text: `STATUS INBOX ${'('.repeat(60_000)}` },
    { name: 'parts of a section', text: `FETCH 1 BODY[${'1.'.repeat(30_000)}1]` },
    { name: 'wildcards of LIST', text: `LIST "" "${'*%'.repeat(120)}"` },
    { name: 'ranges of a set', text: `FETCH ${'1,'.repeat(20_000)}1 UID` },
  ]
  test.each(rows)('$name', async ({ text }) => {
    await using client = await RudeClient.login(server.ports.imap, 'bob')
    await client.command('s', 'EXAMINE INBOX')
    expect((await client.command('a1', text)).at(-1)).toMatch(/^a1 (?:BAD|NO) /)
    expect(await client.command('a2', 'NOOP')).toEqual(['a2 OK NOOP completed'])
  })
  test('a message of parts within parts is kept, and its structure is told to a bound', async () => {
    const depth = 2000
    let text = ''
    for (let n = 0; n < depth; n++) text += `Content-Type: multipart/mixed; boundary="b${n}"\r\n\r\n--b${n}\r\n`
    await using client = await login()
    await client.command('c', 'CREATE deep')
    expect((await client.command('a1', `APPEND deep {${text.length}+}\r\n${text}`)).at(-1)).toMatch(/^a1 OK/)
    await client.command('s', 'SELECT deep')
    expect((await client.command('a2', 'FETCH 1 (ENVELOPE BODYSTRUCTURE)')).at(-1)).toMatch(/^a2 OK/)
    expect((await client.command('a3', `FETCH 1 BODY.PEEK[${'1.'.repeat(99)}1]`)).at(-1)).toMatch(/^a3 OK/)
    expect((await client.command('a4', 'SEARCH TEXT "nothing like it"')).at(-1)).toMatch(/^a4 OK/)
  })
  test('a message within a message, a thousand deep', async () => {
    const text = `Content-Type: message/rfc822\r\n\r\n`.repeat(1000)
    await using client = await login()
    await client.command('c', 'CREATE russian')
    expect((await client.command('a1', `APPEND russian {${text.length}+}\r\n${text}`)).at(-1)).toMatch(/^a1 OK/)
    await client.command('s', 'SELECT russian')
    expect((await client.command('a2', 'FETCH 1 (ENVELOPE BODYSTRUCTURE RFC822.SIZE)')).at(-1)).toMatch(/^a2 OK/)
  })
})

describe('time', () => {
  test('half a command and silence before the login: goodbye when the time is over', async () => {
    const client = await open()
    client.send('a1 LOGIN alice')
    expect(await client.rest()).toMatch(/^\* BYE Autologout\r\n$/m)
    await logs(/info {2}Autologout user=\?\?\? host=\[127\.0\.0\.1\]/)
  })
  test('silence where a SASL answer is due', async () => {
    const client = await open()
    client.send('a1 AUTHENTICATE PLAIN\r\n')
    expect(await client.rest()).toMatch(/^\+ \r\n\* BYE Autologout\r\n$/m)
  })
  test('one octet at a time does not buy time before the login', async () => {
    const client = await open()
    const dripping = setInterval(() => client.send('x'), 100)
    expect(await client.rest()).toMatch(/^\* BYE Autologout\r\n$/m)
    clearInterval(dripping)
  })
  test('a session that arrives octet by octet is served like any other', async () => {
    await using client = await open()
    await client.drip('a1 LOGIN {5+}\r\nalice "secret"\r\na2 APPEND INBOX {6}\r\n')
    await client.until('+ ')
    await client.drip('A: b\r\n\r\na3 LOGOUT\r\n')
    expect(await client.rest()).toMatch(/a2 OK [^]*\* BYE [^]*a3 OK /)
    await using next = await login()
    await next.command('s', 'SELECT INBOX')
    await next.command('d', 'STORE 1 +FLAGS (\\Deleted)')
    await next.command('e', 'EXPUNGE')
  })
  test('a client that reads nothing holds up nobody, and is not answered without bound', async () => {
    const pid = server.process.pid ?? 0
    await using client = await RudeClient.login(server.ports.imap, 'bob')
    await client.command('s', 'EXAMINE INBOX')
    client.socket.pause()
    const before = (await memoryOf(pid)).rss
    // About 180 MiB of answers.
    const commands = Buffer.from('n FETCH 1 (BODY.PEEK[] BODY.PEEK[] BODY.PEEK[] BODY.PEEK[] BODY.PEEK[] BODY.PEEK[])\r\n'.repeat(2000))
    for (let n = 0; n < 150; n++) client.send(commands)
    await using other = await login()
    for (let n = 0; n < 50; n++) expect(await other.command(`o${n}`, 'NOOP')).toEqual([`o${n} OK NOOP completed`])
    if (process.platform === 'linux') expect((await memoryOf(pid)).rss - before).toBeLessThan(64 * 1024)
  })
})

describe('TLS', () => {
  test.each([
    { name: 'in one segment with STARTTLS', pieces: ['a1 STARTTLS\r\na2 LOGIN alice secret\r\na3 CREATE injected\r\n'] },
    { name: 'directly behind it', pieces: ['a1 STARTTLS\r\n', 'a2 LOGIN alice secret\r\na3 CREATE injected\r\n'] },
    { name: 'as half a command', pieces: ['a1 STARTTLS\r\na2 CREATE '] },
  ])('plaintext $name is never executed, in clear or under TLS', async ({ pieces }) => {
    await using client = await open()
    await client.until('* OK')
    for (const piece of pieces) client.send(piece)
    const answer = await client.until('a1 ')
    expect(answer ?? '').not.toMatch(/^a[23] /m)
    // Going on with a handshake as if nothing had happened must not bring the answers either.
    const upper = connectTls({ socket: client.socket, ca: await readFile(server.certificate), servername: 'localhost' })
    let under = ''
    upper.on('data', (chunk: Buffer) => (under += chunk.toString('latin1')))
    upper.on('error', () => undefined)
    upper.on('secureConnect', () => upper.write('b1 NOOP\r\nb2 LOGOUT\r\n'))
    // The server may have ended the link before the handshake could begin.
    await Promise.race([new Promise((resolve) => upper.once('close', resolve)), client.rest()])
    upper.destroy()
    expect(under).not.toMatch(/^a[23] /m)
    await using next = await login()
    expect((await next.command('l', 'LIST "" injected')).filter((line) => line.startsWith('* LIST'))).toEqual([])
  })
  test('a client that goes away during the handshake is let go at once', async () => {
    await using client = await RudeClient.open(server.ports.imaps)
    client.socket.end()
    expect(await client.rest()).toBe('')
    await logs(/info {2}Unable to accept SSL connection host=\[127\.0\.0\.1\]/)
  })
  test('IMAP in clear where TLS is due ends the connection', async () => {
    await using client = await RudeClient.open(server.ports.imaps)
    client.send('a1 LOGIN alice secret\r\n')
    expect(await client.rest()).not.toContain('OK')
    await logs(/info {2}Unable to accept SSL connection host=\[127\.0\.0\.1\]/)
  })
})
