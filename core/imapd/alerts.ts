import { ProtocolAbort, createSlot } from '../api/index.js'
import type { Clock, FileStat, Files, ImapSettings, ImapWriter } from '../api/index.js'
import { cut } from './texts.js'

/** An alert file longer than this is not read to its end. */
const LARGEST_ALERT_OCTETS = 8192

/** Modification times of the alert files that a session was shown: kept across the login, so that nothing is shown twice. */
export type ShownAlerts = ReadonlyMap<string, number>
export const SHOWN_ALERTS = createSlot<ShownAlerts>('imap.alerts', 'logout', () => new Map(), {
  encode: (shown) => Buffer.from(JSON.stringify([...shown])),
  // Written by encode: pairs of path and time.
  decode: (octets) => new Map(JSON.parse(Buffer.from(octets).toString()) as [string, number][]),
})

/**
 * Alert and shutdown files of one session. Looked at once a minute at most, at the end of commands and while a client idles. A file is shown when its
 * modification time is another than when it was shown last.
 */
export class Alerts {
  readonly #files: Files
  readonly #clock: Clock
  readonly #settings: ImapSettings
  #shown = new Map<string, number>()
  #userFile: string | undefined
  #due: number
  /** When the warning of a shutdown was given. */
  #warnedAt: number | undefined

  constructor(files: Files, clock: Clock, settings: ImapSettings) {
    this.#files = files
    this.#clock = clock
    this.#settings = settings
    this.#due = clock.steady() + settings.timeouts.alertMs
  }

  get shown(): ShownAlerts {
    return this.#shown
  }
  /** Goes on where the half before the login ended. */
  resume(shown: ShownAlerts): void {
    this.#shown = new Map(shown)
  }
  /** A login is followed by a look at once, and at the user's own file too. */
  loggedIn(home: string | undefined): void {
    const { userFile } = this.#settings.alert
    if (userFile === '' || userFile.startsWith('/')) this.#userFile = userFile
    else if (home !== undefined) this.#userFile = `${home}/${userFile}`
    this.#due = 0
  }
  /** Whether this is the time to look: a comparison, for the end of every command. */
  get due(): boolean {
    return this.#clock.steady() >= this.#due
  }
  /** Whether nobody gets in now. */
  async shutDown(): Promise<boolean> {
    return (await this.#stat(this.#settings.shutdownFile)) !== undefined
  }
  /** Writes what is new; ends the session some time after the shutdown file was seen first. */
  async look(out: ImapWriter): Promise<void> {
    const now = this.#clock.steady()
    this.#due = now + this.#settings.timeouts.alertMs
    // Taking the file away meanwhile does not call the shutdown off.
    if (this.#warnedAt !== undefined && now - this.#warnedAt >= this.#settings.timeouts.shutdownMs) throw new ProtocolAbort('Server shutting down', 'Killed (terminated)')
    const { shutdownFile, alert } = this.#settings
    const paths = this.#userFile === undefined ? [alert.systemFile] : [alert.systemFile, this.#userFile]
    // At once: the first command after a login waits for this.
    const [shutdown, ...seen] = await Promise.all([shutdownFile, ...paths].map((path) => this.#stat(path)))
    if (this.#warnedAt === undefined && shutdown !== undefined) {
      this.#warnedAt = now
      out.raw('* OK [ALERT] Server shutting down shortly').endLine()
    }
    for (const [i, path] of paths.entries()) await this.#show(path, seen[i], out)
  }

  async #show(path: string, stat: FileStat | undefined, out: ImapWriter): Promise<void> {
    if (stat?.kind !== 'file' || this.#shown.get(path) === stat.mtimeMs) return
    this.#shown.set(path, stat.mtimeMs)
    for (const line of await this.#lines(path)) out.raw('* OK [ALERT] ').raw(cut(line)).endLine()
  }
  async #lines(path: string): Promise<readonly string[]> {
    try {
      const file = await this.#files.open(path)
      try {
        const octets = new Uint8Array(LARGEST_ALERT_OCTETS)
        const got = await file.read(octets, 0)
        const text = Buffer.from(octets.subarray(0, got)).toString('utf8').replaceAll(/[\r\0]/g, '')
        return text.replace(/\n$/, '').split('\n')
      } finally {
        await file.close()
      }
    } catch {
      return [] // Unreadable for this user: the same as absent.
    }
  }
  async #stat(path: string): Promise<FileStat | undefined> {
    if (path === '') return undefined
    try {
      return await this.#files.stat(path)
    } catch {
      return undefined
    }
  }
}
