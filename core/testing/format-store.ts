import { dirname } from 'node:path'
import type { Files } from '../api/files.js'
import type { Delivery } from '../api/mail/delivery.js'
import { MailError } from '../api/mail/error.js'
import type { FilePlace, MailboxFormat } from '../api/mail/format.js'
import type { MailLocation } from '../api/mail/names.js'
import type { FoundMailbox, GivenNumbers, MailboxEntry, MailDriver, MailStore } from '../api/mail/store.js'
import type { KitServices } from './driver-under-test.js'

/** The plainest store over one format, so that a format is tested without the server's own. */
export function driverOfFormat(format: MailboxFormat, x: KitServices): MailDriver {
  return { openStore: () => Promise.resolve(new FormatStore(format, x)) }
}

class FormatStore implements MailStore {
  readonly delimiter = '/'
  readonly #format: MailboxFormat
  readonly #x: KitServices
  readonly #files: Files
  constructor(format: MailboxFormat, x: KitServices) {
    this.#format = format
    this.#x = x
    this.#files = x.files
  }
  #place(path: string): FilePlace {
    const { user, mailbox, home } = this.#x
    return { path: path === '' ? home : `${home}/${path}`, user, fileMode: mailbox.fileMode, directoryMode: mailbox.directoryMode }
  }
  async #recognised(path: string, signal: AbortSignal): Promise<'mine' | 'empty' | undefined> {
    const place = this.#place(path)
    const stat = await this.#files.stat(place.path)
    if (stat === undefined || (stat.kind === 'directory' && this.#format.claims === undefined)) return undefined
    const answer = await this.#format.recognise(place, signal)
    return answer === 'not-mine' ? undefined : answer
  }
  async #mustBe(path: string): Promise<FilePlace> {
    if ((await this.#recognised(path, new AbortController().signal)) === undefined) throw new MailError('not-found', `there is no mailbox "${path}"`)
    return this.#place(path)
  }

  async *list(): AsyncIterable<readonly MailboxEntry[]> {
    const out: MailboxEntry[] = []
    await this.#walk('', out, false)
    yield out
  }
  /** Files within a mailbox that is a directory are its own; its directories are other mailboxes, unless the format says that they are inside. */
  async #walk(path: string, out: MailboxEntry[], within: boolean): Promise<boolean> {
    const entries = await this.#files.list(this.#place(path).path)
    const visible = entries.filter((e) => !e.name.startsWith('.') && !(within && e.kind === 'file'))
    let any = false
    for (const { name, kind } of visible) {
      const below = path === '' ? name : `${path}/${name}`
      const place = this.#place(below)
      const names = kind === 'directory' ? (await this.#files.list(place.path)).map((e) => e.name) : []
      const claim = kind === 'directory' ? this.#format.claims?.({ path: place.path, names }) : undefined
      if (claim === 'inside') continue
      const selectable = kind === 'directory' ? claim === 'mailbox' : (await this.#recognised(below, new AbortController().signal)) !== undefined
      any = true
      const children = kind === 'directory' && (await this.#walk(below, out, claim === 'mailbox'))
      if (selectable || kind === 'directory') out.push({ path: below, selectable, children: children ? 'yes' : 'no', inferiors: kind === 'directory', attributes: [] })
    }
    return any
  }
  async find(at: MailLocation, signal: AbortSignal): Promise<FoundMailbox | undefined> {
    const answer = await this.#recognised(at.path, signal)
    const place = this.#place(at.path)
    const stat = await this.#files.stat(place.path)
    if (answer === undefined || stat === undefined) return undefined
    return { key: `${stat.device}-${stat.inode}`, empty: answer === 'empty', open: (s) => this.#format.open(place, s) }
  }
  async create(at: MailLocation, numbers: GivenNumbers): Promise<void> {
    const place = this.#place(at.path)
    if ((await this.#files.stat(place.path)) !== undefined) throw new MailError('exists', 'the name is taken')
    await this.#makeDirectories(dirname(place.path))
    await this.#format.create(place, numbers)
  }
  async #makeDirectories(path: string): Promise<void> {
    if ((await this.#files.stat(path)) !== undefined) return
    await this.#makeDirectories(dirname(path))
    await this.#files.makeDirectory(path, this.#x.mailbox.directoryMode)
    await this.#files.syncDirectory(dirname(path))
  }
  async remove(at: MailLocation): Promise<void> {
    const place = await this.#mustBe(at.path)
    if (this.#format.remove !== undefined) return await this.#format.remove(place)
    await this.#files.unlink(place.path)
    await this.#files.syncDirectory(dirname(place.path))
  }
  async rename(from: MailLocation, to: MailLocation): Promise<void> {
    const [old, target] = [this.#place(from.path), this.#place(to.path)]
    const stat = await this.#files.stat(old.path)
    if (stat === undefined) throw new MailError('not-found', 'there is no such name')
    if ((await this.#files.stat(target.path)) !== undefined) throw new MailError('exists', 'the name is taken')
    await this.#makeDirectories(dirname(target.path))
    const isMailbox = (await this.#recognised(from.path, new AbortController().signal)) !== undefined
    if (isMailbox && this.#format.rename !== undefined) return await this.#format.rename(old, target)
    await this.#files.rename(old.path, target.path)
    await this.#files.syncDirectory(dirname(target.path))
    if (dirname(old.path) !== dirname(target.path)) await this.#files.syncDirectory(dirname(old.path))
  }
  async append(at: MailLocation, signal: AbortSignal): Promise<Delivery> {
    return await this.#format.append(await this.#mustBe(at.path), signal)
  }
  async close(): Promise<void> {}
}
