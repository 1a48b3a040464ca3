import { MailError, failedWith, type FilePlace, type OpenFile } from 'mailwright/api'
import { backOff, pause, type Say } from '../shared/locks/lock-context.js'
import { inTurn, isLockedFor, Wait } from '../shared/locks/wait-lines.js'
import { listNumbers } from '../shared/numbered-files.js'
import { asRefusal } from '../shared/refusal.js'
import { SafeChanges, type ChangedFile } from '../shared/changes/safe-changes.js'
import { nowSeconds } from '../shared/changes/state-directory.js'
import { INCOMING, INDEX, type MxContext } from './context.js'
import { HEAD_ROOM, headText, parseMxIndex, RECORD_OCTETS, summaryByEnds, summaryOf, VALIDITY_OCTETS, type MxIndex, type MxSummary } from './records.js'

/** The index under its lock. */
export interface Held extends ChangedFile {
  readonly index: MxSummary
  readonly writable: boolean
}

/**
 * Files and lock of one mailbox. Messages are what the folder holds; the index says their flags, the last number, and UIDVALIDITY.
 *
 * A delivery writes its messages under other names, then the index, then gives them their numbers: what has a number above the last one, or a
 * record without a file, was never there.
 */
export class MxFolder {
  readonly path: string
  readonly place: FilePlace
  readonly #ctx: MxContext
  readonly #changes: SafeChanges
  constructor(place: FilePlace, ctx: MxContext) {
    this.path = place.path
    this.place = place
    this.#ctx = ctx
    this.#changes = new SafeChanges({ ...place, path: `${place.path}/${INDEX}` }, ctx)
  }
  get durable(): boolean {
    return this.#changes.durable
  }

