import { appendFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ENVELOPE, Turns, sealDeriver, type AppendItem, type Clock, type MailAccess, type MailboxFormat, type MailboxSettings, type MailboxView, type Wants } from '../../../core/api/index.js'
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
import { FixedFormat } from '../../../plugins/formats/shared/fixed/format.js'
import { mbxDialect } from '../../../plugins/formats/mbx/dialect.js'
import { isWritable } from '../../../plugins/formats/shared/folders.js'
import { TextFormat } from '../../../plugins/formats/shared/text/format.js'
import { toldLocks } from '../../../plugins/formats/shared/locks/wait-lines.js'
import { memorySpool } from '../../../core/testing/kit-spool.js'
import { QuietLogger, StillClock, alice, mailFixture, memoryAbout, named, never, testSettings, type MailFixture } from '../../support/mail.js'
import { steppingFiles } from '../../support/stepping-files.js'
import { fixedContextOf } from '../../support/fixed.js'
import { lockSettings, OpenUnix, quiet, unixContext } from '../../support/unix.js'

const MESSAGES = 30
const WHOLE: Wants = { bytes: 'whole', sections: [], facts: [] }
const locks = await nativeLocks()
const { files, steps, reset } = steppingFiles(new SystemFiles(locks))

interface Sort {
  readonly name: string
  readonly make: (clock: Clock, mailbox: MailboxSettings, home: string) => MailboxFormat
  /** Steps of a first SELECT, of the first message that is read, and of another one. */
  readonly select: number
  readonly message: number
  readonly another: number
}
const random = (n: number): Uint8Array => new Uint8Array(n).fill(77)
const sorts: readonly Sort[] = [
  {
    // The folder, the format, its files and what lies beside it, whose file it is. A message: its file and that of the lock at once.
    name: 'mix', select: 4, message: 1, another: 0,
    make: (clock, mailbox) => new MixFormat({ files, clock, locks: toldLocks({ files, clock, random, settings: lockSettings, logger: quiet, machine: { host: 'mail.example.org', pid: process.pid } }), turns: new Turns(), spool: memorySpool, mailbox }),
  },
  {
    // The file, its beginning, and whether it may be written with what lies beside it. A message: its file, and whether it is still as it was.
    name: 'unix', select: 3, message: 2, another: 1,
    make: (clock, mailbox, home) => new TextFormat(unixContext(files, join(home, 'locks'), { clock, mailbox })),
  },
  {
    // The file, its beginning, what lies beside it with whether it may be written, and the file once more, to be held, with what changes before may have left.
    name: 'mbx', select: 8, message: 0, another: 0,
    make: (clock, mailbox, home) => new FixedFormat(mbxDialect, fixedContextOf(files, join(home, 'locks'), { clock, mailbox })),
  },
]

