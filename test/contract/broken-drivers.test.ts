import { ContractFailure, driverCases, runCase, type DriverUnderTest } from 'mailwright/testing'
import { expect, test } from 'vitest'
import { brokenDrivers } from './broken-drivers/defects.js'
import { brokenDriver } from './broken-drivers/wrapping.js'

// Fixed, so that what is caught today is caught tomorrow; the suites of the right drivers take other seeds each time.
const SEED = 20_260_101
const cases = new Map(Object.values(driverCases).flat().map((one) => [one.id, one]))

test('there are at least fifteen, and no two of one name', () => {
  expect(new Set(brokenDrivers.map((b) => b.name)).size).toBe(brokenDrivers.length)
  expect(brokenDrivers.length).toBeGreaterThanOrEqual(15)
})

test.each(brokenDrivers)('a driver that $name is caught by $caughtBy', async ({ caughtBy, defect }) => {
  const one = cases.get(caughtBy)
  const under: DriverUnderTest = {
    about: { modseqs: true, keywords: 'any', uidsPersist: true, hierarchy: true, watches: true, facts: [], manyProcesses: true, acceptsUids: false },
    keeps: 'files',
    create: (services) => brokenDriver(services, defect),
  }
  expect(one?.unless?.(under)).toBeUndefined()
  await expect(one === undefined ? undefined : runCase(one, under, SEED)).rejects.toBeInstanceOf(ContractFailure)
  // With no defect the same case, with the same seed, holds.
  await expect(one === undefined ? undefined : runCase(one, { ...under, create: (services) => brokenDriver(services, {}) }, SEED)).resolves.toBeUndefined()
})
