import type { Files } from '../api/files.js'
import type { FormatChoice, HostFacts, LockSettings, MailboxSettings } from '../api/host.js'
import type { Clock, Logger } from '../api/kernel.js'
import type { Spool } from '../api/mail/delivery.js'
import type { MailUser, Mount } from '../api/mail/names.js'
import type { DriverAbout, MailDriver } from '../api/mail/store.js'

/** What the host gives a driver, as the kit has it. */
export interface KitServices {
  readonly files: Files
  readonly clock: Clock
  readonly random: (octets: number) => Uint8Array
  readonly logger: Logger
  readonly spool: Spool
  readonly host: HostFacts
  readonly mailbox: MailboxSettings
  readonly locks: LockSettings
  readonly formats: FormatChoice
  readonly user: MailUser
  /** Directory that is there and empty, in `files`. */
  readonly home: string
}

/** A driver, and what the kit must know to test it. */
export interface DriverUnderTest {
  /** As it is contributed: what it says it can decides which cases run. */
  readonly about: DriverAbout
  /**
   * Makes the driver. Called anew for every case, after every restart and crash, and for a second process on the same mail.
   * With `keeps: 'files'` it must keep everything in `services.files`, which may be a disk in memory.
   */
  create(services: KitServices): MailDriver | Promise<MailDriver>
  /**
   * Where mail is between two drivers: in `services.files` (restarts, crashes and failures of the disk are tried), in a place of its own
   * that `create` finds again by `services.home` (restarts are tried), or nowhere.
   */
  readonly keeps: 'files' | 'elsewhere' | 'nothing'
  /** What differs from an ordinary personal mount. */
  readonly mount?: Partial<Mount>
  /** What a format makes of a message that it cannot keep as it is (quoted From lines, an ended header); default: nothing. */
  stored?(octets: Uint8Array): Uint8Array
  /** Names that a mailbox in it can have; default: `one`, `two`, ... */
  mailboxName?(index: number): string
  /** Cases that do not fit, by id, with the reason; it is printed. */
  readonly except?: Readonly<Record<string, string>>
}
