import { describe, expect, test } from 'vitest'
import { kitUser, Storage } from '../../../core/testing/storage.js'
import { mbxDialect } from '../../../plugins/formats/mbx/dialect.js'
import { mtxDialect } from '../../../plugins/formats/mtx/dialect.js'
import { tenexDialect } from '../../../plugins/formats/tenex/dialect.js'
import { FixedFormat } from '../../../plugins/formats/shared/fixed/format.js'
import { fixedContext } from '../../../plugins/formats/shared/fixed/plugin.js'
import { REDO_SUFFIX } from '../../../plugins/formats/shared/changes/redo-places.js'
import { itemOf, OpenBox, placeOf } from '../../support/open-box.js'

/** For one look at a redo file the process has no descriptor left. */
function withoutDescriptors({ files }: Storage): Disposable {
  const lstat = files.lstat.bind(files)
  files.lstat = async (path) => {
    if (!path.endsWith(REDO_SUFFIX)) return lstat(path)
    throw Object.assign(new Error(`EMFILE: too many open files, lstat '${path}'`), { code: 'EMFILE' })
  }
  return { [Symbol.dispose]: () => void (files.lstat = lstat) }
}

describe.each([mbxDialect, mtxDialect, tenexDialect].map((dialect) => ({ name: dialect.title, dialect })))('a $name mailbox whose first look failed', ({ dialect }) => {
  test.each(['looked at', 'appended to'])('keeps what another process appended meanwhile when it is %s', async (next) => {
    using storage = await Storage.create(1)
    const make = (): FixedFormat => new FixedFormat(dialect, fixedContext(storage.services(), { watch: false }))
    const path = `${storage.services().home}/box`
    await make().create({ ...placeOf(path), user: kitUser })
    const text = (n: number): string => `Subject: ${n}\r\n\r\nmessage ${n}\r\n`
    const other = await OpenBox.open(make(), path)
    await other.append([itemOf(text(1))])
    const box = await OpenBox.open(make(), path)
    {
      using _none = withoutDescriptors(storage)
      await expect(box.refresh(false)).rejects.toThrow('EMFILE')
    }
    await other.append([itemOf(text(2))])
    const wanted = [text(1), text(2)]
    if (next === 'appended to') {
      await box.append([itemOf(text(3))])
      wanted.push(text(3))
    }
    await box.refresh(false)
    expect((await box.messages()).map((m) => m.text)).toEqual(wanted)
    await other.refresh(false)
    expect((await other.messages()).map((m) => m.text)).toEqual(wanted)
    await box.source.close()
    await other.source.close()
  })
})
