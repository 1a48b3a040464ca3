import { describe, expect, test } from 'vitest'
import { stateFolder, SYSTEM, type Files, type FileStat, type MailboxFormat, type OpenFile } from '../../../core/api/index.js'
import { inlineLane } from '../../../core/os/lane.js'
import { kitUser, Storage } from '../../../core/testing/storage.js'
import { mbxDialect } from '../../../plugins/formats/mbx/dialect.js'
import { MxFormat } from '../../../plugins/formats/mx/format.js'
import { FixedFormat } from '../../../plugins/formats/shared/fixed/format.js'
import { fixedContext } from '../../../plugins/formats/shared/fixed/plugin.js'
import { MAGIC } from '../../../plugins/formats/shared/changes/redo-format.js'
import { ROOM } from '../../../plugins/formats/shared/changes/redo-places.js'
import { SafeChanges } from '../../../plugins/formats/shared/changes/safe-changes.js'
import { unixDialect } from '../../../plugins/formats/shared/text/dialect.js'
import { directoryContext } from '../../support/directory-formats.js'
import { HeldClock } from '../../support/held-clock.js'
import { itemOf, OpenBox, placeOf } from '../../support/open-box.js'
import { textFormat } from '../../support/unix.js'

const isRedo = (path: string): boolean => path.endsWith('.mailwright-redo')
const failed = (): Promise<never> => Promise.reject(Object.assign(new Error('EIO: i/o error'), { code: 'EIO' }))
const subjectOf = (text: string): string | undefined => /Subject: (\S+)/.exec(text)?.[1]

/** A disk on which a redo file can be written, and not be cleared while `sick`. */
class SickDisk {
  sick = false
  /** Of the network: what was written is refused when the file is closed. */
  closesBadly = false
  of(files: Files): Files {
    return new Proxy(files, {
      get: (target, key) => {
        if (key === 'unlink') return (path: string) => (this.sick && isRedo(path) ? failed() : target.unlink(path))
        if (key === 'open') return async (...args: Parameters<Files['open']>) => (isRedo(args[0]) ? this.#redo(await target.open(...args)) : target.open(...args))
        const member: unknown = Reflect.get(target, key)
        return typeof member === 'function' ? (member.bind(target) as unknown) : member
      },
    })
  }
  #redo(file: OpenFile): OpenFile {
    return new Proxy(file, {
      get: (target, key) => {
        // What crosses it out is shorter than whatever says something.
        if (key === 'write') return (chunks: readonly Uint8Array[], at: number) => (this.sick && at === 0 && chunks.reduce((sum, c) => sum + c.length, 0) < 16 ? failed() : target.write(chunks, at))
        if (key === 'close') return () => (this.closesBadly ? target.close().then(failed) : target.close())
        if (key === 'truncate') return (size: number) => (this.sick ? failed() : target.truncate(size))
        const member: unknown = Reflect.get(target, key)
        return typeof member === 'function' ? (member.bind(target) as unknown) : member
      },
    })
  }
}
type Make = (storage: Storage, files: Files, warn: (text: string) => void) => MailboxFormat
const formats: readonly { readonly name: string; readonly make: Make }[] = [
  { name: 'unix', make: (storage, files, warn) => textFormat(unixDialect, { ...storage.services(), files, logger: { ...storage.services().logger, warn } }) },
  {
    name: 'mbx',
    make(storage, files, warn) {
      const services = { ...storage.services(), files, logger: { ...storage.services().logger, warn } }
      return new FixedFormat(mbxDialect, fixedContext({ ...services, lane: inlineLane(services) }, { watch: false }))
    },
  },
  {
    name: 'mx',
    make(storage, files, warn) {
      const context = directoryContext(files, storage.clock)
      return new MxFormat({ ...context, mailbox: storage.services().mailbox, locks: { ...context.locks, logger: { info: () => undefined, warn } } })
    },
  },
]

/** An empty mailbox, open, on such a disk. */
class Site implements AsyncDisposable {
  private constructor(
    readonly storage: Storage,
    readonly path: string,
    readonly disk: SickDisk,
    /** What the log was told. */
    readonly warned: readonly string[],
    readonly box: OpenBox,
  ) {}
  static async create(make: Make): Promise<Site> {
    const storage = await Storage.create(1)
    const path = `${storage.services().home}/box`
    const disk = new SickDisk()
    const warned: string[] = []
    const format = make(storage, disk.of(storage.files), (text) => void warned.push(text))
    await format.create({ ...placeOf(path), user: kitUser })
    return new Site(storage, path, disk, warned, await OpenBox.open(format, path))
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.box.source.close()
    this.storage[Symbol.dispose]()
  }
}

