import type { TranscriptSink } from 'mailwright/api'
import { SessionFile } from './session-file.js'
import { SpokenLines } from './spoken-lines.js'

/** Lines of a session that nobody has logged in to yet are kept up to here. */
const MOST_EARLY_CHARACTERS = 32 * 1024

/** What is recorded, and where. */
export interface TranscriptSettings {
  readonly directory: string
  readonly users?: readonly string[] | undefined
  readonly hosts?: readonly string[] | undefined
  readonly most: number
  /** Told when a file cannot be written. */
  readonly failed: (text: string) => void
}
interface Recording {
  readonly lines: SpokenLines
  /** What was said before the login. */
  early: string
  file: SessionFile | undefined
}

/** Gathers what sessions say and writes it behind them: nothing here makes a session wait. Sessions that nobody logs in to leave no file. */
export class TranscriptFiles implements TranscriptSink, AsyncDisposable {
  readonly #settings: TranscriptSettings
  readonly #sessions = new Map<string, Recording>()
  readonly #closing = new Set<Promise<void>>()

  constructor(settings: TranscriptSettings) {
    this.#settings = settings
  }
  wants({ id }: { readonly id: string }): boolean {
    const recording: Recording = { early: '', file: undefined, lines: new SpokenLines((line) => this.#add(recording, line)) }
    this.#sessions.set(id, recording)
    return true
  }
  login(session: string, user: string, host: string): void {
    const { users, hosts, directory, most, failed } = this.#settings
    const recording = this.#sessions.get(session)
    if (recording === undefined || recording.file !== undefined) return
    if ((users !== undefined && !users.includes(user)) || (hosts !== undefined && !hosts.includes(host))) {
      this.#sessions.delete(session)
      return
    }
    recording.file = new SessionFile({ directory, host, user, session, most, failed })
    recording.file.add(recording.early)
    recording.early = ''
  }
  inbound(session: string, atMs: number, bytes: Uint8Array): void {
    this.#sessions.get(session)?.lines.said('C', atMs, bytes)
  }
  outbound(session: string, atMs: number, bytes: Uint8Array): void {
    this.#sessions.get(session)?.lines.said('S', atMs, bytes)
  }
  redacted(session: string, octets: number, from: 'client' | 'server', atMs: number): void {
    this.#sessions.get(session)?.lines.hidden(from === 'client' ? 'C' : 'S', atMs, octets)
  }
  close(session: string): void {
    const recording = this.#sessions.get(session)
    if (recording === undefined) return
    this.#sessions.delete(session)
    recording.lines.end()
    if (recording.file === undefined) return
    const closed: Promise<void> = recording.file.close().finally(() => this.#closing.delete(closed))
    this.#closing.add(closed)
  }
  async [Symbol.asyncDispose](): Promise<void> {
    for (const session of this.#sessions.keys()) this.close(session)
    await Promise.all(this.#closing)
  }

  #add(recording: Recording, line: string): void {
    if (recording.file !== undefined) recording.file.add(line)
    else if (recording.early.length < MOST_EARLY_CHARACTERS) recording.early += line
  }
}
