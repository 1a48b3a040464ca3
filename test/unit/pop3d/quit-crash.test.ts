import { describe, expect, test } from 'vitest'
import { inlineLane } from '../../../core/os/lane.js'
import { MarkedMaildrop } from '../../../core/pop3d/maildrop.js'
import { ViewSource } from '../../../core/pop3d/view-source.js'
import { CRASH_MODES, afterCrash } from '../../../core/testing/disk/crash.js'
import { describeOp } from '../../../core/testing/disk/disk-op.js'
import type { DriverUnderTest, KitServices } from '../../../core/testing/driver-under-test.js'
import { driverOfFormat } from '../../../core/testing/format-store.js'
import { ModelHost } from '../../../core/testing/model/model-host.js'
import { SeededRandom } from '../../../core/testing/random.js'
import { Storage } from '../../../core/testing/storage.js'
import { fileLocks } from '../../../plugins/formats/shared/locks.js'
import { Turns } from '../../../plugins/formats/shared/turns.js'
import { AppendFacts } from '../../../plugins/formats/shared/text/append-facts.js'
import { TextFormat } from '../../../plugins/formats/shared/text/format.js'
import { KeptFiles } from '../../../plugins/formats/shared/text/kept-file.js'
import { LoggedLines } from '../../support/auth.js'
import { named, never, note, once } from '../../support/mail.js'
import { testMachine } from '../../support/unix.js'

const about = { modseqs: false, keywords: 'any', uidsPersist: true, hierarchy: true, watches: true, facts: [], manyProcesses: true, acceptsUids: false } as const
const under: DriverUnderTest = {
  about,
  keeps: 'files',
  create: (services: KitServices) => {
    const { files, clock, random, locks, mailbox, host, spool, logger } = services
    const format = new TextFormat({
      files, lane: inlineLane({ files, clock, random }), clock, turns: new Turns(), spool, mailbox, serverName: host.serverName, watch: true, facts: new AppendFacts(), kept: new KeptFiles(),
      locks: fileLocks({ files, clock, random, settings: locks, logger, watch: false, machine: testMachine }),
    })
    return driverOfFormat(format, services)
  },
}
const BOX = named('box')

/** Subjects in order, with S for what is marked as read. */
async function subjects(storage: Storage): Promise<readonly string[]> {
  await using host = await ModelHost.start(under, storage)
  const mail = await host.login()
  const view = await mail.open(await mail.locate(BOX, 'examine', never), 'read-only', never)
  const found: string[] = []
  for await (const batch of view.read(view.resolve({ pairs: Uint32Array.of(1, Math.max(1, view.announced)) }, 'seq'), { bytes: 'whole', sections: [], facts: [] }, never)) {
    for (const { uid, bytes } of batch) {
      const octets = Buffer.alloc(bytes.size)
      await bytes.read(0, octets, never)
      const text = octets.toString('latin1')
      const subject = /^Subject: (.*)\r$/m.exec(text)?.[1] ?? '?'
      // Body and subject are the same word: a message that was torn is not one of them.
      const whole = text.endsWith(`\r\n\r\n${subject}\r\n`)
      const system = view.rows.flagSets[view.rows.flags[view.rows.find(uid)] ?? 0]?.system ?? 0
      found.push(`${whole ? subject : 'torn'}${(system & 1) === 0 ? '' : ' S'}`)
    }
  }
  await view.close(never)
  return found
}

describe('a crash during QUIT', () => {
  test.each(CRASH_MODES)('loses nothing and removes only what was marked, at every change of the disk: %s', async (mode) => {
    const random = new SeededRandom(20_260_102)
    using storage = await Storage.create(1)
    let from: number
    {
      await using host = await ModelHost.start(under, storage)
      const mail = await host.login()
      await mail.append(await mail.create(BOX, { specialUse: [] }, never), once(...['m1', 'm2', 'm3', 'm4', 'm5', 'm6', 'm7', 'm8'].map((s) => note(s))), never)
      const view = await mail.open(await mail.locate(BOX, 'open', never), 'read-write', never)
      const drop = new MarkedMaildrop(await ViewSource.of({ view, logger: new LoggedLines(), expungeFlagged: false }, never), true)
      for (const n of [1, 2, 3]) drop.markSeen(n)
      for (const n of [2, 5, 8]) drop.markDeleted(n)
      from = storage.log.length
      expect(await drop.update(never)).toEqual({ deleted: 3, seen: 2 })
      const until = storage.log.length
      expect(until).toBeGreaterThan(from)
      for (let point = from; point <= until; point++) {
        using machine = storage.restarted(afterCrash(storage.files.start, storage.files.log, point, mode, random))
        const found = await subjects(machine)
        const where = `behind ${point - from} of ${until - from}: ${describeOp(storage.log[point - 1] ?? { op: 'sync', inode: 0 })}`
        const plain = found.map((s) => s.replace(' S', ''))
        expect({ where, kept: plain.filter((s) => !['m2', 'm5', 'm8'].includes(s)) }).toEqual({ where, kept: ['m1', 'm3', 'm4', 'm6', 'm7'] })
        expect({ where, read: found.filter((s) => s.endsWith(' S') && !['m1 S', 'm2 S', 'm3 S'].includes(s)) }).toEqual({ where, read: [] })
        // The answer of QUIT comes behind the last change.
        if (point === until) expect({ where, found }).toEqual({ where, found: ['m1 S', 'm3 S', 'm4', 'm6', 'm7'] })
      }
      await view.close(never)
    }
  })
})
