import { copyFile, mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { uids } from '../../../core/api/index.js'
import { SystemFiles } from '../../../core/os/files.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import { fixture } from '../../support/formats.js'
import { never, OpenUnix, TestClock, unixContext } from '../../support/unix.js'

process.env['TZ'] = 'UTC'
const NOW = 1795399136

interface Line {
  severity: string
  text: string
}
const log = new Map<string, Line[]>()
for (const line of fixture('repair/log.tsv').toString('latin1').split('\n').slice(1)) {
  if (line === '') continue
  const [name = '', severity = '', text = ''] = line.split('\t')
  log.set(name, [...(log.get(name) ?? []), { severity, text }])
}
const cases = [...log.keys()]

/** Time of opening in the record that is made anew. */
function masked(bytes: Buffer): string {
  return bytes.toString('latin1')
}

describe('unix mailboxes opened read-write', () => {
  let dir = ''
  let files = new SystemFiles(undefined)
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'mailwright-unix-'))
    files = new SystemFiles(await nativeLocks())
  })
  afterEach(() => rm(dir, { recursive: true, force: true }))

  async function place(name: string): Promise<string> {
    const path = join(dir, 'box')
    await copyFile(fileURLToPath(new URL(`../../fixtures/unix/${name}`, import.meta.url)), path)
    return path
  }
  // The samples were made at this second.
  const context = () => unixContext(files, dir, { clock: new TestClock(NOW * 1000) })

  test('all samples have a log', () => expect(cases.length).toBe(18))

  test.each(cases)('%s is repaired as the reference repairs it', async (name) => {
    const path = await place(`repair/${name}.before`)
    const inode = (await stat(path)).ino
    const box = await OpenUnix.open(context(), path)
    await box.refresh(false)
    const lines = log.get(name) ?? []
    const result = /nmsgs=(\d+) recent=(\d+) uidv=(\d+) uidlast=(\d+)/.exec(lines.find((l) => l.severity === 'result')?.text ?? '')?.slice(1).map(Number)
    const { table } = box
    expect([table.length, table.unclaimed.count, table.uidValidity, table.uidNext - 1]).toEqual(result)
    expect(lines.filter((l) => l.severity === 'message').map((l) => /uid=(\d+) size=(\d+)/.exec(l.text)?.slice(1).map(Number))).toEqual(
      box.uids.map((uid, i) => [uid, box.sizes[i]]),
    )
    expect(box.notices.filter((n) => n.severity === 'warning').map((n) => n.text)).toEqual(lines.filter((l) => l.severity === 'warning').map((l) => l.text))
    const info = lines.filter((l) => l.severity === 'info' && l.text !== 'Checkpoint completed').map((l) => l.text)
    expect(box.notices.filter((n) => n.severity === 'information').map((n) => n.text)).toEqual(info)

    await box.refresh(true)
    expect(masked(await readFile(path))).toBe(masked(fixture(`repair/${name}.after`)))
    expect((await stat(path)).ino).toBe(inode)
  })

  test.each(cases)('%s means the same after the repair, and is not written again', async (name) => {
    const path = await place(`repair/${name}.before`)
    const box = await OpenUnix.open(context(), path)
    await box.refresh(true)
    const after = await readFile(path)
    const again = await OpenUnix.open(context(), path)
    await again.refresh(true)
    expect([again.uids, again.sizes, again.table.uidValidity]).toEqual([box.uids, box.sizes, box.table.uidValidity])
    expect(await again.messages()).toEqual(await box.messages())
    // A text without line end takes one each time it is last; all else stays.
    if (name !== 'notrail') expect(await readFile(path)).toEqual(after)
  })

  test.each([
    ['appended', 'opened'],
    ['spool-delivered', 'spool-opened'],
  ])('%s becomes %s', async (before, after) => {
    const path = await place(before)
    const box = await OpenUnix.open(unixContext(files, dir, { clock: new TestClock((after === 'opened' ? 1795398290 : 1795398294) * 1000) }), path)
    await box.refresh(true)
    expect((await readFile(path)).toString('latin1')).toBe(fixture(after).toString('latin1'))
  })

  test('an emptied spool keeps its numbers in a record', async () => {
    const path = await place('spool-opened')
    const box = await OpenUnix.open(unixContext(files, dir, { clock: new TestClock(1795398294_000) }), path)
    await box.refresh(true)
    await box.edit((edit) => box.source.expunge(uids.all, { always: true }, edit, never))
    expect((await readFile(path)).toString('latin1')).toBe(fixture('spool-emptied').toString('latin1'))
    expect(box.uids).toEqual([])
  })
})
