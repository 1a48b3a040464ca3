// oxlint-disable vitest/expect-expect, vitest/valid-title -- suites are registered here; cases throw by themselves and bear titles of data
import { describe, test as register } from 'vitest'
import { driverCases } from './cases/all-cases.js'
import { reasonToSkip, runCase } from './contract-case.js'
import type { MailboxFormat } from '../api/mail/format.js'
import type { DriverUnderTest, KitServices } from './driver-under-test.js'
import { driverOfFormat } from './format-store.js'
import { isLongRun, runSeed } from './random.js'

/** Slow machines and slow drivers are no failure. */
const CASE_TIMEOUT_MS = isLongRun ? 3_600_000 : 180_000

/**
 * Runs the contract of a mail driver as a vitest suite. Cases that the driver's `about` rules out are left out,
 * and named with the reason: they are no promise of this driver's, so they are not skipped tests either.
 *
 * Everything by chance follows one seed, which stands in the title: `MAILWRIGHT_SEED=...` repeats a run.
 */
export function describeMailboxDriver(name: string, under: DriverUnderTest): void {
  describe(`mail driver ${name} (seed ${runSeed})`, () => {
    const out: string[] = []
    for (const [group, cases] of Object.entries(driverCases)) {
      const promised = cases.filter((one) => {
        const why = reasonToSkip(one, under)
        if (why !== undefined) out.push(`${one.id} (${why})`)
        return why === undefined
      })
      if (promised.length === 0) continue
      describe(group, () => {
        for (const one of promised) register(`${one.id}: ${one.title}`, () => runCase(one, under, runSeed), CASE_TIMEOUT_MS)
      })
    }
    if (out.length > 0) process.stdout.write(`mail driver ${name}: what it declares leaves out ${out.join(', ')}\n`)
  })
}

/** A mailbox format, and what the kit must know to test it. */
export interface FormatUnderTest extends Omit<DriverUnderTest, 'create' | 'keeps'> {
  /** Makes the format; it keeps everything in `services.files`. */
  create(services: KitServices): MailboxFormat | Promise<MailboxFormat>
}

/** The same contract for a mailbox format, served by the plainest store there can be. */
export function describeMailboxFormat(name: string, under: FormatUnderTest): void {
  describeMailboxDriver(`of format ${name}`, { ...under, keeps: 'files', create: async (x) => driverOfFormat(await under.create(x), x) })
}
