import { existsSync } from 'node:fs'
import { appendFile, copyFile, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SYSTEM, uids, type AppendItem, type Files } from '../../../core/api/index.js'
import { SystemFiles } from '../../../core/os/files.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import { mmdfDialect } from '../../../plugins/formats/mmdf/dialect.js'
import type { TextContext } from '../../../plugins/formats/shared/text/context.js'
import { TextFormat } from '../../../plugins/formats/shared/text/format.js'
import { unixDialect } from '../../../plugins/formats/shared/text/dialect.js'
import { goldenOf, sampleOf } from '../../support/golden-files.js'
import { parseInternalDate } from '../../../plugins/formats/shared/internal-date.js'
import { alice, never, OpenUnix, TestClock, unixContext, withoutDelimiters } from '../../support/unix.js'

process.env['TZ'] = 'UTC'
const D = '\x01\x01\x01\x01\n'
const FROM = 'From bob@example.net Mon Jan  5 09:08:07 2015\n'
const BITS: Readonly<Record<string, number>> = { '\\Seen': SYSTEM.seen, '\\Deleted': SYSTEM.deleted, '\\Flagged': SYSTEM.flagged, '\\Answered': SYSTEM.answered, '\\Draft': SYSTEM.draft, '\\Recent': 0 }

function item(bytes: Uint8Array, change: Partial<AppendItem> = {}): AppendItem {
  const chunks = async function* (): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += 7) yield bytes.subarray(at, at + 7)
  }
  return { size: bytes.length, bytes: chunks(), binary: false, system: 0, keywords: [], facts: new Map(), ...change }
}

