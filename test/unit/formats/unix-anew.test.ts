import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SystemFiles } from '../../../core/os/files.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import { sampleMessage } from '../../../core/testing/messages.js'
import { TextFormat } from '../../../plugins/formats/shared/text/format.js'
import { deliverTo, openBox, placeAt } from '../../support/directory-formats.js'
import { unixContext } from '../../support/unix.js'

const files = new SystemFiles(await nativeLocks())

describe('a mailbox under the name of another one that began in the same second', () => {
  let folder = ''
  let format: TextFormat
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mailwright-anew-'))
    // Its clock stands still.
    format = new TextFormat(unixContext(files, folder))
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  const path = (name: string): string => join(folder, name)
  const deliver = (): Promise<void> => deliverTo(format, path('box'), [sampleMessage(1)])
  async function see(): Promise<{ readonly validity: number; readonly uids: readonly number[] }> {
    const box = await openBox(format, path('box'))
    await box.refresh()
    const seen = { validity: box.table.uidValidity, uids: box.rows.map(({ uid }) => uid) }
    await box.close()
    return seen
  }
  const goes = {
    renamed: () => format.rename(placeAt(path('box')), placeAt(path('kept'))),
    deleted: () => format.remove(placeAt(path('box'))),
  }
  const comes = {
    'by CREATE': async () => {
      await format.create(placeAt(path('box')))
      await deliver()
    },
    'by another program, and is looked at': () => writeFile(path('box'), 'From bob@example.org Mon Jan  5 09:08:07 2015\nSubject: theirs\n\nhello\n\n'),
    'by another program, and is delivered to': async () => {
      await writeFile(path('box'), 'From bob@example.org Mon Jan  5 09:08:07 2015\nSubject: theirs\n\nhello\n\n')
      await deliver()
    },
  }
  const ways = Object.keys(goes).flatMap((how) => Object.keys(comes).map((by) => [how, by] as const)) as [keyof typeof goes, keyof typeof comes][]
  test.each(Object.keys(goes) as (keyof typeof goes)[])('has a UIDVALIDITY of its own where another process made the one that is %s', async (how) => {
    const own = format
    format = new TextFormat(unixContext(files, folder))
    await format.create(placeAt(path('box')))
    await deliver()
    const before = await see()
    format = own
    await goes[how]()
    await comes['by CREATE']()
    expect((await see()).validity).toBeGreaterThan(before.validity)
  })
  test.each(ways)('has a UIDVALIDITY of its own: one is %s, another comes %s', async (how, by) => {
    await format.create(placeAt(path('box')))
    await deliver()
    const before = await see()
    await goes[how]()
    await comes[by]()
    const after = await see()
    expect([before.uids, after.uids[0]]).toEqual([[1], 1])
    expect(after.validity).toBeGreaterThan(before.validity)
  })
})
