import { ConnectionLost, MailError } from 'mailwright/api'
import type { Link, MailDelivery, Recipient, Spool, Spooled } from 'mailwright/api'
import { LineTooLong, Silence, Stopping, type LmtpInput } from './input.js'
import { Abandoned, MessagePipe } from './message-pipe.js'
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
/** A message that comes in pieces, and what became of it. Where it failed, all further pieces are answered so, until RSET (RFC 3030 §2). */
interface Chunked {
  readonly pipe: MessagePipe
  readonly taken: Promise<Spooled | Answer>
}
interface Envelope {
  readonly sender: string
  readonly addressed: Addressed[]
  chunked?: Chunked
}

const OK: Outcome = [250, '2.0.0']
const SYNTAX: Outcome = [501, '5.5.4']
const UNKNOWN: Outcome = [500, '5.5.1']
const SEQUENCE: Outcome = [503, '5.5.1']
const BDAT_BEGUN = 'the message has begun: BDAT, or RSET'
const TOO_LARGE: Outcome = [552, '5.3.4']
/** Parameters of MAIL and the values that they may have (RFC 1870 §3, RFC 6152 §2, RFC 6531 §3.4). Without BINARYMIME, which no mailbox could keep. */
const PARAMETERS: Readonly<Record<string, RegExp>> = { SIZE: /^\d{1,20}$/, BODY: /^(?:7BIT|8BITMIME)$/i, SMTPUTF8: /^$/ }
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
    BDAT: (argument) => this.#bdat(argument),
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
    this.#envelope?.chunked?.pipe.end(new Abandoned('the message was not finished'))
    this.#envelope = undefined
  }

  async #lhlo(argument: string): Promise<void> {
    if (argument.trim() === '') return this.#reply(SYNTAX, 'LHLO wants a name')
    this.#greeted = true
    this.#forget()
    const { serverName, maxMessage } = this.#parts
    const size = maxMessage === 0 ? 'SIZE' : `SIZE ${maxMessage}`
    const lines = [serverName, 'PIPELINING', 'ENHANCEDSTATUSCODES', '8BITMIME', 'SMTPUTF8', 'CHUNKING', ...(this.#mayStartTls ? ['STARTTLS'] : []), size]
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
    for (const [name, value] of said.parameters) {
      const values = Object.hasOwn(PARAMETERS, name) ? PARAMETERS[name] : undefined
      if (values === undefined) return this.#reply([555, '5.5.4'], `unknown parameter ${name}`)
      if (!values.test(value)) return this.#reply(SYNTAX, `${name} cannot be "${value}"`)
    }
    const { maxMessage } = this.#parts
    if (maxMessage > 0 && Number(said.parameters.get('SIZE')) > maxMessage) return this.#reply(TOO_LARGE, tooLarge(maxMessage))
    this.#envelope = { sender: said.path, addressed: [] }
    return this.#reply([250, '2.1.0'], 'sender taken')
  }
  async #rcpt(argument: string): Promise<void> {
    if (this.#envelope === undefined) return this.#reply(SEQUENCE, 'MAIL first')
    if (this.#envelope.chunked !== undefined) return this.#reply(SEQUENCE, BDAT_BEGUN)
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
    if (envelope.chunked !== undefined) return this.#reply(SEQUENCE, BDAT_BEGUN)
    await this.#say('354 the message, then a line of one dot\r\n')
    const message = (): AsyncGenerator<Uint8Array> => this.#input.message()
    // What could not be taken must still be read, or the rest of the message would be commands.
    const taken = await this.#take(message(), async () => {
      for await (const _ of message()) continue
    })
    return this.#handOver(envelope, taken)
  }
  /**
   * A piece of a message (RFC 3030 §2). Each is answered once, the last for every recipient (RFC 2033 §4.3); the octets of one that is refused are read all the
   * same, since they would be commands otherwise.
   */
  async #bdat(argument: string): Promise<boolean | void> {
    const [, digits, last] = /^ *(\d{1,15})(?: +(LAST))? *$/i.exec(argument) ?? []
    if (digits === undefined) {
      // Nobody knows how many octets follow.
      await this.#reply(SYNTAX, 'BDAT SIZE or BDAT SIZE LAST')
      return true
    }
    const envelope = this.#envelope
    if (envelope === undefined || envelope.addressed.length === 0) {
      for await (const _ of this.#input.octets(Number(digits))) continue
      return this.#reply(SEQUENCE, 'there is no recipient')
    }
    const chunked = (envelope.chunked ??= this.#chunked())
    for await (const piece of this.#input.octets(Number(digits))) await chunked.pipe.write(piece)
    if (last !== undefined) {
      chunked.pipe.end('said')
      return this.#handOver(envelope, await chunked.taken)
    }
    if (!chunked.pipe.isLeft) return this.#reply(OK, `${digits} octets taken`)
    const refused = await chunked.taken
    // Nobody leaves the pipe before its end with a message in hand.
    if (!('outcome' in refused)) throw new Error('a message was complete before it was')
    return this.#reply(refused.outcome, refused.text)
  }
  #chunked(): Chunked {
    const pipe = new MessagePipe()
    const taken = this.#take(pipe.bytes(), () => Promise.resolve()).finally(() => pipe.leave())
    // Who is told of it has asked; one that was given up is nobody's.
    taken.catch(() => undefined)
    return { pipe, taken }
  }
  /** Every recipient is answered, and the message is over. */
  async #handOver({ addressed, sender }: Envelope, taken: Spooled | Answer): Promise<void> {
    try {
      for (const one of addressed) {
        const { outcome, text } = 'outcome' in taken ? taken : await this.#deliver(one, taken, sender)
        await this.#reply(outcome, text)
      }
    } finally {
      this.#forget()
      if (!('outcome' in taken)) await taken[Symbol.asyncDispose]()
    }
  }
  /** The message, or what every recipient is answered. */
  async #take(bytes: AsyncIterable<Uint8Array>, skip: () => Promise<void>): Promise<Spooled | Answer> {
    try {
      const message = await this.#parts.spool.take({ size: undefined, bytes: this.#bounded(bytes), binary: false, system: 0, keywords: [], facts: new Map() }, this.#link.signal)
      if (message.size > 0) return message
      await message[Symbol.asyncDispose]()
      return { outcome: [554, '5.6.0'], text: 'there is no message' }
    } catch (error) {
      if (error instanceof ConnectionLost || error instanceof Silence || error instanceof Abandoned || this.#link.signal.aborted) throw error
      await skip()
      if (error instanceof MailError && error.kind === 'limit') return { outcome: TOO_LARGE, text: error.message }
      return { outcome: [451, '4.3.0'], text: `the message cannot be kept now: ${error instanceof Error ? error.message : String(error)}` }
    }
  }
  async *#bounded(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const { maxMessage } = this.#parts
    let octets = 0
    for await (const chunk of bytes) {
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
