import { afterEach, expect, test, vi } from 'vitest'
import { systemClock } from '../../../core/os/clock.js'
import { Deadline } from '../../../core/session/deadline.js'

afterEach(() => void vi.restoreAllMocks())

test('what is waited for comes when it is due, whatever the machine\'s time is set to', async () => {
  const began = performance.now()
  using deadline = new Deadline(systemClock)
  const due = new Promise<void>((resolve) => deadline.set(systemClock.steady() + 50, resolve))
  const real = Date.now()
  vi.spyOn(Date, 'now').mockReturnValue(real - 3_600_000)
  expect(systemClock.now()).toBe(real - 3_600_000)
  await due
  expect(performance.now() - began).toBeGreaterThanOrEqual(50)
})
