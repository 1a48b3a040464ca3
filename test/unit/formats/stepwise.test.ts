import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Files } from '../../../core/api/index.js'
import { afterCrash, CRASH_MODES } from '../../../core/testing/disk/crash.js'
import type { InodeTable } from '../../../core/testing/disk/inode-table.js'
import { VirtualFiles } from '../../../core/testing/disk/virtual-files.js'
import { SeededRandom } from '../../../core/testing/random.js'
import { kitUser, Storage } from '../../../core/testing/storage.js'
import { PlanWriter, decodePlan, encodePlan, type Plan } from '../../../plugins/formats/shared/changes/redo-plan.js'
import { SafeChanges } from '../../../plugins/formats/shared/changes/safe-changes.js'
import { leastRoom, STEPS_MAGIC } from '../../../plugins/formats/shared/changes/steps-format.js'
import type { ContentWriter } from '../../../plugins/formats/shared/content-writer.js'
import { FullDisk } from '../../support/full-disk.js'
import { placeOf } from '../../support/open-box.js'
import { LONG, seedOf } from '../../support/random.js'

const BLOCK = 512
const PATH = '/home/alice/box'
const REDO = '/home/alice/.mailwright/redo'

/** A part of the new content: octets of the mailbox, or others. */
type Part = { readonly from: number; readonly to: number } | { readonly octets: Buffer }

/** What a mailbox is to become: never longer than it was. */
function wishOf(size: number, random: SeededRandom): readonly Part[] {
  const parts: Part[] = []
  let length = 0
  const literal = (most: number): void => {
    const octets = Buffer.from(random.octets(1 + random.below(most)))
    parts.push({ octets })
    length += octets.length
  }
  // Sometimes the beginning grows, as that of a mailbox does whose first message goes.
  if (random.chance(0.4)) literal(120)
  for (let at = random.chance(0.3) ? random.below(300) : 0; at < size; ) {
    const to = Math.min(size, at + 1 + random.below(900))
    const change = random.next()
    if (change < 0.6) {
      parts.push({ from: at, to })
      length += to - at
    } else if (change < 0.75 && length + 20 < to) literal(20)
    at = to
  }
  while (length > size) {
    const last = parts.pop()
    length -= last === undefined ? 0 : 'octets' in last ? last.octets.length : last.to - last.from
  }
  return parts
}
const contentOf = (old: Buffer, parts: readonly Part[]): Buffer => Buffer.concat(parts.map((p) => ('octets' in p ? p.octets : old.subarray(p.from, p.to))))
async function write(w: ContentWriter, parts: readonly Part[], old: Buffer): Promise<void> {
  async function* pieces(from: number, to: number): AsyncGenerator<Uint8Array> {
    await undefined
    for (let at = from; at < to; at += 700) yield old.subarray(at, Math.min(to, at + 700))
  }
  for (const part of parts) {
    if ('octets' in part) await w.bytes(part.octets)
    else if (part.from === w.at) w.stay(part.to)
    else await w.copy(part.from, part.to, pieces)
  }
}
async function planOf(parts: readonly Part[], old: Buffer): Promise<Plan> {
  const w = new PlanWriter(0)
  await write(w, parts, old)
  return w.plan
}

