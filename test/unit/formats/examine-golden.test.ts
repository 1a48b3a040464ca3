import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, test } from 'vitest'
import { SYSTEM, type Examined, type FilePlace } from '../../../core/api/index.js'
import { SystemFiles } from '../../../core/os/files.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import { parseDateTime } from '../../../core/wire/imap/dates.js'
import { mbxDialect } from '../../../plugins/formats/mbx/dialect.js'
import { examineMh } from '../../../plugins/formats/mh/examine.js'
import { examineMix } from '../../../plugins/formats/mix/examine.js'
import { mmdfDialect } from '../../../plugins/formats/mmdf/dialect.js'
import { mtxDialect } from '../../../plugins/formats/mtx/dialect.js'
import { examineMx } from '../../../plugins/formats/mx/examine.js'
import { examineFixed } from '../../../plugins/formats/shared/fixed/examine.js'
import { examineText } from '../../../plugins/formats/shared/text/examine.js'
import { tenexDialect } from '../../../plugins/formats/tenex/dialect.js'
import { unixDialect } from '../../../plugins/formats/shared/text/dialect.js'
import { goldenFolder, goldenMailboxes, type GoldenMailbox } from '../../support/golden.js'
import { goldenOf } from '../../support/golden-files.js'
import { alice } from '../../support/unix.js'

const files = new SystemFiles(await nativeLocks())
const { signal } = new AbortController()
const at = (path: string): FilePlace => ({ path, user: alice, fileMode: 0o600, directoryMode: 0o700 })
const BITS = { '\\Seen': SYSTEM.seen, '\\Deleted': SYSTEM.deleted, '\\Flagged': SYSTEM.flagged, '\\Answered': SYSTEM.answered, '\\Draft': SYSTEM.draft } as const

/** What a look for damage tells, and how many octets each message really has. */
async function look(found: AsyncIterable<Examined>): Promise<{ damage: string[]; messages: { size: number; ms: number | undefined; system: number; keywords: readonly string[] }[] }> {
  const damage: string[] = []
  const messages: { size: number; ms: number | undefined; system: number; keywords: readonly string[] }[] = []
  for await (const one of found) {
    if (one.kind === 'damage') {
      damage.push(one.text)
      continue
    }
    if (one.kind === 'numbers') continue
    let size = 0
    for await (const piece of one.bytes) size += piece.length
    expect(size).toBe(one.size)
    messages.push({ size, ms: one.date?.ms, system: one.system, keywords: one.keywords })
  }
  return { damage, messages }
}
/** `flags`: whether the format's own files tell them. */
function expected({ messages }: Pick<GoldenMailbox, 'messages'>, flags: boolean): Awaited<ReturnType<typeof look>>['messages'] {
  return messages.map((m) => ({
    size: m.size,
    ms: parseDateTime(m.internaldate)?.ms,
    system: flags ? m.flags.reduce((sum, flag) => sum | ((BITS as Readonly<Record<string, number>>)[flag] ?? 0), 0) : 0,
    keywords: flags ? m.keywords : [],
  }))
}

const inFolders = (await Promise.all((['mix', 'mx', 'mh'] as const).map(async (format) => (await goldenMailboxes(format)).map((golden) => ({ format, golden, name: golden.mailbox }))))).flat()
const texts = { unix: unixDialect, mmdf: mmdfDialect }
const fixed = { mbx: mbxDialect, mtx: mtxDialect, tenex: tenexDialect }
const folders = { mix: examineMix, mx: examineMx, mh: examineMh }
describe('a look for damage at mailboxes of the reference library finds all messages, and none', () => {
  let folder = ''
  afterEach(async () => {
    if (folder !== '') await rm(folder, { recursive: true, force: true })
    folder = ''
  })
  const inFiles = (['unix', 'mmdf', 'mbx', 'mtx', 'tenex'] as const).flatMap((format) => goldenOf(format).map((golden) => ({ format, golden, name: golden.mailbox })))
  test.each(inFiles)('$name', async ({ format, golden, name }) => {
    const place = at(fileURLToPath(new URL(`../../fixtures/${name}`, import.meta.url)))
    const found = await look(format === 'unix' || format === 'mmdf' ? examineText(place, { dialect: texts[format], files }, signal) : examineFixed(fixed[format], place, { files }, signal))
    // Names of keywords are those of the site in formats that have no place for them.
    const named = format === 'mtx' || format === 'tenex' ? { ...golden, messages: golden.messages.map((m) => ({ ...m, keywords: [] })) } : golden
    expect(found).toEqual({ damage: [], messages: expected(named, true) })
  })
  test.each(inFolders)('$format: $name', async ({ format, golden, name }) => {
    folder = await goldenFolder(format)
    const found = await look(folders[format](at(join(folder, name)), files, signal))
    const messages = format === 'mh' ? found.messages.map((m) => ({ ...m, system: 0 })) : found.messages
    expect({ ...found, messages }).toEqual({ damage: [], messages: expected(golden, format !== 'mh') })
  })
})
