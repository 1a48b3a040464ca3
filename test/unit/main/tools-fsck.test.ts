import { lstat, readdir, readFile, stat, unlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { MailError, SYSTEM, uids, type AppendItem, type MailAccess, type MailboxName } from '../../../core/api/index.js'
import { fsck } from '../../../core/main/mailbox-tools/fsck.js'
import { withMailbox } from '../../../core/main/mailbox-tools/views.js'
import { badDisk, closedFiles } from '../../support/bad-disk.js'
import { LONG, randomOf, seedOf } from '../../support/random.js'
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
const path = (name: string): string => join(folder, 'mail/alice', name)
const textOf = (i: number): string => `Subject: m${i}\r\nX-Size: ${i * 7}\r\n\r\n${`line of message ${i}\r\n`.repeat(3 + (i % 20))}`

async function fill(name: string, format: string, count: number): Promise<void> {
  await mail.create((name === 'INBOX' ? name : `#driver.${format}/${name}`) as MailboxName, { specialUse: [] }, signal).catch(() => undefined)
  async function* items(): AsyncGenerator<AppendItem> {
    for (let i = 1; i <= count; i++) {
      const bytes = Buffer.from(textOf(i))
      yield { size: bytes.length, bytes: (async function* () { yield bytes })(), binary: false, system: i % 2 === 0 ? SYSTEM.seen : 0, keywords: i % 3 === 0 ? ['$Work'] : [], date: { ms: Date.UTC(2024, 0, i), zone: 0 }, facts: new Map() }
    }
  }
  await mail.append(await mail.locate((name === 'INBOX' ? name : `#driver.${format}/${name}`) as MailboxName, 'append', signal), items(), signal)
}
async function check(name: string, repair: boolean, over: MailAccess = mail): Promise<{ good: boolean; out: string }> {
  const [out, err] = [new PassThrough(), new PassThrough()]
  const good = await fsck({ mail: over, terminal: { out, err, colours: false }, signal, format: undefined, merge: undefined, dryRun: false, holdsOthers: () => true }, name, repair)
  return { good, out: String(out.read() ?? '') }
}
interface Read {
  readonly text: string
  readonly system: number
  readonly keywords: readonly string[]
  readonly ms: number
}
function messages(name: string): Promise<Read[]> {
  return withMailbox(mail, name, 'read-only', signal, async (view) => {
    const out: Read[] = []
    const all = view.resolve({ pairs: Uint32Array.of(1, 0xffffffff) }, 'seq')
    await view.fill(all, signal)
    for await (const batch of view.read(all, { bytes: 'whole', sections: [], facts: [] }, signal)) {
      for (const { uid, bytes } of batch) {
        const into = new Uint8Array(bytes.size)
        await bytes.read(0, into, signal)
        const row = view.rows.find(uid)
        const flags = view.rows.flagSets[view.rows.flags[row] ?? 0]
        out.push({ text: Buffer.from(into).toString('latin1'), system: flags?.system ?? 0, keywords: flags?.keywords ?? [], ms: view.rows.date[row] ?? 0 })
      }
    }
    return out
  })
}
// ---- what is damaged

interface Extent {
  readonly file: string
  readonly from: number
  readonly to: number
}
/** Where a message is: what must be whole that it comes back, and what beside that for its flags. */
interface Parts {
  readonly own: readonly Extent[]
  readonly flags: readonly Extent[]
}
interface Kind {
  readonly format: string
  readonly keywords: (words: readonly string[]) => readonly string[]
  /** Files in a mailbox that is a folder. */
  readonly folder: boolean
  readonly parts: (files: ReadonlyMap<string, Buffer>) => ReadonlyMap<number, Parts>
  /** Damage of what all messages share is a case of its own. */
  readonly spared: (file: string, at: number) => boolean
  /** Damages the beginning, and says what is told then. */
  readonly broken: (files: Map<string, Buffer>) => RegExp
}
const numberIn = (text: string): number => Number(/Subject: m(\d+)\r?\n/.exec(text)?.[1] ?? 0)
/** Messages one behind the other in one file; `before`: octets before its start that count too. */
function linesOf(begins: RegExp, before = 0): Kind['parts'] {
  return (files) => {
    const text = files.get('')?.toString('latin1') ?? ''
    const starts = [...text.matchAll(begins)].map((m) => m.index)
    return new Map(starts.map((from, i) => [numberIn(text.slice(from, starts[i + 1])), { own: [{ file: '', from: Math.max(0, from - before), to: starts[i + 1] ?? text.length }], flags: [] }]))
  }
}
function filesOf(flags: (files: ReadonlyMap<string, Buffer>, file: string) => readonly Extent[]): Kind['parts'] {
  return (files) => new Map([...files].filter(([file]) => /^\d+$/.test(file)).map(([file, octets]) => [numberIn(octets.toString('latin1')), { own: [{ file, from: 0, to: octets.length }], flags: flags(files, file) }]))
}
const fill0 = (octets: Buffer | undefined, length: number): void => void octets?.fill('x', 0, length)
const record = (fields: string): RegExp => new RegExp(`^[ \\d]\\d-\\w{3}-\\d{4} \\d\\d:\\d\\d:\\d\\d [+-]\\d{4},\\d+;${fields}$`, 'gim')
const hex8 = (n: string): string => Number(n).toString(16).padStart(8, '0')
const beginning = (files: Map<string, Buffer>): RegExp => (fill0(files.get(''), 20), /^box: at octet 0: /m)
const kinds: readonly Kind[] = [
  // In a unix mailbox only the start of a line is the start of a message, so the line end before it counts (seed 3733288102).
  { format: 'unix', folder: false, keywords: (w) => w, parts: linesOf(/^From \S+ \w{3} \w{3} .*$/gm, 1), spared: () => false, broken: beginning },
  // In one of MMDF the delimiter before it counts.
  { format: 'mmdf', folder: false, keywords: (w) => w, parts: linesOf(/^From \S+ \w{3} \w{3} .*$/gm, 5), spared: () => false, broken: beginning },
  // Names of keywords stand in the beginning of an mbx file.
  { format: 'mbx', folder: false, keywords: (w) => w, parts: linesOf(record('[\\da-f-]+\\r')), spared: (_, at) => at < 2048, broken: beginning },
  { format: 'mtx', folder: false, keywords: () => [], parts: linesOf(record('[0-7]{12}\\r')), spared: () => false, broken: beginning },
  { format: 'tenex', folder: false, keywords: () => [], parts: linesOf(record('[0-7]{12}')), spared: () => false, broken: beginning },
  {
    format: 'mx', folder: true, keywords: (w) => w, spared: (file, at) => file === '.mxindex' && at < 25,
    parts: filesOf((files, file) => {
      const from = files.get('.mxindex')?.indexOf(`M${hex8(file)}`) ?? -1
      return [{ file: '.mxindex', from, to: from + 23 }]
    }),
    broken: (files) => (fill0(files.get('.mxindex'), 40), /^box: at octet 0 of \.mxindex: Error in index: /m),
  },
  {
    format: 'mix', folder: true, keywords: (w) => w, spared: (file) => file === '.mixmeta',
    parts: (files) => {
      const [index, status] = [files.get('.mixindex') ?? Buffer.alloc(0), files.get('.mixstatus') ?? Buffer.alloc(0)]
      return new Map([...files].filter(([file]) => /^\.mix[\da-f]{8}$/.test(file)).flatMap(([file, octets]) => {
        const text = octets.toString('latin1')
        return [...text.matchAll(/:msg:([\da-f]{8}):[^:]{19}:([\da-f]{8}):\r\n/g)].map(({ index: from, 1: uid = '', 2: size = '' }) => {
          const to = from + 45 + Number.parseInt(size, 16)
          const lines = ([['.mixindex', index, 77], ['.mixstatus', status, 35]] as const).map(([name, where, length]) => {
            // A line begins with it; a size may look the same.
            const end = where.indexOf(`\n:${uid}:`)
            return { file: name, from: end < 0 ? -1 : end + 1, to: end + 1 + length }
          })
          return [numberIn(text.slice(from, to)), { own: [{ file, from, to }], flags: lines }] as const
        })
      }))
    },
    broken: (files) => (fill0(files.get('.mixindex'), 30), /^box: at octet 0 of \.mixindex: /m),
  },
  {
    format: 'mh', folder: true, keywords: (w) => w.map((word) => word.toLowerCase()), parts: filesOf(() => []), spared: (file) => file === '.mh_sequences',
    broken: (files) => (files.get('.mh_sequences')?.fill(0, 0, 4), /^mh\/box: at octet 0 of \.mh_sequences: no sequence of messages: \?\?\?\?/m),
  },
]
/** Files of a mailbox, of one that is a file under the name of nothing. */
async function filesAt(name: string): Promise<Map<string, Buffer>> {
  const stat = await lstat(path(name))
  if (stat.isFile()) return new Map([['', await readFile(path(name))]])
  const names = (await readdir(path(name), { withFileTypes: true })).filter((e) => e.isFile() && e.name !== '.mixredo').map((e) => e.name).toSorted()
  return new Map(await Promise.all(names.map(async (file) => [file, await readFile(join(path(name), file))] as const)))
}
/** Puts octets into files in place: times tell dates. */
async function damage(name: string, files: ReadonlyMap<string, Buffer>): Promise<void> {
  for (const [file, octets] of files) {
    const at = join(path(name), file)
    const { atimeNs, mtimeNs } = await stat(at, { bigint: true })
    await writeFile(at, octets)
    await utimes(at, Number(atimeNs / 1000n) / 1e6, Number(mtimeNs / 1000n) / 1e6)
  }
}

describe.each(kinds)('mailwright fsck of $format', (kind) => {
  const { format, folder: isFolder } = kind
  const box = format === 'mh' ? 'mh/box' : 'box'
  const read = (i: number): Read => ({ text: textOf(i), system: i % 2 === 0 ? SYSTEM.seen : 0, keywords: i % 3 === 0 ? kind.keywords(['$Work']) : [], ms: Date.UTC(2024, 0, i) })
  test('a good mailbox is good, and nothing is changed', async () => {
    await fill(box, format, 5)
    const before = await filesAt(box)
    expect(await check(box, true)).toEqual({ good: true, out: `${box}: good, 5 readable messages\n` })
    expect(await filesAt(box)).toEqual(before)
  })
  test('a mailbox whose beginning is gone is told, and repaired when that is asked for; the damaged files stay', async () => {
    await fill(box, format, 5)
    const damaged = await filesAt(box)
    const told = kind.broken(damaged)
    await damage(box, damaged)
    const dry = await check(box, false)
    expect(dry).toEqual({ good: false, out: expect.stringMatching(told) })
    expect(await filesAt(box)).toEqual(damaged)
    const did = await check(box, true)
    expect(did.out).toContain(`the damaged mailbox is ${box}.damaged`)
    expect(await filesAt(`${box}.damaged`)).toEqual(damaged)
    const found = await messages(box)
    expect(found.map((m) => m.text)).toEqual([1, 2, 3, 4, 5].map(textOf))
    // The beginning of a file without a record of its own is the record of the first message, with its date.
    expect(found.slice(1).map((m) => m.ms)).toEqual([2, 3, 4, 5].map((i) => Date.UTC(2024, 0, i)))
    expect((await check(box, false)).good).toBe(true)
  })
  test('random damage of a tenth of the file: every message that is whole comes back with its flags and date', async () => {
    const random = randomOf(seedOf(`fsck-${format}`))
    for (let round = 0; round < (LONG ? 12 : 4); round++) {
      const name = `${box}${round}`
      await fill(name, format, 120)
      const whole = await filesAt(name)
      const damaged = tenth(whole, kind.spared, random)
      const intact = (extents: readonly Extent[]): boolean =>
        extents.every(({ file, from, to }) => from >= 0 && whole.get(file)?.subarray(from, to).equals(damaged.get(file)?.subarray(from, to) ?? Buffer.alloc(0)) === true)
      const parts = [...kind.parts(whole)].filter(([n]) => n > 0)
      expect(parts.length).toBe(120)
      const survivors = parts.filter(([, { own }]) => intact(own))
      expect(survivors.length).toBeGreaterThan(10)
      await damage(name, damaged)
      const { good, out } = await check(name, true)
      // A folder knows nothing of octets within a message.
      if (!good && !isFolder) expect(out).toContain('problems')
      if (out.includes('repaired')) expect(await filesAt(`${name}.damaged`), out).toEqual(damaged)
      const found = await messages(name)
      for (const [i, { flags }] of survivors) {
        // The line that began the next message may be gone: what was its own is then the end of this one.
        const hit = found.find((m) => m.text.startsWith(textOf(i).trimEnd()))
        const { text, ms } = read(i)
        const expected = intact(flags) ? read(i) : { ...hit, text, ms }
        expect({ ...hit, text: isFolder ? hit?.text : text }, `round ${round}, message ${i}\n${out}`).toEqual(expected)
      }
    }
  })
  test.each([{ where: 'beginning' }, { where: 'middle' }])('a block in the $where that cannot be read ends nothing: all that stands elsewhere comes back', async ({ where }) => {
    await fill(box, format, 120)
    const whole = await filesAt(box)
    // Of a folder with a file per message, the files of a third of them; of others the largest, which holds the messages.
    const largest = [...whole].reduce((a, b) => (b[1].length > a[1].length ? b : a))[0]
    const perMessage = format === 'mx' || format === 'mh'
    const bad = new Set(perMessage ? [...whole.keys()].filter((file) => file.endsWith('3')) : [largest])
    const middle = perMessage ? 200 : 4 * 4096
    const from = where === 'middle' ? middle : 0
    const inodes = new Set(await Promise.all([...bad].map(async (file) => (await stat(join(path(box), file))).ino)))
    const survivors = [...kind.parts(whole)].filter(([n, { own }]) => n > 0 && own.every((e) => !bad.has(e.file) || e.to <= from || e.from >= from + 4096))
    expect(survivors.length).toBeGreaterThan(50)
    using _ = badDisk(inodes, from, from + 4096)
    const { out } = await check(box, true)
    expect(out).toMatch(/octets cannot be read, blanks stand in their place: EIO/)
    expect(out).toContain('the damaged mailbox is')
    const found = await messages(box)
    for (const [i] of survivors) {
      const hit = found.find((m) => m.text.startsWith(textOf(i).trimEnd()))
      const { text, ms } = read(i)
      expect({ text: hit?.text.slice(0, text.length), ms: hit?.ms }, `message ${i}\n${out}`).toEqual({ text, ms })
    }
  })
})
/** Damages about a tenth of all octets, in pieces of chance. */
function tenth(whole: ReadonlyMap<string, Buffer>, spared: Kind['spared'], random: () => number): Map<string, Buffer> {
  const damaged = new Map([...whole].map(([file, octets]) => [file, Buffer.from(octets)]))
  const names = [...whole.keys()]
  const total = [...whole.values()].reduce((sum, octets) => sum + octets.length, 0)
  for (let done = 0; done < total / 10; ) {
    // Each octet is as likely to be hit as any other.
    let place = Math.floor(random() * total)
    const file = names.find((n) => (place -= whole.get(n)?.length ?? 0) < 0) ?? ''
    const octets = damaged.get(file) ?? Buffer.alloc(0)
    const [at, length] = [place + octets.length, 1 + Math.floor(random() * 300)]
    for (let i = at; i < Math.min(octets.length, at + length); i++) {
      if (spared(file, i)) continue
      octets[i] = Math.floor(random() * 256)
      done++
    }
  }
  return damaged
}
describe.each(kinds.filter(({ format }) => ['mbx', 'mx', 'mix'].includes(format)))('unique ids in a repaired mailbox of $format', ({ format, parts, spared }) => {
  /** Texts by their numbers, and what the mailbox says of those. */
  const numbered = (name: string): Promise<{ readonly validity: number; readonly next: number; readonly texts: ReadonlyMap<number, string> }> =>
    withMailbox(mail, name, 'read-only', signal, async (view) => {
      const uidsOfAll = [...view.rows.uid.subarray(0, view.announced)]
      const texts = (await messages(name)).map((m) => m.text)
      return { validity: view.uidValidity, next: view.uidNext, texts: new Map(uidsOfAll.map((uid, i) => [uid, texts[i] ?? ''])) }
    })
  test('after random damage of a tenth the messages that are whole keep theirs, and none gets that of another', async () => {
    const random = randomOf(seedOf(`fsck-uids-${format}`))
    let kept = 0
    for (let round = 0; round < (LONG ? 12 : 4); round++) {
      const name = `box${round}`
      await fill(name, format, 120)
      // Some were expunged, so that numbers have gaps.
      const gone = Array.from({ length: 20 }, (_, n) => 1 + 6 * n)
      await withMailbox(mail, name, 'read-write', signal, (view) => view.remove(uids.from(gone), signal))
      const before = await numbered(name)
      expect(before.texts.size).toBe(100)
      const whole = await filesAt(name)
      const damaged = tenth(whole, spared, random)
      await damage(name, damaged)
      const { out } = await check(name, true)
      const after = await numbered(name)
      // Without them it may have the same UIDVALIDITY: it was made in the same second.
      if (!out.includes('with their unique ids')) continue
      kept++
      expect(after.validity).toBe(before.validity)
      expect(after.next).toBeGreaterThanOrEqual(before.next)
      // The text that has a number of old is what stands in the place of the message that was given it; in mix an expunged one may come back as itself.
      const own = new Map([...parts(whole)].map(([n, part]) => [n, part.own.map(({ file, from, to }) => damaged.get(file)?.toString('latin1', from, to) ?? '').join('')]))
      for (const [uid, text] of after.texts) {
        if (uid >= before.next) continue
        expect({ uid, text: own.get(uid)?.endsWith(text) === true && text.length === textOf(uid).length }, out).toEqual({ uid, text: true })
      }
      for (const [n, part] of parts(whole)) {
        if (!before.texts.has(n)) continue
        const intact = [...part.own, ...part.flags].every(({ file, from, to }) => from >= 0 && whole.get(file)?.subarray(from, to).equals(damaged.get(file)?.subarray(from, to) ?? Buffer.alloc(0)) === true)
        if (intact) expect({ n, text: after.texts.get(n) }, out).toEqual({ n, text: textOf(n) })
      }
    }
    expect(kept).toBeGreaterThan(0)
  })
})
test.each([{ format: 'unix' }, { format: 'mmdf' }])('in $format a message behind which one is missing gets a new unique id, since it may have taken that in; all others keep theirs', async ({ format }) => {
  await fill('box', format, 12)
  const before = await withMailbox(mail, 'box', 'read-only', signal, async (view) => view.uidValidity)
  const damaged = await filesAt('box')
  const octets = damaged.get('') ?? Buffer.alloc(0)
  const from = octets.lastIndexOf('From ', octets.indexOf('Subject: m6'))
  // In one of MMDF a delimiter ends a message, and another begins the next.
  octets.fill('x', format === 'unix' ? from : from - 10, from + 20)
  await damage('box', damaged)
  // That is no damage that is seen; a NUL is.
  expect((await check('box', true)).out).toContain('good')
  octets.write('\0', octets.indexOf('line of message 9'))
  await damage('box', damaged)
  expect((await check('box', true)).out).toContain('box: repaired, 11 messages, 10 of them with their unique ids')
  const after = await withMailbox(mail, 'box', 'read-only', signal, async (view) => ({ validity: view.uidValidity, uids: [...view.rows.uid.subarray(0, view.announced)] }))
  expect(after).toEqual({ validity: before, uids: [1, 2, 3, 4, 7, 8, 9, 10, 11, 12, 13] })
  expect((await messages('box')).map((m) => /Subject: m(\d+)/.exec(m.text)?.[1])).toEqual(['1', '2', '3', '4', '7', '8', '9', '10', '11', '12', '5'])
})
describe.each([{ format: 'unix' }, { format: 'mbx' }])('mailwright fsck of an INBOX in $format', ({ format }) => {
  test('INBOX stays where mail is delivered; what is readable is saved beside it', async () => {
    await fill('INBOX', format, 3)
    const damaged = Buffer.concat([Buffer.from('rubbish\n'), await readFile(path('INBOX'))])
    await writeFile(path('INBOX'), damaged)
    const { good, out } = await check('INBOX', true)
    expect(good).toBe(false)
    expect(out).toContain('3 messages saved to INBOX.salvaged')
    expect(await readFile(path('INBOX'))).toEqual(damaged)
    expect((await messages('INBOX.salvaged')).map((m) => m.text)).toEqual([1, 2, 3].map(textOf))
  })
})
describe.each([{ format: 'mix', own: '.mixmeta' }, { format: 'mx', own: '.mxindex' }])('mailwright fsck of a folder in $format', ({ format, own }) => {
  test('without what makes it a mailbox its messages are found all the same; mailboxes below it stay below it', async () => {
    await fill('box', format, 3)
    await fill('box/below', format, 2)
    await unlink(join(path('box'), own))
    const dry = await check('box', false)
    expect(dry).toEqual({ good: false, out: expect.stringContaining(`of ${own}: `) })
    const { good, out } = await check('box', true)
    expect({ good, out }).toEqual({ good: true, out: expect.stringContaining('box: repaired, 3 messages; the damaged mailbox is box.damaged') })
    expect((await messages('box')).map((m) => m.text)).toEqual([1, 2, 3].map(textOf))
    expect((await messages('box/below')).map((m) => m.text)).toEqual([1, 2].map(textOf))
    await expect(messages('box.damaged/below')).rejects.toMatchObject({ kind: 'not-found' })
  })
})
test.each([{ format: 'mix' }, { format: 'mbx' }])('a repair of $format that fails in the middle leaves the mailbox, and what is below it, as they were', async ({ format }) => {
  await fill('box', format, 5)
  if (format === 'mix') await fill('box/below', format, 2)
  const damaged = await filesAt('box')
  damaged.get(format === 'mix' ? '.mixindex' : '')?.fill('x', 20, 60)
  await damage('box', damaged)
  let delivered = 0
  const full = new Proxy(mail, {
    get(target, key) {
      if (key === 'append') {
        return async (_to: unknown, items: AsyncIterable<AppendItem>) => {
          for await (const { bytes } of items) {
            for await (const _ of bytes) delivered++
            if (delivered > 2) throw new MailError('over-quota', 'the quota is used up')
          }
        }
      }
      const value: unknown = Reflect.get(target, key)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  await expect(check('box', true, full)).rejects.toMatchObject({ kind: 'over-quota' })
  expect(delivered).toBeGreaterThan(0)
  expect(await filesAt('box')).toEqual(damaged)
  if (format === 'mix') expect((await messages('box/below')).map((m) => m.text)).toEqual([1, 2].map(textOf))
  for (const name of ['box.salvaged', 'box.damaged']) await expect(messages(name)).rejects.toMatchObject({ kind: 'not-found' })
  expect((await check('box', true)).out).toContain('box: repaired, 5 messages')
})
test('what an earlier repair left is not touched', async () => {
  await fill('box', 'mbx', 2)
  await fill('box.salvaged', 'mbx', 1)
  const damaged = await readFile(path('box'))
  damaged.fill('x', 0, 20)
  await writeFile(path('box'), damaged)
  await expect(check('box', true)).rejects.toMatchObject({ kind: 'exists' })
  expect(await readFile(path('box'))).toEqual(damaged)
  expect((await messages('box.salvaged')).map((m) => m.text)).toEqual([textOf(1)])
})
test('a mailbox whose damaged beginning is that of another format is salvaged as what the rest is', async () => {
  await fill('box', 'mtx', 5)
  const damaged = await readFile(path('box'))
  // A line that ends in LF alone is one of tenex, in which nothing of the rest is a message.
  damaged[damaged.indexOf('\r\n')] = 48
  await writeFile(path('box'), damaged)
  expect((await check('box', true)).out).toMatch(/^box: at octet 0: [^]*\nbox: repaired, 5 messages/)
  expect((await messages('box')).slice(1)).toEqual((await messages('box')).slice(1).map((m, i) => ({ ...m, text: textOf(i + 2), ms: Date.UTC(2024, 0, i + 2) })))
})
test('a message of which nothing is left is not counted as readable', async () => {
  const from = 'From a@b.c Mon Nov 23 01:44:00 2026\n'
  await writeFile(path('box'), `${from}Subject: one\n\nhello\n\n${from}X-Keywords: ${'\0'.repeat(40)}\n${from}Subject: three\n\nhello\n\n`)
  const { out } = await check('box', true)
  expect(out).toMatch(/, 2 readable messages\nbox: repaired, 2 messages/)
})
test('a text that is no mailbox is good, also where its first lines look like a header', async () => {
  await writeFile(path('text'), 'root:x:0:0:root\ndaemon:x:1:1:daemon\n')
  expect(await check('text', true)).toEqual({ good: true, out: 'text: good, 1 readable message\n' })
})
test('a mailbox that is not there is an error', async () => {
  await expect(check('nope', false)).rejects.toMatchObject({ kind: 'not-found' })
})
test.each([
  { format: 'mix', closed: /^\.mix[0-9a-f]{8}$/ },
  { format: 'mx', closed: /^2$/ },
  { format: 'mh', closed: /^2$/ },
])('a $format mailbox of which files may not be read is not repaired: nothing says that they are damaged', async ({ format, closed }) => {
  const box = format === 'mh' ? 'mh/box' : 'box'
  await fill(box, format, 3)
  const before = await messages(box)
  const names = (await readdir(path(box))).filter((name) => closed.test(name))
  const inodes = new Set(await Promise.all(names.map(async (name) => (await stat(path(`${box}/${name}`))).ino)))
  {
    using _ = closedFiles(inodes)
    expect((await check(box, false)).out).toMatch(/of \S+: EACCES: permission denied/)
    await expect(check(box, true)).rejects.toThrow(`${box} is not repaired: 1 file of it may not be read, as the permissions are`)
  }
  expect((await check(box, false)).good).toBe(true)
  expect(await messages(box)).toEqual(before)
})
