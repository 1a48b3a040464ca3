import { describe, expect, test } from 'vitest'
import type { ScriptClient } from '../support/imap-client.js'
import { fill, notes } from '../support/imap-scenes.js'
import { ImapFixture } from '../support/imap.js'

/*
 * RFC 3501 §9, production by production: every form that an argument may have, as a client may send it, and what is not one. Synchronising literals
 * are sent when they are asked for. What each command does is tested elsewhere; here it is that it is understood, or refused, and the session goes on.
 */

type State = 'not-authenticated' | 'authenticated' | 'selected'
/** A command by production with its argument forms; `~` stands for a literal of what follows up to the next space: `~INBOX` is sent as `{5}`. */
interface Production {
  readonly rule: string
  readonly state: State
  /** Answered OK. */
  readonly ok: readonly string[]
  /** Well formed, and refused for what it says. */
  readonly no?: readonly string[]
  readonly bad: readonly string[]
}

const IN_SELECTED: readonly Production[] = [
  {
    rule: 'check, close, expunge, noop, capability',
    state: 'selected',
    ok: ['CHECK', 'check', 'Expunge', 'NOOP', 'capability', 'CLOSE', 'cLOSE'],
    bad: ['CHECK x', 'CLOSE INBOX', 'EXPUNGE 1', 'NOOP ""', 'CAPABILITY (', 'CHECKX', 'CHECK()'],
  },
  {
    rule: 'copy = "COPY" SP sequence-set SP mailbox',
    state: 'selected',
    ok: ['COPY 1 box', 'copy 1:2 "box"', 'COPY 1,3 ~box', 'COPY * box', 'COPY 3:1 box', 'COPY 1:* box', 'COPY *:1 box', 'COPY 1,1,1 box', 'COPY 1 iNbOx', 'COPY 1:*,1:* box'],
    no: ['COPY 1 nowhere', 'COPY 1 ""'],
    bad: ['COPY', 'COPY 1', 'COPY 1 ', 'COPY box', 'COPY box 1', 'COPY 1 box x', 'COPY 0 box', 'COPY 1: box', 'COPY :1 box', 'COPY 1,,2 box', 'COPY ,1 box', 'COPY 1-2 box', 'COPY (1) box', 'COPY "1" box', 'COPY -1 box', 'COPY 4294967296 box', 'COPY 1 (box)', 'COPY 1 bo*x', 'COPY 4 box', 'COPY 1:4 box'],
  },
  {
    rule: 'fetch-att, macros',
    state: 'selected',
    ok: [
      'FETCH 1 ALL', 'FETCH 1 full', 'FETCH 1 Fast', 'FETCH 1 FLAGS', 'fetch 1 flags', 'FETCH 1 (FLAGS)', 'FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY BODYSTRUCTURE)', 'FETCH 1 RFC822', 'FETCH 1 RFC822.HEADER',
      'FETCH 1 RFC822.TEXT', 'FETCH 1 (BODY BODY[])', 'FETCH *:2 UID', 'FETCH 1 (UID UID)',
    ],
    bad: [
      'FETCH', 'FETCH 1', 'FETCH FLAGS', 'FETCH 1 ()', 'FETCH 1 (FLAGS', 'FETCH 1 FLAGS)', 'FETCH 1 FLAGS UID', 'FETCH 1 FLAGS,UID', 'FETCH 1 (FLAGS)x', 'FETCH 1 (FLAGS,UID)', 'FETCH 1 FLAG', 'FETCH 1 FLAGSX', 'FETCH 1 RFC822.BODY', 'FETCH 0 UID',
      'FETCH 1 "FLAGS"', 'FETCH 1 (FLAGS) (UID)', 'FETCH 1 ((FLAGS))', 'FETCH 1 X-Y', 'FETCH a UID', 'FETCH 4 UID',
    ],
  },
  {
    rule: 'section, section-spec, section-msgtext, section-part, header-list',
    state: 'selected',
    ok: [
      'FETCH 1 BODY[]', 'FETCH 1 body.peek[]', 'FETCH 1 BODY[TEXT]', 'FETCH 1 BODY[text]', 'FETCH 1 BODY[HEADER]', 'FETCH 1 BODY[HEADER.FIELDS (Subject)]', 'FETCH 1 BODY[HEADER.FIELDS (Subject From)]', 'FETCH 1 BODY[HEADER.FIELDS ("Subject")]',
      'FETCH 1 BODY[header.fields.not (X-A]B)]', 'FETCH 1 BODY[HEADER.FIELDS (~Subject )]', 'FETCH 1 BODY[HEADER.FIELDS.NOT (Subject)]', 'FETCH 1 BODY[1]', 'FETCH 1 BODY[1.MIME]', 'FETCH 1 BODY[1.2.3]', 'FETCH 1 BODY[1.HEADER]', 'FETCH 1 BODY[1.TEXT]',
      'FETCH 1 BODY[1.HEADER.FIELDS (Subject)]', 'FETCH 1 BODY[99]', 'FETCH 1 (BODY.PEEK[HEADER] BODY.PEEK[TEXT])',
    ],
    bad: [
      'FETCH 1 BODY[', 'FETCH 1 BODY[]x', 'FETCH 1 BODY[TEXT', 'FETCH 1 BODY[MIME]', 'FETCH 1 BODY[0]', 'FETCH 1 BODY[01]', 'FETCH 1 BODY[1.]', 'FETCH 1 BODY[.1]', 'FETCH 1 BODY[1..2]', 'FETCH 1 BODY[1.0]', 'FETCH 1 BODY[TEXT.1]', 'FETCH 1 BODY[HEADER.FIELDS]', 'FETCH 1 BODY[HEADER.FIELDS ()]',
      'FETCH 1 BODY[HEADER.FIELDS Subject]', 'FETCH 1 BODY[HEADER.FIELDS (Subject]', 'FETCH 1 BODY[HEADER.FIELDS.NOT]', 'FETCH 1 BODY[TEXT HEADER]', 'FETCH 1 BODY [TEXT]', 'FETCH 1 BODY.PEEK', 'FETCH 1 BODY.PEEK.TEXT[]', 'FETCH 1 BODYSTRUCTURE[]', 'FETCH 1 RFC822[]', 'FETCH 1 BODY[4294967296]',
    ],
  },
  {
    rule: 'partial: "<" number "." nz-number ">"',
    state: 'selected',
    ok: ['FETCH 1 BODY[]<0.1>', 'FETCH 1 BODY[TEXT]<2.1000>', 'FETCH 1 BODY.PEEK[HEADER]<4294967295.1>', 'FETCH 1 (BODY[]<0.4294967295> UID)'],
    bad: ['FETCH 1 BODY[]<0.0>', 'FETCH 1 BODY[]<0.01>', 'FETCH 1 BODY[]<0>', 'FETCH 1 BODY[]<.1>', 'FETCH 1 BODY[]<0.>', 'FETCH 1 BODY[]<-1.1>', 'FETCH 1 BODY[]<0.1', 'FETCH 1 BODY[] <0.1>', 'FETCH 1 BODY[]<0.1>x', 'FETCH 1 BODY<0.1>', 'FETCH 1 RFC822<0.1>', 'FETCH 1 BODY[]<a.b>', 'FETCH 1 BODY[]<0,1>'],
  },
  {
    rule: 'store-att-flags, flag, flag-list',
    state: 'selected',
    ok: [
      String.raw`STORE 1 FLAGS (\Seen)`, String.raw`STORE 1 FLAGS \Seen`, String.raw`STORE 1 FLAGS \Seen \Flagged`, String.raw`store 1 flags (\sEEN)`, 'STORE 1 FLAGS ()', String.raw`STORE 1:* +FLAGS.SILENT (\Deleted)`, String.raw`STORE 1 -flags \Seen`,
      'STORE 1 +FLAGS keyword', 'STORE 1 +FLAGS ($Forwarded a.b)', String.raw`STORE 1 +FLAGS (\Extension)`, 'STORE 1 -FLAGS.silent (x y z)',
    ],
    bad: [
      'STORE', 'STORE 1', 'STORE 1 FLAGS', String.raw`STORE FLAGS (\Seen)`, String.raw`STORE 1 (\Seen)`, String.raw`STORE 1 FLAGS (\Seen`, String.raw`STORE 1 FLAGS \Seen)`, String.raw`STORE 1 FLAGS (\Seen) x`, String.raw`STORE 1 FLAGS (\Seen,\Draft)`, String.raw`STORE 1 FLAGS (\*)`,
      String.raw`STORE 1 ++FLAGS (\Seen)`, String.raw`STORE 1 FLAGS.LOUD (\Seen)`, String.raw`STORE 1 +FLAG (\Seen)`, 'STORE 1 FLAGS ("a")', 'STORE 1 FLAGS (a(b))', 'STORE 1 FLAGS (\\)', String.raw`STORE 1 + FLAGS (\Seen)`, 'STORE 1 FLAGS (a*b)', 'STORE 1 FLAGS (a]b)', String.raw`STORE 0 FLAGS (\Seen)`, String.raw`STORE 4 FLAGS (\Seen)`,
    ],
  },
  {
    rule: 'search, search-key',
    state: 'selected',
    ok: [
      'SEARCH ALL', 'search all', 'SEARCH (ALL)', 'SEARCH ((ALL) (SEEN UNSEEN))', 'SEARCH NOT NOT SEEN', 'SEARCH OR (SEEN DRAFT) NOT 1', 'SEARCH 1', 'SEARCH 1:*,3', 'SEARCH *', 'SEARCH UID 1:3', 'SEARCH UID 999', 'SEARCH CHARSET US-ASCII ALL', 'SEARCH CHARSET "utf-8" SUBJECT x',
      'SEARCH CHARSET ~UTF-8 TEXT ~x', 'SEARCH FROM ""', 'SEARCH HEADER Subject ""', 'SEARCH HEADER ~Subject "a b"', 'SEARCH ON 1-Jan-2026', 'SEARCH ON "1-Jan-2026"', 'SEARCH BEFORE 01-jan-2026', 'SEARCH KEYWORD $x', 'SEARCH UNKEYWORD a.b', 'SEARCH LARGER 0', 'SEARCH SMALLER 4294967295',
      'SEARCH SINCE 1-Feb-1994 NOT FROM "Smith"', 'SEARCH NEW OLD RECENT',
    ],
    bad: [
      'SEARCH', 'SEARCH ()', 'SEARCH (ALL', 'SEARCH ALL)', 'SEARCH NOT', 'SEARCH OR ALL', 'SEARCH ALLSEEN', 'SEARCH FROM', 'SEARCH HEADER Subject', 'SEARCH HEADER', 'SEARCH KEYWORD', 'SEARCH KEYWORD (x)', 'SEARCH UNKEYWORD a]b', 'SEARCH LARGER', 'SEARCH LARGER -1', 'SEARCH LARGER "1"', 'SEARCH ON 2026-01-01',
      'SEARCH ON 1-Jan-26x', 'SEARCH ON 31-Feb-2026', 'SEARCH UID', 'SEARCH UID x', 'SEARCH CHARSET', 'SEARCH CHARSET UTF-8', 'SEARCH ALL CHARSET UTF-8', 'SEARCH 0', 'SEARCH 1:', 'SEARCH "ALL"', 'SEARCH BOGUS', 'SEARCH ALL,SEEN',
    ],
  },
  {
    rule: 'uid = "UID" SP (copy / fetch / search / store)',
    state: 'selected',
    ok: ['UID COPY 1:* box', 'uid fetch 1 flags', 'UID FETCH 999 UID', 'Uid Search uid 1', String.raw`UID STORE 1:999 +FLAGS.SILENT (\Seen)`, 'UID SEARCH 1:3', 'UID FETCH *:999 (UID)', 'UID  FETCH 1 UID'],
    bad: ['UID', 'UID ', 'UID NOOP', 'UID CHECK', 'UID SELECT INBOX', 'UID 1', 'UID FETCH', 'UID FETCH 1', 'UID COPY 1', 'UID STORE 1 FLAGS', 'UID SEARCH', 'UIDFETCH 1 UID', 'UID UID FETCH 1 UID', 'UID FETCH 0 UID'],
  },
]

