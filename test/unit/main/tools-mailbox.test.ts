import { readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SYSTEM, uids, type AppendItem, type MailAccess, type MailboxName, type MailboxView } from '../../../core/api/index.js'
import { CommandFailure, EXIT } from '../../../core/main/exit-codes.js'
import { findAccount } from '../../../core/main/mail-account.js'
import { ACTIONS } from '../../../core/main/mailbox-tools/actions.js'
import { Progress } from '../../../core/main/mailbox-tools/progress.js'
import { withMailbox } from '../../../core/main/mailbox-tools/views.js'
import type { Terminal } from '../../../core/main/terminal.js'
import { SystemFiles } from '../../../core/os/files.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import { mtxDialect } from '../../../plugins/formats/mtx/dialect.js'
import { FixedFormat } from '../../../plugins/formats/shared/fixed/format.js'
import { fixedContextOf } from '../../support/fixed.js'
import { OpenBox } from '../../support/open-box.js'
import { toolsSite, type ToolsSite } from '../../support/tools-site.js'

const { signal } = new AbortController()
let site: ToolsSite
let folder: string
let mail: MailAccess
beforeEach(async () => {
  site = await toolsSite()
  ;({ folder, mail } = site)
})
afterEach(() => site[Symbol.asyncDispose]())

interface Message {
  readonly subject: string
  readonly system: number
  readonly keywords: readonly string[]
  readonly ms: number
}
const MESSAGES: readonly Message[] = [
  { subject: 'one', system: 0, keywords: [], ms: Date.UTC(2020, 1, 29, 12, 0, 1) },
  { subject: 'two', system: SYSTEM.seen | SYSTEM.flagged, keywords: ['$Work'], ms: Date.UTC(2021, 5, 1, 23, 59, 59) },
  { subject: 'three', system: SYSTEM.answered, keywords: ['$Work', 'Later'], ms: Date.UTC(2022, 11, 31, 0, 0, 0) },
  { subject: 'four', system: SYSTEM.deleted, keywords: [], ms: Date.UTC(2023, 3, 5, 6, 7, 8) },
]
async function put(mailbox: string, messages: readonly Message[] = MESSAGES): Promise<void> {
  async function* items(): AsyncGenerator<AppendItem> {
    for (const { subject, system, keywords, ms } of messages) {
      const bytes = Buffer.from(`Subject: ${subject}\r\n\r\nText of ${subject}.\r\n`)
      yield { size: bytes.length, bytes: (async function* () { yield bytes })(), binary: false, system, keywords, date: { ms, zone: 0 }, facts: new Map() }
    }
  }
  await mail.append(await mail.locate(mailbox as MailboxName, 'append', signal), items(), signal)
}
async function contents(view: MailboxView): Promise<Message[]> {
  const out: Message[] = []
  const all = view.resolve({ pairs: Uint32Array.of(1, 0xffffffff) }, 'seq')
  await view.fill(all, signal)
  for await (const batch of view.read(all, { bytes: 'whole', sections: [], facts: [] }, signal)) {
    for (const message of batch) {
      const row = view.rows.find(message.uid)
      const set = view.rows.flagSets[view.rows.flags[row] ?? 0]
      const bytes = new Uint8Array(message.bytes.size)
      await message.bytes.read(0, bytes, signal)
      const subject = /Subject: (\S+)\r\n\r\nText of \1\.\r\n$/.exec(Buffer.from(bytes).toString())?.[1] ?? '(damaged)'
      out.push({ subject, system: set?.system ?? 0, keywords: [...(set?.keywords ?? [])].toSorted(), ms: view.rows.date[row] ?? 0 })
    }
  }
  return out
}
const inMailbox = (name: string): Promise<Message[]> => withMailbox(mail, name, 'read-only', signal, contents)

