import { expect, test } from 'vitest'
import { SYSTEM } from '../../../core/api/index.js'
import { inlineLane } from '../../../core/os/lane.js'
import { afterCrash } from '../../../core/testing/disk/crash.js'
import { SeededRandom } from '../../../core/testing/random.js'
import { kitUser, Storage } from '../../../core/testing/storage.js'
import { mbxDialect } from '../../../plugins/formats/mbx/dialect.js'
import { FixedFormat } from '../../../plugins/formats/shared/fixed/format.js'
import { fixedContext } from '../../../plugins/formats/shared/fixed/plugin.js'
import { itemOf, OpenBox, placeOf } from '../../support/open-box.js'

test('a change of one octet waits until what the change before it left in its redo file is crossed out on the disk', async () => {
  using storage = await Storage.create(1)
  const make = (on: Storage): FixedFormat => new FixedFormat(mbxDialect, fixedContext(on.services(), { watch: false }))
  const path = `${storage.services().home}/box`
  const place = { ...placeOf(path), user: kitUser }
  const format = make(storage)
  await format.create(place)
  const box = await OpenBox.open(format, path)
  await box.refresh(true)
  await box.append([itemOf('Subject: one\r\n\r\nhello\r\n'), itemOf('Subject: two\r\n\r\nhello\r\n')])
  await box.store([1], { keywords: ['known'] })
  // Octets far from each other, so that they go by way of the redo file; and then one of them alone, where it stands.
  await box.store([2], { system: SYSTEM.flagged, keywords: ['known'] })
  await box.store([2], { how: 'remove', system: SYSTEM.flagged })
  const { log } = storage
  const crossedOut = log.findLastIndex((op) => op.op === 'unlink' && op.name.endsWith('-redo'))
  const synced = log.findIndex((op, i) => i > crossedOut && op.op === 'sync-directory')
  const written = log.findIndex((op, i) => i > crossedOut && op.op === 'write' && op.bytes.length === 1)
  // Otherwise a crash may leave the redo file, and what was finished long ago is done once more, over the later octet.
  expect(crossedOut).toBeGreaterThan(0)
  expect(synced).toBeGreaterThan(crossedOut)
  expect(written).toBeGreaterThan(synced)
  const disk = afterCrash(storage.files.start, log, log.length, 'dropped', new SeededRandom(1))
  await box.source.close()
  using again = storage.restarted(disk)
  const after = await OpenBox.open(make(again), path)
  await after.refresh(true)
  expect((await after.messages()).map(({ system, keywords }) => [system & SYSTEM.flagged, keywords])).toEqual([[0, ['known']], [0, ['known']]])
  await after.source.close()
})

test('flags of many messages that lie close together are one write, by a file opened anew, and synced once', async () => {
  using storage = await Storage.create(1)
  const make = (on: Storage): FixedFormat => {
    const services = on.services()
    return new FixedFormat(mbxDialect, fixedContext({ ...services, lane: inlineLane(services) }, { watch: false }))
  }
  const path = `${storage.services().home}/box`
  const format = make(storage)
  await format.create({ ...placeOf(path), user: kitUser })
  const box = await OpenBox.open(format, path)
  await box.refresh(true)
  const count = 20
  await box.append(Array.from({ length: count }, (_, n) => itemOf(`Subject: ${n}\r\n\r\nhello\r\n`)))
  const all = Array.from({ length: count }, (_, n) => n + 1)
  await box.store([1], { system: SYSTEM.seen })
  const { log } = storage
  const before = log.length
  await box.store(all, { system: SYSTEM.flagged })
  const done = log.slice(before).filter(({ op }) => op === 'write' || op === 'sync')
  // Who wrote flags comes first; the one sync comes last.
  expect(done.map((op) => op.op)).toEqual(['write', 'write', 'sync'])
  expect(done[0]?.op === 'write' && done[0].at < 2048 && done[0].bytes.length <= 8).toBe(true)
  const written = log.findLastIndex(({ op }) => op === 'write') + 1
  // Whatever part of it reaches the disk, each message has its old flags or its new ones, and all else is as it was.
  for (let seed = 1; seed <= 20; seed++) {
    using torn = storage.restarted(afterCrash(storage.files.start, log, written, 'torn', new SeededRandom(seed)))
    const found = await OpenBox.open(make(torn), path)
    await found.refresh(true)
    expect((await found.messages()).map(({ text, system }) => [text, system & ~SYSTEM.flagged])).toEqual(all.map((uid) => [`Subject: ${uid - 1}\r\n\r\nhello\r\n`, uid === 1 ? SYSTEM.seen : 0]))
    await found.source.close()
  }
  const disk = afterCrash(storage.files.start, log, log.length, 'dropped', new SeededRandom(1))
  await box.source.close()
  using again = storage.restarted(disk)
  const after = await OpenBox.open(make(again), path)
  await after.refresh(true)
  expect((await after.messages()).map(({ system }) => system & SYSTEM.flagged)).toEqual(all.map(() => SYSTEM.flagged))
  await after.source.close()
})
