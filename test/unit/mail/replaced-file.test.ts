import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { SYSTEM, uids } from '../../../core/api/index.js'
import { SystemFiles } from '../../../core/os/files.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import { mbxDialect } from '../../../plugins/formats/mbx/dialect.js'
import { FixedFormat } from '../../../plugins/formats/shared/fixed/format.js'
import { TextFormat } from '../../../plugins/formats/shared/text/format.js'
import { fixedContextOf } from '../../support/fixed.js'
import { sharedOver } from '../../support/mail-table.js'
import { deliver, itemOf, OpenBox, placeOf, temporaryFolder } from '../../support/open-box.js'
import { never, TestClock, unixContext } from '../../support/unix.js'

const system = new SystemFiles(await nativeLocks())
const messages = (list: string[]) => list.map((s) => itemOf(`Subject: ${s}\r\n\r\n${s}\r\n`))

test.each(['expunge', 'remove', 'store'] as const)('mbx through core: a session of the mailbox that was there before does no %s in the one that has its name now', async (what) => {
  await using folder = temporaryFolder('replaced')
  const path = join(folder.path, 'box')
  const clock = new TestClock(Date.now() + 60_000)
  const format = (): FixedFormat => new FixedFormat(mbxDialect, fixedContextOf(system, folder.path, { clock }))
  await format().create(placeOf(path))
  await deliver(format(), path, messages(['a', 'b', 'c']))
  const { shared, view } = sharedOver(await format().open(placeOf(path)))
  shared.writers = 1
  await shared.refresh(never)
  const session = view()
  await session.store({ uids: uids.from([2]), how: 'add', system: SYSTEM.deleted, keywords: [] }, false, never)
  await rm(path)
  clock.ms += 5000
  await format().create(placeOf(path))
  await deliver(format(), path, ['x', 'y', 'z'].map((s) => itemOf(`Subject: ${s}\r\n\r\n${s}\r\n`, { system: what === 'expunge' ? SYSTEM.deleted : 0 })))
  // Even another session's look in between makes no difference: the rows are new, the numbers are old.
  await shared.refresh(never)
  const done = (what === 'store' ? session.store({ uids: uids.from([2]), how: 'add', system: SYSTEM.flagged, keywords: [] }, false, never) : session[what](uids.from([2]), never))
  await (done as Promise<unknown>).catch(() => undefined)
  const fresh = await OpenBox.open(format(), path)
  await fresh.refresh()
  expect((await fresh.messages()).map((m) => `${m.text.slice(9, 10)}${m.system & SYSTEM.flagged}`)).toEqual(['x0', 'y0', 'z0'])
  await fresh.source.close()
  await shared.close(false)
})

test.each([false, true])('unix through core: the spool was emptied and got other mail, then a POP3 session removes what it had as message 2; another session looked in between: %s', async (looked) => {
  await using folder = temporaryFolder('replaced')
  const path = join(folder.path, 'spool')
  const text = (s: string): string => `From bob@example.net Mon Jan  5 09:08:07 2015\nSubject: ${s}\n\n${s}\n\n`
  await writeFile(path, ['a', 'b', 'c'].map(text).join(''))
  const ctx = unixContext(system, folder.path)
  const { shared, view } = sharedOver(await new TextFormat(ctx).open(placeOf(path)))
  shared.writers = 1
  await shared.refresh(never)
  const session = view()
  // Another program empties the spool (no owner lock honoured), and mail comes.
  await writeFile(path, '')
  await writeFile(path, ['x', 'y', 'z'].map(text).join(''))
  if (looked) await shared.refresh(never).catch(() => undefined)
  await session.remove(uids.from([2]), never).catch(() => undefined)
  expect([...(await readFile(path, 'latin1')).matchAll(/^Subject: (.)$/gm)].map((m) => m[1])).toEqual(['x', 'y', 'z'])
  await shared.close(false)
})
