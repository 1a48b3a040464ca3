import { readdir, readFile, rm, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SYSTEM, uids } from '../../../core/api/index.js'
import { SystemFiles } from '../../../core/os/files.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import { sampleMessage } from '../../../core/testing/messages.js'
import { MixFormat } from '../../../plugins/formats/mix/format.js'
import { deliverTo, directoryContext, familyHome, openBox, placeAt } from '../../support/directory-formats.js'

const files = new SystemFiles(await nativeLocks())
const { signal } = new AbortController()
const format = (): MixFormat => new MixFormat(directoryContext(files))

describe('what is found in a damaged mix mailbox', () => {
  let home = ''
  let path = ''
  beforeEach(async () => {
    home = await familyHome()
    path = join(home, 'box')
    await format().create(placeAt(path))
    await deliverTo(format(), path, [1, 2, 3, 4, 5].map((n) => sampleMessage(n, { system: n === 4 ? SYSTEM.flagged : 0 })))
  })
  afterEach(() => rm(home, { recursive: true, force: true }))
  const data = async (): Promise<string> => (await readdir(path)).find((name) => /^\.mix[0-9a-f]{8}$/.test(name)) ?? ''
  const edit = async (name: string, change: (text: string) => string): Promise<void> => {
    const at = join(path, name)
    const before = (await readFile(at)).toString('latin1')
    expect(change(before)).not.toBe(before)
    await writeFile(at, Buffer.from(change(before), 'latin1'))
  }
  const look = async (): Promise<{ messages: string[]; problems: string[] }> => {
    const out: { messages: string[]; problems: string[] } = { messages: [], problems: [] }
    for await (const one of format().examine(placeAt(path), signal)) {
      if (one.kind === 'damage') {
        out.problems.push(`${one.file?.replace(/[0-9a-f]{8}$/, '') ?? ''}: ${one.text}`)
        continue
      }
      if (one.kind === 'numbers') continue
      const pieces: Uint8Array[] = []
      for await (const piece of one.bytes) pieces.push(piece.slice())
      const octets = Buffer.concat(pieces)
      const sent = [1, 2, 3, 4, 5].find((n) => octets.equals(Buffer.concat([sampleMessage(n).bytes])))
      out.messages.push(`${sent ?? octets.length}${(one.system & SYSTEM.flagged) === 0 ? '' : ' flagged'}`)
    }
    return out
  }
  const all = ['1', '2', '3', '4 flagged', '5']
  const expunge = async (uid: number): Promise<void> => {
    const other = await files.open(join(path, '.mixmeta'))
    // Another program has it open: nothing is reclaimed.
    other.lock('flock', 'shared')
    const box = await openBox(format(), path)
    await box.refresh()
    await box.store({ uids: uids.one(uid), system: SYSTEM.deleted })
    await box.edit((e) => box.source.expunge(uids.all, { always: false }, e, signal))
    await box.close()
    await other.close()
  }

  const cases: readonly { readonly name: string; readonly file: string; readonly change: (text: string) => string; readonly messages?: readonly string[]; readonly problem: RegExp }[] = [
    { name: 'a line of the index is destroyed', file: '.mixindex', change: (t) => t.replace(/:00000003:[^\r]*/, '#'.repeat(75)), problem: /^\.mixindex: Unknown record in mix index file: #+/ },
    { name: 'the end of a line is destroyed', file: '.mixindex', change: (t) => t.replace(/(:00000002:[^\r]*)\r\n/, '$1##'), problem: /^\.mixindex: Unknown record in mix index file: ##/ },
    { name: 'a UID of the index is another', file: '.mixindex', change: (t) => t.replace(':00000003:', ':00000009:'), problem: /^\.mixindex: mix index data unexpunged UID: 00000009/ },
    { name: 'a place of the index is another', file: '.mixindex', change: (t) => t.replace(/(:00000003:(?:[^:]*:){3})[0-9a-f]{8}/, '$100000001'), problem: /uid=00000003 is not where the index has it/ },
    { name: 'a data file of the index is another', file: '.mixindex', change: (t) => t.replace(/(:00000003:(?:[^:]*:){2})[0-9a-f]{8}/, '$100000001'), problem: /uid=00000003 is not where the index has it/ },
    { name: 'the index ends early', file: '.mixindex', change: (t) => t.slice(0, 11 + 77 * 2 + 30), problem: /^\.mixindex: Unknown record in mix index file: :00000003:/ },
    { name: 'the index is empty', file: '.mixindex', change: () => '', problem: /^\.mixindex: the mix index is empty/ },
    { name: 'a line of flags is destroyed', file: '.mixstatus', change: (t) => t.replace(':00000002:', '#00000002:'), problem: /^\.mixstatus: Error in mix status file message record, fixing: #00000002/ },
    { name: 'UIDVALIDITY is destroyed', file: '.mixmeta', change: (t) => t.replace(/V[0-9a-f]/, 'V#'), problem: /^\.mixmeta: Error in mix metadata file UIDVALIDITY: V#/ },
  ]
  test.each(cases)('$name: every message comes back, and it is told', async ({ file, change, problem }) => {
    await edit(file, change)
    const { messages, problems } = await look()
    expect(messages).toEqual(all)
    expect(problems).toEqual(expect.arrayContaining([expect.stringMatching(problem)]))
  })
  test.each([
    { name: 'its token', change: (t: string): string => t.replace(/:msg:(00000003)/, '#msg:$1'), told: /Error reading mix message header, uid=00000003/ },
    { name: 'its UID', change: (t: string): string => t.replace(/:msg:00000003/, ':msg:00000033'), told: /mix index UID mismatch \(00000003 != 00000033\)/ },
    { name: 'its size', change: (t: string): string => t.replace(/(:msg:00000003:[^:]*:)[0-9a-f]{8}/, '$100000001'), told: /Inconsistency in mix message size, uid=00000003/ },
    { name: 'a size beyond the end', change: (t: string): string => t.replace(/(:msg:00000003:[^:]*:)[0-9a-f]{8}/, '$10fffffff'), told: /Inconsistency in mix message size, uid=00000003/ },
  ])('the record of a message in the data is damaged, $name: the index tells where it is', async ({ change, told }) => {
    await edit(await data(), change)
    const { messages, problems } = await look()
    expect(messages).toEqual(all)
    expect(problems).toEqual([expect.stringMatching(told)])
  })
  test.each([
    { name: 'came', change: (t: string): string => t.replace(/(?=:msg:00000003:)/, 'xyz'), second: '2' },
    { name: 'went', change: (t: string): string => t.replace(/(:msg:00000002:[^\r]*\r\n)..../, '$1'), second: String(sampleMessage(2).bytes.length - 4) },
  ])('octets $name before the end of a message: those behind it are whole, though all of them stand elsewhere than the index says', async ({ change, second }) => {
    await edit(await data(), change)
    const { messages, problems } = await look()
    expect(messages).toEqual(['1', second, '3', '4 flagged', '5'])
    for (const uid of ['3', '4', '5']) expect(problems).toContain(`.mix: message uid=0000000${uid} is not where the index has it`)
  })
  test('a size that is damaged, and no index: the next message ends it', async () => {
    await edit(await data(), (t) => t.replace(/(:msg:00000003:[^:]*:)[0-9a-f]{8}/, '$100000fff'))
    await writeFile(join(path, '.mixindex'), '')
    expect((await look()).messages).toEqual(all)
  })
  test('a data file that lost its end: the last message is what is left of it', async () => {
    await edit(await data(), (t) => t.slice(0, -10))
    const { messages, problems } = await look()
    expect(messages).toEqual([...all.slice(0, 4), String(sampleMessage(5).bytes.length - 10)])
    expect(problems).toEqual([expect.stringMatching(/^\.mix: message uid=00000005 is truncated by 10 byte\(s\)$/)])
  })
  test('a missing data file is told for each message', async () => {
    await unlink(join(path, await data()))
    const { messages, problems } = await look()
    expect(messages).toEqual([])
    expect(problems).toEqual([1, 2, 3, 4, 5].map((n) => expect.stringMatching(`Missing mix data file: message uid=0000000${n}`)))
  })
  test('without metadata and index everything is found', async () => {
    await unlink(join(path, '.mixmeta'))
    await unlink(join(path, '.mixindex'))
    expect((await look()).messages).toEqual(all)
  })
  test('an expunged message stays away while the index is good', async () => {
    await expunge(3)
    expect(await look()).toEqual({ messages: ['1', '2', '4 flagged', '5'], problems: [] })
  })
  test('an expunged message beside a destroyed line may come back, and others do not', async () => {
    await expunge(2)
    await expunge(4)
    await edit('.mixindex', (t) => t.replace(/:00000001:[^\r]*/, (line) => '#'.repeat(line.length)))
    expect((await look()).messages).toEqual(['1', '2', '3', '5'])
  })
  test('a folder without a mailbox has nothing to tell', async () => {
    expect([...(await readdir(home))]).toEqual(['box'])
    path = home
    expect(await look()).toEqual({ messages: [], problems: [] })
  })
})
