import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SYSTEM, uids, type MailboxFormat, type MessageBytes } from '../../core/api/index.js'
import { SystemFiles } from '../../core/os/files.js'
import { nativeLocks } from '../../core/os/native-locks.js'
import { never, WHOLE, type BoxMessage } from '../../core/testing/box.js'
import { sampleMessage, type SampleMessage } from '../../core/testing/messages.js'
import { MixFormat } from '../../plugins/formats/mix/format.js'
import { MxFormat } from '../../plugins/formats/mx/format.js'
import { accountOf, crowdOn } from '../support/crowd.js'
import { deliverTo, directoryContext, familyHome, mailutil, openBox, placeAt } from '../support/directory-formats.js'
import { TestClock } from '../support/unix.js'
import { has } from '../support/programs.js'

const LONG = process.env['MAILWRIGHT_LONG'] === '1'
const files = new SystemFiles(await nativeLocks())
interface Shared {
  readonly name: 'mix' | 'mx'
  readonly make: () => MailboxFormat
  /** The zone of a date is kept. */
  readonly zones: boolean
}
const formats: readonly Shared[] = [
  { name: 'mix', make: () => new MixFormat(directoryContext(files)), zones: true },
  { name: 'mx', make: () => new MxFormat(directoryContext(files)), zones: false },
]

async function see(format: MailboxFormat, path: string): Promise<{ readonly validity: number; readonly messages: readonly BoxMessage[] }> {
  const box = await openBox(format, path)
  await box.refresh()
  const messages = await box.messages()
  const { uidValidity } = box.table
  await box.close()
  return { validity: uidValidity, messages }
}
/** Programs of the family set times in whole seconds when they read, and a zone that is kept beside them goes. */
const lasting = (zones: boolean, messages: readonly BoxMessage[]): readonly BoxMessage[] => (zones ? messages : messages.map((m) => ({ ...m, zone: 0 })))
const subject = (m: BoxMessage): string => /Subject: (.*)\r\n/.exec(Buffer.from(m.bytes).toString('latin1'))?.[1] ?? ''

