import { MailError, failedWith, type FilePlace, type FileStat, type OpenFile } from 'mailwright/api'
import { backOff, pause, type Say } from '../shared/locks/lock-context.js'
import { inTurn } from '../shared/locks/wait-lines.js'
import { listNumbers } from '../shared/numbered-files.js'
import { asRefusal } from '../shared/refusal.js'
import { INCOMING, SEQUENCES, type MhContext } from './context.js'
import { RecordFile, type MhRecord } from './record.js'
import { Sequences } from './sequences.js'

/** The mailbox while other processes of this server are kept out. MH itself knows no lock of a folder. */
export interface Held {
  readonly record: MhRecord
  readonly stat: FileStat
}

/** Files of one mailbox. */
export class MhFolder {
  readonly path: string
  readonly place: FilePlace
  readonly #ctx: MhContext
  readonly #record: RecordFile
  constructor(place: FilePlace, ctx: MhContext) {
    this.path = place.path
    this.place = place
    this.#ctx = ctx
    this.#record = new RecordFile(place.user, ctx)
  }
  get durable(): boolean {
    return this.#ctx.mailbox.durability === 'full'
  }
  /** Runs in this mailbox's turn, here and in other processes of this server. @throws MailError `not-found` when there is no folder. */
  locked<T>(signal: AbortSignal, say: Say, work: (held: Held) => Promise<T>): Promise<T> {
    return inTurn(this.#ctx, this.path, say, async (spoken) => {
      try {
        return await this.#record.locked({ path: this.path, folder: () => this.stat(), highest: () => this.#highest() }, signal, spoken, async (found, stat) => {
          const record = await this.#finish(found)
          return work({ record, stat })
        })
      } catch (error) {
        throw asRefusal(error, this.path)
      }
    })
  }
  /** The highest number of a message. */
  async #highest(): Promise<number> {
    const { numbers } = await listNumbers(this.#ctx.files, this.path)
    for (const n of numbers.toReversed()) if (((await this.#ctx.files.stat(`${this.path}/${n}`))?.size ?? 0) > 0) return n
    return 0
  }
  async stat(): Promise<FileStat> {
    const stat = await this.#ctx.files.stat(this.path)
    if (stat?.kind !== 'directory') throw new MailError('not-found', `${this.path} is gone`)
    return stat
  }
  peek(): Promise<MhRecord | undefined> {
    return this.#record.peek()
  }
  /** Changes the record; `sync` when something that follows relies on it. */
  async note(held: Held, change: Partial<MhRecord>, sync: boolean): Promise<Held> {
    const record = { ...held.record, ...change }
    try {
      await this.#record.write(record, sync)
    } catch (error) {
      // What may not be on the disk must not be read either: a number that was told would be given again after a crash.
      await this.#record.write(held.record, false).catch(() => undefined)
      throw error
    }
    return { ...held, record }
  }
  /** A delivery of several messages that was interrupted counts when all of them are there. */
  async #finish(record: MhRecord): Promise<MhRecord> {
    if (record.until === 0) return record
    const { files } = this.#ctx
    const ours: { readonly path: string; readonly incoming: string; readonly moved: boolean }[] = []
    let whole = true
    let anyMoved = false
    let anyEmpty = false
    for (let n = record.from; n <= record.until; n++) {
      const [path, name] = [`${this.path}/${n}`, this.incoming(n - record.from)]
      const [there, incoming] = [await files.lstat(path), await files.lstat(name)]
      const moved = incoming === undefined
      // Another program may have taken the number meanwhile. An empty file only keeps one for its message.
      const isOurs = there !== undefined && (there.size === 0 || moved || incoming.inode === there.inode)
      if (isOurs) ours.push({ path, incoming: name, moved })
      whole &&= isOurs && there.size > 0
      anyMoved ||= moved
      anyEmpty ||= there?.size === 0 && !moved
    }
    // First names go when all have their numbers, but where a message takes the place of an empty file: what misses then was removed by somebody since.
    if (!whole && (!anyMoved || anyEmpty)) {
      // Back under its first name, so that whoever ends here as well does not leave a number that would be taken for ours.
      for (const { path, incoming, moved } of ours) await (moved ? files.rename(path, incoming) : files.unlink(path))
      if (this.durable) await files.syncDirectory(this.path)
    }
    const done = { ...record, from: 0, until: 0 }
    await this.#record.write(done, true)
    return done
  }
  /** Where the octets of a delivery's messages are until they have their numbers. */
  incoming(i: number): string {
    return `${this.path}/${INCOMING}${i}`
  }
  /** What an interrupted delivery left. */
  async sweep(others: readonly string[]): Promise<void> {
    for (const name of others) if (name.startsWith(INCOMING)) await this.#ctx.files.unlink(`${this.path}/${name}`)
  }

  async sequences(): Promise<Sequences> {
    try {
      const file = await this.#ctx.files.open(`${this.path}/${SEQUENCES}`)
      try {
        return Sequences.parse(await textOf(file))
      } finally {
        await file.close()
      }
    } catch (error) {
      if (failedWith(error, 'ENOENT')) return Sequences.parse('')
      throw error
    }
  }
  /** Changes the sequences as they are now, and puts them in place of the old ones at once. The folder is not synced yet. */
  async changeSequences(signal: AbortSignal, change: (sequences: Sequences) => void): Promise<Sequences> {
    const { files } = this.#ctx
    const lock = await this.#lockSequences(signal)
    try {
      const before = lock === undefined ? '' : await textOf(lock)
      const sequences = Sequences.parse(before)
      change(sequences)
      if (sequences.text === before) return sequences
      const path = `${this.path}/${INCOMING}sequences`
      const file = await files.open(path, { write: true, create: 'if-missing', mode: (await lock?.stat())?.mode ?? this.place.fileMode })
      try {
        await file.truncate(0)
        await file.write([Buffer.from(sequences.text)], 0)
        if (this.durable) await file.sync()
      } finally {
        await file.close()
      }
      await files.rename(path, `${this.path}/${SEQUENCES}`)
      return sequences
    } finally {
      lock?.unlock('fcntl')
      await lock?.close()
    }
  }
  /** As MH's own programs do it; some do not, and nobody waits for ever. */
  async #lockSequences(signal: AbortSignal): Promise<OpenFile | undefined> {
    const { files, clock, locks } = this.#ctx
    for (let tries = 0; ; tries++) {
      signal.throwIfAborted()
      let file: OpenFile
      try {
        file = await files.open(`${this.path}/${SEQUENCES}`, { write: true })
      } catch (error) {
        if (failedWith(error, 'ENOENT')) return undefined
        throw error
      }
      try {
        const outcome = file.lock('fcntl', 'exclusive')
        if (outcome !== 'busy' && (await files.stat(`${this.path}/${SEQUENCES}`))?.inode === (await file.stat()).inode) return file
      } catch (error) {
        // An open file has its lock, whatever nobody could find out about it.
        await file.close()
        throw error
      }
      if (tries > 20) return file
      await file.close()
      await pause(clock, backOff(locks, tries), signal)
    }
  }
  async sync(): Promise<void> {
    if (this.durable) await this.#ctx.files.syncDirectory(this.path)
  }
  close(): Promise<void> {
    return this.#ctx.turns.run(this.path, () => this.#record.close())
  }
}

async function textOf(file: OpenFile): Promise<string> {
  const bytes = Buffer.allocUnsafe((await file.stat()).size)
  return bytes.toString('latin1', 0, await file.read(bytes, 0))
}
