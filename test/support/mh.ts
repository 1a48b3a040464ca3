import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock, FilePlace, Files, MailUser } from '../../core/api/index.js'
import { SystemFiles } from '../../core/os/files.js'
import { nativeLocks } from '../../core/os/native-locks.js'
import { Box, never } from '../../core/testing/box.js'
import { itemOf, type SampleMessage } from '../../core/testing/messages.js'
import { MhFormat } from '../../plugins/formats/mh/format.js'
import { directoryContext } from './directory-formats.js'
import { goldenFolder } from './golden.js'

const system = new SystemFiles(await nativeLocks())

/** A home with the golden MH folder `Mail/sample`, for a test to change. */
export class MhSite {
  readonly home: string
  readonly #user: MailUser
  private constructor(home: string) {
    this.home = home
    this.#user = { name: 'alice', kind: 'account', home, facts: {} }
  }
  static async begin(): Promise<MhSite> {
    return new MhSite(await goldenFolder('mh'))
  }
  end(): Promise<void> {
    return rm(this.home, { recursive: true, force: true })
  }
  /** A path in the home. */
  path(...names: string[]): string {
    return join(this.home, ...names)
  }
  at(name: string): FilePlace {
    return { path: this.path(name), user: this.#user, fileMode: 0o600, directoryMode: 0o700 }
  }
  format(files: Files = system, clock?: Clock): MhFormat {
    const context = directoryContext(files, clock)
    return new MhFormat({ ...context, mailbox: { ...context.mailbox, stateDirectory: '{home}/.mailwright' } }, { profile: '.mh_profile', allowInbox: false })
  }
  /** As a session opens it that may write. */
  async open(name: string, format = this.format()): Promise<Box> {
    const box = new Box(name, await format.open(this.at(name)))
    await box.refresh({ claimRecent: true })
    return box
  }
  /** In one go, while nobody of this process has the folder open. */
  async deliver(name: string, ...messages: readonly SampleMessage[]): Promise<void> {
    const delivery = await this.format().append(this.at(name))
    for (const m of messages) await delivery.add(itemOf(m), never)
    await delivery.commit(undefined, never)
  }
  async sequences(name = 'Mail/sample'): Promise<string> {
    return (await readFile(this.path(name, '.mh_sequences'))).toString()
  }
}
