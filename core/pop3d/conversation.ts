import { ConnectionLost, ProtocolAbort } from '../api/index.js'
import type { Clock, HostFacts, Pop3Login, Pop3Settings, Workaround } from '../api/index.js'
import type { SessionHalf } from '../session/half.js'
import { profileOf } from '../session/client-profile.js'
import type { Dialect } from '../session/dialects.js'
import { Deadline } from '../session/deadline.js'
import { endOfLink, whatEnded } from '../session/link-end.js'
import { SessionLog } from '../session/session-log.js'
import type { SessionLogger } from '../session/session-log.js'
import { Dispatcher } from './dispatcher.js'
import type { Pop3Assembly } from './extensions.js'
import { LineInput } from './input.js'
import { LiveSession } from './session.js'
import { ReplyWriter } from './writer.js'

/** What is held for a client's next message is let go when the client pauses for this long. */
const PAUSE_MS = 2000

/** What all sessions of a host share. */
export interface Pop3Host {
  readonly host: HostFacts
  readonly settings: Pop3Settings
  readonly dialect: Dialect
  readonly logger: SessionLogger
  readonly clock: Clock
  readonly random: (octets: number) => Uint8Array
  readonly assembly: Pop3Assembly
  readonly workarounds: readonly Workaround[]
}
/** One half of a session with its parts: reader, writer, session, dispatcher. Closed by its maker. */
export class Conversation implements Disposable {
  readonly session: LiveSession
  readonly input: LineInput
  readonly out: ReplyWriter
  readonly log: SessionLog
  readonly #half: SessionHalf
  readonly #dialect: Dialect
  readonly #dispatcher: Dispatcher
  readonly #pause: Deadline

  constructor(shared: Pop3Host, half: SessionHalf) {
    const { link, mail } = half
    this.#half = half
    this.#dialect = shared.dialect
    this.out = new ReplyWriter(link)
    this.log = new SessionLog(shared.logger, link.peer, mail?.user.name)
    this.#pause = new Deadline(shared.clock)
    this.input = new LineInput(link, shared.clock, half.patience, () => {
      const { drop } = this.session
      // Messages are fetched one after the other: the next one goes into the same slab.
      this.out.octets.flush(drop !== undefined)
      if (drop !== undefined) this.#pause.set(shared.clock.steady() + PAUSE_MS, this.#let)
    })
    if (half.unread !== undefined) this.input.framer.push(half.unread)
    const profile = profileOf(shared.workarounds, half.client, mail?.user, half.tweaks)
    this.session = new LiveSession({
      peer: link.peer,
      client: half.client,
      profile,
      gate: half.gate,
      settings: shared.settings,
      serverName: shared.host.serverName,
      mail,
      signal: link.signal,
      out: this.out,
      input: this.input,
      log: this.log,
      slots: half.slots,
      tables: shared.assembly.tables(profile),
    })
    if (profile.tweaks.maxWriteOctets > 0) link.tune({ maxWriteOctets: profile.tweaks.maxWriteOctets })
    if (profile.reasons.length > 0) this.log.debug('Workarounds', { reasons: profile.reasons })
    this.#dispatcher = new Dispatcher({ session: this.session, input: this.input, log: this.log, newId: () => Buffer.from(shared.random(4)).toString('hex') })
    this.begin()
  }

  /** Tells the extensions that a half begins, or that what was known of the link no longer holds. */
  begin(): void {
    for (const extension of this.session.tables.made) extension.begin?.(this.session)
  }
  /** Runs commands until somebody has logged in; undefined: the session has ended. Never throws. */
  async run(): Promise<Pop3Login | undefined> {
    const { link } = this.#half
    try {
      for (;;) {
        const after = await this.#dispatcher.run()
        if (typeof after === 'object' && !('wrap' in after)) return after
        this.out.octets.flush()
        if (after === 'quit') {
          this.log.end('Logout')
          await link.close()
          return undefined
        }
        // Whatever came in clear is not a command under the layer (RFC 2595 §4).
        this.input.framer.clear()
        await link.wrap(after.wrap)
        this.session.peer = link.peer
        this.session.named = undefined
        this.begin()
      }
    } catch (error) {
      await this.end(error)
      return undefined
    }
  }
  /** Says goodbye where the protocol still allows a line, and tells the log; exactly one line there is the session's end. */
  async end(caught: unknown): Promise<void> {
    const { log, out } = this
    const error = whatEnded(caught, this.#half.link.signal)
    const mayTalk = !out.open && out.octets.atLineStart
    if (error instanceof ProtocolAbort) {
      if (error.bye !== undefined && mayTalk) out.line('err', error.bye)
      log.end(endWord(error))
      if (error.cause !== undefined) log.warn('Session was ended', { reason: error.message, error: error.cause })
    } else if (error instanceof ConnectionLost) log.end(endOfLink(error, this.#dialect, KILLED))
    else {
      log.error('Session failed', { error })
      if (mayTalk) out.line('err', 'Internal error')
      log.end('Fatal error', { text: error instanceof Error ? error.message : String(error) })
    }
    out.octets.flush()
    await this.#half.link.close()
  }
  [Symbol.dispose](): void {
    this.#pause[Symbol.dispose]()
    this.input[Symbol.dispose]()
  }

  readonly #let = (): void => {
    if (this.input.idleMs() < PAUSE_MS) return
    this.session.drop?.source.idle?.()
    this.out.octets.flush()
  }
}

const KILLED = 'Killed'
/** The log's word for an end that this server chose. */
function endWord({ bye, message }: ProtocolAbort): string {
  if (bye === undefined) return `Broken off (${message})`
  if (bye.startsWith('Autologout')) return 'Autologout'
  if (bye.startsWith('Server shutting down')) return KILLED
  return message
}
