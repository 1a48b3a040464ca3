import { describe, expect, test } from 'vitest'
import { Unfinished } from '../../core/imapd/unfinished.js'
import { LIMITS } from '../../core/wire/limits.js'
import type { LimitName } from '../../core/wire/limits.js'
import { gateFor, tableBackend } from '../support/auth.js'
import type { ImapOptions } from '../support/imap.js'
import { ImapFixture } from '../support/imap.js'
import type { ScriptClient } from '../support/imap-client.js'
import { fill, notes } from '../support/imap-scenes.js'

interface Row {
  readonly limit: LimitName
  /** The command with as much as `n`, without its tag. */
  readonly said: (n: number) => string
  /** Its last line at the bound, and one past it; the tag is `a`. */
  readonly at: RegExp
  readonly past: RegExp
  readonly options?: ImapOptions
  /** Before the login. */
  readonly early?: true
  /** The answer to a continuation, instead of a command's tail. */
  readonly answer?: (n: number) => string
}
const x = (n: number): string => 'x'.repeat(n)
const times = (n: number, one: string, between = ' '): string => Array.from({ length: n }, () => one).join(between)

const rows: readonly Row[] = [
  { limit: 'commandName', said: x, at: new RegExp(`^a BAD Command unrecognized: X{80}$`), past: new RegExp(`^a BAD Command unrecognized: X{80}$`) },
  { limit: 'appendLiteral', said: (n) => `APPEND INBOX {${n}}`, at: /^\+ Ready for argument$/, past: /^a NO \[TOOBIG\] Excessively large message to APPEND$/ },
  { limit: 'smallNonSyncLiteral', said: (n) => `APPEND INBOX {${n}+}\r\n${x(n)}`, at: /^a OK \[APPENDUID /, past: /^a BAD /, options: { without: ['literal-plus'] } },
  { limit: 'saslLine', said: () => 'AUTHENTICATE PLAIN', answer: (n) => 'A'.repeat(n), at: /^a NO \[AUTHENTICATIONFAILED\] AUTHENTICATE PLAIN failed$/, past: /^a BAD /, early: true },
  { limit: 'idleLine', said: () => 'IDLE', answer: (n) => `DONE${' '.repeat(n - 4)}`, at: /^a OK IDLE completed$/, past: /^a BAD Bogus IDLE continuation$/ },
  { limit: 'mailboxName', said: (n) => `CREATE ${x(n)}`, at: /^a OK CREATE completed$/, past: /^a NO / },
  { limit: 'remoteMailboxName', said: (n) => `SELECT ${x(n)}`, at: /^a NO (?!.*too long)/, past: /^a NO \[CANNOT\] SELECT failed: mailbox name too long$/ },
  { limit: 'listPattern', said: (n) => `LIST "" ${x(n)}`, at: /^a OK LIST completed$/, past: /^a NO Invalid LIST pattern specification: x{80}$/ },
  { limit: 'listPattern', said: (n) => `LSUB ${x(n)} %`, at: /^a OK LSUB completed$/, past: /^a NO Invalid LSUB reference specification: x{80}$/ },
  { limit: 'listWildcards', said: (n) => `LIST "" ${'%'.repeat(n)}`, at: /^a OK LIST completed$/, past: /^a NO \[LIMIT\] Excessive wildcards in LIST$/ },
  { limit: 'userName', said: (n) => `LOGIN ${x(n)} secret`, at: /^a NO \[AUTHENTICATIONFAILED\] LOGIN failed$/, past: /^a NO \[AUTHENTICATIONFAILED\] LOGIN failed$/, early: true },
  { limit: 'searchNesting', said: (n) => `SEARCH ${'('.repeat(n - 1)}ALL${')'.repeat(n - 1)}`, at: /^a OK SEARCH completed$/, past: /^a BAD Missing or invalid argument to SEARCH$/ },
  { limit: 'fetchItems', said: (n) => `FETCH 1 (${times(n, 'UID')})`, at: /^a OK FETCH completed$/, past: /^a BAD Excessively complex FETCH attribute list$/ },
  { limit: 'headerFields', said: (n) => `FETCH 1 BODY.PEEK[HEADER.FIELDS (${times(n, 'To')})]`, at: /^a OK FETCH completed$/, past: /^a BAD Syntax error in header fields$/ },
  { limit: 'sectionDepth', said: (n) => `FETCH 1 BODY.PEEK[${times(n, '1', '.')}]`, at: /^a OK FETCH completed$/, past: /^a BAD Syntax error in section specifier$/ },
  { limit: 'sequenceRanges', said: (n) => `FETCH ${times(n, '1', ',')} UID`, at: /^a OK FETCH completed$/, past: /^a BAD Bogus sequence in FETCH: / },
  { limit: 'flags', said: (n) => `STORE 1 +FLAGS.SILENT (${times(n, 'k')})`, at: /^a OK STORE completed$/, past: /^a BAD Bogus attribute list in STORE$/ },
  { limit: 'idPairs', said: (n) => `ID (${Array.from({ length: n }, (_, i) => `"k${i}" "v"`).join(' ')})`, at: /^a OK ID completed$/, past: /^a BAD / },
  { limit: 'idField', said: (n) => `ID ("${x(n)}" "v")`, at: /^a OK ID completed$/, past: /^a BAD / },
  { limit: 'idValue', said: (n) => `ID ("k" "${x(n)}")`, at: /^a OK ID completed$/, past: /^a BAD / },
]

/** Bounds that are tried below or in another file. */
const ELSEWHERE: readonly LimitName[] = [
  'tag', 'tagSearch', 'discardedLiteral', 'discardedLiteralPrelogin', 'replyText',
  // test/protocol/limits.test.ts
  'commandLine', 'literal', 'literalsPerCommand',
  // test/unit/wire/cursor.test.ts
  'listNesting',
  'unfinishedPrelogin', 'unfinishedShare',
]

/** The last line of a command's answer, or its continuation. */
async function said(client: ScriptClient, { said: command, answer }: Row, n: number): Promise<string> {
  await client.send(`a ${command(n)}\r\n`)
  for (;;) {
    const line = (await client.line()) ?? '<end>'
    if (line.startsWith('+ ') && answer !== undefined) await client.send(`${answer(n)}\r\n`)
    else if (!line.startsWith('* ')) return line
  }
}
async function client(server: ImapFixture, row: Row): Promise<ScriptClient> {
  if (row.early === true) {
    const early = server.connect()
    await early.line()
    return early
  }
  const session = await server.session()
  await session.command('s', 'SELECT INBOX')
  return session
}

describe('every bound of the wire, at the bound and one past it', () => {
  test('none is forgotten', () => {
    expect(new Set([...rows.map((row) => row.limit), ...ELSEWHERE])).toEqual(new Set(Object.keys(LIMITS).filter((name) => !name.startsWith('pop3'))))
  })
  test.each(rows)('$limit', async (row) => {
    await using server = await ImapFixture.make(row.options)
    await fill(server, 'INBOX', notes('one'))
    const bound = LIMITS[row.limit]
    expect(await said(await client(server, row), row, bound)).toMatch(row.at)
    const past = await client(server, row)
    expect(await said(past, row, bound + 1)).toMatch(row.past)
    // Nothing that a client sends too much of costs it more than that command.
    expect(await past.command('b', 'NOOP')).toEqual(['b OK NOOP completed'])
  })
  test.each([
    { octets: LIMITS.userName, logged: 0 },
    { octets: LIMITS.userName + 1, logged: 1 },
  ])('userName: $octets octets are answered as any other, and are an attack for the log $logged times', async ({ octets, logged }) => {
    const gate = gateFor({ backends: [tableBackend({})], settings: { plaintext: 'always', failureDelayMs: 0 } })
    await using server = await ImapFixture.make({ gate: gate.gate })
    const early = server.connect()
    await early.line()
    expect(await early.command('a', `LOGIN ${x(octets)} secret`)).toEqual(['a NO [AUTHENTICATIONFAILED] LOGIN failed'])
    expect(gate.log.lines.filter((line) => line.startsWith('warn Login SYSTEM BREAK-IN ATTEMPT'))).toHaveLength(logged)
  })
  test.each([
    { octets: LIMITS.tag, answer: /^x{50} OK NOOP completed$/ },
    { octets: LIMITS.tag + 1, answer: /^\* BAD Excessively long tag$/ },
  ])('tag: $octets octets', async ({ octets, answer }) => {
    await using server = await ImapFixture.make()
    const session = await server.session()
    await session.send(`${x(octets)} NOOP\r\n`)
    expect(await session.line()).toMatch(answer)
    expect(await session.command('b', 'NOOP')).toEqual(['b OK NOOP completed'])
  })
  test.each([
    { octets: LIMITS.tag, answer: `${x(LIMITS.tag)} BAD Command line too long` },
    { octets: LIMITS.tagSearch, answer: '* BAD Command line too long' },
  ])('tagSearch: an overlong line with a tag of $octets octets', async ({ octets, answer }) => {
    await using server = await ImapFixture.make()
    const session = await server.session()
    await session.send(`${x(octets)} ${'y'.repeat(LIMITS.commandLine)}\r\n`)
    expect(await session.line()).toBe(answer)
    expect(await session.command('b', 'NOOP')).toEqual(['b OK NOOP completed'])
  })
  test.each([
    { limit: 'discardedLiteral', early: false },
    { limit: 'discardedLiteralPrelogin', early: true },
  ] as const)('$limit', async ({ limit, early }) => {
    await using server = await ImapFixture.make()
    const open = async (): Promise<ScriptClient> => {
      const session = early ? server.connect() : await server.session()
      if (early) await session.line()
      return session
    }
    const fits = await open()
    await fits.send(`a XYZ {${LIMITS[limit]}+}\r\n`)
    expect(await fits.line()).toBe('a BAD Command unrecognized: XYZ')
    const past = await open()
    await past.send(`a XYZ {${LIMITS[limit] + 1}+}\r\n`)
    const lines: string[] = []
    for (let line = await past.line(); line !== undefined; line = await past.line()) lines.push(line)
    expect(lines.at(-1)).toMatch(/^\* BYE /)
  })
  test('unfinishedPrelogin, unfinishedShare: what clients hold together before their login', () => {
    const all = new Unfinished()
    using one = all.share()
    using other = all.share()
    one.hold(LIMITS.unfinishedPrelogin - 1)
    expect(other.most()).toBe(Infinity)
    one.hold(LIMITS.unfinishedPrelogin)
    expect([one.most(), other.most()]).toEqual([Infinity, LIMITS.unfinishedShare])
  })
  test('replyText: a text that is longer is cut', async () => {
    await using server = await ImapFixture.make()
    const session = await server.session()
    const [line = ''] = await session.command('a', `SELECT {${1200}+}\r\n${'y'.repeat(1200)}`)
    expect(line.length).toBeLessThanOrEqual('a NO [NONEXISTENT] '.length + LIMITS.replyText)
  })
})
