import { ConnectionLost, MailboxNameFailure, ProtocolAbort, SyntaxFailure } from '../api/index.js'
import type { After, HopOutcome, ImapCompletion, SessionHops } from '../api/index.js'
import { afterCommand } from '../session/client-facts.js'
import { lostLink } from '../session/link-end.js'
import type { SessionLog } from '../session/session-log.js'
import { OctetCursor } from '../wire/imap/cursor.js'
import type { BadFrame, CommandFrame, Frame, LiteralFrame } from '../wire/imap/frames.js'
import type { Alerts } from './alerts.js'
import { CommandStream } from './command-stream.js'
import { writeCompletion } from './completion.js'
import { blameOf } from './extensions/blame.js'
import { isStreaming } from './extensions/unseal.js'
import type { BufferedRun, StreamingRun } from './extensions/unseal.js'
import { Refused, badLine, operatorNote, refusal, refusedLine } from './failure.js'
import type { ImapInput } from './input.js'
import { NAMED } from './places.js'
import type { LiveSession } from './session.js'
import { commandKey, shown } from './texts.js'

/*
 * Commands one after the other, each whole.
 *
 * - Arguments are read to their end before anything is awaited (streamed literals excepted), so no command runs half-parsed.
 * - Every command ends with exactly one tagged line, also when it fails after it has written.
 * - Nothing that a client does wrong is more than a BAD line; what nobody expected is NO [SERVERBUG] with an id that the log has too.
 * - No turn ends without its replies being handed over, and none is handed over before: pipelined commands share one write.
 * - A client that does not read is not served: no command begins while replies wait for it beyond the mark of its link.
 */

/** What runs commands besides the session. */
export interface DispatcherParts {
  readonly session: LiveSession
  readonly input: ImapInput
  readonly log: SessionLog
  readonly alerts: Alerts
  /** 0: no limit. */
  readonly maxBadCommands: number
  /** A short id for a bug. */
  readonly newId: () => string
}

/** Commands that an anonymous user does not have (their names do not exist for them). */
const NOT_FOR_ANONYMOUS: ReadonlySet<string> = new Set([
  'APPEND', 'CREATE', 'DELETE', 'RENAME', 'SUBSCRIBE', 'UNSUBSCRIBE', 'EXPUNGE', 'UID EXPUNGE', 'COPY', 'UID COPY', 'MOVE', 'UID MOVE',
])
/** Commands whose mailbox is in the log when an anonymous user opens it. */
const OPENING: ReadonlySet<string> = new Set(['SELECT', 'EXAMINE', 'BBOARD'])
const NOISE: ReadonlyMap<BadFrame['why'], string> = new Map([['too-long', 'Line too long'], ['null-command', 'Null command'], ['missing-command', 'Missing command']])
const NOTHING: readonly string[] = []
type Command = BufferedRun | StreamingRun

export class Dispatcher {
  readonly #parts: DispatcherParts
  #bad = 0
  #noise: readonly string[] = NOTHING

  constructor(parts: DispatcherParts) {
    this.#parts = parts
  }

  /** Runs commands until one changes what the link is for. Throws ProtocolAbort and ConnectionLost. */
  async run(): Promise<After> {
    const { input, session } = this.#parts
    for (;;) {
      const frame = input.framer.next() ?? (await input.next())
      const after = await this.#frame(frame)
      if (after !== undefined) return after
      const wait = session.out.room()
      if (wait !== undefined) await wait
    }
  }

