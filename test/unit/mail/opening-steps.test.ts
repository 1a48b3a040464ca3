import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ENVELOPE, Turns, sealDeriver, type AppendItem, type MailAccess, type MailboxFormat, type MailboxView, type Wants } from '../../../core/api/index.js'
import { readWhole } from '../../../core/mail/cache/directories.js'
import { SegmentPool } from '../../../core/mail/cache/fact-store.js'
import { stateKeeper } from '../../../core/mail/registry/state-folders.js'
import { deriverTable } from '../../../core/mail/view/deriving.js'
import { envelopeDeriver } from '../../../core/mime/facts.js'
import { SystemFiles } from '../../../core/os/files.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import { itemOf, sampleMessage } from '../../../core/testing/messages.js'
import { FilesDriver } from '../../../plugins/drivers/files/store.js'
import { MixFormat } from '../../../plugins/formats/mix/format.js'
import { isWritable } from '../../../plugins/formats/shared/folders.js'
import { memorySpool } from '../../../core/testing/kit-spool.js'
import { QuietLogger, StillClock, alice, mailFixture, memoryAbout, named, never, testSettings, type MailFixture } from '../../support/mail.js'
import { steppingFiles } from '../../support/stepping-files.js'
import { lockSettings } from '../../support/unix.js'

const MESSAGES = 30
const WHOLE: Wants = { bytes: 'whole', sections: [], facts: [] }
const locks = await nativeLocks()
const { files, steps, reset } = steppingFiles(new SystemFiles(locks))

/** A process with mailboxes in the format mix, over the files of the machine. */
class Site implements AsyncDisposable {
  readonly #fixture: MailFixture
  readonly #user: typeof alice
  constructor(home: string) {
    this.#user = { ...alice, home }
    // What was made just now may be changed once more in the same tick of the clock.
    const clock = new StillClock(Date.now() + 60_000)
    const settings = { ...testSettings, stateDirectory: '{home}/.mailwright' }
    const random = (n: number): Uint8Array => new Uint8Array(n).fill(77)
    const made: MailboxFormat = new MixFormat({
      files, clock, locks: { files, clock, random, settings: lockSettings, machine: { host: 'mail.example.org', pid: process.pid } }, turns: new Turns(), spool: memorySpool, mailbox: settings,
    })
    const formats = [{ name: 'mix', plugin: 'format-mix', about: memoryAbout, made }]
    const parts = { files, settings, clock, logger: new QuietLogger(), pool: new SegmentPool() }
    this.#fixture = mailFixture({
      clock, settings,
      driver: new FilesDriver({ files, formats, choice: { create: 'mix', empty: 'mix' }, mailbox: settings, listing: { maxDepth: 20, maxEntries: 0, hideDotFiles: true } }),
      derivers: deriverTable([sealDeriver(envelopeDeriver)]),
      stateOf: (at, owner) => stateKeeper(parts, at, owner),
    })
  }
  login(): Promise<MailAccess & AsyncDisposable> {
    return this.#fixture.login(this.#user)
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#fixture[Symbol.asyncDispose]()
  }
}
async function select(mail: MailAccess): Promise<MailboxView> {
  return mail.open(await mail.locate(named('box'), 'open', never), 'read-write', never)
}
async function read(view: MailboxView, uid: number, wants: Wants): Promise<number> {
  let octets = 0
  for await (const batch of view.read(view.resolve({ pairs: Uint32Array.of(uid, uid) }, 'uid'), wants, never)) {
    for (const m of batch) octets += wants.bytes === 'none' ? (m.fact?.(ENVELOPE)?.length ?? 0) : await m.bytes.read(0, new Uint8Array(m.bytes.size), never)
  }
  return octets
}
async function* samples(): AsyncGenerator<AppendItem> {
  for (let n = 0; n < MESSAGES; n++) yield itemOf(sampleMessage(n))
}

// Without the call that reads what is in memory, whoever reads waits for a thread each time.
describe.skipIf(locks?.readNow === undefined)('steps in a row that a session waits for', () => {
  let home = ''
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'mailwright-steps-'))
    await mkdir(join(home, 'mail'), { mode: 0o700 })
    await using site = new Site(home)
    const mail = await site.login()
    const box = await mail.create(named('box'), { specialUse: [] }, never)
    await mail.append(box, samples(), never)
    const view = await select(mail)
    await read(view, 1, { bytes: 'none', sections: [], facts: [ENVELOPE] })
    await view.close(never)
  })
  afterEach(() => rm(home, { recursive: true, force: true }))
  async function counted<T>(work: () => Promise<T>): Promise<{ readonly value: T; readonly taken: number }> {
    reset()
    const value = await work()
    return { value, taken: steps() }
  }

  test('SELECT by a process that has rows of last time: the folder, the format, its files and what lies beside it, whose file it is', async () => {
    await using site = new Site(home)
    const mail = await site.login()
    const { value: view, taken } = await counted(() => select(mail))
    expect({ taken, exists: view.announced }).toEqual({ taken: 4, exists: MESSAGES })
  })
  test('SELECT of a mailbox that is open: the folder', async () => {
    await using site = new Site(home)
    await select(await site.login())
    const mail = await site.login()
    const { value: view, taken } = await counted(() => select(mail))
    expect({ taken, exists: view.announced }).toEqual({ taken: 1, exists: MESSAGES })
  })
  test('the first message that is read: its file and that of the lock at once', async () => {
    await using site = new Site(home)
    const view = await select(await site.login())
    const { value: octets, taken } = await counted(() => read(view, 2, WHOLE))
    expect({ taken, octets }).toEqual({ taken: 1, octets: sampleMessage(1).bytes.length })
  })
  test('the first envelope that is asked for: the file that they are kept in', async () => {
    await using site = new Site(home)
    const view = await select(await site.login())
    const { value: octets, taken } = await counted(() => read(view, 1, { bytes: 'none', sections: [], facts: [ENVELOPE] }))
    expect(octets).toBeGreaterThan(0)
    expect(taken).toBe(1)
  })
  test('what lies beside a mailbox, where it is not too long: its opening', async () => {
    for (const [octets, taken] of [[0, 1], [700_000, 1], [1_500_000, 3]] as const) {
      const bytes = Buffer.alloc(octets, 'rows of a mailbox ')
      await writeFile(join(home, 'rows'), bytes)
      const read = await counted(() => readWhole(files, join(home, 'rows')))
      expect({ octets, taken: read.taken, same: bytes.equals(read.value ?? Buffer.of(1)) }).toEqual({ octets, taken, same: true })
    }
  })
  test('whether a mailbox may be written: its opening', async () => {
    await writeFile(join(home, 'inbox'), '')
    expect(await counted(() => isWritable(files, join(home, 'inbox')))).toEqual({ taken: 1, value: true })
    expect(await counted(() => isWritable(files, join(home, 'none', 'inbox')))).toEqual({ taken: 1, value: true })
  })
  test('STATUS by a process that has rows of last time takes what SELECT takes, and afterwards one', async () => {
    await using site = new Site(home)
    const mail = await site.login()
    const status = async (): Promise<number | undefined> => {
      for await (const { messages } of mail.figures([await mail.locate(named('box'), 'status', never)], never)) return messages
      return undefined
    }
    expect(await counted(status)).toEqual({ taken: 4, value: MESSAGES })
    expect(await counted(status)).toEqual({ taken: 1, value: MESSAGES })
  })
})
