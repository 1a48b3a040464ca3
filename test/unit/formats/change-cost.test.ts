import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { SYSTEM, uids, type Clock, type Files, type MailboxFormat } from '../../../core/api/index.js'
import { SystemFiles } from '../../../core/os/files.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import type { Box } from '../../../core/testing/box.js'
import { sampleMessage } from '../../../core/testing/messages.js'
import { mbxDialect } from '../../../plugins/formats/mbx/dialect.js'
import { MixFormat } from '../../../plugins/formats/mix/format.js'
import { MxFormat } from '../../../plugins/formats/mx/format.js'
import { FixedFormat } from '../../../plugins/formats/shared/fixed/format.js'
import { countingFiles, type Counts } from '../../support/counting-files.js'
import { deliverTo, directoryContext, openBox, placeAt } from '../../support/directory-formats.js'
import { fixedContextOf } from '../../support/fixed.js'

// A change of one message costs the same in a small mailbox and in a large one. What is counted is what is asked of the files, not time.

const FEW = 100
const MANY = 2000
/** Heads that are read again now and then are 2048 octets; records of 23 octets for each message of the difference would be 43 700. */
const SLACK_OCTETS = 4096
const SLACK_CALLS = 6

const system = new SystemFiles(await nativeLocks())
/** As it is: what was changed just now may change again unseen, and is looked at again. */
const clock: Clock = {
  now: () => Date.now(),
  steady: () => performance.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms)
    return { [Symbol.dispose]: () => clearTimeout(timer) }
  },
}
function folderContext(files: Files, dir: string) {
  const context = directoryContext(files, clock)
  return { ...context, mailbox: { ...context.mailbox, stateDirectory: join(dir, 'state'), durability: 'relaxed' as const } }
}
interface Flat {
  readonly name: string
  readonly make: (files: Files, dir: string) => MailboxFormat
}
const formats: readonly Flat[] = [
  { name: 'mix', make: (files, dir) => new MixFormat(folderContext(files, dir)) },
  { name: 'mx', make: (files, dir) => new MxFormat(folderContext(files, dir)) },
  { name: 'mbx', make: (files, dir) => new FixedFormat(mbxDialect, fixedContextOf(files, dir, { clock })) },
]

/** What each change costs, one right after the other. */
async function costs({ make }: Flat, messages: number): Promise<Record<string, Counts>> {
  const dir = await mkdtemp(join(tmpdir(), 'mailwright-cost-'))
  try {
    const { files, counts, reset } = countingFiles(system)
    const format = make(files, dir)
    const path = join(dir, 'box')
    await format.create(placeAt(path))
    const box = await openBox(format, path)
    await deliverTo(format, path, Array.from({ length: messages }, (_, n) => sampleMessage(n)), box)
    await box.refresh({ claimRecent: true })
    // The first change after many may have theirs to finish.
    await box.store({ uids: uids.one(3), system: SYSTEM.seen })
    const changes: readonly (readonly [name: string, change: (box: Box) => Promise<unknown>])[] = [
      ['append', () => deliverTo(format, path, [sampleMessage(1)], box)],
      ['append again', () => deliverTo(format, path, [sampleMessage(2)], box)],
      ['flag', () => box.store({ uids: uids.one(50), system: SYSTEM.flagged })],
      ['expunge', () => box.expunge(uids.one(70), { always: true })],
      ['look', () => box.refresh({ claimRecent: true })],
    ]
    const out: Record<string, Counts> = {}
    for (const [name, change] of changes) {
      reset()
      await change(box)
      out[name] = counts()
    }
    await box.close()
    return out
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

test.each(formats)(`$name: a change of one message asks the same of the files among ${FEW} and among ${MANY}`, async (format) => {
  const few = await costs(format, FEW)
  const many = await costs(format, MANY)
  for (const [name, { calls, octets, names }] of Object.entries(many)) {
    const small = few[name] ?? { calls: 0, octets: 0, names: 0 }
    expect({ name, names, calls: Math.max(0, calls - small.calls - SLACK_CALLS), octets: Math.max(0, octets - small.octets - SLACK_OCTETS) }).toEqual({ name, names: 0, calls: 0, octets: 0 })
  }
})
