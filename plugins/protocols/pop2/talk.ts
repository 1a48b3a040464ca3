import { ProtocolAbort } from 'mailwright/api'
import type { Clock, Link } from 'mailwright/api'
import { LineFramer } from 'mailwright/toolkit'

const LINE_OCTETS = 1024

/** Words of a line: the command in upper case, and all that follows it. */
export interface Said {
  readonly command: string
  readonly rest: string
}

/** Lines in both directions. Any mistake ends a POP2 session, so every refusal is a ProtocolAbort with its line. */
export class Talk {
  readonly link: Link
  readonly #clock: Clock
  readonly #framer = new LineFramer(() => LINE_OCTETS)
  #waitingSince: number | undefined
  #interrupted: Error | undefined
  #wake: ((reason: Error) => void) | undefined

  constructor(link: Link, clock: Clock, unread?: Uint8Array) {
    this.link = link
    this.#clock = clock
    if (unread !== undefined) this.#framer.push(unread)
  }

  line(text: string): void {
    // Names of mailboxes and users are in some texts: none of them ends the line.
    this.link.write(Buffer.from(`${text.replaceAll(/\p{Cc}/gu, '?')}\r\n`, 'utf8'))
  }
  async bytes(octets: Uint8Array): Promise<void> {
    if (!this.link.write(octets)) await this.link.drained()
  }
  /** How long the client has been waited for; 0: it is not waited for. */
  idleMs(): number {
    return this.#waitingSince === undefined ? 0 : this.#clock.steady() - this.#waitingSince
  }
  /** Ends the wait for the client, now or when it next begins. */
  interrupt(reason: Error): void {
    this.#interrupted = reason
    this.#wake?.(reason)
  }
  /** Octets that were read and not used. */
  rest(): Uint8Array {
    return this.#framer.rest()
  }
  /** The next command; undefined: the client has gone. */
  async next(waitMs: number): Promise<Said | undefined> {
    for (;;) {
      const frame = this.#framer.next()
      if (frame?.kind === 'too-long') throw new ProtocolAbort('Command line too long', 'Command line too long')
      if (frame !== undefined) return said(frame.octets)
      const chunk = await this.#read(waitMs)
      if (chunk === undefined) return undefined
      this.#framer.push(chunk)
    }
  }

  async #read(waitMs: number): Promise<Uint8Array | undefined> {
    const { stopping } = this.link
    const killed = (): ProtocolAbort => new ProtocolAbort('Killed (terminated)', 'Killed')
    if (stopping?.aborted === true) throw killed()
    if (this.#interrupted !== undefined) throw this.#interrupted
    this.#waitingSince = this.#clock.steady()
    let timer: Disposable | undefined
    let stop: (() => void) | undefined
    try {
      return await new Promise<Uint8Array | undefined>((resolve, reject) => {
        timer = this.#clock.after(waitMs, () => reject(new ProtocolAbort('Autologout; idle for too long', 'Autologout')))
        this.#wake = reject
        stop = () => reject(killed())
        stopping?.addEventListener('abort', stop, { once: true })
        this.link.read().then(resolve, reject)
      })
    } finally {
      this.#waitingSince = this.#wake = undefined
      timer?.[Symbol.dispose]()
      if (stop !== undefined) stopping?.removeEventListener('abort', stop)
    }
  }
}

function said(line: Uint8Array): Said {
  const text = Buffer.from(line).toString('utf8')
  const space = text.indexOf(' ')
  const command = (space < 0 ? text : text.slice(0, space)).toUpperCase()
  if (command === '') throw new ProtocolAbort('Missing or null command', 'Missing or null command')
  return { command, rest: space < 0 ? '' : text.slice(space + 1) }
}
