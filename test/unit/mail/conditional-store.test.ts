import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { SYSTEM, type FlagChange, type Modseq, type Row, type TableEdit, type UidSet } from '../../../core/api/index.js'
import { SegmentPool } from '../../../core/mail/cache/fact-store.js'
import { SourceRegistry } from '../../../core/mail/registry/registry.js'
import type { SharedMailbox } from '../../../core/mail/registry/shared-mailbox.js'
import { stateKeeper } from '../../../core/mail/registry/state-folders.js'
import { VirtualFiles } from '../../../core/testing/disk/virtual-files.js'
import { SystemFiles } from '../../../core/os/files.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import { TextFormat } from '../../../plugins/formats/shared/text/format.js'
import { QuietLogger, StillClock, alice, listOf, never, setOf, testSettings } from '../../support/mail.js'
import { PassiveSource, place, sharedOver } from '../../support/mail-table.js'
import { TextDisk } from '../../support/mail-text-source.js'
import { placeOf, temporaryFolder } from '../../support/open-box.js'
import { unixContext } from '../../support/unix.js'

const since = (m: SharedMailbox): { readonly unchangedSince: Modseq } => ({ unchangedSince: m.table.highestModseq as Modseq })
const flag = (system: number, ...list: number[]): FlagChange => ({ uids: setOf(...list), how: 'add', system, keywords: [] })
function flags({ table: { generation: g, length } }: SharedMailbox): readonly number[] {
  return Array.from({ length }, (_, row) => g.flagSets[g.flags[row]!]!.system)
}

describe('what the operation itself finds that others changed', () => {
  /** A source that looks before it changes anything, and finds that others have flagged messages. */
  async function scene(...flagged: readonly number[]) {
    const source = Object.assign(new PassiveSource(), {
      store: async (change: FlagChange, edit: TableEdit): Promise<UidSet> => {
        for (const uid of flagged) edit.setFlags(edit.rows.find(uid) as Row, edit.flagSet(SYSTEM.flagged, []))
        return edit.apply(change).refused
      },
    })
    const { shared, view } = sharedOver(source)
    await shared.edit(async (edit) => {
      for (let uid = 1; uid <= 4; uid++) edit.add(uid, edit.flagSet(0, []), false)
    }, never)
    return { shared, session: view() }
  }
  test('is not changed under a condition that it does not fit any more (RFC 7162 §3.1.3)', async () => {
    const { shared, session } = await scene(2, 4)
    const refused = await session.store({ ...flag(SYSTEM.seen, 1, 2), ...since(shared) }, true, never)
    expect(listOf(refused)).toEqual([2])
    expect(flags(shared)).toEqual([SYSTEM.seen, SYSTEM.flagged, 0, SYSTEM.flagged])
  })
  test('is told to the session whose command it was, and its own change is not', async () => {
    const { session } = await scene(2, 4)
    await session.store(flag(SYSTEM.seen, 1, 2), true, never)
    expect(session.take({ expunge: false })?.changed.pairs).toEqual(Uint32Array.of(1, 1, 3, 3))
    expect(session.take({ expunge: false })).toBeUndefined()
  })
  test('a message that was found on the way does not fit either', async () => {
    const { shared } = await scene()
    Object.assign(shared.source, {
      store: async (change: FlagChange, edit: TableEdit) => {
        edit.add(5, edit.flagSet(0, []), false)
        return edit.apply(change).refused
      },
    })
    expect(listOf(await shared.store({ ...flag(SYSTEM.seen, 4, 5), ...since(shared) }, undefined, never))).toEqual([5])
  })
})

describe('a mailbox whose flags go to the journal first', () => {
  async function opened() {
    const files = new VirtualFiles()
    await files.makeDirectory('/home', 0o755)
    await files.makeDirectory('/home/alice', 0o755)
    const [clock, logger] = [new StillClock(), new QuietLogger()]
    const registry = new SourceRegistry(clock, logger)
    const disk = new TextDisk()
    for (const uid of [1, 2, 3]) disk.messages.set(uid, { system: 0, keywords: [] })
    const m = await registry.acquire(disk.found(), testSettings, stateKeeper({ files, settings: testSettings, clock, logger, pool: new SegmentPool() }, place.at, alice), never)
    m.writers++
    await m.refresh(never)
    return { m, disk, files, registry }
  }
  test('is looked at before a change with a condition', async () => {
    const { m, disk, registry } = await opened()
    const before = since(m)
    disk.messages.get(2)!.system = SYSTEM.flagged
    disk.version++
    expect(listOf(await m.store({ ...flag(SYSTEM.seen, 1, 2), ...before }, undefined, never))).toEqual([2])
    expect(flags(m)).toEqual([SYSTEM.seen, SYSTEM.flagged, 0])
    expect(disk.checkpoints).toBe(0)
    await registry[Symbol.asyncDispose]()
    expect([...disk.messages.values()].map((x) => x.system)).toEqual([SYSTEM.seen, SYSTEM.flagged, 0])
  })
  test('changes that wait in the journal are not taken for those of others', async () => {
    const { m, disk, registry } = await opened()
    await m.store(flag(SYSTEM.seen, 1), undefined, never)
    const before = since(m)
    disk.messages.get(3)!.system = SYSTEM.flagged
    disk.version++
    expect(listOf(await m.store({ ...flag(SYSTEM.answered, 1, 2, 3), ...before }, undefined, never))).toEqual([3])
    expect(flags(m)).toEqual([SYSTEM.seen | SYSTEM.answered, SYSTEM.answered, SYSTEM.flagged])
    await registry[Symbol.asyncDispose]()
  })
  test('whose journal is lost while a change waits for its turn takes the change itself', async () => {
    const { m, disk, files, registry } = await opened()
    await m.store(flag(SYSTEM.flagged, 1), undefined, never)
    // No room for the word that what waited is folded in: the journal is emptied, and has no head until the next look.
    files.fault = { at: files.log.length, code: 'ENOSPC', lasting: false }
    const folding = m.checkpoint(never).catch(() => undefined)
    await m.store(flag(SYSTEM.seen, 2), undefined, never)
    expect(disk.messages.get(2)!.system).toBe(SYSTEM.seen)
    await folding
    files.fault = undefined
    await registry[Symbol.asyncDispose]()
  })
})

test('unix: STORE UNCHANGEDSINCE does not undo what another program wrote to the file just before', async () => {
  await using folder = temporaryFolder('conditional')
  const path = join(folder.path, 'box')
  const text = (status: string): string => `From a@b Mon Jan  5 09:08:07 2015\nX-IMAPbase: 1000 1\nX-UID: 1\nStatus: O\nX-Status: ${status}\nSubject: x\n\nx\n\n`
  await writeFile(path, text(''))
  const { shared, view } = sharedOver(await new TextFormat(unixContext(new SystemFiles(await nativeLocks()), folder.path)).open(placeOf(path)))
  shared.writers = 1
  await shared.refresh(never)
  const session = view()
  const before = since(shared)
  await writeFile(path, text('F'))
  expect(listOf(await session.store({ ...flag(0, 1), how: 'replace', ...before }, true, never))).toEqual([1])
  expect(await readFile(path, 'latin1')).toContain('X-Status: F')
  expect(session.take({ expunge: false })?.changed.pairs).toEqual(Uint32Array.of(0, 0))
  await shared.close(false)
})