interface Options {
  readonly format?: string
  readonly merge?: string
  readonly dryRun?: boolean
}
async function act(word: string, args: readonly string[], { format, merge, dryRun = false }: Options = {}): Promise<{ code: number; out: string; err: string }> {
  const [out, err] = [new PassThrough(), new PassThrough()]
  const terminal: Terminal = { out, err, colours: false }
  const code = await (ACTIONS[word] ?? expect.fail(word)).run({ mail, terminal, signal, format, merge, dryRun, holdsOthers: (name) => ['mix', 'mx', 'mh'].includes(name) }, args)
  return { code, out: String(out.read() ?? ''), err: String(err.read() ?? '') }
}
const create = (name: string): Promise<unknown> => mail.create(name as MailboxName, { specialUse: [] }, signal)

describe('mailwright mailbox', () => {
  test('check counts new, unseen and all messages', async () => {
    expect((await act('check', [])).out).toBe('No new messages, 0 total in INBOX\n')
    await put('INBOX')
    expect((await act('check', ['INBOX'])).out).toBe('4 new messages (3 unseen), 4 total in INBOX\n')
    await expect(act('check', ['nope'])).rejects.toMatchObject({ kind: 'not-found' })
  })
  test('create, rename, delete and list', async () => {
    await act('create', ['a/b'], { format: 'mbx' })
    await act('rename', ['a/b', 'a/c'])
    expect((await act('list', ['a/*'])).out).toMatch(/^a\/c +\\NoInferiors/)
    expect((await readFile(join(folder, 'mail/alice/a/c'), 'latin1')).slice(0, 5)).toBe('*mbx*')
    await act('delete', ['a/c'])
    expect((await act('list', ['a/*'])).out).toBe('')
    await expect(act('delete', ['INBOX'])).rejects.toMatchObject({ kind: 'denied' })
  })
  test('a name says nothing to the terminal', async () => {
    const name = 'esc\u001B[31m\u009Bred'
    await act('create', [name])
    expect((await act('list', ['esc*'])).out).toMatch(/^esc\\x1b\[31m\\x9bred +\\NoInferiors/)
    expect((await act('transfer', [name, `${name}2`])).out).toBe(String.raw`esc\x1b[31m\x9bred [0 messages] => esc\x1b[31m\x9bred2` + '\n')
  })
  test('copy makes the target and keeps messages, flags, keywords and dates; an existing one is left alone', async () => {
    await create('from')
    await put('from', MESSAGES.slice(0, 1))
    await act('prune', ['from', 'ALL'])
    await put('from')
    const copied = await act('copy', ['from', 'to'], { format: 'mbx' })
    expect(copied.out).toBe('from [4 messages] => to\n  not kept: unique ids: the messages have new ones, so clients load them again\n')
    expect(await inMailbox('to')).toEqual(MESSAGES)
    expect(await inMailbox('from')).toEqual(MESSAGES)
    await expect(act('copy', ['from', 'to'])).rejects.toMatchObject({ kind: 'exists' })
    expect(await inMailbox('to')).toEqual(MESSAGES)
  })
  test('a copy of a mailbox that is not there makes nothing', async () => {
    await expect(act('copy', ['nope', 'to'])).rejects.toMatchObject({ kind: 'not-found' })
    expect((await act('list', ['to'])).out).toBe('')
  })
  test('nothing is copied out of a mailbox that another program keeps from being expunged: it would be in both', async () => {
    for (const name of ['#driver.mtx/from', 'to']) await create(name)
    await put('#driver.mtx/from')
    const path = join(folder, 'mail/alice/from')
    const other = await OpenBox.open(new FixedFormat(mtxDialect, fixedContextOf(new SystemFiles(await nativeLocks()), folder)), path)
    await other.refresh()
    for (const [word, target] of [['appenddelete', 'to'], ['move', 'new']] as const) {
      await expect(act(word, ['from', target])).rejects.toMatchObject({ kind: 'in-use', message: "Can't expunge because mailbox is in use by another process" })
    }
    expect(await inMailbox('to')).toEqual([])
    await expect(inMailbox('new')).rejects.toMatchObject({ kind: 'not-found' })
    await other.source.close()
    await act('appenddelete', ['from', 'to'])
    expect(await inMailbox('to')).toHaveLength(MESSAGES.length)
    expect(await inMailbox('from')).toEqual([])
  })
  test('move removes the messages from the source, append and appenddelete add to what is there', async () => {
    await create('from')
    await put('from')
    await act('move', ['from', 'to'])
    expect(await inMailbox('from')).toEqual([])
    expect(await inMailbox('to')).toEqual(MESSAGES)
    await act('append', ['to', 'from'])
    await act('appenddelete', ['from', 'to'])
    expect(await inMailbox('from')).toEqual([])
    expect(await inMailbox('to')).toEqual([...MESSAGES, ...MESSAGES])
    await expect(act('append', ['to', 'nope'])).rejects.toMatchObject({ kind: 'not-found' })
    // Under whatever name: it would have everything twice.
    await symlink('to', join(site.folder, 'mail/alice/alias'))
    for (const args of [['to', 'to'], ['to', 'alias']]) for (const word of ['append', 'appenddelete']) await expect(act(word, args)).rejects.toMatchObject({ kind: 'exists', message: `${args.join(' and ')} are one mailbox` })
    expect(await inMailbox('to')).toEqual([...MESSAGES, ...MESSAGES])
  })
  const pruned = [
    { criteria: ['SUBJECT two'], left: ['one', 'three', 'four'] },
    { criteria: ['BEFORE', '1-Jan-2022', 'UNKEYWORD', '$Work'], left: ['two', 'three', 'four'] },
    { criteria: ['OR', 'FLAGGED', 'ANSWERED'], left: ['one', 'four'] },
    { criteria: ['NOT (OR SEEN UNSEEN)'], left: ['one', 'two', 'three', 'four'] },
  ]
  test.each(pruned)('prune $criteria removes what is found, and not what others have marked', async ({ criteria, left }) => {
    await put('INBOX')
    const would = await act('prune', ['INBOX', ...criteria], { dryRun: true })
    expect(await inMailbox('INBOX')).toEqual(MESSAGES)
    const did = await act('prune', ['INBOX', ...criteria])
    expect((await inMailbox('INBOX')).map((m) => m.subject)).toEqual(left)
    const n = MESSAGES.length - left.length
    const messages = `${n} message${n === 1 ? '' : 's'}`
    const none = 'No matching messages, so nothing purged\n'
    expect([would.code, would.out]).toEqual([EXIT.ok, n === 0 ? none : `${messages} would be purged\n`])
    expect([did.code, did.out]).toEqual([EXIT.ok, n === 0 ? none : `${messages} purged\n`])
  })
  test('prune refuses what is no search, and removes nothing', async () => {
    await put('INBOX')
    await expect(act('prune', ['INBOX', 'SINCE', 'yesterday'])).rejects.toThrow(CommandFailure)
    await expect(act('prune', ['INBOX', 'NOPE'])).rejects.toThrow('unknown search criterion: NOPE')
    expect(await inMailbox('INBOX')).toEqual(MESSAGES)
  })
})

describe('mailwright mailbox transfer', () => {
  test('copies a mailbox and all below it; names that only begin alike stay out of it', async () => {
    await create('m/a')
    await create('m/b/c')
    await create('mail')
    for (const name of ['m/a', 'm/b/c', 'mail']) await put(name)
    expect((await act('transfer', ['m', 'n'], { dryRun: true })).out.split('\n').toSorted()).toEqual(['', 'm/a => n/a', 'm/b/c => n/b/c'])
    expect((await act('list', ['n*'])).out).toBe('')
    expect((await act('transfer', ['m', 'n'])).code).toBe(EXIT.ok)
    expect(await inMailbox('n/a')).toEqual(MESSAGES)
    expect(await inMailbox('n/b/c')).toEqual(MESSAGES)
    expect((await act('list', ['n*'])).out).not.toContain('nail')
    await expect(act('transfer', ['nope', 'x'])).rejects.toMatchObject({ kind: 'not-found' })
  })
  test('what exists is told and left alone, and the others have their turn; --merge says otherwise', async () => {
    await create('m/a')
    await create('m/b')
    await create('n/a')
    for (const name of ['m/a', 'm/b']) await put(name)
    const plain = await act('transfer', ['m', 'n'])
    expect([plain.code, plain.err]).toEqual([EXIT.failed, 'm/a: n/a exists; --merge append, skip or suffix=TEXT says what to do then\n'])
    expect(await inMailbox('n/a')).toEqual([])
    expect(await inMailbox('n/b')).toEqual(MESSAGES)
    expect((await act('transfer', ['m', 'n'], { merge: 'skip' })).code).toBe(EXIT.ok)
    expect(await inMailbox('n/a')).toEqual([])
    expect((await act('transfer', ['m/a', 'n/a'], { merge: 'append' })).code).toBe(EXIT.ok)
    expect(await inMailbox('n/a')).toEqual(MESSAGES)
    expect((await act('transfer', ['m/a', 'n/a'], { merge: 'suffix=-2' })).code).toBe(EXIT.ok)
    expect(await inMailbox('n/a-2')).toEqual(MESSAGES)
  })
  test.each(['mbx', 'mix', 'unix'])('converts to %s in place; the original stays beside it', async (format) => {
    await act('create', ['box'], { format: format === 'unix' ? 'mbx' : 'unix' })
    await put('box')
    const { code, out } = await act('transfer', ['box'], { format })
    expect([code, out]).toEqual([EXIT.ok, expect.stringContaining(`box is now in format ${format}; the original is box.before\n`)])
    expect(await inMailbox('box')).toEqual(MESSAGES)
    expect(await inMailbox('box.before')).toEqual(MESSAGES)
    const again = await act('transfer', ['box'], { format })
    expect([again.code, again.err]).toEqual([EXIT.failed, expect.stringContaining('box.before exists')])
  })
  test('what is left of a transfer that was killed is named, and what to do with it', async () => {
    await act('create', ['box.before'], { format: 'unix' })
    await put('box.before')
    await expect(act('transfer', ['box'], { format: 'mbx' })).rejects.toThrow(/^there is no mailbox box; box\.before is there, whole, .* "mailwright mailbox rename USER box\.before box"/)
    expect((await act('rename', ['box.before', 'box'])).code).toBe(EXIT.ok)
    expect((await act('transfer', ['box'], { format: 'mbx' })).code).toBe(EXIT.ok)
    expect([await inMailbox('box'), await inMailbox('box.before')]).toEqual([MESSAGES, MESSAGES])
  })
  test('thousands of messages come over as they were, though their octets are read into the same memory again and again', { timeout: 60_000 }, async () => {
    await act('create', ['box'], { format: 'unix' })
    const many = Array.from({ length: 2500 }, (_, n) => ({ subject: `message-${n}`, system: 0, keywords: [], ms: Date.UTC(2024, 0, 1, 0, 0, n) }))
    await put('box', many)
    for (const format of ['mbx', 'mix', 'mmdf']) {
      expect((await act('transfer', ['box', format], { format })).out).toBe(`box [2500 messages] => ${format}\n`)
      expect(await inMailbox(format)).toEqual(many)
    }
  })
  interface Numbers {
    readonly uidValidity: number
    readonly uidNext: number
    readonly uids: readonly number[]
  }
  const numbersOf = (name: string): Promise<Numbers> =>
    withMailbox(mail, name, 'read-only', signal, async ({ uidValidity, uidNext, rows }) => ({ uidValidity, uidNext, uids: [...rows.uid.subarray(0, rows.length)] }))
  /** Seven messages, of which those with UIDs 1, 4 and 7 are gone. */
  async function gaps(name: string): Promise<Numbers> {
    await put(name, [...MESSAGES, ...MESSAGES.slice(1)])
    await withMailbox(mail, name, 'read-write', signal, (view) => view.remove(uids.from([1, 4, 7]), signal))
    return numbersOf(name)
  }
  const changes = ['unix', 'mmdf', 'mbx', 'mx', 'mix'].flatMap((to, i, all) => [{ from: all[(i + 1) % all.length] ?? '', to }, { from: all[(i + 3) % all.length] ?? '', to }])
  test.each(changes)('from $from to $to UIDs, UIDVALIDITY and UIDNEXT stay, in place and under another name', async ({ from, to }) => {
    await act('create', ['box'], { format: from })
    const before = await gaps('box')
    expect(before).toMatchObject({ uids: [2, 3, 5, 6], uidNext: 8 })
    const text = await inMailbox('box')
    const converted = await act('transfer', ['box'], { format: to })
    expect([converted.err, converted.out]).toEqual(['', `box.before [4 messages] => box\nbox is now in format ${to}; the original is box.before\n`])
    expect([await numbersOf('box'), await inMailbox('box')]).toEqual([before, text])
    expect((await act('transfer', ['box', 'other'], { format: from })).out).toBe('box [4 messages] => other\n')
    expect(await numbersOf('other')).toEqual(before)
    await put('box', MESSAGES.slice(0, 1))
    expect(await numbersOf('box')).toEqual({ ...before, uids: [...before.uids, 8], uidNext: 9 })
  })
  test('an empty mailbox keeps its numbers as well, and what a mailbox has is added to under new ones', async () => {
    await act('create', ['box'], { format: 'unix' })
    await put('box')
    await withMailbox(mail, 'box', 'read-write', signal, (view) => view.remove(uids.all, signal))
    const before = await numbersOf('box')
    expect((await act('transfer', ['box'], { format: 'mix' })).code).toBe(EXIT.ok)
    expect(await numbersOf('box')).toEqual({ ...before, uidNext: 5, uids: [] })
    await put('box', MESSAGES.slice(0, 2))
    await create('more')
    await put('more')
    expect((await act('transfer', ['more', 'box'], { merge: 'append' })).out).toContain('not kept: unique ids')
    expect((await numbersOf('box')).uids).toEqual([5, 6, 7, 8, 9, 10])
  })
  test.each(['mtx', 'tenex'])('%s has no place for numbers, and that is said', async (to) => {
    await act('create', ['box'], { format: 'mbx' })
    await gaps('box')
    const { out } = await act('transfer', ['box', 'new'], { format: to })
    expect(out).toContain('box [4 messages] => new\n  not kept: unique ids: the messages have new ones, so clients load them again\n')
  })
  test('says what the target cannot keep', async () => {
    await create('box')
    const many = Array.from({ length: 18 }, (_, i) => `k${i + 10}`)
    await put('box', [{ subject: 'many', system: 0, keywords: many, ms: Date.UTC(2020, 1, 29) }])
    // An MH folder has room for 15.
    const { out } = await act('copy', ['box', '#mh/other'])
    expect(out).toMatch(/not kept: keywords: k\d\d k\d\d k\d\d\n/)
    expect((await inMailbox('#mh/other'))[0]?.keywords).toHaveLength(15)
  })
  test.each([{ format: 'mtx', begins: /^[ 1]\d-\w{3}-\d{4} \d\d:\d\d:\d\d [+-]\d{4},\d+;[0-7]{12}\r\n/ }, { format: 'tenex', begins: /^[ 1]\d-\w{3}-\d{4} \d\d:\d\d:\d\d [+-]\d{4},\d+;[0-7]{12}\n/ }])(
    'a new mailbox in $format, which says so by its first message alone, gets that one in the format; what it cannot keep is said',
    async ({ format, begins }) => {
      await create('box')
      await put('box', [{ subject: 'one', system: SYSTEM.seen, keywords: ['$Work'], ms: Date.UTC(2020, 1, 11) }])
      const { out } = await act('copy', ['box', 'other'], { format })
      expect(await readFile(join(folder, 'mail/alice/other'), 'latin1')).toMatch(begins)
      expect(out).toContain('not kept: keywords: $Work\n')
      await act('transfer', ['box'], { format })
      expect(await readFile(join(folder, 'mail/alice/box'), 'latin1')).toMatch(begins)
      await act('copy', ['box', `#driver.${format}/third`])
      expect(await readFile(join(folder, 'mail/alice/third'), 'latin1')).toMatch(begins)
    },
  )
  test.each([
    { what: 'lines', text: 'From here on' },
    // As many octets as before.
    { what: 'octets', text: 'a\0b' },
  ])('zones of dates and $what that the target writes otherwise are told', async ({ text }) => {
    await act('create', ['box'], { format: 'mbx' })
    const bytes = Buffer.from(`Subject: zone\r\n\r\n${text}\r\n`)
    async function* items(): AsyncGenerator<AppendItem> {
      yield { size: bytes.length, bytes: (async function* () { yield bytes })(), binary: false, system: 0, keywords: [], date: { ms: Date.UTC(2020, 1, 29), zone: 90 }, facts: new Map() }
    }
    await mail.append(await mail.locate('box' as MailboxName, 'append', signal), items(), signal)
    const { out } = await act('copy', ['box', 'text'], { format: 'unix' })
    expect(out).toContain('not kept: octets of 1 messages as they were')
    expect(out).not.toContain('not kept: dates')
    expect((await act('copy', ['box', 'same'], { format: 'mix' })).out).not.toMatch(/not kept: (?!unique)/)
  })
  test('mailboxes below one that is converted stay below it, and are converted too', async () => {
    for (const name of ['dual', 'dual/below']) {
      await act('create', [name], { format: 'mix' })
      await put(name)
    }
    expect((await act('transfer', ['dual'], { format: 'mx' })).code).toBe(EXIT.ok)
    for (const name of ['dual', 'dual.before', 'dual/below', 'dual/below.before']) expect(await inMailbox(name)).toEqual(MESSAGES)
    expect((await act('list', ['dual*'])).out.split('\n').map((line) => line.split(' ')[0])).toEqual(['dual', 'dual.before', 'dual/below', 'dual/below.before', ''])
  })
  test('what holds others does not become a file: with messages it is told, without it is passed over', async () => {
    for (const name of ['a', 'a/b', 'c', 'c/d']) await act('create', [name], { format: 'mix' })
    for (const name of ['a', 'a/b', 'c/d']) await put(name)
    const inPlace = await act('transfer', ['a'], { format: 'mbx' })
    expect([inPlace.code, inPlace.err]).toEqual([EXIT.failed, 'a: it has mailboxes below it, which one of format mbx cannot have: copy its messages to another name\n'])
    for (const name of ['a', 'a/b']) expect(await inMailbox(name)).toEqual(MESSAGES)
    const away = await act('transfer', ['c', 'e'], { format: 'mbx' })
    expect([away.code, away.out]).toEqual([EXIT.ok, expect.stringContaining('c [0 messages, a folder of others]\n')])
    expect(await inMailbox('e/d')).toEqual(MESSAGES)
  })
  test('a format that is not there changes nothing', async () => {
    await create('box')
    await put('box')
    const { code, err } = await act('transfer', ['box'], { format: 'nope' })
    expect([code, err]).toEqual([EXIT.failed, expect.stringContaining('unknown format "nope"')])
    expect(await inMailbox('box')).toEqual(MESSAGES)
    expect((await act('list', ['box*'])).out).toMatch(/^box +\\\S+( \\\S+)?\n$/)
    expect((await act('transfer', ['INBOX'], { format: 'mbx' })).err).toContain("create USER '#driver.mbx/INBOX'")
    await expect(act('transfer', ['box'])).rejects.toThrow(CommandFailure)
  })
})

test('whom the password file does not list is nobody; without the file nobody can say', async () => {
  await expect(findAccount(site.server, 'bob', undefined, signal)).rejects.toMatchObject({ exitCode: EXIT.noUser })
  await rm(join(folder, 'users'))
  await expect(findAccount(site.server, 'bob', undefined, signal)).rejects.toMatchObject({ exitCode: EXIT.failed, message: expect.stringContaining('cannot be found out') })
})
describe('mailwright mailbox with formats of their own places', () => {
  test('#mh/ has all of it: names, copies both ways, conversion from and to other formats', async () => {
    await put('INBOX')
    await act('create', ['#mh/a'])
    await act('create', ['#mh/b/c'], { format: 'mh' })
    expect((await act('list', ['#mh/*'])).out).toBe('#mh/a    \\HasNoChildren\n#mh/b    \\HasChildren\n#mh/b/c  \\HasNoChildren\n')
    await act('append', ['INBOX', '#mh/a'])
    expect((await act('check', ['#mh/a'])).out).toBe('4 new messages (3 unseen), 4 total in #mh/a\n')
    const lower = MESSAGES.map((m) => ({ ...m, keywords: m.keywords.map((k) => k.toLowerCase()).toSorted() }))
    expect(await inMailbox('#mh/a')).toEqual(lower)
    await act('copy', ['#mh/a', '#mh/d'], { format: 'mh' })
    expect((await act('prune', ['#mh/d', 'SUBJECT two'])).out).toBe('1 message purged\n')
    await act('rename', ['#mh/d', '#mh/e'])
    expect((await inMailbox('#mh/e')).map((m) => m.subject)).toEqual(['one', 'three', 'four'])
    expect((await act('transfer', ['#mh/', 'tree/'], { format: 'mbx' })).code).toBe(EXIT.ok)
    expect(await inMailbox('tree/a')).toEqual(lower)
    expect((await act('transfer', ['tree/', '#mh/back/'])).code).toBe(EXIT.ok)
    expect(await inMailbox('#mh/back/a')).toEqual(lower)
    expect((await act('transfer', ['#mh/a'], { format: 'mh' })).out).toContain('the original is #mh/a.before\n')
    await act('delete', ['#mh/e'])
    await expect(inMailbox('#mh/e')).rejects.toMatchObject({ kind: 'not-found' })
  })
  test('an MH folder is not moved where it would be none, and no other format is made below #mh/', async () => {
    await act('create', ['#mh/a'])
    await put('#mh/a')
    await expect(act('rename', ['#mh/a', 'out'])).rejects.toMatchObject({ kind: 'denied' })
    expect((await inMailbox('#mh/a')).map((m) => m.subject)).toEqual(['one', 'two', 'three', 'four'])
    await expect(act('create', ['#mh/b'], { format: 'mbx' })).rejects.toThrow('mailboxes there are of format mh')
    expect((await act('transfer', ['#mh/a'], { format: 'mbx' })).err).toContain('mailboxes there are of format mh')
  })
  test('a file that is no mailbox is read, copied and converted, and never changed', async () => {
    await put('INBOX')
    const text = 'A list of things\nwith lines\n'
    await writeFile(join(folder, 'mail/alice/notes'), text)
    expect((await act('check', ['notes'])).out).toBe('1 new message (1 unseen), 1 total in notes\n')
    expect((await act('copy', ['notes', 'kept'], { format: 'mbx' })).code).toBe(EXIT.ok)
    for (const [word, args] of [['append', ['INBOX', 'notes']], ['prune', ['notes', 'ALL']], ['move', ['notes', 'gone']], ['appenddelete', ['notes', 'kept']]] as const) {
      await expect(act(word, args), word).rejects.toMatchObject({ kind: 'read-only' })
    }
    await expect(act('create', ['x'], { format: 'phile' })).rejects.toMatchObject({ kind: 'unsupported' })
    expect((await act('transfer', ['kept'], { format: 'phile' })).err).toContain('files of this kind are not made here')
    expect(await readFile(join(folder, 'mail/alice/notes'), 'latin1')).toBe(text)
    expect((await act('transfer', ['notes'], { format: 'mbx' })).out).toContain('notes is now in format mbx; the original is notes.before\n')
    expect(await readFile(join(folder, 'mail/alice/notes.before'), 'latin1')).toBe(text)
    expect(await readFile(join(folder, 'mail/alice/notes'), 'latin1')).toContain('with lines\r\n')
    expect((await act('list', ['*'])).out).not.toContain('gone')
  })
})
test('progress is drawn on a terminal, and nowhere else', () => {
  for (const isTTY of [true, false]) {
    const err = Object.assign(new PassThrough(), { isTTY })
    {
      using progress = new Progress({ out: err, err, colours: false }, 'box', 2)
      progress.step()
      progress.step()
    }
    const drawn = String(err.read() ?? '')
    if (isTTY) expect(drawn).toContain('box: 2 of 2 messages, 100 %')
    else expect(drawn).toBe('')
  }
})
