import type { AppendItem, FlagChange } from 'mailwright/api'

/** One message; octets are CRLF as clients see them. */
export interface MemoryMessage {
  readonly uid: number
  readonly octets: Uint8Array
  readonly headerSize: number
  readonly date: { readonly ms: number; readonly zone: number }
  system: number
  keywords: readonly string[]
  recent: boolean
}
/** A message before it has a uid; `wish` is the one that it comes with. */
export type NewMessage = Omit<MemoryMessage, 'uid' | 'headerSize'> & { readonly wish?: number | undefined }

/** Octets up to and with the empty line. */
export function headerSizeOf(octets: Uint8Array): number {
  const bytes = Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength)
  if (bytes[0] === 13 && bytes[1] === 10) return 2
  const end = bytes.indexOf('\r\n\r\n')
  return end < 0 ? bytes.length : end + 4
}
/** The whole of a message on its way in. */
export async function octetsOf(item: AppendItem): Promise<Uint8Array> {
  const whole = item.bytes.atOnce?.()
  if (whole !== undefined) return new Uint8Array(whole)
  const chunks: Uint8Array[] = []
  // The giver may use its buffer again after each piece.
  for await (const chunk of item.bytes) chunks.push(new Uint8Array(chunk))
  return Buffer.concat(chunks)
}

/**
 * A mailbox as it would be on a disk: what sources, deliveries and tests share. `version` rises with each change and is the stamp
 * under which a table may be kept.
 */
export class MemoryMailbox {
  readonly key: string
  uidValidity: number
  uidNext = 1
  version = 0
  /** Whoever still delivers to it is refused: nobody would find the message. */
  isGone = false
  /** Ascending by uid. */
  readonly messages = new Map<number, MemoryMessage>()
  /** Removed, but kept until no session sees them. */
  readonly ghosts = new Map<number, MemoryMessage>()
  readonly #watchers = new Set<() => void>()
  constructor(key: string, uidValidity: number) {
    this.key = key
    this.uidValidity = uidValidity
  }
  get stamp(): string {
    return `${this.uidValidity}.${this.version}`
  }
  add({ wish = 0, ...message }: NewMessage): MemoryMessage {
    const uid = wish > 0 && wish > Math.max(0, ...this.messages.keys()) ? wish : this.uidNext
    this.uidNext = Math.max(this.uidNext, uid + 1)
    const made = { ...message, uid, headerSize: headerSizeOf(message.octets) }
    this.messages.set(uid, made)
    return made
  }
  remove(uid: number): void {
    const message = this.messages.get(uid)
    if (message === undefined) return
    this.messages.delete(uid)
    this.ghosts.set(uid, message)
  }
  flag(uid: number, change: Pick<FlagChange, 'how' | 'system' | 'keywords'>): void {
    const message = this.messages.get(uid)
    if (message === undefined) return
    const others = message.keywords.filter((k) => !change.keywords.includes(k))
    if (change.how === 'add') {
      message.system |= change.system
      message.keywords = [...others, ...change.keywords]
    } else if (change.how === 'remove') {
      message.system &= ~change.system
      message.keywords = others
    } else {
      message.system = change.system
      message.keywords = change.keywords
    }
  }
  /** Ends a change; watchers look unless the change came through a table already. */
  changed(tell = true): void {
    this.version++
    if (tell) for (const hear of this.#watchers) hear()
  }
  watch(hear: () => void): Disposable {
    const own = (): void => hear()
    this.#watchers.add(own)
    return { [Symbol.dispose]: () => void this.#watchers.delete(own) }
  }
}
