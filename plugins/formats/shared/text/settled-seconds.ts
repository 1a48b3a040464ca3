/** So long a program may go by a time of the file that it has noted: POP3 servers end sessions that are idle for longer (RFC 1939 §3). */
const NOTED_MS = 600_000

/**
 * Which second a mailbox file gets as the time of its last change.
 *
 * It lies before now, so that nothing looks like new mail. And it is one that the file had not for ten minutes: popa3d, which remembers
 * places in the file, takes it for unchanged while its time has the same second, and would remove what it finds there.
 */
export class SettledSeconds {
  /** Seconds that the file had, with the time when it was last seen to have them; oldest first. */
  readonly #had = new Map<number, number>()

  /** @param beforeMs the time of the file until now */
  next(nowMs: number, beforeMs: number): number {
    this.#note(Math.floor(beforeMs / 1000), nowMs)
    for (const [second, atMs] of this.#had) {
      if (nowMs - atMs <= NOTED_MS) break
      this.#had.delete(second)
    }
    const latest = Math.floor(nowMs / 1000) - 1
    let second = latest
    while (this.#had.has(second) && latest - second < NOTED_MS / 1000) second--
    // All of them: the one that was left longest ago.
    if (this.#had.has(second)) second = this.#had.keys().next().value ?? second
    this.#note(second, nowMs)
    return second
  }

  #note(second: number, nowMs: number): void {
    this.#had.delete(second)
    this.#had.set(second, nowMs)
  }
}
