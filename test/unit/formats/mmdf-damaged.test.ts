import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { SYSTEM } from '../../../core/api/index.js'
import { SystemFiles } from '../../../core/os/files.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import { sampleMessage } from '../../../core/testing/messages.js'
import { mmdfDialect } from '../../../plugins/formats/mmdf/dialect.js'
import { TextFormat } from '../../../plugins/formats/shared/text/format.js'
import { deliverTo, placeAt } from '../../support/directory-formats.js'
import { itemOf, OpenBox } from '../../support/open-box.js'
import { unixContext } from '../../support/unix.js'

let folder = ''
let path = ''
let format: TextFormat
/** The file, of five messages, with the delimiter destroyed with which the third begins. */
let damaged = Buffer.alloc(0)
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mailwright-damaged-'))
  path = join(folder, 'box')
  format = new TextFormat({ ...unixContext(new SystemFiles(await nativeLocks()), folder), dialect: mmdfDialect })
  await format.create(placeAt(path))
  await deliverTo(format, path, [1, 2, 3, 4, 5].map((n) => sampleMessage(n)))
  const text = (await readFile(path)).toString('latin1')
  const third = text.indexOf('\u0001\u0001\u0001\u0001\nFrom ', text.indexOf('X-UID: 2\n'))
  damaged = Buffer.from(`${text.slice(0, third)}####\n${text.slice(third + 5)}`, 'latin1')
})
afterEach(() => rm(folder, { recursive: true, force: true }))

test('mail behind a place of damage is not written over: not by an append, new flags or an expunge, and not by who opens the mailbox', async () => {
  let box = await OpenBox.open(format, path)
  await box.refresh(true)
  await writeFile(path, damaged)
  const corrupt = { kind: 'corrupt' }
  for (const reopened of [false, true]) {
    // With the rows that are kept over a restart.
    if (reopened) box = await OpenBox.open(new TextFormat({ ...unixContext(new SystemFiles(await nativeLocks()), folder), dialect: mmdfDialect }), path, box)
    await box.refresh(true)
    expect(box.uids).toEqual([1, 2])
    // Of which `mailwright fsck` tells too.
    expect(box.notices).toContainEqual({ severity: 'warning', text: expect.stringMatching(/box is damaged: what stands at octet \d+ is no message$/) })
    await expect(box.append([itemOf('Subject: six\r\n\r\nx\r\n')])).rejects.toMatchObject(corrupt)
    await expect(box.store([1], { system: SYSTEM.flagged })).rejects.toMatchObject(corrupt)
    await expect(box.expunge([1])).rejects.toMatchObject(corrupt)
    await box.source.close()
  }
  await expect(deliverTo(format, path, [sampleMessage(6)])).rejects.toMatchObject(corrupt)
  expect(await readFile(path)).toEqual(damaged)
})