/** A process with mailboxes of one format, over the files of the machine. */
class Site implements AsyncDisposable {
  readonly #fixture: MailFixture
  readonly #user: typeof alice
  constructor({ name, make }: Sort, home: string) {
    this.#user = { ...alice, home }
    // What was made just now may be changed once more in the same tick of the clock.
    const clock = new StillClock(Date.now() + 60_000)
    const settings = { ...testSettings, stateDirectory: '{home}/.mailwright' }
    const formats = [{ name, plugin: `format-${name}`, about: memoryAbout, made: make(clock, settings, home) }]
    const parts = { files, settings, clock, logger: new QuietLogger(), pool: new SegmentPool() }
    this.#fixture = mailFixture({
      clock, settings,
      driver: new FilesDriver({ files, formats, choice: { create: name, empty: name }, mailbox: settings, listing: { maxDepth: 20, maxEntries: 0, hideDotFiles: true } }),
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

async function counted<T>(work: () => Promise<T>): Promise<{ readonly value: T; readonly taken: number }> {
  reset()
  const value = await work()
  return { value, taken: steps() }
}

// Without the call that reads what is in memory, whoever reads waits for a thread each time.
describe.skipIf(locks?.readNow === undefined).each(sorts)('steps in a row that a session waits for: $name', (sort) => {
  let home = ''
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'mailwright-steps-'))
    await mkdir(join(home, 'mail'), { mode: 0o700 })
    await mkdir(join(home, 'locks'))
    await using site = new Site(sort, home)
    const mail = await site.login()
    const box = await mail.create(named('box'), { specialUse: [] }, never)
    await mail.append(box, samples(), never)
    const view = await select(mail)
    await read(view, 1, { bytes: 'none', sections: [], facts: [ENVELOPE] })
    await view.close(never)
  })
  afterEach(() => rm(home, { recursive: true, force: true }))
  test('SELECT by a process that has rows of last time', async () => {
    await using site = new Site(sort, home)
    const mail = await site.login()
    const { value: view, taken } = await counted(() => select(mail))
    expect({ taken, exists: view.announced }).toEqual({ taken: sort.select, exists: MESSAGES })
  })
  test('SELECT of a mailbox that is open: whether it is still as it was', async () => {
    await using site = new Site(sort, home)
    await select(await site.login())
    const mail = await site.login()
    const { value: view, taken } = await counted(() => select(mail))
    expect({ taken, exists: view.announced }).toEqual({ taken: 1, exists: MESSAGES })
  })
  test('the first message that is read, and another', async () => {
    await using site = new Site(sort, home)
    const view = await select(await site.login())
    const { value: octets, taken } = await counted(() => read(view, 2, WHOLE))
    expect({ taken, octets }).toEqual({ taken: sort.message, octets: sampleMessage(1).bytes.length })
    expect(await counted(() => read(view, 20, WHOLE))).toEqual({ taken: sort.another, value: sampleMessage(19).bytes.length })
  })
  test('the first envelope that is asked for: the file that they are kept in', async () => {
    await using site = new Site(sort, home)
    const view = await select(await site.login())
    const { value: octets, taken } = await counted(() => read(view, 1, { bytes: 'none', sections: [], facts: [ENVELOPE] }))
    expect(octets).toBeGreaterThan(0)
    expect(taken).toBe(1)
  })
  test('STATUS by a process that has rows of last time takes what SELECT takes, and afterwards one', async () => {
    await using site = new Site(sort, home)
    const mail = await site.login()
    const status = async (): Promise<number | undefined> => {
      for await (const { messages } of mail.figures([await mail.locate(named('box'), 'status', never)], never)) return messages
      return undefined
    }
    expect(await counted(status)).toEqual({ taken: sort.select, value: MESSAGES })
    expect(await counted(status)).toEqual({ taken: 1, value: MESSAGES })
  })
})

describe.skipIf(locks?.readNow === undefined)('steps in a row under the locks of a unix mailbox', () => {
  test('what others delivered while it was open', async () => {
    const home = await mkdtemp(join(tmpdir(), 'mailwright-steps-'))
    try {
      const path = join(home, 'box')
      const message = (n: number): string => `From bob@example.net Mon Jan  5 09:08:0${n} 2015\nSubject: ${n}\n\nhello\n\n`
      await writeFile(path, message(1))
      const box = await OpenUnix.open(unixContext(files, home), path)
      await box.refresh(true)
      await appendFile(path, message(2))
      await box.refresh(true)
      await appendFile(path, message(3))
      const look = await counted(() => box.refresh(false))
      expect({ taken: look.taken, there: box.uids }).toEqual({ taken: 12, there: [1, 2, 3] })
      await box.source.close()
    } finally {
      await rm(home, { recursive: true, force: true })
    }
  })
})

describe.skipIf(locks?.readNow === undefined)('steps in a row below a mailbox', () => {
  let home = ''
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'mailwright-steps-'))
  })
  afterEach(() => rm(home, { recursive: true, force: true }))
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
})
