import { mkdir, mkdtemp, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { DriverAbout, Entry, MailboxFormat, MailStore, MailUser, Mount } from '../../../core/api/index.js'
import { SystemFiles } from '../../../core/os/files.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import { sampleMessage } from '../../../core/testing/messages.js'
import { FilesDriver } from '../../../plugins/drivers/files/store.js'
import { MixFormat } from '../../../plugins/formats/mix/format.js'
import { TextFormat } from '../../../plugins/formats/shared/text/format.js'
import { deliverTo, directoryContext } from '../../support/directory-formats.js'
import { mailboxSettings, never, unixContext } from '../../support/unix.js'

const about: DriverAbout = { modseqs: false, keywords: 'any', uidsPersist: true, hierarchy: false, watches: true, facts: [], manyProcesses: true, acceptsUids: false }
let home = ''
let mix: MixFormat
let mount: Mount
let store: MailStore
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'mailwright-holds-'))
  const files = new SystemFiles(await nativeLocks())
  mix = new MixFormat(directoryContext(files))
  const format = (name: string, made: MailboxFormat): Entry<MailboxFormat, DriverAbout> => ({ name, plugin: `format-${name}`, about, made })
  const formats = [format('mix', mix), format('unix', new TextFormat(unixContext(files, home)))]
  const user: MailUser = { name: 'alice', kind: 'account', home, facts: {} }
  mount = { prefix: '', class: 'personal', store: 'files', root: home, advertised: true, listed: true }
  const listing = { maxDepth: 20, maxEntries: 0, hideDotFiles: false }
  store = await new FilesDriver({ files, formats, choice: { create: 'unix', empty: 'unix' }, mailbox: mailboxSettings('{home}/.mailwright'), listing }).openStore(user)
})
afterEach(() => rm(home, { recursive: true, force: true }))
const holds = (path: string, text: string): Promise<boolean> | undefined => store.holds?.({ mount, path }, Buffer.from(text), never)

test('a text is found wherever in a file it lies, also across what is read at once', async () => {
  const text = Buffer.alloc(200_000, 'x')
  text.write('NEEDLE', 65_533)
  text.write('the end', text.length - 7)
  await writeFile(join(home, 'box'), text)
  expect(await Promise.all([holds('box', 'needle'), holds('box', 'The End'), holds('box', 'needles'), holds('box', 'the end.')])).toEqual([true, true, false, false])
})
test('mail that was looked through is as new as before', async () => {
  await writeFile(join(home, 'box'), 'From a@b Mon Jan  5 09:08:07 2026\n\nhello\n\n')
  await utimes(join(home, 'box'), 1_000_000, 2_000_000)
  expect(await holds('box', 'hello')).toBe(true)
  expect((await stat(join(home, 'box'))).atimeMs).toBe(1_000_000_000)
})
test('a mailbox that is a folder is looked through in its own files; a directory is none, and neither is what is not there', async () => {
  const path = join(home, 'folder')
  await mkdir(path)
  await mix.create({ path, user: { name: 'alice', kind: 'account', home, facts: {} }, fileMode: 0o600, directoryMode: 0o700 })
  await deliverTo(mix, path, [sampleMessage(3)])
  await writeFile(join(path, 'inferior'), 'elsewhere')
  await mkdir(join(home, 'directory'))
  await writeFile(join(home, 'directory', 'leeks'), 'leeks')
  expect(await Promise.all([holds('folder', 'THIS IS message 3'), holds('folder', 'elsewhere'), holds('directory', 'leeks')])).toEqual([true, false, false])
  expect(await holds('nothing', 'x')).toBe(false)
})
