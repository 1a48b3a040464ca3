import { appendFile, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { SYSTEM } from '../../../core/api/index.js'
import { SystemFiles } from '../../../core/os/files.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import { inlineLane } from '../../../core/os/lane.js'
import { systemClock, systemRandom } from '../../../core/os/clock.js'
import { mbxDialect } from '../../../plugins/formats/mbx/dialect.js'
import { FixedFormat } from '../../../plugins/formats/shared/fixed/format.js'
import { OwnNotices } from '../../../plugins/formats/shared/fixed/own-notices.js'
import { fixedContextOf } from '../../support/fixed.js'
import { itemOf, OpenBox, placeOf, temporaryFolder } from '../../support/open-box.js'

const moments = [
  { name: 'a notice of what a change here left is told nobody', when: 'during', asLeft: true, told: 0 },
  { name: 'one that comes after it is told nobody either', when: 'after', asLeft: true, told: 0 },
  { name: 'one of what somebody else did during a change here is told, once', when: 'during', asLeft: false, told: 1 },
  { name: 'one of what somebody else did later is told each time', when: 'after', asLeft: false, told: 2 },
  { name: 'where it cannot be found out it is told', when: 'during', asLeft: new Error('EIO'), told: 1 },
] as const
test.each(moments)('$name', async ({ when, asLeft, told }) => {
  let [count, looks] = [0, 0]
  let changing = false
  const notices = new OwnNotices(async () => {
    looks++
    // What a change is about to leave is not known before its end.
    expect(changing).toBe(false)
    if (asLeft instanceof Error) throw asLeft
    return asLeft
  })
  const hear = (): void => {
    for (let n = 0; n < 2; n++) notices.heard(() => void count++)
  }
  const done = await notices.during(async () => {
    changing = true
    if (when === 'during') hear()
    await Promise.resolve()
    changing = false
    return 'done'
  })
  if (when === 'after') hear()
  await new Promise((resolve) => setImmediate(resolve))
  expect({ done, count, looks }).toEqual({ done: 'done', count: told, looks: when === 'during' ? 1 : 2 })
})

let folder = temporaryFolder('notices')
let boxes: OpenBox[] = []
beforeEach(() => void (folder = temporaryFolder('notices')))
afterEach(async () => {
  for (const box of boxes) await box.source.close()
  boxes = []
  await folder[Symbol.asyncDispose]()
})
const system = new SystemFiles(await nativeLocks())
async function opened(path: string): Promise<OpenBox> {
  const lane = inlineLane({ files: system, clock: systemClock, random: systemRandom })
  const box = await OpenBox.open(new FixedFormat(mbxDialect, fixedContextOf(system, folder.path, { clock: systemClock, watch: true, lane })), path)
  boxes.push(box)
  return box
}

test('who watches a mailbox hears of what others do to it, and not of flags that were changed here', async () => {
  const path = join(folder.path, 'box')
  const format = new FixedFormat(mbxDialect, fixedContextOf(system, folder.path, { clock: systemClock }))
  await format.create(placeOf(path))
  const box = await opened(path)
  await box.append(Array.from({ length: 20 }, (_, n) => itemOf(`Subject: ${n}\r\n\r\ntext\r\n`)))
  await box.refresh(true)
  // The first change looks; those after it know the mailbox.
  await box.store([1], { system: SYSTEM.flagged })
  let told = 0
  using watching = box.source.watch?.(() => void told++)
  expect(watching).toBeDefined()
  // Notices come in their order: after this one, those before it have come.
  const heard = async (): Promise<void> => {
    const before = told
    await utimes(path, new Date(), new Date())
    await vi.waitFor(() => expect(told).toBeGreaterThan(before))
  }
  await heard()
  await box.refresh(true)
  await box.store([2], { system: SYSTEM.flagged })
  told = 0
  for (let uid = 3; uid <= 12; uid++) await box.store([uid], { system: SYSTEM.flagged })
  await heard()
  expect(told).toBe(1)
  await box.refresh(true)
  told = 0
  const other = await opened(path)
  await other.refresh(true)
  await other.store([13], { system: SYSTEM.answered })
  await vi.waitFor(() => expect(told).toBeGreaterThan(0))
  await box.refresh(true)
  told = 0
  await appendFile(path, '27-Nov-2026 02:00:00 +0000,4;000000000000-00000000\r\nab\r\n')
  await vi.waitFor(() => expect(told).toBeGreaterThan(0))
})
