import type { ChildProcess } from 'node:child_process'
import type { Socket } from 'node:net'

/** Messages between a process and the one that started it, with sockets beside them. Values only: what is sent is JSON. */
export interface Channel<In, Out> {
  /** Resolves when the other end can have it; false: the other process is gone. A socket belongs to the other end afterwards. */
  send(message: Out, socket?: Socket): Promise<boolean>
  /** Called in the turn in which a message comes, since a socket beside it already reads. */
  hear(handler: (message: In, socket: Socket | undefined) => void): void
}

type Sender = Pick<ChildProcess, 'send' | 'connected' | 'on'>

/** The channel of a child, seen from the process that started it, or of this process to its parent (`process`). */
export function channelOf<In, Out>(end: ChildProcess | NodeJS.Process): Channel<In, Out> {
  // Both have the same members; those of `process` are typed as optional.
  const sender = end as unknown as Sender
  /** Node forgets what still waits for its turn when the other process ends. */
  const waiting = new Set<(sent: boolean) => void>()
  for (const end of ['disconnect', 'exit'] as const) {
    sender.on(end, () => {
      for (const settle of waiting) settle(false)
    })
  }
  return {
    send(message, socket) {
      return new Promise((resolve) => {
        const settle = (sent: boolean): void => {
          waiting.delete(settle)
          // The other end has a descriptor of its own once it is sent. Were this one left to Node, it would stay open for ever when the
          // other process dies before it has said that it got it.
          socket?.destroy()
          resolve(sent)
        }
        if (!sender.connected) return settle(false)
        waiting.add(settle)
        const sent = (error: Error | null): void => settle(error === null)
        try {
          if (socket === undefined) sender.send(message as object, sent)
          else sender.send(message as object, socket, { keepOpen: true }, sent)
        } catch {
          settle(false)
        }
      })
    },
    hear(handler) {
      sender.on('message', (message: unknown, socket: unknown) => {
        // Both ends are this program; what a message holds is checked where it comes from a process with fewer rights.
        handler(message as In, socket as Socket | undefined)
      })
    },
  }
}
