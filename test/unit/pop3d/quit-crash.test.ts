import { describe, expect, test } from 'vitest'
import { MailError } from '../../../core/api/index.js'
import { MarkedMaildrop } from '../../../core/pop3d/maildrop.js'
import { ViewSource } from '../../../core/pop3d/view-source.js'
import { CRASH_MODES, afterCrash } from '../../../core/testing/disk/crash.js'
import { describeOp } from '../../../core/testing/disk/disk-op.js'
import type { Fault } from '../../../core/testing/disk/virtual-files.js'
import type { DriverUnderTest } from '../../../core/testing/driver-under-test.js'
import { ModelHost } from '../../../core/testing/model/model-host.js'
import { SeededRandom } from '../../../core/testing/random.js'
import { Storage } from '../../../core/testing/storage.js'
import { LoggedLines } from '../../support/auth.js'
import { formatDrivers } from '../../support/format-drivers.js'
import { named, never, note, once } from '../../support/mail.js'

const BOX = named('box')
const SUBJECTS = ['m1', 'm2', 'm3', 'm4', 'm5', 'm6', 'm7', 'm8']
const READ = [1, 2, 3]
const DELETED = [2, 5, 8]
const isMarked = (subject: string): boolean => DELETED.includes(Number(subject.slice(1)))
const formats = Object.entries(formatDrivers).map(([name, under]) => ({ name, under }))

/** Subjects in order, with S for what is marked as read. */
async function subjects(under: DriverUnderTest, storage: Storage): Promise<readonly string[]> {
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
interface Scene extends AsyncDisposable {
  readonly drop: MarkedMaildrop
  readonly log: LoggedLines
}
/** A session that has read three messages and marked three, and is about to say QUIT. */
async function beforeQuit(under: DriverUnderTest, storage: Storage): Promise<Scene> {
  const host = await ModelHost.start(under, storage)
  const mail = await host.login()
  await mail.append(await mail.create(BOX, { specialUse: [] }, never), once(...SUBJECTS.map((s) => note(s))), never)
  return marked(host)
}
async function marked(host: ModelHost): Promise<Scene> {
  const mail = await host.login()
  const view = await mail.open(await mail.locate(BOX, 'open', never), 'read-write', never)
  const log = new LoggedLines()
  const drop = new MarkedMaildrop(await ViewSource.of({ view, logger: log, expungeFlagged: false }, never), true)
  for (const n of READ) drop.markSeen(n)
  for (const n of DELETED) drop.markDeleted(n)
  return {
    drop,
    log,
    async [Symbol.asyncDispose]() {
      await view.close(never)
      await host[Symbol.asyncDispose]()
    },
  }
}
/** Nothing is lost or torn, and nothing is marked as read that was not. */
function mustHold(where: string, found: readonly string[]): void {
  const plain = found.map((s) => s.replace(' S', ''))
  expect({ where, kept: plain.filter((s) => !isMarked(s)) }).toEqual({ where, kept: ['m1', 'm3', 'm4', 'm6', 'm7'] })
  expect({ where, strange: plain.filter((s) => !SUBJECTS.includes(s)), doubled: plain.filter((s, i) => plain.indexOf(s) !== i) }).toEqual({ where, strange: [], doubled: [] })
  expect({ where, read: found.filter((s) => s.endsWith(' S') && !READ.some((n) => s === `m${n} S`)) }).toEqual({ where, read: [] })
}
const DONE = ['m1 S', 'm3 S', 'm4', 'm6', 'm7']

describe.each(formats)('QUIT over $name', ({ under }) => {
  test.each(CRASH_MODES)('a crash loses nothing and removes only what was marked, at every change of the disk: %s', async (mode) => {
    const random = new SeededRandom(20_260_102)
    using storage = await Storage.create(1)
    await using scene = await beforeQuit(under, storage)
    const from = storage.log.length
    expect(await scene.drop.update(never)).toEqual({ deleted: 3, seen: 2 })
    const until = storage.log.length
    expect(until).toBeGreaterThan(from)
    for (let point = from; point <= until; point++) {
      using machine = storage.restarted(afterCrash(storage.files.start, storage.files.log, point, mode, random))
      const found = await subjects(under, machine)
      const where = `behind ${point - from} of ${until - from}: ${describeOp(storage.log[point - 1] ?? { op: 'sync', inode: 0 })}`
      mustHold(where, found)
      // The answer of QUIT comes behind the last change.
      if (point === until) expect({ where, found }).toEqual({ where, found: DONE })
    }
  })

  const faults = [
    { name: 'a full disk', code: 'ENOSPC', lasting: true },
    { name: 'a disk that fails once', code: 'EIO', lasting: false },
    { name: 'a disk that fails from there on', code: 'EIO', lasting: true },
  ] as const satisfies readonly (Omit<Fault, 'at'> & { readonly name: string })[]
  test.each(faults)('$name costs nothing that was not marked, +OK is said only of what is done, and the next session can do the rest', async ({ code, lasting }) => {
    const changes = await (async () => {
      using storage = await Storage.create(1)
      await using scene = await beforeQuit(under, storage)
      const from = storage.log.length
      await scene.drop.update(never)
      return { from, until: storage.log.length }
    })()
    let refused = 0
    for (let at = changes.from; at < changes.until; at++) {
      using storage = await Storage.create(1)
      const where = `${code} at ${at - changes.from} of ${changes.until - changes.from}`
      let outcome: unknown
      {
        await using scene = await beforeQuit(under, storage)
        storage.files.fault = { at, code, lasting }
        outcome = await scene.drop.update(never).catch((error: unknown) => error)
        // Room again, as closing finds it.
        if (lasting) storage.files.fault = undefined
      }
      storage.files.fault = undefined
      const isRefused = outcome instanceof Error
      if (isRefused) {
        refused++
        expect({ where, outcome }).toEqual({ where, outcome: expect.any(MailError) })
      }
      using machine = storage.restarted(afterCrash(storage.files.start, storage.files.log, storage.log.length, 'kept', new SeededRandom(1)))
      const found = await subjects(under, machine)
      mustHold(where, found)
      if (!isRefused) expect({ where, deleted: found.filter((s) => isMarked(s.replace(' S', ''))) }).toEqual({ where, deleted: [] })
      // Somebody comes again and marks what is left of it.
      const host = await ModelHost.start(under, machine)
      const mail = await host.login()
      const view = await mail.open(await mail.locate(BOX, 'open', never), 'read-write', never)
      const drop = new MarkedMaildrop(await ViewSource.of({ view, logger: new LoggedLines(), expungeFlagged: false }, never), true)
      found.forEach((s, i) => {
        if (isMarked(s.replace(' S', ''))) drop.markDeleted(i + 1)
      })
      await drop.update(never)
      await view.close(never)
      await host[Symbol.asyncDispose]()
      const rest = await subjects(under, machine)
      expect({ where, rest: rest.map((s) => s.replace(' S', '')) }).toEqual({ where, rest: ['m1', 'm3', 'm4', 'm6', 'm7'] })
    }
    expect(refused).toBeGreaterThan(0)
  })
})
