import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { uids } from '../../../core/api/index.js'
import { SystemFiles } from '../../../core/os/files.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import { mbxDialect } from '../../../plugins/formats/mbx/dialect.js'
import { FixedFormat } from '../../../plugins/formats/shared/fixed/format.js'
import { tenexDialect } from '../../../plugins/formats/tenex/dialect.js'
import { countingFiles } from '../../support/counting-files.js'
import { deliverTo, openBox, placeAt } from '../../support/directory-formats.js'
import { fixedContextOf } from '../../support/fixed.js'
import { never } from '../../support/unix.js'

const system = new SystemFiles(await nativeLocks())
const WHOLE = { bytes: 'whole', sections: [], facts: [] } as const
const MESSAGES = 80
/** Octets that stand in front of the messages of one batch, at most. */
const LINES = 64 * 30

function textOf(n: number): string {
  return `Subject: message ${n}\r\n\r\n${`line of message ${String(n).padStart(3)}, which is as long as lines are\r\n`.repeat(1000)}`
}

test.each([{ name: 'mbx', dialect: mbxDialect }, { name: 'tenex', dialect: tenexDialect }])('$name: the next batch is read while the caller has the last, which stays as it is', async ({ dialect }) => {
  const dir = await mkdtemp(join(tmpdir(), 'mailwright-ahead-'))
  try {
    const { files, counts, reset } = countingFiles(system)
    const format = new FixedFormat(dialect, fixedContextOf(files, dir))
    const path = join(dir, 'box')
    await format.create(placeAt(path))
    const box = await openBox(format, path)
    const messages = Array.from({ length: MESSAGES }, (_, n) => ({ bytes: Buffer.from(textOf(n)), system: 0, keywords: [], date: { ms: Date.UTC(2015, 0, 5), zone: 0 } }))
    await deliverTo(format, path, messages, box)
    await box.refresh({ claimRecent: true })
    reset()
    let seen = 0
    let batches = 0
    let octets = 0
    for await (const batch of box.source.read(uids.all, WHOLE, box.table.generation, never)) {
      octets += batch.reduce((sum, { bytes }) => sum + bytes.size, 0)
      batches++
      // More than what was handed out is read without being asked for.
      if (seen + batch.length < MESSAGES) await vi.waitFor(() => expect(counts().octets).toBeGreaterThan(octets + LINES * batches))
      for (const message of batch) expect(Buffer.from(message.bytes.inline ?? []).toString()).toBe(textOf(seen++))
    }
    expect([seen, batches > 3]).toEqual([MESSAGES, true])
    await box.source.close()
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
})