const WITH_NAMES: readonly Production[] = [
  {
    rule: 'select, examine',
    state: 'authenticated',
    ok: ['SELECT INBOX', 'select "inbox"', 'SELECT ~InBoX', 'EXAMINE box', 'examine "box"', 'EXAMINE ~box', 'SELECT b]x', String.raw`SELECT "b\"x"`],
    no: ['SELECT nowhere', 'EXAMINE ""', 'SELECT ~'],
    bad: ['SELECT', 'SELECT ', 'SELECT INBOX x', 'SELECT INBOX INBOX', 'SELECT (INBOX)', 'SELECT "INBOX', 'SELECT b%x', 'SELECT b*x', 'SELECT {5}x', 'EXAMINE', 'EXAMINE box box', String.raw`SELECT "\box"`, 'SELECT "INBOX"x', 'SELECT bo\\x'],
  },
  {
    rule: 'create, delete, rename, subscribe, unsubscribe',
    state: 'authenticated',
    ok: [
      'CREATE new', 'create "new box"', 'CREATE ~new', 'CREATE folder/', 'CREATE a/b/c', 'DELETE box', 'delete "box"', 'DELETE ~box', 'RENAME box other', 'rename "box" "other box"', 'RENAME ~box ~other', 'RENAME box "o"', 'SUBSCRIBE box', 'subscribe "INBOX"', 'SUBSCRIBE ~nowhere', 'UNSUBSCRIBE subscribed', 'UNSUBSCRIBE "subscribed"', 'UNSUBSCRIBE ~subscribed',
    ],
    no: ['CREATE INBOX', 'CREATE ""', 'CREATE box', 'DELETE inbox', 'DELETE nowhere', 'RENAME nowhere x', 'RENAME box inbox', 'RENAME box box', 'CREATE &', 'CREATE "a&b"'],
    bad: [
      'CREATE', 'CREATE a b', 'CREATE (a)', 'CREATE a*', 'CREATE a%', 'CREATE "a', 'DELETE', 'DELETE a b', 'DELETE "a"b', 'RENAME', 'RENAME a', 'RENAME a b c', 'RENAME (a b)', 'RENAME "a""b"', 'SUBSCRIBE', 'SUBSCRIBE a b', 'SUBSCRIBE *', 'UNSUBSCRIBE', 'UNSUBSCRIBE a b',
    ],
  },
  {
    rule: 'list, lsub, list-mailbox',
    state: 'authenticated',
    ok: ['LIST "" ""', 'LIST "" *', 'list "" %', 'LIST ~ *', 'LIST "" "*"', 'LIST "" ~*', 'LIST INBOX %', 'LIST "a b/" "%"', 'LIST "" b]x*', 'LIST "" %/%', 'LSUB "" *', 'lsub "" "%"', 'LSUB ~ ~*', 'LIST "" INBOX', 'LIST "" b\xe9*'],
    bad: ['LIST', 'LIST ""', 'LIST "" ', 'LIST "" * x', 'LIST * ', 'LIST "" (', 'LIST "" "', 'LSUB', 'LSUB ""', 'LSUB "" * *', 'LIST "" {x}', 'LIST ""*'],
  },
  {
    rule: 'status, status-att',
    state: 'authenticated',
    ok: ['STATUS INBOX (MESSAGES)', 'status "inbox" (messages recent uidnext uidvalidity unseen)', 'STATUS ~box (UNSEEN)', 'STATUS box (MESSAGES MESSAGES)', 'STATUS box (UIDVALIDITY UIDNEXT)'],
    no: ['STATUS nowhere (MESSAGES)'],
    bad: ['STATUS', 'STATUS box', 'STATUS box MESSAGES', 'STATUS box ()', 'STATUS box (MESSAGES', 'STATUS box MESSAGES)', 'STATUS box (MESSAGES) x', 'STATUS box (MESSAGES,UNSEEN)', 'STATUS (MESSAGES)', 'STATUS box ("MESSAGES")', 'STATUS box ((MESSAGES))'],
  },
  {
    rule: 'append, date-time',
    state: 'authenticated',
    ok: [
      'APPEND box ~x', 'append "box" ~x', 'APPEND ~box ~x', String.raw`APPEND box (\Seen) ~x`, String.raw`APPEND box (\Seen \Flagged $x) ~x`, 'APPEND box () ~x', 'APPEND box " 1-Jan-2026 00:00:00 +0000" ~x', 'APPEND box "01-Jan-2026 23:59:59 -1200" ~x', 'APPEND box "31-dec-2026 23:59:60 +1400" ~x',
      String.raw`APPEND INBOX (\Draft) "17-Jul-1996 02:44:25 -0700" ~x`,
    ],
    no: ['APPEND box ~', 'APPEND nowhere ~x'],
    bad: [
      'APPEND', 'APPEND box', 'APPEND box x', 'APPEND box "x"', String.raw`APPEND box (\Seen)`, 'APPEND box (\\Seen ~x', String.raw`APPEND box \Seen ~x`, 'APPEND box "1-Jan-2026" ~x', 'APPEND box "1-Jan-2026 00:00:00 +0000" x', 'APPEND box "32-Jan-2026 00:00:00 +0000" ~x', 'APPEND box "01-Jan-2026 24:00:00 +0000" ~x',
      'APPEND box "01-Jan-2026 00:00:00 0000" ~x', 'APPEND box "01-Jan-2026 00:00:00" ~x', 'APPEND box "01 Jan 2026 00:00:00 +0000" ~x', 'APPEND box " 1-Jan-2026 00:00:00 +0000" (x) ~x', 'APPEND (box) ~x',
    ],
  },
]

