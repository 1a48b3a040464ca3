import { ConnectionLost, ProtocolAbort } from '../api/index.js'
import type { After, Clock, DriverAbout, Files, HostFacts, ImapSettings, LayerSpec, Workaround } from '../api/index.js'
import type { Dialect } from '../session/dialects.js'
import type { SessionHalf } from '../session/half.js'
import { profileOf } from '../session/client-profile.js'
import { endOfLink, whatEnded } from '../session/link-end.js'
import { SessionLog } from '../session/session-log.js'
import type { SessionLogger } from '../session/session-log.js'
import { SlotTable } from '../session/slots.js'
import { FRAMER_LIMITS, ImapFramer, PRELOGIN_FRAMER_LIMITS } from '../wire/imap/framer.js'
import { OctetWriter } from '../wire/imap/writer.js'
import { LIMITS } from '../wire/limits.js'
import { Alerts } from './alerts.js'
import { Dispatcher } from './dispatcher.js'
import type { ExtensionAssembly } from './extensions/assembly.js'
import { Grammar } from './extensions/grammar.js'
import { ImapInput } from './input.js'
import { LiveSession } from './session.js'
import { cut } from './texts.js'
import { SessionUpdates } from './updates.js'
import type { Unfinished } from './unfinished.js'

/** What all sessions of a host share. */
export interface ImapHost {
  readonly host: HostFacts
  readonly settings: ImapSettings
  readonly dialect: Dialect
  readonly logger: SessionLogger
  readonly clock: Clock
  readonly files: Files
  readonly random: (octets: number) => Uint8Array
  readonly assembly: ExtensionAssembly
  readonly workarounds: readonly Workaround[]
  readonly drivers: readonly DriverAbout[]
  readonly unfinished: Unfinished
}
/** How the tagged line of a command lets a conversation go on or end. */
export type Parting = 'ended' | 'unauthenticated' | { readonly login: LayerSpec | undefined }

/** One half of a session with its parts: reader, writer, session, dispatcher. Closed by its maker. */
export class Conversation implements AsyncDisposable {
  readonly session: LiveSession
  readonly input: ImapInput
  readonly out: OctetWriter
  readonly log: SessionLog
  readonly alerts: Alerts
  readonly slots: SlotTable
  readonly #half: SessionHalf
  readonly #dispatcher: Dispatcher

