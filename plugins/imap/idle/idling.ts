import { ConnectionLost, MailError, ProtocolAbort, SyntaxFailure } from 'mailwright/api'
import type { Clock, ImapCompletion, ImapSettings, MailSession } from 'mailwright/api'
import { LIMITS } from 'mailwright/toolkit'

const MINUTE_MS = 60_000
const BOGUS: ImapCompletion = { kind: 'bad', text: 'Bogus IDLE continuation' }
const PROMPT = Buffer.from('Waiting for DONE', 'latin1')

/*
 * One IDLE (RFC 2177). Between two looks at the mailbox it sleeps until the client says something, news come, or the next thing of its
 * timetable is due. Nothing is written after the client's line has come, except what takes a phantom message back.
 */
export class Idling {
  readonly #session: MailSession
  readonly #clock: Clock
  readonly #timeouts: ImapSettings['timeouts']
  readonly #goodbye: string
  /** When the session ends by itself. A phantom needs time to wake the client. */
  readonly #ends: number
  readonly #stop = new AbortController()
  readonly #signal: AbortSignal
  #ring: (() => void) | undefined
  #news = false
  #failure: unknown
  #line: Uint8Array | undefined
  #over = false
  /** A look failed: nothing more is told, and the answer to DONE says so. To end the command earlier would make DONE a command. */
  #quiet = false

  #nextPoll: number
  #nextNudge: number
  #nextCheckpoint: number
  #nextPhantom: number
  /** Numbers as they were before the client was told of a message that does not exist. */
  #phantom: { readonly exists: number; readonly recent: number } | undefined

  /** @param goodbye to a client that idles for longer than it may. */
  constructor(session: MailSession, clock: Clock, timeouts: ImapSettings['timeouts'], goodbye: string) {
    const { idleNudgeMs, idlePhantomAfterMs } = session.tweaks
    this.#session = session
    this.#clock = clock
    this.#timeouts = timeouts
    this.#goodbye = goodbye
    this.#signal = AbortSignal.any([session.signal, this.#stop.signal])
    const now = clock.steady()
    const phantoms = idlePhantomAfterMs > 0 && session.selected !== undefined
    this.#nextPhantom = phantoms ? now + idlePhantomAfterMs : Infinity
    this.#ends = now + Math.max(timeouts.inactivityMs, phantoms ? idlePhantomAfterMs + 2 * MINUTE_MS : 0)
    this.#nextPoll = now
    // The first nudge comes early: the shortest address tables forget after about two minutes.
    this.#nextNudge = idleNudgeMs > 0 ? now + idleNudgeMs / 2 : Infinity
    this.#nextCheckpoint = now + timeouts.idleCheckpointMs
  }

  async run(): Promise<ImapCompletion> {
    try {
      this.#listen()
      this.#await(this.#session.ask(PROMPT, { most: LIMITS.idleLine, withinMs: Infinity }))
      for (;;) {
        if (this.#over) break
        await this.#pass()
        await this.#sleep()
      }
      if (this.#failure instanceof SyntaxFailure) return BOGUS
      if (this.#failure !== undefined) throw this.#failure
      this.#vanish()
      const done = Buffer.from(this.#line ?? []).toString('latin1').trim().toUpperCase() === 'DONE'
      return done ? { kind: 'ok' } : BOGUS
    } finally {
      this.#stop.abort(new MailError('cancelled', 'IDLE is over'))
    }
  }

  // ---- what wakes

  #await(answer: Promise<Uint8Array>): void {
    const end = (line: Uint8Array | undefined, failure?: unknown): void => {
      this.#line = line
      this.#failure ??= failure
      this.#over = true
      this.#ring?.()
    }
    answer.then(
      (line) => end(line),
      (failure: unknown) => end(undefined, failure),
    )
  }
  #listen(): void {
    this.#session.updates.changed(this.#signal).then(
      () => {
        this.#news = true
        this.#ring?.()
      },
      // Ends with the session or with this command, both of which tell it otherwise.
      () => undefined,
    )
  }
  async #sleep(): Promise<void> {
    const due = Math.min(this.#nextPoll, this.#nextNudge, this.#nextCheckpoint, this.#nextPhantom, this.#ends)
    if (this.#over || (this.#news && this.#phantom === undefined && !this.#quiet)) return
    await new Promise<void>((wake) => {
      const timer = this.#clock.after(Math.max(0, due - this.#clock.steady()), () => this.#ring?.())
      this.#ring = () => {
        this.#ring = undefined
        timer[Symbol.dispose]()
        wake()
      }
    })
  }

  // ---- what is due

  async #pass(): Promise<void> {
    const now = this.#clock.steady()
    if (now >= this.#ends) throw new ProtocolAbort(this.#goodbye, 'the client idled for too long')
    if (this.#quiet) return
    try {
      if (this.#phantom === undefined) await this.#look(now)
    } catch (failure) {
      if (failure instanceof ProtocolAbort || failure instanceof ConnectionLost) throw failure
      this.#failure ??= failure
      this.#quiet = true
      this.#nextPoll = this.#nextNudge = this.#nextCheckpoint = this.#nextPhantom = Infinity
    }
    if (this.#over) return
    if (now >= this.#nextNudge) this.#nudge(now)
    if (now >= this.#nextPhantom) this.#appear(now)
  }
  /** Tells what is new; while a phantom stands nobody looks, since its number is taken. */
  async #look(now: number): Promise<void> {
    if (now >= this.#nextCheckpoint) await this.#checkpoint(now)
    const polled = now >= this.#nextPoll
    if (polled) this.#nextPoll = now + this.#timeouts.idlePollMs
    if (!polled && !this.#news) return
    const heard = this.#news
    this.#news = false
    await this.#session.updates.flush({ expunge: true })
    if (heard) this.#listen()
  }
  async #checkpoint(now: number): Promise<void> {
    const { selected, mail } = this.#session
    this.#nextCheckpoint = now + this.#timeouts.idleCheckpointMs
    if (mail.user.kind === 'anonymous') return
    try {
      await selected?.checkpoint(this.#signal)
    } catch (failure) {
      // What holds the mailbox now lets go of it before the next time; nothing is lost meanwhile.
      if (!(failure instanceof MailError) || !['in-use', 'unavailable'].includes(failure.kind)) throw failure
    }
  }
  /** `* OK Timeout in 28 minutes`: keeps address translation alive, and tells a person with a protocol log why the session ended. */
  #nudge(now: number): void {
    this.#nextNudge = now + this.#session.tweaks.idleNudgeMs
    const { out } = this.#session
    out.raw('* OK Timeout in ').number(Math.max(0, Math.round((this.#ends - now) / MINUTE_MS))).raw(' minutes').endLine()
    out.flush()
  }
  #appear(now: number): void {
    const { selected, out } = this.#session
    if (selected === undefined) return
    this.#nextPhantom = now + MINUTE_MS
    this.#nextPoll = Infinity
    this.#nextCheckpoint = Infinity
    this.#phantom ??= { exists: selected.announced, recent: selected.recentCount }
    out.raw('* ').number(this.#phantom.exists + 1).raw(' EXISTS').endLine()
    out.raw('* ').number(this.#phantom.recent + 1).raw(' RECENT').endLine()
    out.flush()
  }
  #vanish(): void {
    const { out } = this.#session
    if (this.#phantom === undefined) return
    const { exists, recent } = this.#phantom
    out.raw('* ').number(exists + 1).raw(' EXPUNGE').endLine()
    out.raw('* ').number(exists).raw(' EXISTS').endLine()
    out.raw('* ').number(recent).raw(' RECENT').endLine()
  }
}