describe.each(formats)('a redo file of $name that cannot be cleared', ({ make }) => {
  test('the change is done and said to be, once, and the file is cleared by the next access that can', async () => {
    await using site = await Site.create(make)
    const { storage, path, warned, disk, box } = site
    await box.append([itemOf('Subject: one\r\n\r\n1\r\n')])
    disk.sick = true
    await box.append([itemOf('Subject: two\r\n\r\n2\r\n')])
    expect(warned).toEqual([expect.stringMatching(/^Mailbox \S+ was changed, but \S+\.mailwright-redo, which says what was to be changed, cannot be cleared; the next access to the mailbox tries again: EIO/)])
    disk.sick = false
    await box.store([1], { system: SYSTEM.flagged })
    await box.append([itemOf('Subject: three\r\n\r\n3\r\n')])
    const flagged = async (one: OpenBox): Promise<readonly string[]> => (await one.messages()).map(({ uid, text, system }) => `${uid} ${subjectOf(text)} ${system & SYSTEM.flagged}`)
    const wanted = [`1 one ${SYSTEM.flagged}`, '2 two 0', '3 three 0']
    expect(await flagged(box)).toEqual(wanted)
    const other = await OpenBox.open(make(storage, storage.files, () => undefined), path)
    await other.refresh(false)
    expect([await flagged(other), warned.length]).toEqual([wanted, 1])
    await other.source.close()
  })
  test('nor is one that is done said to have failed since its redo file is closed with an error', async () => {
    await using site = await Site.create(make)
    const { warned, disk, box } = site
    disk.closesBadly = true
    await box.append([itemOf('Subject: one\r\n\r\n1\r\n')])
    disk.closesBadly = false
    expect(warned).toContainEqual(expect.stringMatching(/mailwright-redo close failure: EIO/))
    await box.append([itemOf('Subject: two\r\n\r\n2\r\n')])
    expect((await box.messages()).map(({ text }) => subjectOf(text))).toEqual(['one', 'two'])
  })
})

test.each(formats)('what a mailbox of $name keeps for its next change goes with it', async ({ make }) => {
  using storage = await Storage.create(1)
  const { files } = storage
  const { home, mailbox } = storage.services()
  const place = { ...placeOf(`${home}/box`), user: kitUser }
  const format = make(storage, files, () => undefined)
  const kept = async (): Promise<number> => (await files.list(`${stateFolder(mailbox.stateDirectory, { ...kitUser, home })}/redo`)).length
  await format.create(place)
  const box = await OpenBox.open(format, place.path, undefined, kitUser)
  await box.append([1, 2, 3].map((n) => itemOf(`Subject: ${n}\r\n\r\n${n}\r\n`)))
  await box.store([1, 2, 3], { system: SYSTEM.flagged })
  await box.source.close()
  expect(await kept()).toBeGreaterThan(0)
  await format.remove?.(place)
  expect([await kept(), await files.stat(place.path)]).toEqual([0, undefined])
})

describe.each([true, false])('the redo file of a large change to mbx, threads for files: %s', (threads) => {
  const large = `Subject: large\r\n\r\n${'0123456789abcdef\r\n'.repeat(1 << 17)}`
  /** A mailbox with a large message, in a process whose time stands still; its redo file, and how to give back its room. */
  async function site(): Promise<{ storage: Storage; clock: HeldClock; box: OpenBox; open: () => Promise<OpenBox>; redo: string; left: () => Promise<FileStat | undefined>; giveBack: () => Promise<void> }> {
    const storage = await Storage.create(1)
    const clock = new HeldClock(storage.clock.now())
    const services = { ...storage.services(), clock }
    const context = fixedContext({ ...services, ...(threads && { lane: inlineLane(services) }) }, { watch: true })
    const format = new FixedFormat(mbxDialect, context)
    const path = `${services.home}/box`
    const place = { ...placeOf(path), user: kitUser }
    await format.create(place)
    const at = (await storage.files.stat(path)) ?? { device: 0, inode: 0 }
    const redo = `${stateFolder(services.mailbox.stateDirectory, kitUser) ?? ''}/redo/${at.device.toString(16)}-${at.inode.toString(16)}.mailwright-redo`
    const changes = new SafeChanges(place, { ...context, random: services.random })
    const open = async (): Promise<OpenBox> => {
      const box = await OpenBox.open(format, path, undefined, kitUser)
      await box.refresh(true)
      return box
    }
    const box = await open()
    await box.append([itemOf(large)])
    return { storage, clock, box, open, redo, left: () => storage.files.stat(redo), giveBack: () => changes.giveBackRoom(at) }
  }

  test('stays so long until nobody waits, and is the same change to others then', async () => {
    const { storage, clock, box, left } = await site()
    using _machine = storage
    const before = await left()
    expect(before?.size).toBeGreaterThan(large.length)
    clock.pass()
    await expect.poll(async () => (await left())?.size).toBe(ROOM)
    expect((await left())?.mtimeMs).toBe(before?.mtimeMs)
    await box.append([itemOf('Subject: small\r\n\r\n1\r\n')])
    expect((await box.messages()).map(({ text }) => subjectOf(text))).toEqual(['large', 'small'])
    await box.source.close()
  })
  test('is shortened by who closes the mailbox before', async () => {
    const { storage, box, open, left } = await site()
    using _machine = storage
    await box.append([itemOf('Subject: small\r\n\r\n1\r\n')])
    await box.source.close()
    expect((await left())?.size).toBe(ROOM)
    const other = await open()
    expect((await other.messages()).map(({ text }) => subjectOf(text))).toEqual(['large', 'small'])
    await other.source.close()
  })
  test('is left alone where it says something', async () => {
    const { storage, box, redo, left, giveBack } = await site()
    using _machine = storage
    const file = await storage.files.open(redo, { write: true })
    await file.write([Buffer.from(MAGIC)], 0)
    const before = await left()
    await giveBack()
    expect(await left()).toEqual(before)
    await file.write([Buffer.alloc(MAGIC.length)], 0)
    await file.close()
    await box.source.close()
    expect((await left())?.size).toBe(ROOM)
  })
})
