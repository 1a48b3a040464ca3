import { describe, expect, test } from 'vitest'
import { SYSTEM } from '../../../core/api/index.js'
import type { AppendItem, Entry, ImapExtension, ImapExtensionAbout, MessageValue, Threading } from '../../../core/api/index.js'
import { ImapFixture } from '../../support/imap.js'
import type { ImapOptions } from '../../support/imap.js'
import { fill } from '../../support/imap-scenes.js'
import { item } from '../../support/mail.js'

/** Header fields in lines, and a body. */
function mail(fields: Readonly<Record<string, string>>, body = 'text'): string {
  return `${Object.entries(fields).map(([name, value]) => `${name}: ${value}\n`).join('')}\n${body}\n`
}
async function opened(items: readonly AppendItem[], options: ImapOptions = {}) {
  const server = await ImapFixture.make(options)
  await fill(server, 'INBOX', items)
  const client = await server.session()
  await client.command('s', 'SELECT INBOX')
  return { server, client }
}
const day = (d: number): { readonly ms: number; readonly zone: number } => ({ ms: Date.UTC(2026, 0, d, 12), zone: 0 })

/** Every criterion orders these five otherwise. */
const five = (): AppendItem[] => [
  item(mail({ From: 'Zed <b@x>', To: 'c@x, a@x', Cc: 'X <d@x>', Subject: 'Re: beta', Date: '5 Jan 2026 12:00:00 +0000' }, 'x'.repeat(50)), { date: day(3) }),
  item(mail({ From: 'd@x', To: '"Ann" <e@x>', Subject: 'alpha', Date: '6 Jan 2026 01:00:00 +0900' }, 'x'.repeat(10)), { date: day(1) }),
  item(mail({ From: '=?utf-8?q?=C3=84da?= <C@x>', To: 'b@x', Cc: 'Friends: m@x;', Subject: '[list] Fwd: gamma (fwd)', Date: '5 Jan 2026 11:00:00 +0000' }, 'x'.repeat(90)), { date: day(5) }),
  item(mail({ From: 'a@x', To: 'd@x', Cc: 'b@x', Date: 'garbage' }, 'x'.repeat(500)), { date: day(6) }),
  item(mail({ From: 'e@x', Cc: 'a@x', Subject: 'ALPHA ', Date: '4 Jan 2026 23:59:59 -0100' }, 'x'.repeat(5)), { date: day(2), system: SYSTEM.flagged }),
]
const orders = [
  ['(ARRIVAL)', 'ALL', '2 5 1 3 4'],
  ['(CC)', 'ALL', '2 5 4 1 3'],
  ['(DATE)', 'ALL', '5 3 1 2 4'],
  ['(FROM)', 'ALL', '4 1 3 2 5'],
  ['(SIZE)', 'ALL', '5 2 1 3 4'],
  ['(SUBJECT)', 'ALL', '4 2 5 1 3'],
  ['(TO)', 'ALL', '5 3 1 4 2'],
  ['(REVERSE ARRIVAL)', 'ALL', '4 3 1 5 2'],
  ['(REVERSE SUBJECT)', 'ALL', '3 1 2 5 4'],
  ['(SUBJECT DATE)', 'ALL', '4 5 2 1 3'],
  ['(subject reverse date)', 'all', '4 2 5 1 3'],
  ['(REVERSE SUBJECT REVERSE DATE)', 'ALL', '3 1 2 5 4'],
  ['(DISPLAYFROM)', 'ALL', '4 3 2 5 1'],
  ['(DISPLAYTO)', 'ALL', '5 2 3 1 4'],
  ['(REVERSE DISPLAYFROM)', 'ALL', '1 5 2 3 4'],
  ['(DATE)', 'FLAGGED', '5'],
  ['(DATE)', '1:3 UNFLAGGED', '3 1 2'],
  ['(DATE)', 'SUBJECT alpha', '5 2'],
  ['(DATE)', 'TEXT nowhere', ''],
] as const

