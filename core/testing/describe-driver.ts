// oxlint-disable vitest/expect-expect, vitest/valid-title -- suites are registered here; cases throw by themselves and bear titles of data
import { describe, test as register } from 'vitest'
import { driverCases } from './cases/all-cases.js'
import { reasonToSkip, runCase } from './contract-case.js'
import type { DriverUnderTest } from './driver-under-test.js'
import { runSeed } from './random.js'

const CASE_TIMEOUT_MS = 60_000

/**
 * Runs the contract of a mail driver as a vitest suite. Cases that the driver's `about` rules out are skipped with the reason.
 *
 * Everything by chance follows one seed, which stands in the title: `MAILWRIGHT_SEED=...` repeats a run.
 */
export function describeMailboxDriver(name: string, under: DriverUnderTest): void {
  describe(`mail driver ${name} (seed ${runSeed})`, () => {
    for (const [group, cases] of Object.entries(driverCases)) {
      describe(group, () => {
        for (const one of cases) {
          const why = reasonToSkip(one, under)
          const title = `${one.id}: ${one.title}${why === undefined ? '' : ` (skipped: ${why})`}`
          register.skipIf(why !== undefined)(title, () => runCase(one, under, runSeed), CASE_TIMEOUT_MS)
        }
      })
    }
  })
}
