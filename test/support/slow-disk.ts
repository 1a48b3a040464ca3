import { setImmediate } from 'node:timers/promises'
import { MailError, delegate, type AppendResult, type Delivery, type MailStore, type StoreLayer } from '../../core/api/index.js'

/** A store whose commits wait for the disk: those that are under way, and what it says of its messages. */
export class SlowDisk implements StoreLayer {
  /** Set: commits wait until it resolves. */
  gate: Promise<void> | undefined
  fails = false
  result: (result: AppendResult | undefined) => AppendResult | undefined = (result) => result
  /** What the store is given to say what messages will be; `undefined`: it cannot say. */
  says: (told: (octets: Uint8Array) => void) => ((octets: Uint8Array) => void) | undefined = (told) => told
  async wrap(inner: MailStore): Promise<MailStore> {
    return delegate(inner, [], {
      append: async (at, signal): Promise<Delivery> => {
        const delivery = await inner.append(at, signal)
        return {
          add: (message, s) => {
            const willBe = message.bytes.willBe && this.says((octets) => message.bytes.willBe?.(octets))
            return delivery.add({ ...message, bytes: { [Symbol.asyncIterator]: () => message.bytes[Symbol.asyncIterator](), ...(willBe && { willBe }) } }, s)
          },
          commit: async (open, s) => {
            await this.gate
            // What others put there meanwhile comes first.
            await open?.source.refresh(open.edit, { claimRecent: false }, s)
            if (this.fails) throw new MailError('unavailable', 'the disk is full')
            return this.result(await delivery.commit(open, s))
          },
          abort: () => delivery.abort(),
        }
      },
    })
  }
  /** Work that begins, and time enough for others to do theirs before a commit is done. */
  async slowly<T>(work: () => Promise<T>, meanwhile: () => Promise<void> = () => Promise.resolve()): Promise<T> {
    let open = (): void => undefined
    this.gate = new Promise((resolve) => (open = resolve))
    const result = work()
    result.catch(() => undefined)
    for (let turn = 0; turn < 50; turn++) await setImmediate()
    await meanwhile()
    this.gate = undefined
    open()
    try {
      return await result
    } finally {
      for (let turn = 0; turn < 5; turn++) await setImmediate()
    }
  }
}
