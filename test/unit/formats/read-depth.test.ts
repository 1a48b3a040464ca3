import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { uids, type FilePlace, type Files, type MailboxFormat, type Section, type Wants } from '../../../core/api/index.js'
import { SystemFiles } from '../../../core/os/files.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import { mbxDialect } from '../../../plugins/formats/mbx/dialect.js'
import { mmdfDialect } from '../../../plugins/formats/mmdf/dialect.js'
import { MhFormat } from '../../../plugins/formats/mh/format.js'
import { mtxDialect } from '../../../plugins/formats/mtx/dialect.js'
import { MxFormat } from '../../../plugins/formats/mx/format.js'
import { tenexDialect } from '../../../plugins/formats/tenex/dialect.js'
import { FixedFormat } from '../../../plugins/formats/shared/fixed/format.js'
import { unixDialect } from '../../../plugins/formats/shared/text/dialect.js'
import { TextFormat } from '../../../plugins/formats/shared/text/format.js'
import { countingFiles } from '../../support/counting-files.js'
import { deliverTo, directoryContext, openBox, placeAt } from '../../support/directory-formats.js'
import { fixedContextOf } from '../../support/fixed.js'
import { never, unixContext } from '../../support/unix.js'

const system = new SystemFiles(await nativeLocks())

/** Its mailboxes are made here as MH makes them, because users of these tests have no home. */
class PlainMh extends MhFormat {
  readonly #files: Files
  constructor(files: Files, dir: string) {
    const context = directoryContext(files)
    super({ ...context, mailbox: { ...context.mailbox, stateDirectory: join(dir, '.state') } }, { profile: '.mh_profile', allowInbox: false })
    this.#files = files
  }
  override create(at: FilePlace): Promise<void> {
    return this.#files.makeDirectory(at.path, at.directoryMode)
  }
}

const formats: readonly { readonly name: string; readonly make: (files: Files, dir: string) => MailboxFormat }[] = [
  ...[unixDialect, mmdfDialect].map((dialect) => ({ name: dialect.name, make: (files: Files, dir: string) => new TextFormat(unixContext(files, dir, { dialect })) })),
  ...Object.entries({ mbx: mbxDialect, mtx: mtxDialect, tenex: tenexDialect }).map(([name, dialect]) => ({ name, make: (files: Files, dir: string) => new FixedFormat(dialect, fixedContextOf(files, dir)) })),
  { name: 'mh', make: (files, dir) => new PlainMh(files, dir) },
  { name: 'mx', make: (files) => new MxFormat(directoryContext(files)) },
]
const section = (what: Section['what'], part: readonly number[] = []): Section => ({ part, what, decoded: false })
const SUBJECT = { fields: ['SUBJECT'], not: false }
const BODY = 50_000
const wishes: readonly { readonly name: string; readonly wants: Pick<Wants, 'bytes' | 'sections'>; readonly text: boolean }[] = [
  { name: 'BODY[HEADER]', wants: { bytes: 'header', sections: [section('header')] }, text: false },
  { name: 'BODY[HEADER.FIELDS (SUBJECT)]', wants: { bytes: 'header', sections: [section(SUBJECT)] }, text: false },
  { name: 'a section alone', wants: { bytes: 'none', sections: [section(SUBJECT)] }, text: false },
  { name: 'BODY[TEXT]', wants: { bytes: 'header', sections: [section(SUBJECT), section('text')] }, text: true },
  { name: 'BODY[1.MIME]', wants: { bytes: 'header', sections: [section('mime', [1])] }, text: true },
]

test.each(formats.flatMap((format) => wishes.map((wish) => ({ format: format.name, wish: wish.name, make: format.make, ...wish }))))('$format reads for $wish what that takes', async ({ make, wants, text }) => {
  const dir = await mkdtemp(join(tmpdir(), 'mailwright-depth-'))
  try {
    const { files, counts, reset } = countingFiles(system)
    const format = make(files, dir)
    const path = join(dir, 'box')
    await format.create(placeAt(path))
    const octets = Buffer.from(`Subject: depth\r\n\r\n${'a line of text which is as long as lines are\r\n'.repeat(BODY / 46)}`)
    const box = await openBox(format, path)
    const message = { bytes: octets, system: 0, keywords: [], date: { ms: Date.UTC(2015, 0, 5), zone: 0 } }
    await deliverTo(format, path, [message, message], box)
    await box.refresh({ claimRecent: true })
    // Where the header ends is known from the first look.
    for await (const _ of box.source.read(uids.all, { bytes: 'whole', sections: [], facts: [] }, box.table.generation, never)) continue
    reset()
    let seen = 0
    for await (const batch of box.source.read(uids.one(box.rows[0]?.uid ?? 0), { ...wants, facts: [] }, box.table.generation, never)) {
      for (const m of batch) {
        seen++
        const header = Buffer.alloc(m.headerSize)
        await m.bytes.read(0, header, never)
        expect(header.toString('latin1')).toBe('Subject: depth\r\n\r\n')
      }
    }
    expect(seen).toBe(1)
    if (text) expect(counts().octets).toBeGreaterThan(octets.length * 0.9)
    else expect(counts().octets).toBeLessThan(10_000)
    await box.close()
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
})

test.each(formats)('$name finds the end of a header of any length, and gives each octet of a message once', async ({ make }) => {
  const dir = await mkdtemp(join(tmpdir(), 'mailwright-depth-'))
  try {
    const format = make(system, dir)
    const path = join(dir, 'box')
    await format.create(placeAt(path))
    const box = await openBox(format, path)
    const received = `Received: from a.example.org by b.example.org; Mon, 5 Jan 2015 00:00:00 +0000\r\n`
    const headers = [0, 1, 50, 100, 103, 104, 105, 106, 200, 1000, 3000].map((count) => `Subject: n${count}\r\n${received.repeat(count)}\r\n`)
    for (const header of headers) {
      const octets = Buffer.from(`${header}${'a line of text\r\n'.repeat(8000)}`)
      await deliverTo(format, path, [{ bytes: octets, system: 0, keywords: [], date: { ms: Date.UTC(2015, 0, 5), zone: 0 } }], box)
    }
    await box.refresh({ claimRecent: true })
    const read: string[] = []
    for await (const batch of box.source.read(uids.all, { bytes: 'header', sections: [], facts: [] }, box.table.generation, never)) {
      for (const m of batch) {
        const octets = Buffer.alloc(m.bytes.size)
        let at = 0
        for (let got = 1; got > 0 && at < octets.length; at += got) got = await m.bytes.read(at, octets.subarray(at, at + 5000), never)
        expect([at, octets.subarray(-16).toString()]).toEqual([octets.length, 'a line of text\r\n'])
        read.push(octets.toString('latin1', 0, m.headerSize))
      }
    }
    expect(read).toEqual(headers)
    await box.close()
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
})