  #frame(frame: Frame): Promise<After | undefined> | undefined {
    switch (frame.kind) {
      case 'command':
        return this.#command(frame)
      case 'literal':
        return this.#literal(frame)
      case 'bad':
        return this.#badFrame(frame)
      case 'abort':
        throw new ProtocolAbort(frame.text, frame.text)
      case 'octets':
      case 'line':
        throw new Error(`a command cannot begin with ${frame.kind}`)
    }
  }
  #badFrame({ tag, text, why }: BadFrame): undefined {
    const { session, log } = this.#parts
    const noise = NOISE.get(why)
    // Once of each kind: a client that is nobody yet must not be able to fill the log.
    if (session.state === 'not-authenticated' && noise !== undefined && !this.#noise.includes(noise)) {
      this.#noise = [...this.#noise, noise]
      log.early(`${noise} before authentication`)
    }
    writeCompletion(session.out, tag, '', { kind: 'bad', text })
    this.#countBad()
    return undefined
  }

  // ---- literals

  #literal(frame: LiteralFrame): Promise<After | undefined> | undefined {
    const { session, input, log } = this.#parts
    const key = commandKey(frame.name, frame.uid)
    const command = this.#lookUp(key)
    // A mailbox name may be a literal too: only what follows an argument is a message.
    const streamed = command !== undefined && isStreaming(command) && (frame.args.length > 0 || frame.streamed > 0)
    if (streamed && !frame.unasked) return this.#run(frame, key, command)
    if (command === undefined) {
      input.framer.refuse()
      return this.#finish(frame, key, undefined, unrecognized(key))
    }
    if (frame.excess !== undefined) {
      input.framer.refuse()
      writeCompletion(session.out, undefined, '', { kind: 'bad', text: frame.excess })
      log.info(`Overlong (${frame.size}) client literal`)
      return this.#finish(frame, key, undefined, { kind: 'bad' })
    }
    input.framer.accept()
    if (frame.sync) this.#invite()
    return undefined
  }
  readonly #invite = (): void => {
    this.#parts.session.out.raw('+ Ready for argument').endLine()
  }

  // ---- commands

  #lookUp(key: string): Command | undefined {
    const { session } = this.#parts
    const command = session.grammar.tables.commands.get(key)
    if (command === undefined || !command.states.includes(session.state)) return undefined
    return session.mail?.user.kind === 'anonymous' && NOT_FOR_ANONYMOUS.has(key) ? undefined : command
  }
  #command(frame: CommandFrame): Promise<After | undefined> {
    const key = commandKey(frame.name, frame.uid)
    const command = this.#lookUp(key)
    if (command === undefined) return this.#finish(frame, key, undefined, unrecognized(key))
    return this.#run(frame, key, command)
  }
  async #run(frame: CommandFrame | LiteralFrame, key: string, command: Command): Promise<After | undefined> {
    const { session } = this.#parts
    session.tag = frame.tag
    if (session.slot(NAMED) !== undefined) session.setSlot(NAMED, undefined)
    if (session.client.commands.length < 32) session.client = afterCommand(session.client, key)
    let done: ImapCompletion
    try {
      done = isStreaming(command) ? await this.#stream(frame, key, command) : await this.#buffered(frame, key, command)
    } catch (error) {
      done = this.#failed(error, key, command)
    }
    if (done.kind === 'ok' && OPENING.has(key) && session.mail?.user.kind === 'anonymous') this.#parts.log.early(`Anonymous select of ${shown(session.slot(NAMED) ?? '')}`)
    return this.#finish(frame, key, command, done)
  }
  #buffered(frame: CommandFrame | LiteralFrame, key: string, command: BufferedRun): Promise<ImapCompletion> {
    const { session } = this.#parts
    const { hops } = session
    // The table holds commands for the states they declare, and this state is one of them.
    const here = session as unknown as Parameters<BufferedRun['parse']>[2]
    if (hops === undefined) return command.run(command.parse(new OctetCursor(frame.args, session.mode), frame.uid, here), session)
    const mark = hops.begin('parse', key)
    let outcome: HopOutcome = 'error'
    let request: unknown
    try {
      request = command.parse(new OctetCursor(frame.args, session.mode), frame.uid, here)
      outcome = 'ok'
    } finally {
      hops.end('parse', mark, outcome, frame.args.length)
    }
    return this.#measured(hops, key, () => command.run(request, session))
  }
  #stream(frame: CommandFrame | LiteralFrame, key: string, command: StreamingRun): Promise<ImapCompletion> {
    const { hops } = this.#parts.session
    const run = (): Promise<ImapCompletion> => this.#receive(frame, command)
    return hops === undefined ? run() : this.#measured(hops, key, run)
  }
  async #measured(hops: SessionHops, key: string, run: () => Promise<ImapCompletion>): Promise<ImapCompletion> {
    const { session } = this.#parts
    const before = session.out.octets
    const mark = hops.begin('run', key)
    let outcome: HopOutcome = 'error'
    try {
      const done = await run()
      if (done.kind !== 'bad') outcome = done.kind
      return done
    } catch (error) {
      if (refusal(error, key, session.host.dialect) !== undefined) outcome = 'no'
      throw error
    } finally {
      hops.end('run', mark, outcome, session.out.octets - before, session.selected?.announced)
    }
  }
  async #receive(frame: CommandFrame | LiteralFrame, command: StreamingRun): Promise<ImapCompletion> {
    const { session, input } = this.#parts
    const here = session as unknown as Parameters<StreamingRun['receive']>[2]
    const stream = new CommandStream(input, frame, session.mode, this.#invite)
    let request: unknown
    try {
      request = await command.receive(stream, frame.uid, here)
    } finally {
      input.framer.abandon()
    }
    return command.run(request, session)
  }

  /** Turns what a command threw into its tagged line; what ends the session goes on. */
  #failed(error: unknown, key: string, command: Command): ImapCompletion {
    const { session, log, newId } = this.#parts
    if (error instanceof ProtocolAbort || error instanceof ConnectionLost) throw error
    if (!session.out.atLineStart && !session.out.dropLine()) throw new ProtocolAbort(undefined, 'a reply could not be finished', { cause: error })
    if (error instanceof MailboxNameFailure) return refusedLine(new Refused(error.reason, { code: 'CANNOT' }), key, session.host.dialect)
    if (error instanceof SyntaxFailure) {
      log.debug('Bad command', { command: key, expected: error.expected, position: error.position })
      return badLine(error, key)
    }
    const refused = refusal(error, key, session.host.dialect)
    if (refused !== undefined) {
      const note = operatorNote(error)
      const mailbox = session.slot(NAMED) ?? session.selected?.at.name
      log[note?.level ?? 'debug']('Command refused', { command: key, ...(mailbox === undefined ? {} : { mailbox }), reason: note?.reason ?? refused.text })
      return refused
    }
    if (session.signal.aborted) throw lostLink(session.signal, error)
    const id = newId()
    log.error('Internal error', { command: key, plugin: blameOf(error) ?? session.grammar.tables.ownerOf(command), id, error })
    return { kind: 'no', code: { name: 'SERVERBUG' }, text: `Internal error, reference ${id}` }
  }

  async #finish(frame: CommandFrame | LiteralFrame, key: string, command: Command | undefined, answer: ImapCompletion): Promise<After | undefined> {
    const { session, alerts, log } = this.#parts
    if (alerts.due) await alerts.look(session.out)
    if (session.selected !== undefined) {
      const { hops, out } = session
      const before = out.octets
      const mark = hops?.begin('flush', key) ?? 0
      let outcome: HopOutcome = 'error'
      try {
        await session.updates.tell(answer.kind !== 'bad' && command?.mayReportExpunge === true, frame.uid)
        outcome = 'ok'
      } catch (error) {
        if (error instanceof ProtocolAbort || error instanceof ConnectionLost) throw error
        if (session.signal.aborted) throw lostLink(session.signal, error)
        if (!session.out.dropLine()) throw new ProtocolAbort(undefined, 'news could not be told to their end', { cause: error })
        log.warn('News of the mailbox were not told', { command: key, error })
      } finally {
        hops?.end('flush', mark, outcome, out.octets - before)
      }
    }
    let done = answer
    for (const { plugin, call } of session.grammar.tables.completing) {
      try {
        done = call(key, done, session)
      } catch (error) {
        // The command has done what it did; what an extension would have added to its answer is missing.
        log.error('Internal error', { command: key, plugin, error })
      }
    }
    writeCompletion(session.out, frame.tag, key, done)
    if (done.kind === 'bad') this.#countBad()
    return done.after
  }
  #countBad(): void {
    const { maxBadCommands } = this.#parts
    if (maxBadCommands > 0 && ++this.#bad > maxBadCommands) throw new ProtocolAbort('Too many bad commands', 'Too many bad commands')
  }
}

function unrecognized(key: string): ImapCompletion {
  return { kind: 'bad', text: `Command unrecognized: ${key}` }
}
