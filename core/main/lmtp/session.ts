import type { Spooled } from '../../api/index.js'
import { LineTooLong, Silence, Stopping, type LmtpInput } from './input.js'
import { pathArgument } from './paths.js'
import { replyLine, type Outcome } from './replies.js'

/** What a recipient, or a delivery, comes to. */
export interface Answer {
  readonly outcome: Outcome
  readonly text: string
}
/** Who takes messages. */
export interface Postmaster<R> {
  readonly serverName: string
  /** The mailbox of an address, or why there is none. */
  recipient(address: string): Promise<{ readonly mailbox: R } | Answer>
  take(octets: AsyncIterable<Uint8Array>): Promise<Spooled>
  /** Durable when the answer is 2xx. */
  deliver(mailbox: R, message: Spooled, sender: string): Promise<Answer>
}
interface Envelope<R> {
  readonly sender: string
  readonly mailboxes: R[]
}
/** RFC 5321 §4.5.3.1.8 wants a hundred. */
const MOST_RECIPIENTS = 1000
const OK: Outcome = [250, '2.0.0']
const SYNTAX: Outcome = [501, '5.5.4']
const STOPS: Outcome = [421, '4.3.2']
const SEQUENCE: Outcome = [503, '5.5.1']
const EXTENSIONS = ['PIPELINING', 'ENHANCEDSTATUSCODES', '8BITMIME', 'SIZE']
const PARAMETERS = new Set(['SIZE', 'BODY'])

/** One connection by which a mail transport hands over messages (RFC 2033). */
export class LmtpSession<R> {
  readonly #input: LmtpInput
  readonly #say: (text: string) => Promise<void>
  readonly #by: Postmaster<R>
  #greeted = false
  #envelope: Envelope<R> | undefined
  /** Verbs and what they do; true ends the connection. */
  readonly #verbs: Readonly<Record<string, (argument: string) => Promise<boolean | void>>> = {
    LHLO: (argument) => this.#lhlo(argument),
    MAIL: (argument) => this.#mail(argument),
    RCPT: (argument) => this.#rcpt(argument),
    DATA: (argument) => this.#data(argument),
    RSET: () => {
      this.#envelope = undefined
      return this.#reply(OK, 'reset')
    },
    NOOP: () => this.#reply(OK, 'done'),
    VRFY: () => this.#reply([252, '2.5.0'], 'try RCPT'),
    QUIT: () => this.#reply([221, '2.0.0'], 'goodbye').then(() => true),
    // RFC 2033 §4.1: not taken, so that nobody takes this for SMTP.
    HELO: () => this.#reply([500, '5.5.1'], 'this is LMTP: LHLO'),
    EHLO: () => this.#reply([500, '5.5.1'], 'this is LMTP: LHLO'),
  }

  constructor(input: LmtpInput, say: (text: string) => Promise<void>, by: Postmaster<R>) {
    this.#input = input
    this.#say = say
    this.#by = by
  }
  #reply(outcome: Outcome, text: string): Promise<void> {
    return this.#say(replyLine(outcome, text))
  }

  /** Until the other side leaves; `stopping` ends it between two commands. */
  async run(stopping: AbortSignal): Promise<void> {
    await this.#say(`220 ${this.#by.serverName} LMTP\r\n`)
    try {
      while (!stopping.aborted) {
        const line = await this.#input.line()
        if (line === undefined) return
        const space = line.indexOf(' ')
        const [verb, argument] = space < 0 ? [line, ''] : [line.slice(0, space), line.slice(space + 1)]
        const command = Object.hasOwn(this.#verbs, verb.toUpperCase()) ? this.#verbs[verb.toUpperCase()] : undefined
        if (command === undefined) await this.#reply([500, '5.5.1'], 'unknown command')
        else if ((await command(argument)) === true) return
      }
      await this.#reply(STOPS, 'the server stops')
    } catch (error) {
      if (error instanceof LineTooLong) await this.#reply([500, '5.5.2'], 'the line is too long')
      else if (error instanceof Stopping) await this.#reply(STOPS, 'the server stops')
      else if (error instanceof Silence) await this.#reply([421, '4.4.2'], 'nothing was said for too long')
      else throw error
    }
  }

  async #lhlo(argument: string): Promise<void> {
    if (argument.trim() === '') return this.#reply(SYNTAX, 'LHLO wants a name')
    this.#greeted = true
    this.#envelope = undefined
    const lines = [this.#by.serverName, ...EXTENSIONS]
    await this.#say(lines.map((line, i) => `250${i + 1 < lines.length ? '-' : ' '}${line}\r\n`).join(''))
  }
  async #mail(argument: string): Promise<void> {
    if (!this.#greeted) return this.#reply(SEQUENCE, 'LHLO first')
    if (this.#envelope !== undefined) return this.#reply(SEQUENCE, 'a message is under way')
    const said = pathArgument('FROM', argument)
    if (said === undefined) return this.#reply(SYNTAX, 'MAIL FROM:<address>')
    for (const name of said.parameters.keys()) if (!PARAMETERS.has(name)) return this.#reply([555, '5.5.4'], `unknown parameter ${name}`)
    this.#envelope = { sender: said.path, mailboxes: [] }
    return this.#reply([250, '2.1.0'], 'sender taken')
  }
  async #rcpt(argument: string): Promise<void> {
    if (this.#envelope === undefined) return this.#reply(SEQUENCE, 'MAIL first')
    const said = pathArgument('TO', argument)
    if (said === undefined || said.path === '') return this.#reply([501, '5.1.3'], 'RCPT TO:<address>')
    const [parameter] = said.parameters.keys()
    if (parameter !== undefined) return this.#reply([555, '5.5.4'], `unknown parameter ${parameter}`)
    if (this.#envelope.mailboxes.length >= MOST_RECIPIENTS) return this.#reply([452, '4.5.3'], 'too many recipients')
    const found = await this.#by.recipient(said.path)
    if ('outcome' in found) return this.#reply(found.outcome, found.text)
    this.#envelope.mailboxes.push(found.mailbox)
    return this.#reply([250, '2.1.5'], 'recipient taken')
  }
  /** One answer for each recipient that was taken, in their order (RFC 2033 §4.2). */
  async #data(argument: string): Promise<void> {
    if (argument !== '') return this.#reply(SYNTAX, 'DATA stands alone')
    const envelope = this.#envelope
    if (envelope === undefined || envelope.mailboxes.length === 0) return this.#reply(SEQUENCE, 'there is no recipient')
    await this.#say('354 the message, then a line of one dot\r\n')
    let message: Spooled
    try {
      message = await this.#by.take(this.#input.message())
    } catch (error) {
      // What it could not take must still be read, or the rest of the message would be commands.
      for await (const _ of this.#input.message()) continue
      this.#envelope = undefined
      for (const _ of envelope.mailboxes) await this.#reply([451, '4.3.0'], `the message cannot be kept now: ${error instanceof Error ? error.message : String(error)}`)
      return
    }
    this.#envelope = undefined
    try {
      for (const mailbox of envelope.mailboxes) {
        const { outcome, text } = message.size === 0 ? { outcome: [554, '5.6.0'] as const, text: 'there is no message' } : await this.#by.deliver(mailbox, message, envelope.sender)
        await this.#reply(outcome, text)
      }
    } finally {
      await message[Symbol.asyncDispose]()
    }
  }
}