  constructor(shared: ImapHost, half: SessionHalf) {
    const { link, mail } = half
    this.#half = half
    this.slots = half.slots
    this.out = new OctetWriter(link)
    this.log = new SessionLog(shared.logger, link.peer, mail?.user.name)
    this.alerts = new Alerts(shared.files, shared.clock, shared.settings)
    const send = (): void => this.out.flush()
    const framer = new ImapFramer(mail === undefined ? PRELOGIN_FRAMER_LIMITS : FRAMER_LIMITS)
    if (half.unread !== undefined) framer.push(half.unread)
    this.input = new ImapInput(link, framer, shared.clock, half.patience, send, mail === undefined ? shared.unfinished.share() : undefined)
    const updates = new SessionUpdates({
      clock: shared.clock,
      session: () => this.session.inside,
      send,
      busy: () => framer.waiting > 0,
      alerts: async () => {
        if (this.alerts.due) await this.alerts.look(this.out)
      },
      dropLine: () => this.out.atLineStart || this.out.dropLine(),
      failed: (error) => this.log.error('Internal error', { command: 'news', error }),
      serverName: shared.host.serverName,
    })
    this.session = new LiveSession({
      host: { serverName: shared.host.serverName, dialect: shared.dialect, drivers: shared.drivers },
      peer: link.peer,
      client: half.client,
      gate: half.gate,
      mail,
      signal: link.signal,
      out: this.out,
      slots: half.slots,
      updates,
      hops: link.hops,
      line: (limit, withinMs) => this.input.line(limit, withinMs),
      profile: (client) => {
        const profile = profileOf(shared.workarounds, client, mail?.user, half.tweaks)
        return { profile, grammar: new Grammar(shared.assembly.tables(profile)) }
      },
      tune: () => this.#tune(),
    })
    this.#tune()
    this.#dispatcher = new Dispatcher({
      session: this.session,
      input: this.input,
      log: this.log,
      alerts: this.alerts,
      maxBadCommands: shared.settings.maxBadCommands,
      newId: () => Buffer.from(shared.random(4)).toString('hex'),
    })
  }

  /** Runs commands until the client leaves, or is somebody else than before; never throws. */
  async run(): Promise<Parting> {
    const { session, input, out, log } = this
    const { link } = this.#half
    try {
      for (;;) {
        const then: After = await this.#dispatcher.run()
        out.flush()
        if (then === 'logout') {
          log.end('Logout')
          await link.close()
          return 'ended'
        }
        if (then === 'unauthenticate') return 'unauthenticated'
        if ('login' in then) return then
        // Whatever came in clear is not a command under the layer (RFC 3501 §6.2.1).
        input.framer.clear()
        await link.wrap(then.wrap)
        session.peer = link.peer
      }
    } catch (error) {
      await this.#end(error)
      return 'ended'
    }
  }
  /** A command waits for another program: the client is told at once why it has no answer yet. */
  tellWait(text: string): void {
    if (!this.out.atLineStart) return
    this.out.raw('* NO ').raw(cut(text)).endLine()
    this.out.flush()
  }
  async [Symbol.asyncDispose](): Promise<void> {
    const { selected, updates } = this.session
    updates[Symbol.dispose]()
    this.input[Symbol.dispose]()
    try {
      // The link may be gone; the mailbox is closed all the same.
      await selected?.close(new AbortController().signal)
    } catch (error) {
      this.log.warn('Mailbox was not closed in order', { error })
    }
  }

  /** Which literals a client may send unasked follows from the extensions, and what the link may carry from the workarounds. */
  #tune(): void {
    const { link } = this.#half
    const { framer } = this.input
    const { extensions } = this.session.grammar.tables
    const nonSync = extensions.has('literal-plus') ? Number.MAX_SAFE_INTEGER : LIMITS.smallNonSyncLiteral
    framer.limits = { ...framer.limits, nonSync }
    if (this.session.tweaks.maxWriteOctets > 0) link.tune({ maxWriteOctets: this.session.tweaks.maxWriteOctets })
    if (this.session.profile.reasons.length > 0) this.log.debug('Workarounds', { reasons: this.session.profile.reasons })
  }
  /** Says goodbye where the protocol still allows a line, and tells the log; exactly one line there is the session's end. */
  async #end(caught: unknown): Promise<void> {
    const { out, log } = this
    const { link } = this.#half
    const error = whatEnded(caught, link.signal)
    if (error instanceof ProtocolAbort) {
      if (error.bye !== undefined && (out.atLineStart || out.dropLine())) out.raw('* BYE ').raw(error.bye).endLine()
      log.end(endWord(error), isFatal(error) ? this.#placed(error.cause ?? error) : {})
      if (error.cause !== undefined) log.warn('Session was ended', { reason: error.message, error: error.cause })
    } else if (error instanceof ConnectionLost) log.end(endOfLink(error, this.session.host.dialect, KILLED))
    else {
      log.error('Session failed', { error })
      if (out.atLineStart || out.dropLine()) out.raw('* BYE [ALERT] IMAP4rev1 server crashing: internal error').endLine()
      log.end('Fatal error', this.#placed(error))
    }
    out.flush()
    await link.close()
  }
  /** The selected mailbox, if there is one, and what was wrong. */
  #placed(error: unknown): { readonly mbx?: string; readonly text: string } {
    const { selected } = this.session
    return { ...(selected === undefined ? {} : { mbx: selected.at.name }), text: error instanceof Error ? error.message : String(error) }
  }
}

const KILLED = 'Killed (terminated)'
const FATAL = 'Fatal mailbox error'
/** The session's mailbox can be used no more. */
function isFatal({ bye }: ProtocolAbort): boolean {
  return bye?.includes(FATAL) === true
}
/** The log's word for an end that this server chose. */
function endWord(abort: ProtocolAbort): string {
  const { bye } = abort
  if (bye === undefined) return `Broken off (${abort.message})`
  if (bye.startsWith('Autologout')) return 'Autologout'
  if (bye.startsWith('Server shutting down')) return KILLED
  return isFatal(abort) ? FATAL : `Ended (${bye})`
}
