import type { Socket } from 'node:net'
import { MailError } from '../../api/index.js'
import type { DeliveryFacts, MailDelivery, PeerFacts, Recipient, Spooled } from '../../api/index.js'
import type { Channel } from '../../processes/channel.js'
import { written } from '../../processes/pump.js'
import type { SocketPairs } from '../../processes/sockets.js'
import { newSessionId } from '../session-id.js'
import { errorOf } from './failures.js'
import type { Failure, FromChild, ToChild } from './messages.js'

interface Waiting {
  readonly resolve: () => void
  readonly reject: (reason: Error) => void
}

/** The front's side of deliveries: addresses go to the authenticator, messages to the processes of their users. */
export class RemoteDelivery implements MailDelivery {
  readonly #channel: Pick<Channel<ToChild, FromChild>, 'send'>
  readonly #pairs: SocketPairs
  /** By the id of a delivery; it waits for one answer at a time. */
  readonly #waiting = new Map<string, Waiting>()

  constructor(channel: Pick<Channel<ToChild, FromChild>, 'send'>, pairs: SocketPairs) {
    this.#channel = channel
    this.#pairs = pairs
  }

  /** An answer has come. */
  hear(id: string, failure: Failure | undefined): void {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    if (failure === undefined) waiting?.resolve()
    else waiting?.reject(errorOf(failure))
  }

  async recipient(address: string, { localAddress }: PeerFacts, signal: AbortSignal): Promise<Recipient> {
    const id = newSessionId()
    let isOpen = true
    const forget = (): void => {
      if (isOpen) void this.#channel.send({ kind: 'forget', id })
      isOpen = false
    }
    try {
      await this.#ask(id, { kind: 'recipient', id, address, localAddress }, undefined, signal)
    } catch (error) {
      forget()
      throw error
    }
    return {
      deliver: async (message: Spooled, facts: DeliveryFacts, ends: AbortSignal) => {
        if (!isOpen) throw new MailError('unavailable', 'a recipient gets one message')
        isOpen = false
        await this.#deliver(id, message, facts, ends)
      },
      [Symbol.dispose]: forget,
    }
  }

  async #deliver(id: string, message: Spooled, { sender, createFolder }: DeliveryFacts, signal: AbortSignal): Promise<void> {
    const { near, far } = await this.#pairs.make()
    // What became of the message is told by the answer alone; whoever gets less of it than was announced delivers nothing.
    near.on('error', () => near.destroy())
    const sending = send(near, message).catch(() => void near.destroy())
    try {
      await this.#ask(id, { kind: 'deliver', id, sender, createFolder, octets: message.size }, far, signal)
    } finally {
      near.destroy()
      await sending
    }
  }

  #ask(id: string, message: FromChild, socket: Socket | undefined, signal: AbortSignal): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      const gone = (): void => {
        this.#waiting.delete(id)
        reject(signal.reason as Error)
      }
      if (signal.aborted) {
        socket?.destroy()
        return gone()
      }
      signal.addEventListener('abort', gone, { once: true })
      const end = (): void => signal.removeEventListener('abort', gone)
      this.#waiting.set(id, {
        resolve: () => (end(), resolve()),
        reject: (reason) => (end(), reject(reason)),
      })
      void this.#channel.send(message, socket).then((sent) => {
        if (!sent) this.hear(id, { problem: 'unavailable', text: 'no process can be had' })
      })
    })
  }
}

/** All of the message, no faster than it is taken; ends early when nobody takes it any more. */
async function send(socket: Socket, message: Spooled): Promise<void> {
  for await (const chunk of message.chunks()) if (!(await written(socket, chunk))) return
  socket.end()
}
