import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { uids, type AppendItem, type Files } from '../../../core/api/index.js'
import { SystemFiles } from '../../../core/os/files.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import { mmdfDialect } from '../../../plugins/formats/mmdf/dialect.js'
import { unixDialect } from '../../../plugins/formats/shared/text/dialect.js'
import { TextFormat } from '../../../plugins/formats/shared/text/format.js'
import { IncomingMessage } from '../../../plugins/formats/shared/text/incoming.js'
import { alice, never, OpenUnix, unixContext } from '../../support/unix.js'

process.env['TZ'] = 'UTC'
const FROM = 'From bob@example.net Mon Jan  5 09:08:07 2015'
/** CR octets are left out of the file: what the others then make must be what it was taken for. */
const messages = [
  { name: 'a From line behind a CR in the text', given: `Subject: a\r\n\r\nx\r\n\r${FROM}\r\nSubject: forged\r\n\r\ny\r\n` },
  { name: 'a From line with a CR in its first word', given: `Subject: a\r\n\r\nx\r\n\r\nFr\rom${FROM.slice(4)}\r\nSubject: forged\r\n\r\ny\r\n` },
  { name: 'a From line behind a CR in the header', given: `Subject: a\r\n\r${FROM}\r\nTo: b\r\n\r\ny\r\n` },
  { name: 'an internal line behind a CR', given: 'Subject: a\r\n\rX-UID: 4000000000\r\n\r\ny\r\n' },
  { name: 'an internal line with a CR in its name', given: 'Subject: a\r\nX-\rIMAPbase: 1 4000000000\r\nStat\rus: RO\r\n\r\ny\r\n' },
  { name: 'an empty line of CRs', given: 'Subject: a\r\n\r\r\ntext\r\n\r\nmore\r\n' },
  { name: 'CR CR LF at the end of each line', given: 'Subject: a\r\r\nTo: b\r\r\n\r\r\ntext\r\r\n\r\r\nmore\r\r\n' },
  { name: 'CRs alone', given: 'Subject: a\r\n\r\n\r\r\r\r' },
  { name: 'delimiters of MMDF with CRs in them', given: 'Subject: a\r\n\r\n\x01\x01\r\x01\x01\r\n\r\x01\r\x01\r\x01\r\x01\r\nx\r\n' },
]

