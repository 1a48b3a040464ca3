const KEPT = 256
/** Of 32 bits (RFC 3501 §2.3.1.1). */
const HIGHEST = 0xffffffff

/** UIDVALIDITY of a mailbox that begins at this time, where the last one of its name had another; 0: none is known. */
export function validityAfter(before: number, seconds: number): number {
  return before >= seconds && before < HIGHEST ? before + 1 : seconds
}
/** UIDVALIDITY of mailboxes that begin: the time in seconds, but never that of another mailbox that began under the same name, and was renamed or deleted since. */
export class Beginnings {
  readonly #last = new Map<string, number>()
  at(path: string, seconds: number): number {
    const validity = this.after(path, seconds)
    this.#note(path, validity)
    return validity
  }
  /** The same without a mailbox that begins. */
  after(path: string, seconds: number): number {
    return validityAfter(this.#last.get(path) ?? 0, seconds)
  }
  /** What has this name is about to be renamed or deleted: another process may have made it, in this second. */
  ends(path: string, seconds: number): void {
    this.#note(path, Math.max(this.#last.get(path) ?? 0, seconds))
  }
  #note(path: string, validity: number): void {
    this.#last.delete(path)
    this.#last.set(path, validity)
    for (const oldest of this.#last.keys()) {
      if (this.#last.size <= KEPT) break
      this.#last.delete(oldest)
    }
  }
}
