import type { FlagChange, FoundMailbox, MailboxSettings } from '../../core/api/index.js'
import { SegmentPool } from '../../core/mail/cache/fact-store.js'
import type { SharedMailbox } from '../../core/mail/registry/shared-mailbox.js'
import { SourceRegistry } from '../../core/mail/registry/registry.js'
import { stateKeeper } from '../../core/mail/registry/state-folders.js'
import { VirtualFiles } from '../../core/testing/disk/virtual-files.js'
import { QuietLogger, StillClock, alice, never, setOf, testSettings } from './mail.js'
import { place } from './mail-table.js'
import { TextDisk } from './mail-text-source.js'

/** A disk with alice's home on it. */
export async function homes(): Promise<VirtualFiles> {
  const files = new VirtualFiles()
  await files.makeDirectory('/home', 0o755)
  await files.makeDirectory('/home/alice', 0o755)
  await files.syncDirectory('/')
  await files.syncDirectory('/home')
  return new VirtualFiles(files.disk)
}
/** What one process of the server has of mailboxes and their journals. */
export function serverProcess(files: VirtualFiles, { clock = new StillClock(), settings = testSettings }: { readonly clock?: StillClock; readonly settings?: MailboxSettings } = {}) {
  const logger = new QuietLogger()
  const registry = new SourceRegistry(clock, logger)
  const keeper = stateKeeper({ files, settings, clock, logger, pool: new SegmentPool() }, place.at, alice)
  const open = async (disk: { found(): FoundMailbox }): Promise<SharedMailbox> => {
    const mailbox = await registry.acquire(disk.found(), settings, keeper, never)
    mailbox.writers++
    await mailbox.refresh(never)
    return mailbox
  }
  return { clock, logger, registry, open, keeper }
}
/** A mailbox with these messages: uids and flags. */
export function disk(...messages: readonly (readonly [number, number])[]): TextDisk {
  const d = new TextDisk()
  for (const [uid, system] of messages) d.messages.set(uid, { system, keywords: [] })
  return d
}
export const change = (how: FlagChange['how'], system: number, ...list: number[]): FlagChange => ({ uids: setOf(...list), how, system, keywords: [] })
/** Flags of the open mailbox by uid. */
export function flags(m: SharedMailbox): Record<number, number> {
  const out: Record<number, number> = {}
  const { generation: g, length } = m.table
  for (let row = 0; row < length; row++) out[g.uid[row]!] = g.flagSets[g.flags[row]!]!.system
  return out
}