describe.each([unixDialect, mmdfDialect])('CR octets without LF in mailboxes of $name', (dialect) => {
  let dir = ''
  let files: Files = new SystemFiles(undefined)
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'mailwright-cr-'))
    files = new SystemFiles(await nativeLocks())
  })
  afterEach(async () => rm(dir, { recursive: true, force: true }))

  test.each(messages.flatMap((m) => ['all', 'header-only'].map((quoting) => ({ ...m, quoting: quoting === 'all' ? ('all' as const) : ('header-only' as const) }))))(
    '$name: one message before, one after it, each with its uid (quoting $quoting)',
    async ({ given, quoting }) => {
      const path = join(dir, 'box')
      const base = unixContext(files, dir, { dialect })
      const context = () => ({ ...base, mailbox: { ...base.mailbox, fromQuoting: quoting } })
      const format = new TextFormat(context())
      await format.create({ path, user: alice, fileMode: 0o600, directoryMode: 0o700 })
      const box = await OpenUnix.open(context(), path)
      await box.refresh(true)
      const plain = 'Subject: plain\r\n\r\nplain\r\n'
      for (const text of [plain, given, plain]) {
        const delivery = await format.append({ path, user: alice, fileMode: 0o600, directoryMode: 0o700 })
        await delivery.add(itemOf(Buffer.from(text, 'latin1')), never)
        await box.edit((edit) => delivery.commit({ source: box.source, edit }, never))
      }
      expect(box.uids).toEqual([1, 2, 3])
      // Another process has nothing but the file to go by.
      const again = await OpenUnix.open(context(), path)
      await again.refresh(false)
      expect([again.uids, again.sizes]).toEqual([box.uids, box.sizes])
      const texts = [...(await again.messages()).values()]
      expect(texts).toEqual([...(await box.messages()).values()])
      expect([texts[0], texts[2]]).toEqual([plain, plain])
      expect(texts.map((text) => text.length)).toEqual(again.sizes)
      // What a rewrite makes of it is the same mailbox.
      await box.edit((edit) => box.source.store({ uids: uids.from(box.uids), how: 'add', system: 1, keywords: [] }, edit, never))
      const last = await OpenUnix.open(context(), path)
      await last.refresh(false)
      expect([last.uids, [...(await last.messages()).values()]]).toEqual([box.uids, texts])
    },
  )

  const stored = messages.filter(({ given }) => dialect.delimiter === '' || !given.includes('\x01'))
  test.each(stored.flatMap((m) => ['flags', 'copies'].map((what) => ({ ...m, what }))))('$name, as another program delivered it: $what change nothing else', async ({ given, what }) => {
    const path = join(dir, 'box')
    const { delimiter } = dialect
    const plain = `Subject: plain\n\nplain\n`
    const asStored = (text: string): string => (delimiter === '' ? `${FROM}\n${text}\n` : `${delimiter}${FROM}\n${text}${delimiter}`)
    await writeFile(path, [plain, given, plain].map(asStored).join(''), 'latin1')
    const context = () => unixContext(files, dir, { dialect })
    const box = await OpenUnix.open(context(), path)
    await box.refresh(false)
    // The header's end, or the last line's, is supplied where the separator of messages is not taken for it.
    const supplied = delimiter !== '' && (given.endsWith('\r\r\n') || given.endsWith('\r\r')) ? '\r\n' : ''
    const before = [...(await box.messages()).values()].map((text, i) => (i === 1 ? `${text}${supplied}` : text))
    if (what === 'copies') {
      const format = new TextFormat(context())
      await format.create({ path: join(dir, 'copy'), user: alice, fileMode: 0o600, directoryMode: 0o700 })
      const delivery = await format.append({ path: join(dir, 'copy'), user: alice, fileMode: 0o600, directoryMode: 0o700 })
      const taken = box.uids.map((uid) => ({ uid, system: 0, keywords: [], date: { ms: 1_420_448_887_000, zone: 0 } }))
      expect(await delivery.take(box.source, taken, box.table.generation, never)).toBe(true)
      await delivery.commit(undefined, never)
    } else {
      // The first look of a session that may write gives the numbers; then flags are written, twice.
      await box.refresh(true)
      for (const system of [1, 2]) {
        await box.edit((edit) => box.source.store({ uids: uids.from(box.uids), how: 'add', system, keywords: [] }, edit, never))
        expect([...(await box.messages()).values()]).toEqual(before)
      }
    }
    const again = await OpenUnix.open(context(), what === 'copies' ? join(dir, 'copy') : path)
    await again.refresh(false)
    expect([again.uids.length, [...(await again.messages()).values()]]).toEqual([before.length, before])
    expect(again.uids.map((_, row) => again.flags(row).system)).toEqual(before.map(() => (what === 'copies' ? 0 : 3)))
  })

  test('where a message is cut while it arrives makes no difference', () => {
    const cases = [...messages.map(({ given }) => given), `Subject: a\r\n\r\nx\n${'\r'.repeat(70_000)}Fr${'\r'.repeat(70_000)}om${FROM.slice(4)}\r\n`]
    for (const given of cases) {
      const octets = Buffer.from(given, 'latin1')
      const stored = (size: number): unknown[] => {
        const message = new IncomingMessage(dialect, { fromLine: 'From x\n', before: '', after: 'X-UID: 1\n' }, 'header-only')
        const out = [message.start()]
        for (let at = 0; at < octets.length; at += size) out.push(message.add(octets.subarray(at, at + size)))
        out.push(message.finish())
        return [Buffer.concat(out).toString('latin1'), message.head, message.text, message.visibleHeader, message.visibleText]
      }
      const whole = stored(octets.length)
      for (const size of octets.length > 1000 ? [65_536, 1000] : [1, 2, 7]) expect(stored(size)).toEqual(whole)
      const fromLines = String(whole[0]).split('\n').filter((line) => line.startsWith('From ')).length
      expect(dialect.delimiter !== '' || fromLines === 1).toBe(true)
    }
  })
})

function itemOf(bytes: Uint8Array): AppendItem {
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += 7) yield bytes.subarray(at, at + 7)
  }
  return { size: bytes.length, bytes: pieces(), binary: false, system: 0, keywords: [], facts: new Map() }
}
