import { ConnectionLost, MailError, ProtocolAbort } from '../api/index.js'
import type { Pop3Command, Pop3Completion, Pop3Login } from '../api/index.js'
import { afterCommand } from '../session/client-facts.js'
import { lostLink } from '../session/link-end.js'
import type { SessionLog } from '../session/session-log.js'
import { parseCommandLine } from '../wire/pop3/command-line.js'
import type { CommandLine } from '../wire/pop3/command-line.js'
import { isOutage, refusal } from './failure.js'
import type { LineInput } from './input.js'
import type { LiveSession } from './session.js'

/*
 * Commands one after the other.
 *
 * - Every command ends with exactly one answer, also when it fails; after a part of an answer has left only the end of the link is honest.
 * - No turn ends without its replies being handed over, and none is handed over before: pipelined commands share one write.
 * - A client that does not read is not served: no command begins while replies wait for it beyond the mark of its link.
 */

/** What runs commands besides the session. */
export interface DispatcherParts {
  readonly session: LiveSession
  readonly input: LineInput
  readonly log: SessionLog
  /** A short id for a bug. */
  readonly newId: () => string
}
/** Why a dispatcher stops. */
export type After = NonNullable<Extract<Pop3Completion, { kind: 'ok' | 'err' }>['after']> | Pop3Login

export class Dispatcher {
  readonly #parts: DispatcherParts

  constructor(parts: DispatcherParts) {
    this.#parts = parts
  }

  /** Runs commands until one changes what the link is for. Throws ProtocolAbort and ConnectionLost. */
  async run(): Promise<After> {
    const { session, input } = this.#parts
    for (;;) {
      const line = input.framer.next() ?? (await input.next())
      const answer = line.kind === 'too-long' ? TOO_LONG : line.octets.length === 0 ? NULL_COMMAND : await this.#command(parseCommandLine(line.octets))
      if (answer.kind === 'login') return answer.login
      if (answer.kind === 'sent') {
        const wait = session.out.room()
        if (wait !== undefined) await wait
        continue
      }
      this.#write(answer)
      if (answer.after !== undefined) return answer.after
      const wait = session.out.room()
      if (wait !== undefined) await wait
    }
  }

  async #command({ name, args }: CommandLine): Promise<Pop3Completion> {
    const { session } = this.#parts
    this.#lookForOthers()
    const command = this.#find(name)
    if (command === undefined) return { kind: 'err', text: session.state === 'authorization' ? 'Unknown AUTHORIZATION state command' : 'Unknown TRANSACTION state command' }
    session.client = afterCommand(session.client, name)
    try {
      return await command.run(args, session)
    } catch (error) {
      return this.#failed(error, name)
    }
  }
  #find(name: string): Pop3Command | undefined {
    const { session } = this.#parts
    const command = session.tables.commands[session.state].get(name)
    return command?.offered?.(session) === false ? undefined : command
  }
  /** What others removed is missing from the next answer on. */
  #lookForOthers(): void {
    const { session, log } = this.#parts
    try {
      session.drop?.refresh()
    } catch (error) {
      if (!(error instanceof MailError)) throw error
      log.info(`Mailbox closed (${error.message})`)
      throw new ProtocolAbort('Mailbox is closed', 'Mailbox closed', { cause: error })
    }
  }
  #write(answer: Extract<Pop3Completion, { kind: 'ok' | 'err' }>): void {
    const { out, extensions } = this.#parts.session
    out.line(answer.kind, answer.text, { code: answer.kind === 'err' ? shownCode(answer.code, extensions) : undefined, prefix: answer.prefix })
  }
  /** Turns what a command threw into its answer; what ends the session goes on. */
  #failed(error: unknown, name: string): Pop3Completion {
    const { session, log, newId } = this.#parts
    if (error instanceof ProtocolAbort || error instanceof ConnectionLost) throw error
    const refused = refusal(error)
    const begun = session.out.open
    if (refused !== undefined && !begun) {
      // What only the operator can mend is told to the operator; the rest is normal traffic.
      log[isOutage(error) ? 'warn' : 'debug']('Command refused', { command: name, error })
      return refused
    }
    if (session.signal.aborted) throw lostLink(session.signal, error)
    if (begun) throw new ProtocolAbort(undefined, 'an answer could not be finished', { cause: error })
    const id = newId()
    log.error('Internal error', { command: name, id, error })
    return { kind: 'err', code: 'SYS/TEMP', text: ['Internal error, reference %1', id] }
  }
}

/** Codes are sent where they are announced (RFC 2449 §6.4, RFC 3206 §6). */
export function shownCode(code: string | undefined, extensions: ReadonlySet<string>): string | undefined {
  return extensions.has(code === 'AUTH' ? 'auth-resp-code' : 'resp-codes') ? code : undefined
}

const TOO_LONG: Pop3Completion = { kind: 'err', text: 'Command line too long' }
const NULL_COMMAND: Pop3Completion = { kind: 'err', text: 'Null command' }
