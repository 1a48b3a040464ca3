import { ConnectionLost, MailError } from 'mailwright/api'
import type { Link, MailDelivery, Recipient, Spool, Spooled } from 'mailwright/api'
import { LineTooLong, Silence, Stopping, type LmtpInput } from './input.js'
import { pathArgument } from './paths.js'
import { refusal, replyLine, type Answer, type Outcome } from './replies.js'

/** What a session needs besides its connection. */
export interface LmtpParts {
  readonly serverName: string
  readonly spool: Spool
  readonly delivery: MailDelivery
  /** Octets of the largest message; 0: no limit. */
  readonly maxMessage: number
  readonly maxRecipients: number
  readonly createFolder: boolean
}
interface Addressed {
  readonly address: string
  readonly recipient: Recipient
}
interface Envelope {
  readonly sender: string
  readonly addressed: Addressed[]
}

const OK: Outcome = [250, '2.0.0']
const SYNTAX: Outcome = [501, '5.5.4']
const UNKNOWN: Outcome = [500, '5.5.1']
const SEQUENCE: Outcome = [503, '5.5.1']
const TOO_LARGE: Outcome = [552, '5.3.4']
const PARAMETERS = new Set(['SIZE', 'BODY', 'SMTPUTF8'])
/** What ends a session, with what the other side is told. */
const ENDS = [
  { of: LineTooLong, outcome: [500, '5.5.2'], text: 'the line is too long' },
  { of: Stopping, outcome: [421, '4.3.2'], text: 'the server stops' },
  { of: Silence, outcome: [421, '4.4.2'], text: 'nothing was said for too long' },
] as const

