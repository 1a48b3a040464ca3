import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { MailError, SYSTEM, createFact, sealDeriver, uids, type FactDeriver, type StoredMessage, type TableEdit, type UidSet, type Wants } from '../../../core/api/index.js'
import type { LoginMail } from '../../../core/mail/access/access.js'
import { copyMessages } from '../../../core/mail/access/copying.js'
import { deriverTable } from '../../../core/mail/view/deriving.js'
import { readMessages } from '../../../core/mail/view/reader.js'
import { SystemFiles } from '../../../core/os/files.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import { TextFormat } from '../../../plugins/formats/shared/text/format.js'
import { mailFixture, named } from '../../support/mail.js'
import { PassiveSource, sharedOver } from '../../support/mail-table.js'
import { placeOf, temporaryFolder } from '../../support/open-box.js'
import { never, unixContext } from '../../support/unix.js'

const WHOLE: Wants = { bytes: 'whole', sections: [], facts: [] }
const ALL = uids.from([1, 3, 5])
const began = { kind: 'vanished', message: 'the mailbox began anew' }

/** Says of each message which mailbox it is of; large ones are read when somebody asks. */
class Lettered extends PassiveSource {
  letter = 'a'
  readonly #late: boolean
  constructor(late: boolean) {
    super()
    this.#late = late
  }
  override async *read(set?: UidSet): AsyncGenerator<readonly StoredMessage[]> {
    for (const uid of set?.ranges.filter((_, i) => i % 2 === 0) ?? []) {
      const octets = (): Buffer => Buffer.from(`${this.letter}${uid}`)
      const read = (at: number, into: Uint8Array): Promise<number> => Promise.resolve(octets().copy(into, 0, at))
      yield [{ uid, headerSize: 0, bytes: this.#late ? { size: 2, read } : { size: 2, inline: octets(), read } }]
    }
  }
  filled(validity: number): (edit: TableEdit) => Promise<void> {
    return async (edit) => {
      edit.reset(validity)
      for (const uid of [1, 3, 5]) edit.setSize(edit.add(uid, edit.flagSet(0, []), false), 2)
    }
  }
}
async function lettered(late = false) {
  const source = new Lettered(late)
  const { shared, table, view } = sharedOver(source)
  await shared.edit(source.filled(1), never)
  const session = view()
  return {
    source, shared, table, session,
    /** Another file takes the place of the mailbox, and another session looks. */
    beginAnew: async () => {
      source.letter = 'b'
      await shared.edit(source.filled(2), never)
    },
  }
}
const bytesOf = async ({ bytes }: StoredMessage): Promise<string> => {
  const into = new Uint8Array(2)
  const got = bytes.inline === undefined ? await bytes.read(0, into, never) : into.set(bytes.inline)
  return got === 0 ? '' : Buffer.from(into).toString()
}

describe('a mailbox that begins anew while a session reads', () => {
  test('hands out no message of the other mailbox under a number of the old', async () => {
    const { session, beginAnew } = await lettered()
    const got: string[] = []
    const reading = async (): Promise<void> => {
      for await (const batch of session.readUids(ALL, WHOLE, never)) {
        for (const message of batch) got.push(await bytesOf(message))
        if (got.length === 1) await beginAnew()
      }
    }
    await expect(reading()).rejects.toMatchObject(began)
    expect(got).toEqual(['a1'])
  })
  test('nor octets of it for a message that was handed out before', async () => {
    const { session, beginAnew } = await lettered(true)
    const first = await session.readUids(ALL, WHOLE, never).next()
    const [message] = first.done === true ? [] : first.value
    expect(await bytesOf(message!)).toBe('a1')
    await beginAnew()
    await expect(bytesOf(message!)).rejects.toMatchObject(began)
  })
  test('nor while the source knows it and the look that found it goes on, or has failed', async () => {
    const { session, shared, source } = await lettered()
    const read = async (): Promise<unknown> => session.readUids(uids.one(1), WHOLE, never).next()
    const looking = shared.edit(async (edit) => {
      source.letter = 'b'
      await source.filled(2)(edit)
      await expect(read().catch((e: unknown) => e)).resolves.toMatchObject(began)
      throw new MailError('unavailable', 'the disk is full')
    }, never)
    await expect(looking).rejects.toMatchObject({ kind: 'unavailable' })
    expect(() => session.readUids(uids.one(1), WHOLE, never)).toThrow('the mailbox began anew')
    await shared.edit(source.filled(2), never)
    expect(session.take({ expunge: true })).toMatchObject({ reset: true })
    expect(await bytesOf(((await session.readUids(uids.one(1), WHOLE, never).next()).value as StoredMessage[])[0]!)).toBe('b1')
  })
  test('nor facts that were derived from it', async () => {
    const { table, shared, beginAnew } = await lettered()
    const LETTER = createFact<string>('letter', 1, { encode: (v) => Buffer.from(v), decode: (v) => Buffer.from(v).toString() })
    const deriver: FactDeriver<string> = { fact: LETTER, reads: 'whole', derive: bytesOf }
    const wants: Wants = { bytes: 'none', sections: [], facts: [LETTER] }
    const all = () => readMessages({ mailbox: shared, generation: table.generation, epoch: table.epoch }, ALL, wants, deriverTable([sealDeriver(deriver)]), never)
    for await (const _ of all());
    const { value } = await all().next()
    const [message] = value as readonly StoredMessage[]
    expect(message!.fact?.(LETTER)).toBe('a1')
    await beginAnew()
    for await (const _ of all());
    expect(() => message!.fact?.(LETTER)).toThrow('the mailbox began anew')
  })
  test('a change by number that finds it out wakes the sessions, which then hear of it', async () => {
    const { session, shared, source } = await lettered()
    const heard: string[] = []
    session.watch((what) => heard.push(what))
    source.store = async (_change, edit) => {
      source.letter = 'b'
      await source.filled(2)(edit)
      return uids.none
    }
    await expect(session.store({ uids: uids.one(1), how: 'add', system: SYSTEM.seen, keywords: [] }, false, never)).rejects.toMatchObject(began)
    expect(heard).toEqual(['sync'])
    expect(() => session.readUids(uids.one(1), WHOLE, never)).toThrow('the mailbox began anew')
    await shared.edit(source.filled(2), never)
    expect(session.take({ expunge: true })).toMatchObject({ reset: true })
  })
})

test('unix: a FETCH of many headers does not go on into the file that took the place of the mailbox', async () => {
  await using folder = temporaryFolder('anew')
  const path = join(folder.path, 'box')
  const count = 2500
  const text = (validity: number, word: string): string =>
    Array.from({ length: count }, (_, i) => `From a@b Mon Jan  5 09:08:07 2015\n${i === 0 ? `X-IMAPbase: ${validity} ${count}\n` : ''}X-UID: ${i + 1}\nStatus: O\nSubject: ${word}\n\nx\n\n`).join('')
  await writeFile(path, text(1000, 'mine'))
  const { shared, view } = sharedOver(await new TextFormat(unixContext(new SystemFiles(await nativeLocks()), folder.path)).open(placeOf(path)))
  await shared.refresh(never)
  const session = view(true)
  const subjects = new Set<string>()
  const reading = async (): Promise<void> => {
    for await (const batch of session.readUids(uids.all, { bytes: 'header', sections: [], facts: [] }, never)) {
      for (const { bytes, headerSize } of batch) {
        const head = Buffer.alloc(headerSize)
        await bytes.read(0, head, never)
        subjects.add(/Subject: (\w+)/.exec(head.toString('latin1'))?.[1] ?? 'cut short')
      }
      await writeFile(`${path}.new`, text(2000, 'other'))
      await rename(`${path}.new`, path)
      await shared.refresh(never)
    }
  }
  await expect(reading()).rejects.toMatchObject(began)
  expect([...subjects]).toEqual(['mine'])
  await shared.close(false)
})

test('COPY that waits while the mailbox begins anew copies nothing', async () => {
  const { session, shared, source } = await lettered()
  await using f = mailFixture()
  const login = await f.login()
  await login.create(named('target'), { specialUse: [] }, never)
  const to = await login.locate(named('target'), 'append', never)
  const copied: number[] = []
  source.letter = 'b'
  Object.assign(source, { copy: async (set: UidSet) => (copied.push(...set.ranges), undefined) })
  // Another session's look is under way.
  const looking = shared.edit(source.filled(2), never)
  // `login` of the fixture is one.
  await expect(copyMessages({ d: login as LoginMail, from: session, set: uids.one(1), to, how: 'copy', sameStore: true, signal: never })).rejects.toMatchObject(began)
  await looking
  expect(copied).toEqual([])
})