describe('a rewrite for which there is no room', () => {
  let storage: Storage
  let random: SeededRandom
  beforeEach(async () => {
    const seed = seedOf('steps')
    storage = await Storage.create(seed)
    random = new SeededRandom(seed)
  })
  afterEach(() => storage[Symbol.dispose]())

  const changesOn = (files: Files): SafeChanges => {
    const { clock, mailbox } = storage.services()
    return new SafeChanges({ ...placeOf(PATH), user: kitUser }, { files, clock, mailbox, random: (n) => random.octets(n), locks: { logger: { warn: () => undefined } } })
  }
  /** A machine with a mailbox and no redo file. */
  async function machineWith(octets: Buffer): Promise<VirtualFiles> {
    const files = new VirtualFiles(storage.files.disk)
    for (const folder of [REDO.slice(0, REDO.lastIndexOf('/')), REDO]) await files.makeDirectory(folder, 0o700)
    const file = await files.open(PATH, { create: 'new', write: true })
    await file.write([octets], 0)
    await file.close()
    return new VirtualFiles(files.disk)
  }
  async function change(files: Files, old: Buffer, parts: readonly Part[], cutFrom?: number): Promise<void> {
    const file = await files.open(PATH, { write: true })
    try {
      await changesOn(files).change({ file, stat: await file.stat(), mark: 0 }, { kind: 'rewrite', size: old.length, start: 0, ...(cutFrom !== undefined && { cutFrom }) }, (w) => write(w, parts, old))
    } finally {
      await file.close()
    }
  }
  /** What the next operation finds on the machine. */
  async function found(files: VirtualFiles): Promise<{ readonly octets: Buffer; readonly said: readonly string[] }> {
    const changes = changesOn(files)
    const said: string[] = []
    const file = await files.open(PATH, { write: true })
    try {
      const stat = await file.stat()
      if ((await changes.look(stat)).interrupted) await changes.recover(file, stat, (_, text) => void said.push(text))
      expect((await changes.look(stat)).interrupted).toBe(false)
    } finally {
      await file.close()
    }
    return { octets: Buffer.from(files.contents(PATH) ?? []), said }
  }
  const restarted = (disk: InodeTable): VirtualFiles => new VirtualFiles(disk)
  const madeSteps = (files: VirtualFiles): boolean => files.log.some((op) => op.op === 'write' && Buffer.from(op.bytes.subarray(0, STEPS_MAGIC.length)).toString('latin1') === STEPS_MAGIC)
  async function append(files: VirtualFiles, octets: Buffer): Promise<void> {
    const file = await files.open(PATH, { write: true })
    await file.write([octets], (await file.stat()).size)
    await file.sync()
    await file.close()
  }

  /** Crashes at some point of the change, perhaps once more during the repair, with mail that comes in between. */
  async function crash(files: VirtualFiles, point: number, old: Buffer, fresh: Buffer): Promise<void> {
    const mode = random.pick(CRASH_MODES)
    let where = `${mode} behind ${point} of ${files.log.length}`
    let machine = restarted(afterCrash(files.start, files.log, point, mode, random))
    let tail = Buffer.alloc(0)
    for (let again = random.below(3); again > 0; again--) {
      if (random.chance(0.4)) {
        const more = Buffer.from(random.octets(1 + random.below(1500)))
        await append(machine, more)
        tail = Buffer.concat([tail, more])
      }
      const before = machine.disk.clone()
      const repair = restarted(before)
      await found(repair)
      const stop = random.below(repair.log.length + 1)
      const next = random.pick(CRASH_MODES)
      where += `, ${next} behind ${stop} of ${repair.log.length} of its repair, ${tail.length} octets came`
      machine = restarted(afterCrash(repair.start, repair.log, stop, next, random))
    }
    const { octets, said } = await found(machine)
    expect(said, where).toEqual([])
    const isNew = octets.equals(Buffer.concat([fresh, tail]))
    const isOld = octets.equals(Buffer.concat([old, tail]))
    if (!isNew && !(isOld && point < files.log.length)) throw new Error(`${where}: ${octets.length} octets, which are neither the ${old.length} old nor the ${fresh.length} new ones`)
  }

  test.each([{ spare: 0 }, { spare: 2 }, { spare: 7 }])('is made in steps: whole after a crash at any point, with $spare blocks more than the least', async ({ spare }) => {
    let steps = 0
    for (let round = 0; round < (LONG ? 150 : 15); round++) {
      const old = Buffer.from(random.octets(500 + random.below(9000)))
      const parts = wishOf(old.length, random)
      const fresh = contentOf(old, parts)
      const files = await machineWith(old)
      const disk = new FullDisk(files, BLOCK)
      disk.free = leastRoom(await planOf(parts, old)) / BLOCK + spare
      disk.code = random.pick(['ENOSPC', 'EDQUOT'])
      await change(disk.files, old, parts)
      expect(Buffer.from(files.contents(PATH) ?? []).equals(fresh), `round ${round}`).toBe(true)
      if (!madeSteps(files)) continue
      steps++
      for (let point = 0; point <= files.log.length; point++) if (LONG || point === files.log.length || random.chance(0.5)) await crash(files, point, old, fresh)
    }
    expect(steps).toBeGreaterThan(3)
  }, 600_000)

  test('that failed on the way is finished by the next operation, wherever the disk fails', async () => {
    for (let round = 0; round < 5; round++) {
      const old = Buffer.from(random.octets(5000))
      const parts = wishOf(old.length, random)
      const fresh = contentOf(old, parts)
      const run = async (at: number): Promise<VirtualFiles> => {
        const files = await machineWith(old)
        const disk = new FullDisk(files, BLOCK)
        disk.free = leastRoom(await planOf(parts, old)) / BLOCK
        if (at >= 0) files.fault = { at, code: 'EIO', lasting: false }
        const failed = await change(disk.files, old, parts).then(() => false, () => true)
        expect(failed, `change ${at}`).toBe(at >= 0)
        return files
      }
      const { log } = await run(-1)
      for (let at = 0; at < log.length - 2; at++) {
        const files = await run(at)
        const { octets, said } = await found(files)
        expect(said).toEqual([])
        expect(octets.equals(old) || octets.equals(fresh), `round ${round}, change ${at}`).toBe(true)
      }
    }
  }, 120_000)

  test('and after which others wrote what they liked is not gone on with: theirs stays, and sessions are told', async () => {
    const old = Buffer.from(random.octets(8000))
    const parts: Part[] = [{ from: 700, to: 8000 }]
    const files = await machineWith(old)
    const disk = new FullDisk(files, BLOCK)
    disk.free = leastRoom(await planOf(parts, old)) / BLOCK
    await change(disk.files, old, parts)
    const begun = files.log.findIndex((op) => op.op === 'write' && op.at === 0 && op.bytes.length === 700)
    expect(begun).toBeGreaterThan(0)
    const machine = restarted(afterCrash(files.start, files.log, begun + 1, 'kept', random))
    const theirs = Buffer.from(random.octets(7000))
    const file = await machine.open(PATH, { write: true })
    await file.write([theirs], 0)
    await file.truncate(theirs.length)
    await file.close()
    const { octets, said } = await found(machine)
    expect(octets.equals(theirs)).toBe(true)
    expect(said).toEqual([expect.stringMatching(/was changed after an interrupted rewrite; a part of one message may be there twice, and what was to be moved is noted in .*\.lost$/)])
  })

  test('takes room from the end of the mailbox, where there is no block', async () => {
    const old = Buffer.from(random.octets(9000))
    const parts: Part[] = [{ from: 1000, to: 4000 }]
    const files = await machineWith(old)
    const disk = new FullDisk(files, BLOCK)
    disk.free = 0
    await change(disk.files, old, parts, 1000)
    expect(Buffer.from(files.contents(PATH) ?? []).equals(contentOf(old, parts))).toBe(true)
    expect(madeSteps(files)).toBe(true)
    for (let point = 0; point <= files.log.length; point++) {
      const { octets } = await found(restarted(afterCrash(files.start, files.log, point, random.pick(CRASH_MODES), random)))
      expect([old, old.subarray(0, 4000), contentOf(old, parts)].some((may) => octets.equals(may)), `behind ${point}`).toBe(true)
    }
  })
  test('is refused where there is no block at all, and changes nothing; what only cuts the end is done', async () => {
    const old = Buffer.from(random.octets(9000))
    const files = await machineWith(old)
    const disk = new FullDisk(files, BLOCK)
    disk.free = 0
    await expect(change(disk.files, old, [{ from: 1000, to: 9000 }], 1000)).rejects.toMatchObject({ kind: 'unavailable' })
    disk.code = 'EDQUOT'
    await expect(change(disk.files, old, [{ from: 1000, to: 9000 }], 1000)).rejects.toMatchObject({ kind: 'over-quota' })
    expect(Buffer.from(files.contents(PATH) ?? []).equals(old)).toBe(true)
    await change(disk.files, old, [{ from: 0, to: 5000 }])
    expect(Buffer.from(files.contents(PATH) ?? []).equals(old.subarray(0, 5000))).toBe(true)
  })
  test('keeps the room of its redo file for the next time, and no more than it had', async () => {
    const old = Buffer.from(random.octets(40_000))
    const files = await machineWith(old)
    const disk = new FullDisk(files, BLOCK)
    disk.free = 40
    await change(disk.files, old, [{ from: 1000, to: 40_000 }])
    const [name = ''] = (await files.list(REDO)).map((entry) => entry.name)
    expect((await files.stat(`${REDO}/${name}`))?.size).toBe(1 << 14)
  })
})

test('a plan is read as it was written', async () => {
  const random = new SeededRandom(seedOf('plans'))
  for (let round = 0; round < 200; round++) {
    const old = Buffer.from(random.octets(random.below(20_000)))
    const plan = await planOf(wishOf(old.length, random), old)
    const again = decodePlan(encodePlan(plan))
    expect({ start: again.start, end: again.end, ops: again.ops.map(readable) }).toEqual({ start: plan.start, end: plan.end, ops: plan.ops.map(readable) })
  }
  const far = new PlanWriter(2 ** 40)
  far.stay(2 ** 45)
  await far.copy(2 ** 45 + 7, 2 ** 46)
  expect(decodePlan(encodePlan(far.plan)).ops).toEqual(far.plan.ops)
})
function readable(op: Plan['ops'][number]): object {
  return 'from' in op ? op : { ...op, octets: Buffer.from(op.octets).toString('hex') }
}
