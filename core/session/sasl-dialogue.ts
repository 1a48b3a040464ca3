import { MailError } from '../api/index.js'
import { decodeBase64, encodeBase64 } from '../wire/sasl/base64.js'

const STAR = 42

/** Challenges and answers of one SASL exchange as lines of base64 (RFC 3501 §6.2.2, RFC 5034 §4). */
export class SaslDialogue {
  readonly #exchange: (challenge: Uint8Array) => Promise<Uint8Array>
  /** How the client broke the exchange off; undefined while it did not. */
  broken: 'cancelled' | 'unreadable' | undefined

  /** @param exchange sends a line of base64 the way the protocol sends challenges and returns the line that answers it. */
  constructor(exchange: (challenge: Uint8Array) => Promise<Uint8Array>) {
    this.#exchange = exchange
  }

  /**
   * For `LoginGate.sasl`.
   * @throws MailError `cancelled` when the client says `*`, or something that is no base64.
   */
  readonly ask = async (challenge: Uint8Array): Promise<Uint8Array> => {
    const line = await this.#exchange(Buffer.from(encodeBase64(challenge), 'latin1'))
    const cancelled = line.length === 1 && line[0] === STAR
    const answer = cancelled ? undefined : decodeBase64(line)
    if (answer !== undefined) return answer
    this.broken = cancelled ? 'cancelled' : 'unreadable'
    throw new MailError('cancelled', 'the exchange was broken off by the client')
  }
}
