import type { AppendResult } from '../api/mail/delivery.js'
import { MailError } from '../api/mail/error.js'
import type { MailLocation, Mount } from '../api/mail/names.js'
import type { MailDriver, GivenNumbers, MailboxEntry, MailStore } from '../api/mail/store.js'
import { Box, never, type BoxMessage } from './box.js'
import type { DriverUnderTest } from './driver-under-test.js'
import { must } from './expecting.js'
import { itemOf, type SampleMessage } from './messages.js'
import { kitUser, Storage } from './storage.js'

const NAMES = ['one', 'two', 'three', 'four', 'five', 'six']

/** A driver with a store open, on a machine of its own or on one that another bench uses too. */
export class Bench {
  readonly under: DriverUnderTest
  readonly storage: Storage
  readonly driver: MailDriver
  readonly store: MailStore
  readonly mount: Mount
  readonly #boxes: Box[] = []

  private constructor(under: DriverUnderTest, storage: Storage, driver: MailDriver, store: MailStore) {
    this.under = under
    this.storage = storage
    this.driver = driver
    this.store = store
    const root = storage.services().home
    this.mount = { prefix: '', class: 'personal', store: 'kit', root, advertised: true, listed: true, ...under.mount }
  }
  static async start(under: DriverUnderTest, seed: number): Promise<Bench> {
    return await Bench.on(under, await Storage.create(seed))
  }
  static async on(under: DriverUnderTest, storage: Storage): Promise<Bench> {
    const driver = await under.create(storage.services())
    return new Bench(under, storage, driver, await driver.openStore(kitUser, never))
  }
  /** Another process on the same mail. */
  async secondProcess(): Promise<Bench> {
    return await Bench.on(this.under, this.storage)
  }
  /** Everything is closed, and a new process begins. */
  async restart(): Promise<Bench> {
    await this.close()
    this.storage.clock.pass(1000)
    return await Bench.on(this.under, this.storage)
  }

  /** A message's octets as they must come back. */
  stored(octets: Uint8Array): Uint8Array {
    return this.under.stored?.(octets) ?? octets
  }
  /** Messages as they are found again: where uids do not persist, without them. */
  lasting(messages: readonly BoxMessage[]): readonly object[] {
    return this.under.about.uidsPersist ? messages : messages.map(({ uid: _uid, ...rest }) => rest)
  }
  name(index: number): string {
    return this.under.mailboxName?.(index) ?? NAMES[index] ?? `box${index}`
  }
  at(path: string): MailLocation {
    return { mount: this.mount, path }
  }
  async create(path: string, numbers: GivenNumbers = {}): Promise<void> {
    await this.store.create(this.at(path), { specialUse: [], ...numbers })
  }
  /** An existing mailbox, opened and with true rows. */
  async open(path: string): Promise<Box> {
    const box = await this.openUnread(path)
    try {
      await box.refresh()
    } catch (error) {
      await box.close()
      throw error
    }
    return box
  }
  /** What somebody finds who has never looked before. */
  async secondLook(path: string): Promise<readonly BoxMessage[]> {
    const box = await this.open(path)
    const messages = await box.messages()
    await box.close()
    return messages
  }
  async openUnread(path: string): Promise<Box> {
    const found = await this.store.find(this.at(path), never)
    if (found === undefined) throw new MailError('not-found', `"${path}" was not found`)
    const box = new Box(path, await found.open(never))
    this.#boxes.push(box)
    return box
  }
  /** A new mailbox with messages, open and with true rows. */
  async filled(path: string, messages: readonly SampleMessage[]): Promise<Box> {
    await this.create(path)
    if (messages.length > 0) await this.deliver(path, messages)
    return await this.open(path)
  }
  /** All of them in one delivery; with `open`, as core does it when this process has the mailbox open. */
  async deliver(path: string, messages: readonly SampleMessage[], open?: Box, cut?: (left: number) => number): Promise<AppendResult | undefined> {
    const delivery = await this.store.append(this.at(path), never)
    try {
      for (const message of messages) await delivery.add(itemOf(message, cut), never)
    } catch (error) {
      await delivery.abort()
      throw error
    }
    if (open === undefined) return await delivery.commit(undefined, never)
    return await open.edit((edit) => delivery.commit({ source: open.source, edit }, never))
  }
  async paths(): Promise<readonly string[]> {
    return (await this.listed('*')).filter((entry) => entry.selectable).map((entry) => entry.path)
  }
  /** Every name that is listed, also those that only have others below them. */
  async names(): Promise<readonly string[]> {
    return (await this.listed('*')).map((entry) => entry.path)
  }
  /** What LIST has for a pattern, in the order of names. */
  async listed(pattern: string): Promise<readonly MailboxEntry[]> {
    const out: MailboxEntry[] = []
    for await (const batch of this.store.list({ under: this.at(''), patterns: [pattern], wantChildren: true }, never)) out.push(...batch)
    must(new Set(out.map((entry) => entry.path)).size === out.length, `a name is listed twice: ${out.map((entry) => entry.path).join(', ')}`)
    return out.sort((a, b) => (a.path < b.path ? -1 : 1))
  }
  async closeBoxes(): Promise<void> {
    for (const box of this.#boxes.splice(0)) await box.close()
  }
  async close(): Promise<void> {
    await this.closeBoxes()
    await this.store.close()
    const close = (this.driver as Partial<AsyncDisposable>)[Symbol.asyncDispose]
    await close?.call(this.driver)
  }
}
