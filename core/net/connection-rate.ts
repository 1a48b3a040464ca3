/** So many connections in a minute; 0: no limit. */
export interface RateLimits {
  readonly perMinute: number
  readonly perAddressPerMinute: number
}
const MINUTE_MS = 60_000
const MOST_ADDRESSES = 100_000

/**
 * Counts connections of a listener. One too many is closed, and the listener goes on: it never shuts the service as inetd does (FAQ 7.16).
 * Counting begins anew each minute.
 */
export class ConnectionRate {
  readonly #now: () => number
  #minute = -1
  #all = 0
  #refused = 0
  readonly #byAddress = new Map<string, number>()
  constructor(now: () => number = Date.now) {
    this.#now = now
  }

  /** Whether this one may stay; `tell` is to be said in the log, once a minute and not for each one. */
  admit(address: string, limits: RateLimits): { readonly admitted: boolean; readonly tell: string | undefined } {
    const minute = Math.floor(this.#now() / MINUTE_MS)
    if (minute !== this.#minute) {
      this.#minute = minute
      this.#all = this.#refused = 0
      this.#byAddress.clear()
    }
    const own = (this.#byAddress.get(address) ?? 0) + 1
    if (this.#byAddress.size < MOST_ADDRESSES || own > 1) this.#byAddress.set(address, own)
    const isOwn = limits.perAddressPerMinute > 0 && own > limits.perAddressPerMinute
    // A flood from one address does not use up what is there for all.
    if (!isOwn) this.#all++
    const isAll = limits.perMinute > 0 && this.#all > limits.perMinute
    if (!isOwn && !isAll) return { admitted: true, tell: undefined }
    this.#refused++
    const why = isOwn ? `more than ${limits.perAddressPerMinute} connections from one address within a minute` : `more than ${limits.perMinute} connections within a minute`
    return { admitted: false, tell: this.#refused === 1 ? why : undefined }
  }
}
