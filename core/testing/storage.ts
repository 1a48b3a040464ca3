import type { Logger } from '../api/kernel.js'
import type { MailUser } from '../api/mail/names.js'
import type { DiskOp } from './disk/disk-op.js'
import type { InodeTable } from './disk/inode-table.js'
import { VirtualFiles } from './disk/virtual-files.js'
import type { KitServices } from './driver-under-test.js'
import { KitClock } from './kit-clock.js'
import { memorySpool } from './kit-spool.js'
import { SeededRandom } from './random.js'

const HOME = '/home/alice'
const LOCKS = '/tmp'
const silent: Logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
export const kitUser: MailUser = { name: 'alice', kind: 'account', home: HOME, facts: {} }

/** The machine of a test: its disk, its time, and what a host gives a driver. */
export class Storage implements Disposable {
  readonly files: VirtualFiles
  readonly clock: KitClock
  readonly #random: SeededRandom

  constructor(files: VirtualFiles, clock: KitClock, seed: number) {
    this.files = files
    this.clock = clock
    this.#random = new SeededRandom(seed)
  }
  /** A new machine with an empty home. */
  static async create(seed: number): Promise<Storage> {
    const files = new VirtualFiles()
    for (const path of ['/home', HOME, LOCKS]) await files.makeDirectory(path, 0o755)
    return new Storage(new VirtualFiles(files.disk), new KitClock(files.disk.now + 60_000), seed)
  }
  /** The machine after it stopped and came up again with this disk; with `goesOn`, after its processes alone were stopped. */
  restarted(disk: InodeTable, goesOn = false): Storage {
    disk.moveTo(this.clock.now())
    const clock = new KitClock(this.clock.now() + 60_000)
    return new Storage(new VirtualFiles(disk, goesOn ? this.files.boot : undefined), clock, this.#random.below(0x7fffffff))
  }
  get log(): readonly DiskOp[] {
    return this.files.log
  }
  services(): KitServices {
    return {
      files: this.files,
      clock: this.clock,
      random: (octets) => this.#random.octets(octets),
      logger: silent,
      spool: memorySpool,
      host: { id: 'kit', serverName: 'mail.example.org' },
      mailbox: {
        fileMode: 0o600,
        directoryMode: 0o700,
        stateDirectory: '{home}/.mailwright',
        defaultKeywords: [],
        fromQuoting: 'all',
        checkpointDelayMs: 5_000,
        durability: 'full',
        pollMs: 1_000,
        invalidInbox: 'empty',
        makeOnArrival: 'asked',
      },
      locks: { dotlock: true, dotlockTimeoutMs: 300_000, dotlockMode: 0o666, lockDirectory: LOCKS, kernelLocks: ['flock', 'fcntl'], warnUnlocked: true, askOwner: true },
      formats: { create: 'unix', empty: 'unix' },
      user: kitUser,
      home: HOME,
    }
  }
  [Symbol.dispose](): void {
    this.clock[Symbol.dispose]()
  }
}
