import { describe, expect, test } from 'vitest'
import type { MailAccess, MailboxFormat } from '../../../core/api/index.js'
import { CRASH_MODES, afterCrash } from '../../../core/testing/disk/crash.js'
import { describeOp } from '../../../core/testing/disk/disk-op.js'
import type { DriverUnderTest, KitServices } from '../../../core/testing/driver-under-test.js'
import { ModelHost } from '../../../core/testing/model/model-host.js'
import { SeededRandom } from '../../../core/testing/random.js'
import { kitUser, Storage } from '../../../core/testing/storage.js'
import { FilesDriver } from '../../../plugins/drivers/files/store.js'
import { mbxDialect } from '../../../plugins/formats/mbx/dialect.js'
import { mtxDialect } from '../../../plugins/formats/mtx/dialect.js'
import { tenexDialect } from '../../../plugins/formats/tenex/dialect.js'
import { MboxFormat } from '../../../plugins/formats/mbox/format.js'
import { MixFormat } from '../../../plugins/formats/mix/format.js'
import { FixedFormat } from '../../../plugins/formats/shared/fixed/format.js'
import { fixedContext } from '../../../plugins/formats/shared/fixed/plugin.js'
import { unixDialect } from '../../../plugins/formats/shared/text/dialect.js'
import { toldLocks } from '../../../plugins/formats/shared/locks/wait-lines.js'
import { Turns } from '../../../core/api/index.js'
import { FileSidecars } from '../../../plugins/sidecars/files/backend.js'
import { named, never } from '../../support/mail.js'
import { textFormat } from '../../support/unix.js'

const about = { modseqs: false, keywords: 'any', uidsPersist: true, hierarchy: true, watches: true, facts: [], manyProcesses: true, acceptsUids: true } as const
const SUBJECTS = ['one', 'two', 'three', 'four', 'five']
const INBOX = named('INBOX')
const spoolOf = (home: string): string => `${home.slice(0, home.lastIndexOf('/'))}/delivered`

interface Target {
  readonly format: string
  /** Where the INBOX is, below the home. */
  readonly name: string
  /** Unless it is said: true. */
  readonly uidsPersist?: boolean
  readonly make: (services: KitServices) => MailboxFormat
}
const targets: readonly Target[] = [
  { format: 'mbox', name: 'mbox', make: (x) => new MboxFormat(textFormat(unixDialect, x), x.mailbox) },
  { format: 'mbx', name: 'INBOX', make: (x) => new FixedFormat(mbxDialect, fixedContext(x, { watch: true })) },
  { format: 'mtx', name: 'INBOX.MTX', uidsPersist: false, make: (x) => new FixedFormat(mtxDialect, fixedContext(x, { watch: true })) },
  { format: 'tenex', name: 'mail.txt', uidsPersist: false, make: (x) => new FixedFormat(tenexDialect, fixedContext(x, { watch: true })) },
  {
    format: 'mix', name: 'INBOX',
    make: ({ files, clock, random, locks, mailbox, spool, logger }) => new MixFormat({ files, clock, locks: toldLocks({ files, clock, random, settings: locks, logger, machine: { host: 'mail.example.org', pid: 1 } }), turns: new Turns(), spool, mailbox }),
  },
]
function under({ format, make, uidsPersist = true }: Target, home: string): DriverUnderTest {
  return {
    about,
    keeps: 'files',
    mount: { inbox: spoolOf(home) },
    create(services) {
      const { files, mailbox } = services
      const formats = [{ name: format, plugin: `format-${format}`, about: { ...about, uidsPersist }, made: make(services) }, { name: 'unix', plugin: 'format-unix', about, made: textFormat(unixDialect, services) }]
      return new FilesDriver({ files, formats, choice: { create: 'unix', empty: 'unix' }, mailbox, listing: { maxDepth: 20, maxEntries: 0, hideDotFiles: false } })
    },
  }
}
/** A machine with mail in the spool and an INBOX elsewhere, of which everything is on the disk. */
async function prepared(target: Target): Promise<Storage> {
  const storage = await Storage.create(1)
  const x = storage.services()
  await target.make(x).create({ path: `${x.home}/${target.name}`, user: kitUser, fileMode: 0o600, directoryMode: 0o700 })
  const spool = await x.files.open(spoolOf(x.home), { write: true, create: 'new', mode: 0o600 })
  await spool.write([Buffer.from(SUBJECTS.map((s) => `From a@example.org Mon Jan  5 09:08:07 2026\nSubject: ${s}\n\n${s}\n\n`).join(''))], 0)
  await spool.sync()
  await spool.close()
  await x.files.syncDirectory(spoolOf(x.home).slice(0, spoolOf(x.home).lastIndexOf('/')))
  return storage
}
async function opened(target: Target, storage: Storage): Promise<{ readonly host: ModelHost; readonly mail: MailAccess }> {
  const x = storage.services()
  const host = await ModelHost.start(under(target, x.home), storage, new FileSidecars({ files: x.files, mailbox: x.mailbox }))
  return { host, mail: await host.login() }
}
/** Opens INBOX as a session does, which moves what is left. */
async function subjects(target: Target, storage: Storage): Promise<readonly string[]> {
  const { host, mail } = await opened(target, storage)
  const found: string[] = []
  try {
    const view = await mail.open(await mail.locate(INBOX, 'open', never), 'read-write', never)
    if (view.announced > 0) {
      for await (const batch of view.read(view.resolve({ pairs: Uint32Array.of(1, view.announced) }, 'seq'), { bytes: 'whole', sections: [], facts: [] }, never)) {
        for (const { bytes } of batch) {
          const octets = Buffer.alloc(bytes.size)
          await bytes.read(0, octets, never)
          found.push(/^Subject: (.*)\r\n\r\n\1\r\n$/.exec(octets.toString('latin1'))?.[1] ?? 'torn')
        }
      }
    }
    await view.close(never)
  } finally {
    await host[Symbol.asyncDispose]()
  }
  return found
}

describe.each(targets)('new mail that is moved to an INBOX in $format', (target) => {
  test.each(CRASH_MODES)('is there once, at every crash: %s', { timeout: 120_000 }, async (mode) => {
    const random = new SeededRandom(20_261_126)
    using storage = await prepared(target)
    const from = storage.log.length
    expect(await subjects(target, storage)).toEqual(SUBJECTS)
    const until = storage.log.length
    expect(until).toBeGreaterThan(from + 10)
    for (let point = from; point <= until; point++) {
      using machine = storage.restarted(afterCrash(storage.files.start, storage.files.log, point, mode, random))
      const where = `behind ${point - from} of ${until - from}: ${describeOp(storage.log[point - 1] ?? { op: 'sync', inode: 0 })}`
      expect({ where, found: await subjects(target, machine) }).toEqual({ where, found: SUBJECTS })
    }
  })
})