describe.runIf(has('mailutil'))('folders of mail shared with programs of the c-client family', () => {
  let home = ''
  beforeEach(async () => void (home = await familyHome()))
  afterEach(() => rm(home, { recursive: true, force: true }))

  test.each(formats)('$name: what we write is what they read, with flags, keywords and dates', async ({ name, make, zones }) => {
    const format = make()
    const path = join(home, 'ours')
    await format.create(placeAt(path))
    const box = await openBox(format, path)
    for (let n = 1; n <= 8; n++) await deliverTo(format, path, [sampleMessage(n, n === 4 ? { keywords: ['$Label1', 'work'] } : {})], box)
    await box.refresh({ claimRecent: true })
    await box.store({ uids: uids.from([2, 3]), system: SYSTEM.seen | SYSTEM.flagged })
    await box.store({ uids: uids.one(5), system: SYSTEM.answered, keywords: ['work'] })
    await box.expunge(uids.from([1, 3, 6, 8]), { always: true })
    const before = await box.messages()
    await box.close()
    const copied = await mailutil(home, 'copy', '-kw', 'ours', `#driver.${name}/theirs`)
    expect(copied.stderr).toBe('')
    const theirs = await see(make(), join(home, 'theirs'))
    const essence = (m: BoxMessage): unknown => [m.flags, m.size, m.ms, Buffer.from(m.bytes).toString('latin1')]
    expect(theirs.messages.map(essence)).toEqual(before.map(essence))
    if (zones) expect(theirs.messages.map((m) => m.zone)).toEqual(before.map((m) => m.zone))
    // And nothing of ours changed by being read.
    expect(lasting(zones, (await see(make(), path)).messages)).toEqual(lasting(zones, before))
  })

  test.each(formats)('$name: what they change is what we see: UIDs, UIDVALIDITY, flags and keywords of the rest stay', async ({ make, zones }) => {
    const format = make()
    const path = join(home, 'box')
    await format.create(placeAt(path))
    const box = await openBox(format, path)
    await deliverTo(format, path, Array.from({ length: 6 }, (_, n) => sampleMessage(n + 1, n === 1 ? { keywords: ['$Label1'] } : {})), box)
    await box.store({ uids: uids.from([2, 5]), system: SYSTEM.flagged })
    await box.expunge(uids.one(4), { always: true })
    const before = await box.messages()
    const validity = box.table.uidValidity
    // While we have it open.
    expect((await mailutil(home, 'prune', 'box', 'subject "message 3"')).stderr).toBe('')
    await box.refresh()
    const without3 = before.filter((m) => m.uid !== 3)
    expect(lasting(zones, await box.messages())).toEqual(lasting(zones, without3))
    await writeFile(join(home, 'more'), 'From bob@example.org Mon Jan  5 09:08:07 2015\nSubject: theirs\n\nhello\n')
    expect((await mailutil(home, 'append', 'more', 'box')).stderr).toBe('')
    await box.refresh({ claimRecent: true })
    expect((await box.messages()).map((m) => [m.uid, subject(m)])).toEqual([...without3.map((m) => [m.uid, subject(m)]), [7, 'theirs']])
    await box.store({ uids: uids.one(7), system: SYSTEM.seen, keywords: ['late'] })
    await deliverTo(format, path, [sampleMessage(9)], box)
    expect(box.rows.at(-1)?.uid).toBe(8)
    const now = await box.messages()
    await box.close()
    expect((await mailutil(home, 'check', 'box')).stdout).toContain(`${now.length} total`)
    const seen = await see(make(), path)
    expect([seen.validity, lasting(zones, seen.messages)]).toEqual([validity, lasting(zones, now)])
    expect((await mailutil(home, 'rename', 'box', 'elsewhere')).stderr).toBe('')
    expect(lasting(zones, (await see(make(), join(home, 'elsewhere'))).messages)).toEqual(lasting(zones, now))
    await mailutil(home, 'delete', 'elsewhere')
    expect(await readdir(home)).not.toContain('elsewhere')
  })

  test.each(formats)('$name: a mailbox that they made is ours to use', async ({ name, make }) => {
    expect((await mailutil(home, 'create', `#driver.${name}/up/down`)).stderr).toBe('')
    expect((await mailutil(home, 'create', `#driver.${name}/up`)).code).toBe(0)
    const path = join(home, 'up', 'down')
    expect(await make().recognise(placeAt(path), new AbortController().signal)).toBe('mine')
    await deliverTo(make(), path, [sampleMessage(1), sampleMessage(2)])
    expect((await mailutil(home, 'check', 'up/down')).stdout).toContain('2 total')
    expect((await see(make(), path)).messages.map((m) => m.uid)).toEqual([1, 2])
  })

  test.each(formats)(
    '$name: processes of ours and of theirs work on one mailbox at once, and every message is accounted for',
    async ({ name, make }) => {
      const path = join(home, 'box')
      await make().create(placeAt(path))
      await mailutil(home, 'check', 'box')
      const crowd = await crowdOn({ home, format: name, path, rounds: LONG ? 600 : 30, excused: (complaint) => complaint })
      expect(crowd.complaints).toEqual([])
      expect(crowd.theirs).toBeGreaterThan(0)
      const { messages } = await see(make(), path)
      // mailutil writes the index of mx anew without what it says of messages that came since it looked.
      expect(accountOf(crowd, messages, { flags: name === 'mix' })).toEqual([])
      expect((await mailutil(home, 'check', 'box')).stdout).toContain(`${messages.length} total`)
    },
    LONG ? 3_600_000 : 240_000,
  )

  // An appending program takes one more than the sequence of the metadata, which may be what the index has already from an expunge of ours.
  test.each(['who expunged before', 'somebody new'])('mix: a sequence that is given twice deceives nobody: %s sees what came', async (who) => {
    // Sequences are ahead of the time, as they are after many changes in a second.
    const ours = (): MixFormat => new MixFormat(directoryContext(files, new TestClock(Date.now() + 3_600_000)))
    const path = join(home, 'twice')
    await ours().create(placeAt(path))
    await writeFile(join(home, 'one'), 'From bob@example.org Mon Jan  5 09:08:07 2015\nSubject: theirs\n\nhello\n')
    // Somebody has it open, so that their programs leave messages where they are.
    const open = await files.open(join(path, '.mixmeta'))
    open.lock('flock', 'shared')
    const box = await openBox(ours(), path)
    await deliverTo(ours(), path, Array.from({ length: 5 }, (_, n) => sampleMessage(n + 1)), box)
    // A program that defines a keyword raises this one alone.
    const meta = (await readFile(join(path, '.mixmeta'))).toString('latin1')
    await writeFile(join(path, '.mixmeta'), meta.replace(/^S(.{8})/, (_, s: string) => `S${(Number.parseInt(s, 16) + 1).toString(16)}`))
    await box.refresh()
    await box.expunge(uids.one(2), { always: true })
    const sequence = async (): Promise<string> => (await readFile(join(path, '.mixindex'))).toString('latin1', 0, 11)
    const before = await sequence()
    expect((await mailutil(home, 'append', 'one', 'twice')).stderr).toBe('')
    expect(await sequence()).toBe(before)
    const looker = who === 'somebody new' ? await openBox(ours(), path) : box
    await looker.refresh({ claimRecent: true })
    expect(looker.rows.map((r) => r.uid)).toEqual([1, 3, 4, 5, 6])
    await looker.expunge(uids.one(4), { always: true })
    expect((await looker.messages()).map((m) => [m.uid, subject(m)])).toEqual([[1, 'message 1'], [3, 'message 3'], [5, 'message 5'], [6, 'theirs']])
    await looker.close()
    await box.close()
    await open.close()
    expect((await see(ours(), path)).messages.map((m) => m.uid)).toEqual([1, 3, 5, 6])
    expect((await mailutil(home, 'check', 'twice')).stderr).toBe('')
  })

  test('mix: messages that were put elsewhere stand in the order of their UIDs, as they expect of a data file', async () => {
    const format = new MixFormat(directoryContext(files))
    const path = join(home, 'moved')
    await format.create(placeAt(path))
    const box = await openBox(format, path)
    const large = (n: number): SampleMessage => ({ ...sampleMessage(n), bytes: Buffer.from(`Subject: ${n}\r\n\r\n${`text of ${n}\r\n`.repeat(20_000)}`) })
    // Three files of messages, two of which become mostly empty.
    for (let n = 1; n <= 10; n++) await deliverTo(format, path, [large(n)], box)
    await box.refresh({ claimRecent: true })
    await box.expunge(uids.from([1, 2, 4, 5, 6, 8]), { always: true })
    await box.source.reclaim?.(never)
    await deliverTo(format, path, [large(11)], box)
    const before = await box.messages()
    await box.close()
    const checked = await mailutil(home, 'check', 'moved')
    expect([checked.stderr, checked.stdout.includes(`${before.length} total`)]).toEqual(['', true])
    expect(lasting(true, (await see(format, path)).messages)).toEqual(lasting(true, before))
  })

  test('mix: a message that they move again before it is read is looked up again', async () => {
    const format = new MixFormat(directoryContext(files))
    const path = join(home, 'slid')
    await format.create(placeAt(path))
    await deliverTo(format, path, Array.from({ length: 5 }, (_, n) => sampleMessage(n + 1)))
    const box = await openBox(format, path)
    await box.refresh()
    // With the last session theirs closes the gap: what follows moves to the front of the file.
    expect((await mailutil(home, 'prune', 'slid', 'subject "message 1"')).stderr).toBe('')
    let message: MessageBytes | undefined
    for await (const batch of box.source.read(uids.one(4), WHOLE, box.table.generation, never)) message = batch[0]?.bytes
    expect((await mailutil(home, 'prune', 'slid', 'subject "message 2"')).stderr).toBe('')
    const into = new Uint8Array(message?.size ?? 0)
    expect(await message?.read(0, into, never)).toBe(into.length)
    expect(Buffer.from(into)).toEqual(Buffer.from(sampleMessage(4).bytes))
    await box.close()
  })

  test('mix: both ways of emptying lines leave an index that they read', async () => {
    const format = new MixFormat(directoryContext(files))
    const path = join(home, 'gaps')
    await format.create(placeAt(path))
    const box = await openBox(format, path)
    await deliverTo(format, path, Array.from({ length: 40 }, (_, n) => sampleMessage(n)), box)
    for (const uid of [2, 4, 5, 6, 1, 40, ...Array.from({ length: 20 }, (_, n) => 10 + n)]) {
      await box.expunge(uids.one(uid), { always: true })
      expect((await mailutil(home, 'check', 'gaps')).stdout).toContain(`${box.rows.length} total`)
    }
    expect((await readFile(join(path, '.mixindex'))).includes('---')).toBe(true)
    await box.close()
  })
})
