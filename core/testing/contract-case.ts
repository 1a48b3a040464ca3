import { Bench } from './bench.js'
import type { DriverUnderTest } from './driver-under-test.js'
import { SeededRandom } from './random.js'

/** One thing that every driver of some kind must do. */
export interface ContractCase {
  /** Stable: exceptions and broken drivers name it. */
  readonly id: string
  readonly title: string
  /** Why it does not apply to a driver; undefined: it applies. */
  readonly unless?: (under: DriverUnderTest) => string | undefined
  /** Leaves the closing of the bench to the caller. */
  run(bench: Bench, random: SeededRandom): Promise<void>
}

/** Reasons that several cases share. */
export const unless = {
  restarts: (u: DriverUnderTest): string | undefined => (u.keeps === 'nothing' ? 'mail ends with the driver' : undefined),
  processes: (u: DriverUnderTest): string | undefined => (u.keeps === 'nothing' || !u.about.manyProcesses ? 'only one process at a time may have the mailbox' : undefined),
  disk: (u: DriverUnderTest): string | undefined => (u.keeps === 'files' ? undefined : 'mail is not kept in files'),
  uids: (u: DriverUnderTest): string | undefined => (u.about.uidsPersist ? undefined : 'uids do not persist'),
  numbers: (u: DriverUnderTest): string | undefined => (u.about.acceptsUids ? undefined : 'numbers are given by the driver alone'),
  keywords: (u: DriverUnderTest): string | undefined => (u.about.keywords === 'any' ? undefined : 'keywords cannot be made'),
  hierarchy: (u: DriverUnderTest): string | undefined => (u.about.hierarchy ? undefined : 'names have no hierarchy'),
} as const
/** All of several reasons. */
export function unlessAny(...reasons: readonly ((u: DriverUnderTest) => string | undefined)[]): (u: DriverUnderTest) => string | undefined {
  return (u) => {
    for (const reason of reasons) {
      const why = reason(u)
      if (why !== undefined) return why
    }
    return undefined
  }
}

/** Why a case is not run; undefined: run it. */
export function reasonToSkip(one: ContractCase, under: DriverUnderTest): string | undefined {
  return under.except?.[one.id] ?? one.unless?.(under)
}

/** Runs one case on a machine of its own. */
export async function runCase(one: ContractCase, under: DriverUnderTest, seed: number): Promise<void> {
  const bench = await Bench.start(under, seed)
  using _machine = bench.storage
  try {
    await one.run(bench, new SeededRandom(seed))
  } catch (error) {
    await bench.close().catch(() => undefined)
    throw error
  }
  await bench.close()
}