describe('mmdf mailboxes', () => {
  let dir = ''
  let path = ''
  let files: Files = new SystemFiles(undefined)
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'mailwright-mmdf-'))
    path = join(dir, 'box')
    files = new SystemFiles(await nativeLocks())
  })
  afterEach(() => rm(dir, { recursive: true, force: true }))
  const place = () => ({ path, user: alice, fileMode: 0o600, directoryMode: 0o700 })
  const context = (seconds?: number): TextContext => unixContext(files, dir, { dialect: mmdfDialect, ...(seconds !== undefined && { clock: new TestClock(seconds * 1000) }) })
  const sample = (name: string): Promise<void> => copyFile(fileURLToPath(new URL(`../../fixtures/mmdf/${name}`, import.meta.url)), path)
  async function opened(claim: boolean, ctx = context()): Promise<OpenUnix> {
    const box = await OpenUnix.open(ctx, path)
    await box.refresh(claim)
    return box
  }
  const textsOf = async (box: OpenUnix): Promise<string[]> => [...(await box.messages()).values()]
  const text = async (): Promise<string> => (await readFile(path)).toString('latin1')
  async function append(format: TextFormat, items: readonly AppendItem[], box?: OpenUnix) {
    const delivery = await format.append(place())
    for (const one of items) await delivery.add(one, never)
    if (box === undefined) return delivery.commit(undefined, never)
    return (await box.edit((edit) => delivery.commit({ source: box.source, edit }, never))).value
  }

  test.each(goldenOf('mmdf'))('$mailbox reads as the reference reads it', async (golden) => {
    await sample(golden.mailbox.slice('mmdf/'.length))
    const box = await opened(false)
    const { table } = box
    expect({ validity: table.uidValidity, last: table.uidNext - 1, recent: table.unclaimed.count, keywords: table.keywords.defined }).toEqual({
      validity: golden.uidvalidity, last: golden.uidlast, recent: golden.recent, keywords: golden.keywords,
    })
    const rows = table.generation
    expect(box.uids.map((uid, i) => ({ uid, size: box.sizes[i], ms: rows.date[i], zone: rows.zone[i], ...box.flags(i) }))).toEqual(
      golden.messages.map((m) => {
        const date = parseInternalDate(m.internaldate)
        return { uid: m.uid, size: m.size, ms: date?.ms, zone: date?.zone, system: m.flags.reduce((sum, flag) => sum | (BITS[flag] ?? 0), 0), keywords: m.keywords }
      }),
    )
    expect((await textsOf(box)).map((m) => [m.length, m.indexOf('\r\n\r\n') + 4])).toEqual(golden.messages.map((m) => [m.size, m.header]))
  })

  test('opening for writing leaves the file as the reference leaves it, and a second time nothing is written', async () => {
    await sample('appended')
    const { ino } = await stat(path)
    await opened(true, context(1795398290))
    expect(await text()).toBe(sampleOf('mmdf', 'opened').toString('latin1'))
    const box = await opened(true)
    expect(box.uids).toEqual([2, 3, 4])
    expect(await text()).toBe(sampleOf('mmdf', 'opened').toString('latin1'))
    expect((await stat(path)).ino).toBe(ino)
  })

  test('CREATE makes the record of the reference, with the short form of its date', async () => {
    const format = new TextFormat(context(1795398290))
    await format.create(place())
    expect(await text()).toBe(sampleOf('mmdf', 'fresh').toString('latin1').replace('Date: Mon, 23 Nov 2026 01:44:50 +0000 (UTC)', 'Date: 23 Nov 2026 01:44:50 +0000'))
    expect(await format.recognise(place())).toBe('mine')
  })

  test('CREATE does so where files have one name only, and never over a file that is there', async () => {
    const real = files
    files = new Proxy(real, {
      get(target, key) {
        if (key === 'link') return () => Promise.reject(Object.assign(new Error('EPERM: operation not permitted, link'), { code: 'EPERM' }))
        const value: unknown = Reflect.get(target, key)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    const format = new TextFormat(context(1795398290))
    await format.create(place())
    const made = await text()
    expect(made).toContain('\nX-IMAP: 1795398290 0000000000\n')
    await expect(format.create(place())).rejects.toMatchObject({ code: 'EEXIST' })
    expect(await text()).toBe(made)
    expect((await readdir(dir)).filter((name) => name !== 'state')).toEqual(['box'])
  })

  test.each([['open', true], ['closed', false]])('APPEND to an %s mailbox writes what the reference writes, less the empty line that it adds to each message', async (_name, isOpen) => {
    const ctx = context(1795398294)
    const format = new TextFormat(ctx)
    await format.create(place())
    const box = isOpen ? await opened(false, ctx) : undefined
    const at = (iso: string, zone: number) => ({ date: { ms: Date.parse(iso), zone } })
    const eml = (n: number): Buffer => sampleOf('unix', `source/m${n}.eml`)
    await append(format, [item(eml(1), { system: SYSTEM.flagged, ...at('2015-01-05T09:08:07+01:00', 60) })], box)
    await append(format, [
      item(eml(2), { system: SYSTEM.seen | SYSTEM.answered, ...at('2020-10-20T23:59:58-07:30', -450) }),
      item(eml(3), at('2016-03-01T12:00:00Z', 0)),
      item(eml(4), { system: SYSTEM.draft | SYSTEM.deleted, ...at('2000-02-01T00:00:00Z', 0) }),
    ], box)
    // The sample's record was made anew by a rewrite, which adds a Message-ID.
    const wanted = sampleOf('mmdf', 'awkward').toString('latin1').replace(/^Message-ID: <1795398294@.*\n/m, '').replaceAll(`.\n\n${D}`, `.\n${D}`).replace(`Bye\n\n${D}`, `Bye\n${D}`)
    expect(await text()).toBe(wanted)
    const again = await opened(false)
    expect([again.uids, again.sizes]).toEqual([[1, 2, 3, 4], [219, 307, 39, 129]])
    expect((await textsOf(again))[0]).toBe(eml(1).toString('latin1'))
    if (box !== undefined) expect([box.uids, box.sizes, await textsOf(box)]).toEqual([again.uids, again.sizes, await textsOf(again)])
  })

  const oddities = [
    { name: 'two delimiters', file: `${D}${FROM}A: 1\n\none\n${D}${D}${FROM}A: 2\n\ntwo\n${D}`, texts: ['A: 1\r\n\r\none\r\n', 'A: 2\r\n\r\ntwo\r\n'] },
    { name: 'one delimiter between messages', file: `${D}${FROM}A: 1\n\none\n${D}${FROM}A: 2\n\ntwo\n${D}A: 3\n\nthree\n${D}`, texts: ['A: 1\r\n\r\none\r\n', 'A: 2\r\n\r\ntwo\r\n', 'A: 3\r\n\r\nthree\r\n'] },
    { name: 'more delimiters than needed', file: `${D}${D}${D}${FROM}A: 1\n\none\n${D}${D}${D}${D}${FROM}A: 2\n\ntwo\n${D}${D}`, texts: ['A: 1\r\n\r\none\r\n', 'A: 2\r\n\r\ntwo\r\n'] },
    { name: 'blank lines between delimiters', file: `${D}${FROM}A: 1\n\none\n${D}\n \n${D}${FROM}A: 2\n\ntwo\n${D}\n`, texts: ['A: 1\r\n\r\none\r\n', 'A: 2\r\n\r\ntwo\r\n'] },
    { name: 'no delimiter at the end', file: `${D}${FROM}A: 1\n\none\n${D}${D}${FROM}A: 2\n\ntwo\n`, texts: ['A: 1\r\n\r\none\r\n', 'A: 2\r\n\r\ntwo\r\n'] },
    { name: 'a delimiter in the header', file: `${D}${FROM}A: 1\n${D}${D}${FROM}A: 2\n\ntwo\n${D}`, texts: ['A: 1\r\n', 'A: 2\r\n\r\ntwo\r\n'], written: ['A: 1\r\n\r\n', 'A: 2\r\n\r\ntwo\r\n'] },
    { name: 'a delimiter behind the last line of a text', file: `${D}${FROM}A: 1\n\none${D}${D}${FROM}A: 2\n\ntwo\n${D}`, texts: ['A: 1\r\n\r\none', 'A: 2\r\n\r\ntwo\r\n'], written: ['A: 1\r\n\r\none\r\n', 'A: 2\r\n\r\ntwo\r\n'] },
    { name: 'a delimiter behind the last line of a header', file: `${D}${FROM}A: 1${D}${D}${FROM}A: 2\n\ntwo\n${D}`, texts: ['A: 1', 'A: 2\r\n\r\ntwo\r\n'], written: ['A: 1\r\n\r\n', 'A: 2\r\n\r\ntwo\r\n'] },
    { name: 'From lines in texts', file: `${D}${FROM}A: 1\n\n${FROM}\n${FROM}${D}${D}A: 2\n\n${FROM}${D}`, texts: [`A: 1\r\n\r\n${FROM.trim()}\r\n\r\n${FROM.trim()}\r\n`, `A: 2\r\n\r\n${FROM.trim()}\r\n`] },
    { name: 'line ends of two octets', file: `${D}${FROM}A: 1\r\n\r\none\r\n${D}${D}A: 2\r\n\r\ntwo\r\n${D}`, texts: ['A: 1\r\n\r\none\r\n', 'A: 2\r\n\r\ntwo\r\n'] },
    { name: 'no text', file: `${D}${FROM}A: 1\n\n${D}${D}${FROM}\n${D}`, texts: ['A: 1\r\n\r\n', '\r\n'] },
    { name: 'a long text', file: `${D}${FROM}A: 1\n\n${'0123456789\n'.repeat(300_000)}${D}${D}${FROM}A: 2\n\ntwo\n${D}`, texts: [`A: 1\r\n\r\n${'0123456789\r\n'.repeat(300_000)}`, 'A: 2\r\n\r\ntwo\r\n'] },
    { name: 'a long header line', file: `${D}A: ${'x'.repeat(1_500_000)}\nB: 1\n\none\n${D}${D}${FROM}A: 2\n\ntwo\n${D}`, texts: [`A: ${'x'.repeat(1_500_000)}\r\nB: 1\r\n\r\none\r\n`, 'A: 2\r\n\r\ntwo\r\n'] },
  ]
  test.each(oddities)('$name: read, numbered, and read again', async ({ file, texts, written = texts }) => {
    await writeFile(path, file)
    const first = await opened(false)
    expect(await textsOf(first)).toEqual(texts)
    expect(first.sizes).toEqual(texts.map((t) => t.length))
    expect(await text()).toBe(file)
    // Numbers are written, and with them what was missing.
    const box = await opened(true)
    expect(await textsOf(box)).toEqual(written)
    expect(await text()).toMatch(/^X-UID: 1$/m)
    const again = await opened(false)
    expect([again.uids, again.sizes, await textsOf(again), again.table.uidValidity]).toEqual([box.uids, box.sizes, written, box.table.uidValidity])
    // What is appended, and what is left after an expunge, stands alone.
    await append(new TextFormat(context()), [item(Buffer.from('A: new\r\n\r\nlast'))], again)
    await again.edit((edit) => again.source.expunge(uids.one(1), { always: true }, edit, never))
    const left = [...written.slice(1), 'A: new\r\n\r\nlast\r\n']
    expect(await textsOf(again)).toEqual(left)
    expect(await textsOf(await opened(false))).toEqual(left)
  })

  test('a message without From line came when the file was last written; that is kept when the file is written again, and is written down', async () => {
    await writeFile(path, `${D}A: 1\n\none\n${D}${D}${FROM}A: 2\n\ntwo\n${D}`)
    await utimes(path, new Date('2020-01-01T00:00:00Z'), new Date('2020-02-03T04:05:06.700Z'))
    const dates = (box: OpenUnix): number[] => [...box.table.generation.date.subarray(0, box.table.length)]
    const came = [Date.UTC(2020, 1, 3, 4, 5, 6), Date.UTC(2015, 0, 5, 9, 8, 7)]
    const box = await opened(false)
    expect(dates(box)).toEqual(came)
    await appendFile(path, `${D}A: 3\n\nthree\n${D}`)
    await utimes(path, new Date(), new Date('2021-01-01T00:00:00Z'))
    await box.refresh(false)
    expect(dates(box)).toEqual([...came, Date.UTC(2021, 0, 1)])
    await box.refresh(true)
    expect(await text()).toContain(`${D}From - Mon Feb  3 04:05:06 2020 +0000\nA: 1\n`)
    expect(dates(await opened(false))).toEqual([...came, Date.UTC(2021, 0, 1)])
    expect((await textsOf(await opened(false)))[0]).toBe('A: 1\r\n\r\none\r\n')
  })

  test('what is appended cannot end a message, wherever it is cut; other octets 0x01 stay', async () => {
    const format = new TextFormat(context())
    await format.create(place())
    const given = '\x01\x01\x01\x01\r\nA: 1\x01\r\nB: \x01\x01\x01\x01\x01\x01\r\n\r\n\x01\x01\x01\x01\r\nx\x01\x01\x01\x01\r\n\x01a\x01\x01b\x01\x01\x01c\r\n\x01\x01\r\x01\x01\n\x01\x01\x01\x01'
    await append(format, [item(Buffer.from(given, 'latin1')), item(Buffer.from('A: 2\r\n\r\ntwo\r\n'))])
    const box = await opened(false)
    expect(await textsOf(box)).toEqual([`${withoutDelimiters(given.replaceAll('\x01\x01\r\x01\x01\n', '\x01\x01\x01\x01\r\n'))}\r\n`, 'A: 2\r\n\r\ntwo\r\n'])
  })

  test('internal names in appended headers are renamed, and From lines are not quoted', async () => {
    const format = new TextFormat(context())
    await format.create(place())
    const bytes = Buffer.from('X-UID: 7\r\nStatus: RO\r\nFrom me\r\n\r\nFrom you\r\n')
    await append(format, [item(bytes)])
    expect(await textsOf(await opened(false))).toEqual(['X-Original-X-UID: 7\r\nX-Original-Status: RO\r\nFrom me\r\n\r\nFrom you\r\n'])
  })

  test('COPY to a mailbox of the format takes octets as they lie, to another not', async () => {
    await writeFile(path, `${D}${FROM}A: 1\n\n${FROM}\n${D}${D}${FROM}A: 2\n\ntwo\n${D}`)
    const from = await opened(true)
    path = join(dir, 'other')
    const format = new TextFormat(context())
    await format.create(place())
    const taken = from.uids.map((uid, i) => ({ uid, ...from.flags(i), date: { ms: 0, zone: 0 } }))
    const delivery = await format.append(place())
    expect(await delivery.take(from.source, taken, from.table.generation, never)).toBe(true)
    await delivery.commit(undefined, never)
    expect(await textsOf(await opened(false))).toEqual(await textsOf(from))
    expect((await text()).split(FROM)).toHaveLength(4)
    const unix = new TextFormat(unixContext(files, dir, { dialect: unixDialect }))
    const other = await unix.append({ ...place(), path: join(dir, 'unix') })
    expect(await other.take(from.source, taken, from.table.generation, never)).toBe(false)
    await other.abort()
  })

  test('the file is opened for writing under its lock file, which is gone afterwards', async () => {
    const locked: boolean[] = []
    const real = files
    const watching: Files = new Proxy(real, {
      get(target, key) {
        if (key === 'open') {
          return (...args: Parameters<Files['open']>) => {
            if (args[0] === path && args[1]?.write === true && args[1].create === undefined) locked.push(existsSync(`${path}.lock`))
            return target.open(...args)
          }
        }
        const value: unknown = Reflect.get(target, key)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    const ctx = unixContext(watching, dir, { dialect: mmdfDialect })
    const format = new TextFormat(ctx)
    await format.create(place())
    await append(format, [item(Buffer.from('A: 1\r\n\r\none\r\n'))])
    await new TextFormat(ctx).rename(place(), { ...place(), path: join(dir, 'other') })
    expect(locked).toEqual([true, true])
    expect(existsSync(`${path}.lock`)).toBe(false)
  })

  const probes = [
    { name: 'a delimiter', octets: `${D}x`, answer: 'mine' },
    { name: 'an empty file', octets: '', answer: 'empty' },
    { name: 'the beginning of a delimiter', octets: '\x01\x01', answer: 'mine' },
    { name: 'three octets and a line end', octets: `${D.slice(1)}x`, answer: 'not-mine' },
    { name: 'a delimiter with CR', octets: '\x01\x01\x01\x01\r\n', answer: 'not-mine' },
    { name: 'a blank line first', octets: `\n${D}`, answer: 'not-mine' },
    { name: 'a mailbox of From lines', octets: `${FROM}A: 1\n\none\n`, answer: 'not-mine' },
  ]
  test.each(probes)('recognised: $name', async ({ octets, answer }) => {
    await writeFile(path, octets)
    expect(await new TextFormat(context()).recognise(place())).toBe(answer)
    if (answer === 'mine') expect(await new TextFormat(unixContext(files, dir)).recognise(place())).toBe('not-mine')
  })
})