describe('SORT', () => {
  test.each(orders)('%s of %s', async (keys, criteria, found) => {
    const { server, client } = await opened(five())
    await using _ = server
    const line = `* SORT${found === '' ? '' : ` ${found}`}`
    expect(await client.command('a', `SORT ${keys} UTF-8 ${criteria}`)).toEqual([line, 'a OK SORT completed'])
    // Out of what was kept.
    expect(await client.command('b', `SORT ${keys} US-ASCII ${criteria}`)).toEqual([line, 'b OK SORT completed'])
  })

  test('UID SORT answers with uids, and takes sequence numbers for numbers all the same (RFC 5256 §3)', async () => {
    const { server, client } = await opened(five())
    await using _ = server
    await client.command('d', 'STORE 1 +FLAGS.SILENT (\\Deleted)')
    await client.command('e', 'EXPUNGE')
    await client.play(`
      C: a UID SORT (DATE) UTF-8 ALL
      S: * SORT 5 3 2 4
      S: a OK UID SORT completed
      C: b SORT (DATE) UTF-8 ALL
      S: * SORT 4 2 1 3
      S: b OK SORT completed
      C: c UID SORT (DATE) UTF-8 1:2
      S: * SORT 3 2
      S: c OK UID SORT completed
      C: d UID SORT (DATE) UTF-8 UID 4:5
      S: * SORT 5 4
      S: d OK UID SORT completed
    `)
  })
  test('what arrives is in the order, and what was removed is not', async () => {
    const { server, client } = await opened(five())
    await using _ = server
    expect(await client.command('a', 'SORT (SUBJECT) UTF-8 ALL')).toEqual(['* SORT 4 2 5 1 3', 'a OK SORT completed'])
    await fill(server, 'INBOX', [item(mail({ From: 'f@x', Subject: 'Re: Beta' }))])
    expect(await client.command('n', 'NOOP')).toContain('* 6 EXISTS')
    expect(await client.command('b', 'SORT (SUBJECT) UTF-8 ALL')).toEqual(['* SORT 4 2 5 1 6 3', 'b OK SORT completed'])
    await client.command('d', 'STORE 2 +FLAGS.SILENT (\\Deleted)')
    await client.command('e', 'EXPUNGE')
    expect(await client.command('c', 'SORT (SUBJECT) UTF-8 ALL')).toEqual(['* SORT 3 4 1 5 2', 'c OK SORT completed'])
  })
  test('a message that another session removed is sorted until this one is told', async () => {
    const { server, client } = await opened(five())
    await using _ = server
    const other = await server.session()
    await other.command('s', 'SELECT INBOX')
    await other.command('d', 'STORE 1 +FLAGS.SILENT (\\Deleted)')
    await other.command('e', 'EXPUNGE')
    const answer = await client.command('a', 'SORT (SUBJECT) UTF-8 ALL')
    const numbers = answer.find((line) => line.startsWith('* SORT'))?.split(' ').slice(2).map(Number)
    expect(numbers?.toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5])
    expect(numbers?.filter((n) => n !== 1)).toEqual([4, 2, 5, 3])
    expect(answer.some((line) => line.includes('EXPUNGE'))).toBe(false)
  })
  test('strings are ordered by i;unicode-casemap: case and form are equal, code points count (RFC 5256 §7)', async () => {
    const subjects = ['=?utf-8?q?=C3=A9b?=', 'eb', '=?utf-8?q?=EF=BD=81?=', 'B', '_', '=?utf-8?q?=F0=9F=98=80?=', '=?utf-8?q?=EF=BF=BD?=', 'a', '=?iso-8859-1?q?=C9b?=', '\u00c9b']
    const { server, client } = await opened(subjects.map((Subject) => item(mail({ From: 'a@x', Subject }))))
    await using _ = server
    // Full width a is an A; é is E with a mark; _ stands behind the capitals; an emoji beyond U+FFFF stands behind U+FFFD.
    expect(await client.command('a', 'SORT (SUBJECT) UTF-8 ALL')).toEqual(['* SORT 3 8 4 2 1 9 10 5 7 6', 'a OK SORT completed'])
  })
  test('an empty mailbox', async () => {
    const { server, client } = await opened([])
    await using _ = server
    await client.play(`
      C: a SORT (DATE SUBJECT) UTF-8 ALL
      S: * SORT
      S: a OK SORT completed
      C: b THREAD REFERENCES UTF-8 ALL
      S: * THREAD
      S: b OK THREAD completed
    `)
  })
  test('a criterion that was named before changes nothing', async () => {
    const { server, client } = await opened(five())
    await using _ = server
    const keys = ['REVERSE DATE', ...Array.from({ length: 9000 }, () => 'DATE')].join(' ')
    expect(await client.command('a', `SORT (${keys}) UTF-8 ALL`)).toEqual(['* SORT 4 2 1 3 5', 'a OK SORT completed'])
  })
  test.each([
    'SORT (FOO) US-ASCII ALL',
    'SORT () US-ASCII ALL',
    'SORT (REVERSE) US-ASCII ALL',
    'SORT (REVERSE REVERSE DATE) US-ASCII ALL',
    'SORT DATE US-ASCII ALL',
    'SORT (DATE)',
    'SORT (DATE) US-ASCII',
    'SORT (DATE) US-ASCII BOGUS',
    'UID SORT (DATE) US-ASCII',
  ])('%s is BAD', async (command) => {
    const { server, client } = await opened(five())
    await using _ = server
    const name = command.startsWith('UID') ? 'UID SORT' : 'SORT'
    expect(await client.command('a', command)).toEqual([`a BAD Missing or invalid argument to ${name}`])
  })
  test('a character set that is not known is refused, with those that are (RFC 5256 §3)', async () => {
    const { server, client } = await opened(five())
    await using _ = server
    expect((await client.command('a', 'SORT (DATE) BOGUS ALL')).join('\n')).toMatch(/^a NO \[BADCHARSET \(US-ASCII UTF-8 .*\)\] .*Unknown charset: BOGUS$/)
    expect((await client.command('b', 'UID THREAD REFERENCES "x-none" ALL')).join('\n')).toMatch(/^b NO \[BADCHARSET \(/)
    expect(await client.command('c', 'SORT (DATE) iso-8859-1 ALL')).toEqual(['* SORT 5 3 1 2 4', 'c OK SORT completed'])
    expect(await client.command('d', 'SORT (FROM) "utf-8" OR FROM Ada FROM a@x')).toEqual(['* SORT 4', 'd OK SORT completed'])
  })
  test('MODSEQ among the criteria ends SORT with the highest one of what was found, and leaves THREAD as it is (RFC 7162 §3.1.9)', async () => {
    const { server, client } = await opened(five())
    await using _ = server
    await client.command('f', 'STORE 2 +FLAGS.SILENT (\\Seen)')
    const [enabled, line, done] = await client.command('a', 'SORT (DATE) UTF-8 MODSEQ 1')
    expect(enabled).toMatch(/^\* OK \[HIGHESTMODSEQ \d+\]/)
    const highest = /HIGHESTMODSEQ (\d+)/.exec(enabled ?? '')?.[1] ?? 'none'
    expect([line, done]).toEqual([`* SORT 5 3 1 2 4 (MODSEQ ${highest})`, 'a OK SORT completed'])
    expect(await client.command('b', `SORT (DATE) UTF-8 MODSEQ ${highest}`)).toEqual([`* SORT 2 (MODSEQ ${highest})`, 'b OK SORT completed'])
    expect(await client.command('c', 'SORT (DATE) UTF-8 MODSEQ 9007199254740991')).toEqual(['* SORT', 'c OK SORT completed'])
    expect(await client.command('d', `THREAD ORDEREDSUBJECT UTF-8 MODSEQ ${highest}`)).toEqual(['* THREAD (2)', 'd OK THREAD completed'])
  })
})

/** The messages of the vectors in date order, but for the 19th; ids are `m1@x` and so on. */
const subjects = ['A', 'Re: A', 'Re: A', 'B', 'Re: B', 'Re: A', 'C', 'C', 'D', 'D', 'Re: E', 'dup', 'none', 'loop', 'loop', 'x', '', '', 'late', 'Re: H', 'H', 'Re: J', 'Re: J', 'quoted']
const fields: Readonly<Record<number, Readonly<Record<string, string>>>> = {
  2: { 'In-Reply-To': '<m1@x>' },
  3: { References: '<m1@x> <m2@x>' },
  7: { References: '<gone@x>' },
  8: { References: '<gone@x>' },
  11: { References: '<z1@x> <z2@x>' },
  12: { 'Message-ID': '<m4@x>' },
  13: { 'Message-ID': '' },
  14: { References: '<m15@x>' },
  15: { References: '<m14@x>' },
  16: { 'In-Reply-To': 'Your message of Monday <m9@x>' },
  24: { References: '<"m1"@x>' },
}
const threaded = (): AppendItem[] =>
  subjects.map((Subject, i) => {
    const minute = String(i + 1 === 19 ? 0 : i + 1).padStart(2, '0')
    return item(mail({ From: 'a@x', Date: `1 Jan 2026 00:${minute}:00 +0000`, Subject, 'Message-ID': `<m${i + 1}@x>`, ...fields[i + 1] }))
  })

describe('THREAD', () => {
  test('REFERENCES and ORDEREDSUBJECT of 24 messages with loops, duplicates, missing parents and quoted ids', async () => {
    const { server, client } = await opened(threaded())
    await using _ = server
    const all = {
      REFERENCES: '(19)(1 (2 3)(6)(24))(4 5)((7)(8))((9 16)(10))(11)(12)(13)(15 14)(17)(18)(21 20)((22)(23))',
      ORDEREDSUBJECT: '(19)(1 (2)(3)(6))(4 5)(7 8)(9 10)(11)(12)(13)(14 15)(16)(17 18)(20 21)(22 23)(24)',
    }
    for (const [name, trees] of Object.entries(all)) {
      expect(await client.command('a', `THREAD ${name} UTF-8 ALL`)).toEqual([`* THREAD ${trees}`, 'a OK THREAD completed'])
      expect(await client.command('b', `UID THREAD ${name.toLowerCase()} US-ASCII ALL`)).toEqual([`* THREAD ${trees}`, 'b OK UID THREAD completed'])
    }
    expect(await client.command('c', 'SORT (SUBJECT DATE) UTF-8 ALL')).toEqual(['* SORT 17 18 1 2 3 6 4 5 7 8 9 10 12 11 20 21 22 23 19 14 15 13 24 16', 'c OK SORT completed'])
    expect(await client.command('d', 'SORT (REVERSE SUBJECT) UTF-8 ALL')).toEqual(['* SORT 16 24 13 14 15 19 22 23 20 21 11 12 9 10 7 8 4 5 1 2 3 6 17 18', 'd OK SORT completed'])
  })
  test('messages that the criteria leave out are missing ones', async () => {
    const { server, client } = await opened(threaded())
    await using _ = server
    await client.play(`
      C: a THREAD REFERENCES UTF-8 2:3
      S: * THREAD (2 3)
      S: a OK THREAD completed
      C: b THREAD REFERENCES UTF-8 OR 2 24
      S: * THREAD ((2)(24))
      S: b OK THREAD completed
      C: c THREAD REFERENCES UTF-8 UNKEYWORD x 16
      S: * THREAD (16)
      S: c OK THREAD completed
      C: d THREAD REFERENCES UTF-8 TEXT nowhere
      S: * THREAD
      S: d OK THREAD completed
    `)
  })
  test('an arrival joins its thread, and an expunge makes a parent a missing one', async () => {
    const { server, client } = await opened(threaded().slice(0, 3))
    await using _ = server
    expect(await client.command('a', 'THREAD REFERENCES UTF-8 ALL')).toContain('* THREAD (1 2 3)')
    await fill(server, 'INBOX', [item(mail({ From: 'b@x', Subject: 'Aw: A', Date: '2 Jan 2026 00:00:00 +0000', References: '<m1@x>' }))])
    await client.command('n', 'NOOP')
    expect(await client.command('b', 'THREAD REFERENCES UTF-8 ALL')).toContain('* THREAD (1 (2 3)(4))')
    await client.command('d', 'STORE 1 +FLAGS.SILENT (\\Deleted)')
    await client.command('e', 'EXPUNGE')
    await client.play(`
      C: c THREAD REFERENCES UTF-8 ALL
      S: * THREAD ((1 2)(3))
      S: c OK THREAD completed
      C: d UID THREAD REFERENCES UTF-8 ALL
      S: * THREAD ((2 3)(4))
      S: d OK UID THREAD completed
    `)
  })
  test('an algorithm that nobody brought is NO, arguments that are none are BAD', async () => {
    const { server, client } = await opened(five())
    await using _ = server
    await client.play(`
      C: a THREAD REFS US-ASCII ALL
      S: a NO No such thread type
      C: b THREAD REFERENCES US-ASCII
      S: b BAD Missing or invalid argument to THREAD
      C: c THREAD
      S: c BAD Missing or invalid argument to THREAD
      C: d UID THREAD REFERENCES US-ASCII BOGUS
      S: d BAD Missing or invalid argument to UID THREAD
    `)
  })
})

describe('the extensions', () => {
  const capabilities = async (without: readonly string[]): Promise<readonly string[]> => {
    await using server = await ImapFixture.make({ without })
    const client = await server.session()
    const [line = ''] = await client.command('a', 'CAPABILITY')
    return line.split(' ').filter((name) => /^(?:SORT|THREAD)/.test(name)).toSorted()
  }
  test('are listed where they are on, each for itself; SORT=DISPLAY needs SORT', async () => {
    expect(await capabilities([])).toEqual(['SORT', 'SORT=DISPLAY', 'THREAD=ORDEREDSUBJECT', 'THREAD=REFERENCES'])
    expect(await capabilities(['sort'])).toEqual(['THREAD=ORDEREDSUBJECT', 'THREAD=REFERENCES'])
    expect(await capabilities(['thread', 'sort-display'])).toEqual(['SORT'])
  })
  test('leave nothing behind where they are off', async () => {
    const { server, client } = await opened(five(), { without: ['sort', 'sort-display', 'thread'] })
    await using _ = server
    await client.play(`
      C: a SORT (DATE) UTF-8 ALL
      S: a BAD Command unrecognized: SORT
      C: b UID THREAD REFERENCES UTF-8 ALL
      S: b BAD Command unrecognized: UID THREAD
    `)
    const { server: other, client: plain } = await opened(five(), { without: ['sort-display'] })
    await using __ = other
    expect(await plain.command('a', 'SORT (DISPLAYFROM) UTF-8 ALL')).toEqual(['a BAD Missing or invalid argument to SORT'])
  })
  test('take criteria and algorithms of others', async () => {
    /** Octets of the header, which is read, and whether the message is flagged, which changes. */
    const header: MessageValue = { name: 'X-HEADER', needs: { bytes: 'header', sections: [], facts: [] }, of: (_row, _rows, m) => m.headerSize }
    const flagged: MessageValue = { name: 'X-FLAGGED', needs: 'columns', of: (row, rows) => ((rows.flagSets[rows.flags[row]!]!.system & SYSTEM.flagged) === 0 ? 1 : 0) }
    /** Messages in one thread, each below the one before, under missing ones that hold nothing together. */
    const chain: Threading = {
      name: 'X-CHAIN',
      run: async (within, view) => {
        let below: { readonly uid: number; readonly children: readonly object[] }[] = []
        for (let row = view.announced - 1; row >= 0; row--) {
          const uid = view.rows.uid[row]!
          if (within.has(uid)) below = [{ uid: 0, children: [{ uid, children: below as never }, { uid: 0, children: [] }] }]
        }
        return below as never
      },
    }
    const extension: Entry<ImapExtension, ImapExtensionAbout> = {
      name: 'x-order', plugin: 'acme-order', about: { requires: [{ extension: 'sort' }], capabilities: () => ['THREAD=X-CHAIN'] }, made: { sortKeys: [header, flagged], threadings: [chain] },
    }
    const { server, client } = await opened(five(), { more: [extension] })
    await using _ = server
    expect((await client.command('c', 'CAPABILITY')).join()).toContain(' THREAD=X-CHAIN')
    expect(await client.command('a', 'SORT (X-FLAGGED REVERSE ARRIVAL) UTF-8 ALL')).toEqual(['* SORT 5 4 3 1 2', 'a OK SORT completed'])
    await client.command('f', 'STORE 1 +FLAGS.SILENT (\\Flagged)')
    expect(await client.command('b', 'SORT (X-FLAGGED X-HEADER) UTF-8 ALL')).toEqual(['* SORT 5 1 4 2 3', 'b OK SORT completed'])
    expect(await client.command('d', 'THREAD x-chain UTF-8 UNFLAGGED')).toEqual(['* THREAD (2 3 4)', 'd OK THREAD completed'])
  })
})