/** One connection by which a mail transport hands over messages (RFC 2033). */
export class LmtpSession implements Disposable {
  readonly #link: Link
  readonly #input: LmtpInput
  readonly #parts: LmtpParts
  #greeted = false
  #envelope: Envelope | undefined
  /** Verbs and what they do; true ends the connection. */
  readonly #verbs: Readonly<Record<string, (argument: string) => Promise<boolean | void>>> = {
    LHLO: (argument) => this.#lhlo(argument),
    STARTTLS: (argument) => this.#startTls(argument),
    MAIL: (argument) => this.#mail(argument),
    RCPT: (argument) => this.#rcpt(argument),
    DATA: (argument) => this.#data(argument),
    RSET: () => {
      this.#forget()
      return this.#reply(OK, 'reset')
    },
    NOOP: () => this.#reply(OK, 'done'),
    VRFY: () => this.#reply([252, '2.5.0'], 'try RCPT'),
    QUIT: () => this.#reply([221, '2.0.0'], 'goodbye').then(() => true),
    // RFC 2033 §4.1: not taken, so that nobody takes this for SMTP.
    HELO: () => this.#reply(UNKNOWN, 'this is LMTP: LHLO'),
    EHLO: () => this.#reply(UNKNOWN, 'this is LMTP: LHLO'),
  }

  constructor(link: Link, input: LmtpInput, parts: LmtpParts) {
    this.#link = link
    this.#input = input
    this.#parts = parts
  }
  #reply(outcome: Outcome, text: string): Promise<void> {
    return this.#say(replyLine(outcome, text))
  }
  async #say(text: string): Promise<void> {
    if (!this.#link.write(Buffer.from(text, 'latin1'))) await this.#link.drained()
  }

  /** Until the other side leaves; why, where it did not say so itself. @throws ConnectionLost */
  async run(): Promise<string | undefined> {
    await this.#say(`220 ${this.#parts.serverName} LMTP\r\n`)
    try {
      for (let line = await this.#input.line(); line !== undefined; line = await this.#input.line()) {
        const space = line.indexOf(' ')
        const [verb, argument] = space < 0 ? [line, ''] : [line.slice(0, space), line.slice(space + 1)]
        const command = Object.hasOwn(this.#verbs, verb.toUpperCase()) ? this.#verbs[verb.toUpperCase()] : undefined
        if (command === undefined) await this.#reply(UNKNOWN, 'unknown command')
        else if ((await command(argument)) === true) return undefined
      }
      return undefined
    } catch (error) {
      const end = ENDS.find(({ of }) => error instanceof of)
      if (end === undefined) throw error
      await this.#reply(end.outcome, end.text)
      return end.text
    }
  }
  [Symbol.dispose](): void {
    this.#forget()
  }
  #forget(): void {
    for (const { recipient } of this.#envelope?.addressed ?? []) recipient[Symbol.dispose]()
    this.#envelope = undefined
  }

  async #lhlo(argument: string): Promise<void> {
    if (argument.trim() === '') return this.#reply(SYNTAX, 'LHLO wants a name')
    this.#greeted = true
    this.#forget()
    const { serverName, maxMessage } = this.#parts
    const size = maxMessage === 0 ? 'SIZE' : `SIZE ${maxMessage}`
    const lines = [serverName, 'PIPELINING', 'ENHANCEDSTATUSCODES', '8BITMIME', 'SMTPUTF8', ...(this.#mayStartTls ? ['STARTTLS'] : []), size]
    await this.#say(lines.map((line, i) => `250${i + 1 < lines.length ? '-' : ' '}${line}\r\n`).join(''))
  }
  get #mayStartTls(): boolean {
    const { startTls, tls } = this.#link.peer
    return startTls === true && tls === undefined
  }
  /** RFC 3207: everything that was said before is forgotten. */
  async #startTls(argument: string): Promise<boolean | void> {
    if (!this.#mayStartTls) return this.#reply(UNKNOWN, 'unknown command')
    if (argument !== '') return this.#reply(SYNTAX, 'STARTTLS stands alone')
    if (this.#input.isAhead) {
      // What came in clear must not count as said under TLS (CVE-2011-0411).
      await this.#reply([421, '4.7.0'], 'something was said before TLS began')
      return true
    }
    await this.#reply([220, '2.0.0'], 'ready for TLS')
    await this.#link.wrap({ use: 'tls' })
    this.#greeted = false
    this.#forget()
  }
  async #mail(argument: string): Promise<void> {
    if (!this.#greeted) return this.#reply(SEQUENCE, 'LHLO first')
    if (this.#envelope !== undefined) return this.#reply(SEQUENCE, 'a message is under way')
    const said = pathArgument('FROM', argument)
    if (said === undefined) return this.#reply(SYNTAX, 'MAIL FROM:<address>')
    for (const name of said.parameters.keys()) if (!PARAMETERS.has(name)) return this.#reply([555, '5.5.4'], `unknown parameter ${name}`)
    const { maxMessage } = this.#parts
    if (maxMessage > 0 && Number(said.parameters.get('SIZE')) > maxMessage) return this.#reply(TOO_LARGE, tooLarge(maxMessage))
    this.#envelope = { sender: said.path, addressed: [] }
    return this.#reply([250, '2.1.0'], 'sender taken')
  }
  async #rcpt(argument: string): Promise<void> {
    if (this.#envelope === undefined) return this.#reply(SEQUENCE, 'MAIL first')
    const said = pathArgument('TO', argument)
    if (said === undefined || said.path === '') return this.#reply([501, '5.1.3'], 'RCPT TO:<address>')
    const [parameter] = said.parameters.keys()
    if (parameter !== undefined) return this.#reply([555, '5.5.4'], `unknown parameter ${parameter}`)
    if (this.#envelope.addressed.length >= this.#parts.maxRecipients) return this.#reply([452, '4.5.3'], 'too many recipients')
    let recipient: Recipient
    try {
      recipient = await this.#parts.delivery.recipient(said.path, this.#link.peer, this.#link.signal)
    } catch (error) {
      if (this.#link.signal.aborted) throw error
      const { outcome, text } = refusal(error, 'recipient')
      return this.#reply(outcome, text)
    }
    this.#envelope.addressed.push({ address: said.path, recipient })
    return this.#reply([250, '2.1.5'], 'recipient taken')
  }
  /** One answer for each recipient that was taken, in their order (RFC 2033 §4.2). */
  async #data(argument: string): Promise<void> {
    if (argument !== '') return this.#reply(SYNTAX, 'DATA stands alone')
    const envelope = this.#envelope
    if (envelope === undefined || envelope.addressed.length === 0) return this.#reply(SEQUENCE, 'there is no recipient')
    await this.#say('354 the message, then a line of one dot\r\n')
    const taken = await this.#take()
    try {
      for (const one of envelope.addressed) {
        const { outcome, text } = 'outcome' in taken ? taken : await this.#deliver(one, taken, envelope.sender)
        await this.#reply(outcome, text)
      }
    } finally {
      this.#forget()
      if (!('outcome' in taken)) await taken[Symbol.asyncDispose]()
    }
  }
  /** The message, or what every recipient is answered. */
  async #take(): Promise<Spooled | Answer> {
    try {
      const message = await this.#parts.spool.take({ size: undefined, bytes: this.#bounded(), binary: false, system: 0, keywords: [], facts: new Map() }, this.#link.signal)
      if (message.size > 0) return message
      await message[Symbol.asyncDispose]()
      return { outcome: [554, '5.6.0'], text: 'there is no message' }
    } catch (error) {
      if (error instanceof ConnectionLost || error instanceof Silence || this.#link.signal.aborted) throw error
      // What it could not take must still be read, or the rest of the message would be commands.
      for await (const _ of this.#input.message()) continue
      if (error instanceof MailError && error.kind === 'limit') return { outcome: TOO_LARGE, text: error.message }
      return { outcome: [451, '4.3.0'], text: `the message cannot be kept now: ${error instanceof Error ? error.message : String(error)}` }
    }
  }
  async *#bounded(): AsyncGenerator<Uint8Array> {
    const { maxMessage } = this.#parts
    let octets = 0
    for await (const chunk of this.#input.message()) {
      octets += chunk.length
      if (maxMessage > 0 && octets > maxMessage) throw new MailError('limit', tooLarge(maxMessage))
      yield chunk
    }
  }
  async #deliver({ address, recipient }: Addressed, message: Spooled, sender: string): Promise<Answer> {
    try {
      await recipient.deliver(message, { sender, createFolder: this.#parts.createFolder }, this.#link.signal)
      return { outcome: [250, '2.1.5'], text: `<${address}> delivered` }
    } catch (error) {
      if (this.#link.signal.aborted) throw error
      return refusal(error, 'delivery')
    }
  }
}

function tooLarge(octets: number): string {
  return `the message has more than ${octets} octets`
}
