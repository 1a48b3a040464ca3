import { describe, expect, test } from 'vitest'
import { SYSTEM, type Files, type MailboxFormat } from '../../../core/api/index.js'
import { inlineLane } from '../../../core/os/lane.js'
import { kitUser, Storage } from '../../../core/testing/storage.js'
import { mbxDialect } from '../../../plugins/formats/mbx/dialect.js'
import { MixFormat } from '../../../plugins/formats/mix/format.js'
import { mmdfDialect } from '../../../plugins/formats/mmdf/dialect.js'
import { MhFormat } from '../../../plugins/formats/mh/format.js'
import { mtxDialect } from '../../../plugins/formats/mtx/dialect.js'
import { MxFormat } from '../../../plugins/formats/mx/format.js'
import type { Dialect } from '../../../plugins/formats/shared/fixed/dialect.js'
import { FixedFormat } from '../../../plugins/formats/shared/fixed/format.js'
import { fixedContext } from '../../../plugins/formats/shared/fixed/plugin.js'
import { tenexDialect } from '../../../plugins/formats/tenex/dialect.js'
import { unixDialect } from '../../../plugins/formats/shared/text/dialect.js'
import { directoryContext } from '../../support/directory-formats.js'
import { FailingCall } from '../../support/failing-calls.js'
import { itemOf, OpenBox, placeOf } from '../../support/open-box.js'
import { textFormat } from '../../support/unix.js'

type Make = (storage: Storage, files: Files) => MailboxFormat
const fixed = (dialect: Dialect): Make => (storage, files) => {
  const services = { ...storage.services(), files }
  return new FixedFormat(dialect, fixedContext({ ...services, lane: inlineLane(services) }, { watch: false }))
}
const folders = (storage: Storage, files: Files): ReturnType<typeof directoryContext> => ({ ...directoryContext(files, storage.clock), mailbox: storage.services().mailbox })
const formats: readonly { readonly name: string; readonly make: Make }[] = [
  { name: 'unix', make: (storage, files) => textFormat(unixDialect, { ...storage.services(), files }) },
  { name: 'mmdf', make: (storage, files) => textFormat(mmdfDialect, { ...storage.services(), files }) },
  { name: 'mbx', make: fixed(mbxDialect) },
  { name: 'mtx', make: fixed(mtxDialect) },
  { name: 'tenex', make: fixed(tenexDialect) },
  { name: 'mix', make: (storage, files) => new MixFormat(folders(storage, files)) },
  { name: 'mx', make: (storage, files) => new MxFormat(folders(storage, files)) },
  { name: 'mh', make: (storage, files) => new MhFormat(folders(storage, files), { profile: '.mh_profile', path: storage.services().home, allowInbox: false }) },
]
const text = (what: string): string => `Subject: ${what}\r\n\r\nthe text of ${what}\r\n`
const operations: readonly { readonly name: string; readonly run: (box: OpenBox) => Promise<unknown>; readonly adds?: boolean; readonly removes?: number }[] = [
  { name: 'a look', run: (box) => box.refresh(false) },
  { name: 'a look that takes new mail', run: (box) => box.refresh(true) },
  { name: 'an APPEND', run: (box) => box.append([itemOf(text('wanted'))]), adds: true },
  { name: 'a STORE', run: (box) => box.store([1], { system: SYSTEM.flagged }) },
  { name: 'an EXPUNGE', run: (box) => box.expunge([2]), removes: 2 },
]
const WHEN = [{ when: 'the first that a process does', known: false }, { when: 'after another process added a message', known: true }]

describe.each(formats)('a call on files of $name that fails, whichever it is', ({ make }) => {
  test.each(operations.flatMap((o) => WHEN.map((w) => ({ ...o, ...w }))))('keeps nobody out, and costs nothing that was acknowledged: $name, $when', async ({ run, adds, removes, known }) => {
    let failures = 0
    for (let calls = 0; ; calls++) {
      using storage = await Storage.create(1)
      const path = `${storage.services().home}/box`
      const fault = new FailingCall()
      const healthy = make(storage, storage.files)
      await healthy.create({ ...placeOf(path), user: kitUser })
      const other = await OpenBox.open(healthy, path)
      await other.append(['one', 'two', 'three'].map((what) => itemOf(text(what))))
      const box = await OpenBox.open(make(storage, fault.of(storage.files)), path)
      if (known) {
        await box.refresh(true)
        await other.append([itemOf(text('four'))])
      }
      fault.after(calls)
      const told = await run(box).then(() => 'done', () => 'failed')
      fault.after(Number.POSITIVE_INFINITY)
      // Both go on, and nobody waits for a lock.
      await other.append([itemOf(text('between'))])
      await box.append([itemOf(text('after'))])
      const anew = await OpenBox.open(make(storage, storage.files), path)
      for (const each of [box, other, anew]) await each.refresh(false)
      const [mine, theirs, seen] = [await box.messages(), await other.messages(), await anew.messages()].map((list) => list.map((m) => m.text))
      for (const each of [box, other, anew]) await each.source.close()
      expect({ call: fault.failed, open: [...storage.files.open_].map((file) => file.path) }).toEqual({ call: fault.failed, open: [] })
      const wanted = ['one', 'two', 'three', ...(known ? ['four'] : []), 'between', 'after'].filter((_, i) => i + 1 !== removes).map(text)
      const sure = [...wanted, ...(adds === true && told === 'done' ? [text('wanted')] : [])]
      expect({ call: fault.failed, told, mine, theirs }).toEqual({ call: fault.failed, told, mine: seen, theirs: seen })
      expect({ call: fault.failed, told, seen: sure.map((what) => seen?.filter((there) => there === what).length) }).toEqual({ call: fault.failed, told, seen: sure.map(() => 1) })
      if (fault.failed === undefined) break
      failures++
    }
    expect(failures).toBeGreaterThan(3)
  })
})
