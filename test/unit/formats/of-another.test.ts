import { cp, mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { MailboxFormat, MailUser } from '../../../core/api/index.js'
import { SystemFiles } from '../../../core/os/files.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import { mbxDialect } from '../../../plugins/formats/mbx/dialect.js'
import { MhFormat } from '../../../plugins/formats/mh/format.js'
import { MixFormat } from '../../../plugins/formats/mix/format.js'
import { mmdfDialect } from '../../../plugins/formats/mmdf/dialect.js'
import { mtxDialect } from '../../../plugins/formats/mtx/dialect.js'
import { MxFormat } from '../../../plugins/formats/mx/format.js'
import { FixedFormat } from '../../../plugins/formats/shared/fixed/format.js'
import type { Dialect } from '../../../plugins/formats/shared/fixed/dialect.js'
import { unixDialect, type TextDialect } from '../../../plugins/formats/shared/text/dialect.js'
import { TextFormat } from '../../../plugins/formats/shared/text/format.js'
import { tenexDialect } from '../../../plugins/formats/tenex/dialect.js'
import { directoryContext } from '../../support/directory-formats.js'
import { fixedContextOf } from '../../support/fixed.js'
import { deliver, itemOf, OpenBox, placeOf, temporaryFolder } from '../../support/open-box.js'
import { mailboxSettings, TestClock, unixContext } from '../../support/unix.js'

const files = new SystemFiles(await nativeLocks())
/** A server process; its clock is ahead by so much. */
type Made = (folder: string, aheadMs: number) => MailboxFormat
const clock = (aheadMs: number): TestClock => new TestClock(Date.now() + aheadMs)
const text = (dialect: TextDialect): Made => (folder, ms) => new TextFormat(unixContext(files, folder, { dialect, clock: clock(ms) }))
const fixed = (dialect: Dialect): Made => (folder, ms) => new FixedFormat(dialect, fixedContextOf(files, folder, { clock: clock(ms) }))
const formats: readonly (readonly [string, Made])[] = [
  ['unix', text(unixDialect)],
  ['mmdf', text(mmdfDialect)],
  ['mbx', fixed(mbxDialect)],
  ['mtx', fixed(mtxDialect)],
  ['tenex', fixed(tenexDialect)],
  ['mx', (_, ms) => new MxFormat(directoryContext(files, clock(ms)))],
  ['mix', (_, ms) => new MixFormat(directoryContext(files, clock(ms)))],
  ['mh', (folder, ms) => new MhFormat({ ...directoryContext(files, clock(ms)), mailbox: mailboxSettings(`${folder}/state`) }, { profile: '.mh_profile', allowInbox: false })],
]

/** Large ones are read piece by piece. */
const sizes = { small: 1, large: 3000 }
const message = (word: string, n: number, lines: number): string => `Subject: ${word}${n}\r\n\r\n${`${word} and nothing but ${word}\r\n`.repeat(lines)}`
async function make(format: MailboxFormat, path: string, user: MailUser, word: string, lines: number): Promise<void> {
  await format.create(placeOf(path, user))
  await deliver(format, path, [1, 2].map((n) => itemOf(message(word, n, lines))), user)
  const box = await OpenBox.open(format, path, undefined, user)
  await box.refresh(true)
  await box.source.close()
}
const overwrite = async (path: string, other: string): Promise<void> => {
  if ((await stat(path)).isDirectory()) await cp(other, path, { recursive: true })
  else await writeFile(path, await readFile(other))
}
const put = {
  'by its name': async (path: string, other: string) => {
    await rename(path, `${path}.old`)
    await rename(other, path)
  },
  'octet by octet': overwrite,
  'octet by octet with more behind': async (path: string, other: string, box: OpenBox) => {
    await deliver(box.format, other, [itemOf('Subject: more\r\n\r\n')])
    await overwrite(path, other)
  },
  'after a look that found none': async (path: string, other: string, box: OpenBox) => {
    await rename(path, `${path}.old`)
    await expect(box.refresh()).rejects.toMatchObject({ kind: 'not-found' })
    await rename(other, path)
  },
}

// UIDs and sizes are the same: nothing else tells the messages of one mailbox from those of the other.
describe.each(formats)('%s: another mailbox was put in the place of an open one, and nobody has looked since', (name, made) => {
  // In MH a message is its file, whatever is in it.
  const ways = Object.keys(put).filter((how) => name !== 'mh' || !how.startsWith('octet'))
  test.each(ways.flatMap((how) => Object.keys(sizes).map((size) => [how, size] as [keyof typeof put, keyof typeof sizes])))('%s: none of its octets is read (%s messages)', async (how, size) => {
    await using folder = temporaryFolder('another')
    const user: MailUser = { name: 'alice', kind: 'account', home: folder.path, facts: {} }
    await writeFile(join(folder.path, '.mh_profile'), '')
    await mkdir(join(folder.path, 'Mail'))
    const [path, other] = [join(folder.path, 'Mail', 'box'), join(folder.path, 'Mail', 'other')]
    await make(made(folder.path, -20_000), path, user, 'mine', sizes[size])
    await make(made(folder.path, -5000), other, user, 'thei', sizes[size])
    const box = await OpenBox.open(made(folder.path, 0), path, undefined, user)
    await box.refresh()
    const mine = (await box.messages()).map((m) => m.text)
    expect(mine).toEqual([1, 2].map((n) => message('mine', n, sizes[size])))
    await put[how](path, other, box)
    // What is open may have the old octets still.
    const read = await box.messages().catch((error: unknown) => (expect(error).toMatchObject({ kind: expect.stringMatching(/^(vanished|not-found)$/) as string }), []))
    expect(read.filter((m) => !mine.includes(m.text)).map((m) => m.text.slice(0, 20))).toEqual([])
    await box.source.close()
  })
})