  /** Runs with the index locked. @throws MailError `not-found` when there is no mailbox. */
  locked<T>(mode: 'shared' | 'exclusive', signal: AbortSignal, say: Say, work: (held: Held) => Promise<T>): Promise<T> {
    return this.#locked(mode, signal, say, async (changed) => {
      const writable = mode === 'exclusive'
      const quick = await this.#summary(changed)
      if (quick !== undefined) return work({ ...changed, index: quick, writable })
      const index = await this.whole(changed)
      if (index.problems[0] !== undefined) say('warning', index.problems[0].text)
      const held = { ...changed, index: summaryOf(index), writable }
      if (index.validity > 0 || !writable) return work(held)
      return work(index.problems.length > 0 ? await this.#withoutHead(held) : await this.#begin(held))
    })
  }
  /** Its beginning and its end tell it, where nothing is damaged there. */
  async #summary({ file, stat }: ChangedFile): Promise<MxSummary | undefined> {
    const [first, last] = [Buffer.alloc(Math.min(HEAD_ROOM, stat.size)), Buffer.alloc(Math.min(RECORD_OCTETS, stat.size))]
    const [gotFirst, gotLast] = await Promise.all([file.read(first, 0), file.read(last, stat.size - last.length)])
    return gotFirst < first.length || gotLast < last.length ? undefined : summaryByEnds(first, last, stat.size)
  }
  /** UIDVALIDITY of the index that is there now, without a lock; 0 where it says none. */
  async validity(): Promise<number> {
    try {
      const file = await this.#ctx.files.open(`${this.path}/${INDEX}`)
      try {
        const head = Buffer.alloc(VALIDITY_OCTETS)
        return parseMxIndex(head.subarray(0, await file.read(head, 0))).validity
      } finally {
        await file.close()
      }
    } catch (error) {
      throw asRefusal(error, this.path)
    }
  }
  /** Every record, read anew. */
  async whole({ file }: ChangedFile): Promise<MxIndex> {
    const octets = Buffer.allocUnsafe((await file.stat()).size)
    return parseMxIndex(octets.subarray(0, await file.read(octets, 0)))
  }
  /**
   * Gives index and folder a time that no other change leaves, so that the next one shows however soon it comes: between one and two seconds ago, by lot.
   * Where there is no right to that, or the file system keeps whole seconds, what changed just now is looked at again.
   */
  async markTimes(held: Held): Promise<void> {
    const { clock, files, random } = this.#ctx
    const [high = 0, low = 0] = random(2)
    const now = clock.now()
    const at = now - 1000 - (1000 * (high * 256 + low)) / 65_536
    try {
      await Promise.all([held.file.setTimes(now, at), files.setTimes(this.path, now, at)])
    } catch (error) {
      if (!failedWith(error, 'EPERM', 'EACCES', 'EROFS')) throw error
    }
  }
  /** The mailbox was removed; what is kept for its next changes goes with it. */
  forgetChanges({ stat }: ChangedFile): Promise<void> {
    return this.#changes.forget(stat)
  }
  /** The same for work that needs no word of what the index holds, which may be damaged. */
  guarded<T>(signal: AbortSignal, say: Say, work: (changed: ChangedFile) => Promise<T>): Promise<T> {
    return this.#locked('exclusive', signal, say, work)
  }
  #locked<T>(mode: 'shared' | 'exclusive', signal: AbortSignal, say: Say, work: (changed: ChangedFile) => Promise<T>): Promise<T> {
    return inTurn(this.#ctx, this.path, say, async (spoken) => {
      try {
        let file = await this.#lock(mode, signal, spoken)
        try {
          let stat = await file.stat()
          let { mark, interrupted } = await this.#changes.look(stat)
          if (interrupted && mode === 'shared') {
            await file.close()
            file = await this.#lock('exclusive', signal, spoken)
            stat = await file.stat()
          }
          if (interrupted) {
            const recovered = await this.#changes.recover(file, stat, say)
            stat = recovered.stat
            mark = recovered.mark
          }
          return await work({ file, stat, mark })
        } finally {
          file.unlock('flock')
          await file.close()
        }
      } catch (error) {
        throw asRefusal(error, this.path)
      }
    })
  }
  async #lock(mode: 'shared' | 'exclusive', signal: AbortSignal, say: Say): Promise<OpenFile> {
    const { files, clock, locks } = this.#ctx
    const wait = new Wait(locks, say)
    const deadline = clock.steady() + locks.settings.dotlockTimeoutMs
    for (let tries = 0; ; tries++) {
      signal.throwIfAborted()
      const file = await files.open(`${this.path}/${INDEX}`, { write: mode === 'exclusive' })
      try {
        if (file.lock('flock', mode) !== 'busy') {
          const [mine, there] = [await file.stat(), await files.stat(`${this.path}/${INDEX}`)]
          if (there?.inode === mine.inode) return file
        }
      } catch (error) {
        // An open file has its lock, whatever nobody could find out about it.
        await file.close()
        throw error
      }
      await file.close()
      if (clock.steady() >= deadline) throw new MailError('in-use', `${this.path} is locked by another program for ${locks.settings.dotlockTimeoutMs / 1000} s`)
      wait.goesOn(() => isLockedFor(this.path, deadline - clock.steady()))
      await pause(clock, backOff(locks, tries), signal)
    }
  }
  /** An empty index is that of a new mailbox, or of one whose index was lost. */
  async #begin(held: Held): Promise<Held> {
    const { numbers } = await listNumbers(this.#ctx.files, this.path)
    const index = { ...held.index, validity: nowSeconds(this.#ctx.clock), last: numbers.at(-1) ?? 0, keywords: this.#ctx.mailbox.defaultKeywords }
    return this.write(held, index)
  }

  /** Of an index whose beginning is damaged, what it says goes on; its time of change stands for UIDVALIDITY until somebody writes it. */
  async #withoutHead(held: Held): Promise<Held> {
    const { numbers } = await listNumbers(this.#ctx.files, this.path)
    const { last, highest } = held.index
    return { ...held, index: { ...held.index, validity: Math.max(1, Math.floor(held.stat.mtimeMs / 1000)), last: Math.max(last, numbers.at(-1) ?? 0, highest) } }
  }

  /** Writes the index from a place on; what stands before it stays. */
  async patch(held: Held, patches: readonly { readonly at: number; readonly text: string }[], size: number): Promise<Held> {
    await this.#changes.change(held, { kind: 'rewrite', size: held.stat.size, start: 0 }, async (w) => {
      for (const { at, text } of patches) {
        w.stay(at)
        await w.bytes(Buffer.from(text, 'latin1'))
      }
      w.stay(size)
    })
    return { ...held, stat: await held.file.stat() }
  }
  /** Writes head and records anew. */
  async write(held: Held, index: Pick<MxSummary, 'validity' | 'last' | 'keywords'>, records: readonly string[] = []): Promise<Held> {
    const head = headText(index.validity, index.last, index.keywords)
    const text = head + records.join('')
    const done = await this.patch(held, [{ at: 0, text }], text.length)
    return { ...done, index: summaryOf(parseMxIndex(Buffer.from(text, 'latin1'))) }
  }

  /** Ends deliveries that were interrupted: those of which the index speaks happen, others do not. A damaged index may have spoken of any. */
  async finishIncoming(held: Held, others: readonly string[]): Promise<boolean> {
    const { files } = this.#ctx
    const incoming = others.filter((name) => name.startsWith(INCOMING))
    if (incoming.length === 0) return false
    const index = await this.whole(held)
    let more = false
    for (const name of incoming) {
      const uid = Number(name.slice(INCOMING.length))
      if (index.records.some((r) => r.uid === uid)) {
        await files.rename(`${this.path}/${name}`, `${this.path}/${uid}`)
        more = true
      } else if (index.problems.length === 0) await files.unlink(`${this.path}/${name}`)
    }
    if (more && this.durable) await files.syncDirectory(this.path)
    return more
  }
}
