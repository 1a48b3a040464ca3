import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Files, MailDriver, MailStore, Mount, OpenFile } from '../../core/api/index.js'
import { SystemFiles } from '../../core/os/files.js'
import { inlineLane } from '../../core/os/lane.js'
import { nativeLocks } from '../../core/os/native-locks.js'
import { Box, never } from '../../core/testing/box.js'
import { itemOf, sampleMessage } from '../../core/testing/messages.js'
import { alice, mailboxSettings, quiet, TestClock } from './unix.js'

const store = pathToFileURL(fileURLToPath(new URL('../../plugins/contrib/maildir/lib/store.js', import.meta.url))).href
// A package of its own, without types.
const { MaildirDriver } = (await import(store)) as { MaildirDriver: new (parts: object) => MailDriver }

/** A Maildir on real files, in a home of its own; tests put what others do between its calls. */
export class MaildirSite {
  readonly home: string
  readonly path: string
  /** Other ones may be put in their place; what was opened before has those of its time. */
  files: Files
  readonly clock = new TestClock(Date.now())
  /** Folders that were listed. */
  listed: string[] = []
  /** Octets that were read of files of messages and of the list of UIDs. */
  octetsRead = 0
  /** Paths that were opened. */
  opened: string[] = []
  /** What the log was told as a warning. */
  readonly warned: unknown[] = []
  /** Runs once, before the next call of this kind, on the file of that name. */
  meanwhile: { readonly call?: keyof Files; readonly name: string; readonly work: () => Promise<void> } | undefined
  /** Runs while `cur` is listed, once; the listing then has no name with this part, as readdir may have neither of a file that is renamed. */
  missing: { readonly part: string; readonly work: () => Promise<void> } | undefined
  /** The next call of this kind, on the file of that name, fails. */
  failing: { readonly call: keyof Files; readonly name: string } | undefined

  private constructor(home: string, real: Files) {
    this.home = home
    this.path = join(home, 'Maildir')
    this.files = new Proxy<Files>(real, {
      get: (target, key) => {
        // Members of the contract are methods.
        const member = Reflect.get(target, key) as (...args: unknown[]) => unknown
        return (...args: unknown[]) => this.#call(key, String(args[0]), () => member.apply(target, args))
      },
    })
  }
  static async begin(): Promise<MaildirSite> {
    return new MaildirSite(await mkdtemp(join(tmpdir(), 'mailwright-maildir-')), new SystemFiles(await nativeLocks()))
  }
  end(): Promise<void> {
    return rm(this.home, { recursive: true, force: true })
  }
  #call(key: string | symbol, path: string, go: () => unknown): unknown {
    if (key === 'list') this.listed.push(path)
    if (key === 'open') this.opened.push(path)
    if (key === 'list' && this.missing !== undefined && path === this.at('cur')) {
      const { part, work } = this.missing
      this.missing = undefined
      // `list` answers with it.
      return (go() as ReturnType<Files['list']>).then(async (found) => {
        await work()
        return found.filter(({ name }) => !name.includes(part))
      })
    }
    if (key === this.failing?.call && path === this.at(this.failing.name)) {
      this.failing = undefined
      return Promise.reject(Object.assign(new Error('EMFILE'), { code: 'EMFILE' }))
    }
    if (key === (this.meanwhile?.call ?? 'open') && this.meanwhile !== undefined && path === this.at(this.meanwhile.name)) {
      const { work } = this.meanwhile
      this.meanwhile = undefined
      return work().then(go)
    }
    // `open` answers with it.
    return key === 'open' ? (go() as Promise<OpenFile>).then((file) => this.#counted(file)) : go()
  }
  #counted(file: OpenFile): OpenFile {
    const read = file.read.bind(file)
    file.read = async (into, at) => {
      const got = await read(into, at)
      this.octetsRead += got
      return got
    }
    return file
  }

  /** A path in the Maildir. */
  at(...names: string[]): string {
    return join(this.path, ...names)
  }
  mount(): Mount {
    return { prefix: '', class: 'personal', store: 'maildir', root: this.home, advertised: true, listed: true }
  }
  mailStore(parts: object = {}): Promise<MailStore> {
    const { files, clock } = this
    const random = (octets: number): Uint8Array => Uint8Array.from({ length: octets }, () => Math.floor(256 * Math.random()))
    const logger = { ...quiet, warn: (...said: unknown[]) => void this.warned.push(said) }
    const driver = new MaildirDriver({
      files, lane: inlineLane({ files, clock, random }), clock, random, mailbox: mailboxSettings('/nowhere'), logger, path: 'Maildir', delimiter: '/',
      machine: { host: hostname(), pid: process.pid }, ...parts,
    })
    return driver.openStore({ ...alice, home: this.home }, never)
  }
  async inbox(): Promise<Box> {
    return this.open('INBOX', await this.mailStore())
  }
  async open(path: string, store: MailStore): Promise<Box> {
    const found = await store.find({ mount: this.mount(), path }, never)
    if (found === undefined) throw new Error(`no ${path}`)
    return new Box(path, await found.open(never))
  }
  /** One message into the open mailbox. */
  async deliver(box: Box, message = sampleMessage(1)): Promise<void> {
    const delivery = await (await this.mailStore()).append({ mount: this.mount(), path: 'INBOX' }, never)
    await delivery.add(itemOf(message), never)
    await box.edit((edit) => delivery.commit({ source: box.source, edit }, never))
  }
  /** With messages `x0`, `x1` and so on, which another program brought and somebody read. */
  async filled(count: number): Promise<Box> {
    const box = await this.inbox()
    for (let n = 0; n < count; n++) await writeFile(this.at(`cur/${1_700_000_000 + n}.x${n}.host,S=${20 + String(n).length}:2,S`), `Subject: n${n}\n\nHello.\n\n`)
    await box.refresh()
    return box
  }
  /** Nothing of it is so fresh any more that it would be listed once more. */
  async settle(box: Box): Promise<void> {
    this.clock.ms = Date.now() + 600_000
    await box.refresh()
    await box.refresh()
    this.listed = []
    this.octetsRead = 0
  }
  /** The file in `cur` with this part in its name. */
  async nameOf(part: string): Promise<string> {
    return (await readdir(this.at('cur'))).find((name) => name.includes(part)) ?? ''
  }
}