const BEFORE_LOGIN: readonly Production[] = [
  {
    rule: 'login, userid, password',
    state: 'not-authenticated',
    ok: ['LOGIN alice secret', 'login "alice" "secret"', 'LOGIN alice "secret"', 'LOGIN "alice" secret', 'LOGIN ~alice ~secret', 'LOGIN ~alice secret', 'LOGIN alice ~secret', String.raw`LOGIN quo]ted "a\"b\\c"`, String.raw`LOGIN quo]ted ~a"b\c`],
    no: ['LOGIN alice wrong', 'LOGIN "" ""', 'LOGIN ~ ~', 'LOGIN alice ""'],
    bad: ['LOGIN', 'LOGIN alice', 'LOGIN alice ', 'LOGIN alice secret x', 'LOGIN (alice secret)', 'LOGIN alice (secret)', 'LOGIN ali*ce secret', 'LOGIN alice sec%ret', 'LOGIN "alice secret', 'LOGIN "alice""secret"', 'LOGIN alice sec"ret', 'LOGIN alice sec\\ret', 'LOGIN alice s\xe9cret', 'LOGIN "alice"secret'],
  },
  {
    rule: 'authenticate, starttls',
    state: 'not-authenticated',
    ok: ['AUTHENTICATE PLAIN AGFsaWNlAHNlY3JldA==', 'authenticate plain AGFsaWNlAHNlY3JldA=='],
    bad: ['AUTHENTICATE', 'AUTHENTICATE ', 'AUTHENTICATE NO-SUCH', 'AUTHENTICATE (PLAIN)', 'AUTHENTICATE PLAIN !', 'AUTHENTICATE PLAIN AGFsaWNlAHNlY3JldA== x', 'STARTTLS x'],
  },
  { rule: 'command-any', state: 'not-authenticated', ok: ['CAPABILITY', 'noop', 'NooP'], bad: ['CAPABILITY x', 'NOOP x', 'LOGOUT x', 'LOGOUT ~x', 'NO-OP', '"NOOP"', '(NOOP)', '~NOOP'] },
]

