import { Bench } from '../bench.js'
import { unless, type ContractCase } from '../contract-case.js'
import { afterCrash, CRASH_MODES, type CrashMode } from '../disk/crash.js'
import { describeOp, type DiskOp } from '../disk/disk-op.js'
import type { Fault } from '../disk/virtual-files.js'
import type { DriverUnderTest } from '../driver-under-test.js'
import { ContractFailure, must } from '../expecting.js'
import { sampleMessage } from '../messages.js'
import { isLongRun, SeededRandom } from '../random.js'
import type { Storage } from '../storage.js'
import { Scenario, type LoggedStep } from './scenario.js'
import { mustGoOn, mustHold, readBox, type World } from './world.js'

/** Points of one mode that are tried in an ordinary run. */
const SAMPLE = 60

/** What was acknowledged before a point of the log, and what was under way there. */
function at(steps: readonly LoggedStep[], point: number): { readonly acknowledged: World; readonly underWay: LoggedStep | undefined } {
  let acknowledged: World = new Map()
  for (const step of steps) {
    if (step.until <= point) acknowledged = step.after
    else return { acknowledged, underWay: step.from < point ? step : undefined }
  }
  return { acknowledged, underWay: undefined }
}

/** Some of the numbers up to `end`, by the seed; all of them in a long run. */
function sample(end: number, random: SeededRandom): readonly number[] {
  if (isLongRun || end <= SAMPLE) return Array.from({ length: end + 1 }, (_, i) => i)
  const some = new Set<number>([0, end])
  while (some.size < SAMPLE) some.add(random.below(end + 1))
  return [...some].sort((a, b) => a - b)
}

/** Opens what a crash left and compares; returns the log of what opening wrote. */
async function reopen(under: DriverUnderTest, storage: Storage, acknowledged: World, underWay: LoggedStep | undefined): Promise<readonly DiskOp[]> {
  const bench = await Bench.on(under, storage)
  await mustHold((path) => readBox(bench, path), acknowledged, underWay)
  const written = [...storage.log]
  await mustHold((path) => readBox(bench, path), acknowledged, underWay)
  if (underWay?.kind !== 'names') await mustGoOn(bench, acknowledged, async (path) => void (await bench.deliver(path, [sampleMessage(99)])))
  await bench.close()
  return written
}

/** One crash, and sometimes a second one while the first is being repaired. */
async function crashAt(under: DriverUnderTest, run: Scenario, point: number, mode: CrashMode, random: SeededRandom): Promise<void> {
  const { acknowledged, underWay } = at(run.steps, point)
  const { files } = run.storage
  const crashed = afterCrash(files.start, files.log, point, mode, random)
  let where = `crash ${mode} behind ${point} of ${files.log.length} changes (${describePoint(files.log, point)})${underWay === undefined ? '' : `, during ${underWay.what}`}`
  try {
    using machine = run.storage.restarted(crashed.clone(), mode === 'kept')
    const repair = await reopen(under, machine, acknowledged, underWay)
    if (repair.length === 0 || !random.chance(0.5)) return
    const again = random.below(repair.length)
    where += `, and again behind ${again} of the ${repair.length} changes of its repair (${describePoint(repair, again)})`
    const then = random.pick(CRASH_MODES)
    using second = machine.restarted(afterCrash(crashed, repair, again, then, random), then === 'kept')
    await reopen(under, second, acknowledged, underWay)
  } catch (error) {
    throw new ContractFailure(`${where}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }
}
function describePoint(log: readonly DiskOp[], point: number): string {
  const [last, next] = [log[point - 1], log[point]]
  return `${last === undefined ? 'the beginning' : `after ${describeOp(last)}`}${next === undefined ? '' : `, before ${describeOp(next)}`}`
}

function crashCase(mode: CrashMode, title: string): ContractCase {
  return {
    id: `crash.${mode}`,
    title,
    unless: unless.disk,
    async run(bench, random) {
      const run = await Scenario.run(bench.under, random.below(0x7fffffff))
      must(run.storage.log.length > 0, 'the driver wrote nothing through the file service')
      for (const point of sample(run.storage.log.length, random)) await crashAt(bench.under, run, point, mode, random)
      run.storage[Symbol.dispose]()
    },
  }
}

/** The disk fails once at a change, or is full from there on until the operation has failed. */
function faultCase(code: Fault['code'], lasting: boolean, title: string): ContractCase {
  return {
    id: `fault.${code.toLowerCase()}${lasting ? '-lasting' : ''}`,
    title,
    unless: unless.disk,
    async run(bench, random) {
      const seed = random.below(0x7fffffff)
      const whole = await Scenario.run(bench.under, seed)
      whole.storage[Symbol.dispose]()
      for (const point of sample(whole.storage.log.length - 1, random)) {
        const where = `${code} at change ${point} (${describeOp(whole.storage.log[point] ?? { op: 'sync', inode: 0 })})`
        try {
          const run = await Scenario.run(bench.under, seed, (storage) => (storage.files.fault = { at: point, code, lasting }))
          using _machine = run.storage
          const { files } = run.storage
          for (const mode of ['kept', 'dropped'] as const) {
            // The machine stops right after the failure, and when the process went on for a while.
            if (run.failed !== undefined) {
              using early = run.storage.restarted(afterCrash(files.start, files.log, run.failed.until, mode, random), mode === 'kept')
              await reopen(bench.under, early, run.failed.before, run.failed)
            }
            if (run.leftTraces && mode === 'dropped') continue
            using late = run.storage.restarted(afterCrash(files.start, files.log, files.log.length, mode, random), mode === 'kept')
            await reopen(bench.under, late, run.world, undefined)
          }
        } catch (error) {
          throw new ContractFailure(`${where}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
        }
      }
    },
  }
}

/** Acknowledged means durable, at every point of a run. */
export const crashCases: readonly ContractCase[] = [
  crashCase('kept', 'a killed process loses nothing that was acknowledged'),
  crashCase('dropped', 'neither does a machine that stops, when nothing unsynced reached the disk'),
  crashCase('data-only', 'or contents did, and names did not'),
  crashCase('names-only', 'or names did, and contents did not'),
  crashCase('torn', 'or some of it did, in pieces and in any order'),
  faultCase('ENOSPC', true, 'a full disk is reported, and costs nothing that was acknowledged'),
  faultCase('EIO', false, 'a failing disk is reported, and costs nothing that was acknowledged'),
]

