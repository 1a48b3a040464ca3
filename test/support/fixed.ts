import type { Files } from '../../core/api/index.js'
import type { FixedContext } from '../../plugins/formats/shared/fixed/context.js'
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
