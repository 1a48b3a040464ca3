import type { DriverAbout, Files } from '../../core/api/index.js'
import { inlineLane } from '../../core/os/lane.js'
import type { DriverUnderTest, KitServices } from '../../core/testing/driver-under-test.js'
import { FilesDriver } from '../../plugins/drivers/files/store.js'
import type { FixedContext } from '../../plugins/formats/shared/fixed/context.js'
import type { Dialect } from '../../plugins/formats/shared/fixed/dialect.js'
import { FixedFormat } from '../../plugins/formats/shared/fixed/format.js'
import { fixedContext } from '../../plugins/formats/shared/fixed/plugin.js'
import { lockSettings, mailboxSettings, memorySpool, quiet, TestClock } from './unix.js'

/** What formats with fixed headers need, as a server process has it; `folder` takes locks and state. */
export function fixedContextOf(files: Files, folder: string, change: Partial<FixedContext> = {}): FixedContext {
  const clock = change.clock ?? new TestClock(Date.now())
  let lot = 1
  const random = (octets: number): Uint8Array => Uint8Array.from({ length: octets }, () => (lot = (lot * 75 + 74) % 65537) & 0xff)
  const services = { files, clock, random, locks: { ...lockSettings, lockDirectory: folder }, mailbox: mailboxSettings(`${folder}/state`), spool: memorySpool, logger: quiet }
  return { ...fixedContext(services, { watch: false }), ...change }
}

/** As a server has it: short runs of file work go by the lane. */
export function fixedFormat(dialect: Dialect, services: KitServices, change: Partial<FixedContext> = {}): FixedFormat {
  return new FixedFormat(dialect, { ...fixedContext({ ...services, lane: inlineLane(services) }, { watch: true }), ...change })
}
/** The server's store of files with this format alone. It has folders, where the format has none. */
export function filesWith(name: string, about: DriverAbout, dialect: Dialect): DriverUnderTest {
  return {
    about: { ...about, hierarchy: true },
    keeps: 'files',
    create(services) {
      const { files, mailbox } = services
      const formats = [{ name, plugin: `format-${name}`, about, made: fixedFormat(dialect, services) }]
      return new FilesDriver({ files, formats, choice: { create: name, empty: name }, mailbox, listing: { maxDepth: 20, maxEntries: 0, hideDotFiles: false } })
    },
  }
}
