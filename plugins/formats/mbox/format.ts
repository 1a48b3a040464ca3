import { MailError, type Delivery, type Examined, type FilePlace, type FileStat, type GivenNumbers, type MailboxFormat, type MailboxSettings, type MailboxSource, type MailUser } from 'mailwright/api'
import type { TextFormat } from '../shared/text/format.js'

const NAME = 'mbox'

/**
 * `~/mbox` as the INBOX of those who have it, as mail programs of old move read mail there: new mail comes from the system's mailbox. The file is a traditional
 * one, and all that is done with it is done by that format.
 */
export class MboxFormat implements MailboxFormat {
  readonly inboxName = NAME
  readonly writtenAs = 'unix'
  readonly #unix: TextFormat
  readonly #modes: Pick<MailboxSettings, 'fileMode' | 'directoryMode'>
  constructor(unix: TextFormat, modes: Pick<MailboxSettings, 'fileMode' | 'directoryMode'>) {
    this.#unix = unix
    this.#modes = modes
  }

  /** Where all of a user's mail is below the home, a mailbox that happens to have the name is one like the others. */
  async inbox(user: MailUser, signal: AbortSignal, delivered: string | undefined): Promise<FilePlace | undefined> {
    const path = pathOf(user)
    if (path === undefined || delivered === undefined || delivered.startsWith(`${user.home}/`)) return undefined
    const { fileMode, directoryMode } = this.#modes
    const place = { path, user, fileMode, directoryMode }
    return (await this.#unix.recognise(place, signal)) === 'not-mine' ? undefined : place
  }
  async recognise(at: FilePlace, signal: AbortSignal, seen?: FileStat): Promise<'mine' | 'empty' | 'not-mine'> {
    return at.path === pathOf(at.user) ? this.#unix.recognise(at, signal, seen) : 'not-mine'
  }
  async create(at: FilePlace, numbers?: GivenNumbers): Promise<void> {
    if (at.path !== pathOf(at.user)) throw new MailError('unsupported', `Can't create mailbox ${at.path}: only INBOX is made in this format`)
    await this.#unix.create(at, numbers)
  }
  open(at: FilePlace): Promise<MailboxSource> {
    return this.#unix.open(at)
  }
  append(at: FilePlace): Promise<Delivery> {
    return this.#unix.append(at)
  }
  remove(at: FilePlace): Promise<void> {
    return this.#unix.remove(at)
  }
  rename(from: FilePlace, to: FilePlace): Promise<void> {
    return this.#unix.rename(from, to)
  }
  examine(at: FilePlace, signal: AbortSignal): AsyncIterable<Examined> {
    return this.#unix.examine(at, signal)
  }
}
function pathOf({ home }: MailUser): string | undefined {
  return home === undefined ? undefined : `${home}/${NAME}`
}
