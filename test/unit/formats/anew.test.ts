import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { MailboxFormat } from '../../../core/api/index.js'
import { SystemFiles } from '../../../core/os/files.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import { sampleMessage } from '../../../core/testing/messages.js'
import { mbxDialect } from '../../../plugins/formats/mbx/dialect.js'
import { MixFormat } from '../../../plugins/formats/mix/format.js'
import { MxFormat } from '../../../plugins/formats/mx/format.js'
import { FixedFormat } from '../../../plugins/formats/shared/fixed/format.js'
import { deliverTo, directoryContext, openBox, placeAt } from '../../support/directory-formats.js'
import { fixedContextOf } from '../../support/fixed.js'

const files = new SystemFiles(await nativeLocks())
// Their clocks stand still.
const formats: Readonly<Record<string, (folder: string) => MailboxFormat>> = {
  mbx: (folder) => new FixedFormat(mbxDialect, fixedContextOf(files, folder)),
  mix: () => new MixFormat(directoryContext(files)),
  mx: () => new MxFormat(directoryContext(files)),
}
const goes: Readonly<Record<string, (format: MailboxFormat, path: string) => Promise<void> | undefined>> = {
  renamed: (format, path) => format.rename?.(placeAt(path), placeAt(`${path}-kept`)),
  deleted: (format, path) => format.remove?.(placeAt(path)),
}

const makers = ['by this process', 'by another'] as const
const ways = Object.keys(formats).flatMap((name) => Object.keys(goes).flatMap((how) => makers.map((maker) => [name, maker, how] as const)))

describe('a mailbox that is made under the name of another one of the same second', () => {
  let folder = ''
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mailwright-anew-'))
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  test.each(ways)('has a UIDVALIDITY of its own: %s, made %s, %s', async (name, maker, how) => {
    const format = formats[name]?.(folder)
    const first = maker === 'by another' ? formats[name]?.(folder) : format
    if (format === undefined || first === undefined) throw new Error(`no format ${name}`)
    const path = join(folder, 'box')
    const make = async (format: MailboxFormat): Promise<readonly [validity: number, uid: number | undefined]> => {
      await format.create?.(placeAt(path))
      await deliverTo(format, path, [sampleMessage(1)])
      const box = await openBox(format, path)
      await box.refresh()
      const seen = [box.table.uidValidity, box.rows[0]?.uid] as const
      await box.close()
      return seen
    }
    const [validity, uid] = await make(first)
    await goes[how]?.(format, path)
    const [after, again] = await make(format)
    expect([uid, again]).toEqual([1, 1])
    expect(after).toBeGreaterThan(validity)
  })
})
