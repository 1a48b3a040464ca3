import { describe, expect, test } from 'vitest'
import type { OpenFile } from '../../../core/api/index.js'
import { kitUser, Storage } from '../../../core/testing/storage.js'
import { mbxDialect } from '../../../plugins/formats/mbx/dialect.js'
import { EarlyWriting } from '../../../plugins/formats/shared/changes/early-writing.js'
import { FixedFormat } from '../../../plugins/formats/shared/fixed/format.js'
import { fixedContext } from '../../../plugins/formats/shared/fixed/plugin.js'
import { itemOf, OpenBox, placeOf } from '../../support/open-box.js'

/** Octets that a disk was told to write, which says so later. */
class Told {
  readonly ranges: (readonly [from: number, to: number])[] = []
  readonly #waiting: (() => void)[] = []
  readonly begin = (at: number, octets: number): Promise<void> => {
    this.ranges.push([at, at + octets])
    return new Promise((told) => this.#waiting.push(told))
  }
  get underWay(): number {
    return this.#waiting.length
  }
  async answer(): Promise<void> {
    this.#waiting.shift()?.()
    await new Promise((resolve) => setImmediate(resolve))
  }
}

describe('what is written', () => {
  test('is handed on in whole pages, one after the other, and what came meanwhile together', async () => {
    const told = new Told()
    // All that is asked of it is this one call.
    const early = new EarlyWriting({ beginWriting: told.begin } as unknown as OpenFile, 5000)
    early.wrote(6000)
    expect(told.ranges).toEqual([])
    for (const to of [10_000, 20_000, 30_000]) early.wrote(to)
    expect(told.ranges).toEqual([[4096, 8192]])
    await told.answer()
    early.wrote(40_000)
    expect(told.ranges).toEqual([[4096, 8192], [8192, 36_864]])
    let settled = false
    const settling = early.settled().then(() => (settled = true))
    await new Promise((resolve) => setImmediate(resolve))
    expect(settled).toBe(false)
    await told.answer()
    await settling
    expect(told.underWay).toBe(0)
  })
  test('is not where the system cannot be told', async () => {
    const early = new EarlyWriting({} as OpenFile, 0)
    early.wrote(1 << 20)
    await expect(early.settled()).resolves.toBeUndefined()
  })
})

test('a large change hands its redo file and the mailbox on, and closes neither while the disk is told', async () => {
  const storage = await Storage.create(1)
  using _machine = storage
  const { files } = storage
  const path = `${storage.services().home}/box`
  const told = new Map<string, number>()
  const closedUnder: string[] = []
  const open = files.open.bind(files)
  files.open = async (...args): Promise<OpenFile> => {
    const file = await open(...args)
    let underWay = 0
    const [close, sync] = [file.close.bind(file), file.sync.bind(file)]
    return Object.assign(file, {
      async beginWriting(at: number, octets: number) {
        underWay++
        told.set(file.path, Math.max(told.get(file.path) ?? 0, at + octets))
        for (let turns = 0; turns < 5; turns++) await new Promise((resolve) => setImmediate(resolve))
        underWay--
      },
      async sync() {
        if (underWay > 0) closedUnder.push(`sync of ${file.path}`)
        await sync()
      },
      async close() {
        if (underWay > 0) closedUnder.push(file.path)
        await close()
      },
    } satisfies Partial<OpenFile>)
  }
  const format = new FixedFormat(mbxDialect, fixedContext(storage.services(), { watch: false }))
  await format.create({ ...placeOf(path), user: kitUser })
  const box = await OpenBox.open(format, path, undefined, kitUser)
  await box.refresh(true)
  const text = `Subject: large\r\n\r\n${'0123456789abcdef\r\n'.repeat(300_000)}`
  async function* whole(): AsyncGenerator<Uint8Array> {
    yield await Promise.resolve(Buffer.from(text))
  }
  await box.append([itemOf(text, { bytes: whole() })])
  expect((await box.messages()).map((message) => message.text === text)).toEqual([true])
  await box.source.close()
  expect(closedUnder).toEqual([])
  expect([...told].map(([name, to]) => [name === path || name.endsWith('.mailwright-redo'), to >= 1 << 20])).toEqual([[true, true], [true, true]])
  expect([...files.open_]).toEqual([])
})