/** Sends a command, its literals when they are asked for; the status of its tagged line, or of an untagged BAD. */
async function statusOf(client: ScriptClient, command: string, how: 'asked' | 'unasked'): Promise<string> {
  // A literal ends where a space or a parenthesis follows: none of those here has one within.
  const pieces = command.split(/(?<=^| |\()~([^ ]*)/)
  const tag = 't]1.'
  let text = `${tag} ${pieces[0] ?? ''}`
  for (let i = 1; i < pieces.length; i += 2) {
    const literal = pieces[i] ?? ''
    const rest = pieces[i + 1] ?? ''
    if (how === 'unasked') text += `{${literal.length}+}\r\n${literal}${rest}`
    else {
      await client.send(`${text}{${literal.length}}\r\n`)
      let answer = (await client.line()) ?? '<end>'
      while (answer.startsWith('* OK ')) answer = (await client.line()) ?? '<end>'
      if (!answer.startsWith('+ ')) return /^(?:\S+) (OK|NO|BAD)/.exec(answer)?.[1] ?? answer
      text = `${literal}${rest}`
    }
  }
  await client.send(`${text}\r\n`)
  for (;;) {
    const line = (await client.line()) ?? '<end>'
    if (!line.startsWith('* ')) return line.startsWith(`${tag} `) ? (/^\S+ (OK|NO|BAD)/.exec(line)?.[1] ?? line) : line
  }
}
async function enter(server: ImapFixture, state: State): Promise<ScriptClient> {
  if (state === 'not-authenticated') {
    const early = server.connect()
    await early.line()
    return early
  }
  const client = await server.session()
  if (state === 'selected') await client.command('s', 'SELECT INBOX')
  return client
}
async function scene(): Promise<ImapFixture> {
  const server = await ImapFixture.make({ users: { alice: 'secret', bob: 'secret', 'quo]ted': String.raw`a"b\c` } })
  await fill(server, 'INBOX', notes('one', 'two', 'three'))
  const access = await server.session()
  for (const name of ['box', '"b]x"', String.raw`"b\"x"`]) await access.command('c', `CREATE ${name}`)
  await access.command('s', 'SUBSCRIBE subscribed')
  return server
}
const forms = (which: 'ok' | 'no' | 'bad'): readonly { readonly command: string; readonly rule: string; readonly state: State }[] =>
  [...BEFORE_LOGIN, ...WITH_NAMES, ...IN_SELECTED].flatMap(({ rule, state, [which]: commands = [] }) => commands.map((command) => ({ command, rule, state })))

describe.each(['asked', 'unasked'] as const)('the grammar of RFC 3501 §9, literals %s', (how) => {
  const literal = ({ command }: { readonly command: string }): boolean => /(?:^| |\()~/.test(command)
  for (const [which, status] of [['ok', 'OK'], ['no', 'NO'], ['bad', 'BAD']] as const) {
    test.each(forms(which).filter((form) => how === 'asked' || literal(form)))(`${status}: $command ($rule)`, async ({ command, state }) => {
      await using server = await scene()
      const client = await enter(server, state)
      expect(await statusOf(client, command, how)).toBe(status)
      // The stream is in step, and the session as it was.
      expect(await client.command('n', 'NOOP')).toContain('n OK NOOP completed')
      await client.quiet()
    })
  }
})

describe('a text of a reply', () => {
  test.each([
    { what: 'the name of a command', said: 'x{3}', last: 'a BAD Command unrecognized: X{3} ' },
    { what: 'the name of the selected mailbox', said: 'SELECT "m{30}"', last: 'a OK [READ-WRITE] SELECT completed' },
    { what: 'the name of a mailbox that is asked for', said: 'STATUS "m{30}" (MESSAGES)', last: 'a OK [CLIENTBUG] STATUS completed' },
  ])('never looks like the announcement of a literal: $what', async ({ said, last }) => {
    await using server = await ImapFixture.make()
    await fill(server, 'm{30}', notes('one'))
    const client = await server.session()
    await client.command('s', 'SELECT "m{30}"')
    const lines = await client.command('a', said)
    expect(lines.at(-1)).toBe(last)
    expect(lines.filter((line) => /\{\d+\}(?:\r\n|$)/.test(line))).toEqual([])
  })
})
