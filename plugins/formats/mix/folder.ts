import { MailError, failedWith, type FilePlace, type FileStat, type OpenFile, type OpenHow } from 'mailwright/api'
import { crc32 } from 'node:zlib'
import { backOff, pause, type Say } from '../shared/locks/lock-context.js'
import { inTurn, isLockedFor, Wait } from '../shared/locks/wait-lines.js'
import { isWritable } from '../shared/folders.js'
import { asRefusal } from '../shared/refusal.js'
import { readSmall } from '../shared/small-read.js'
import { allDone } from './all-done.js'
import type { MixContext } from './context.js'
import { DataFiles } from './data-files.js'
import type { DataWriter } from './data-writer.js'
import { writePatches } from './patching.js'
import { metaText, parseMeta, parseSequence, SEQUENCE_OCTETS, sequenceRecord, type Meta } from './records.js'
import { CONTROLS, Redo, type Control, type ControlChange, type Entry, type Extent, type Patch, type Sequences } from './redo.js'

/** A control file as it is under the locks. */
export interface Head {
  readonly sequence: number
  readonly size: number
}
/** The mailbox under its locks, for the time of one operation. */
export interface Held {
  readonly meta: Meta
  readonly metaSize: number
  readonly index: Head
  readonly status: Head
  /** Identity of the metadata file: another one is another mailbox. */
  readonly inode: number
}
/** What an operation changes; what it leaves out stays. */
export interface Change {
  readonly meta?: Omit<Meta, 'sequence'>
  readonly index?: { readonly patches: readonly Patch[]; readonly size: number }
  readonly status?: { readonly patches: readonly Patch[]; readonly size: number }
  readonly data?: DataWriter
}

export const NAMES: Readonly<Record<Control, string>> = { meta: '.mixmeta', index: '.mixindex', status: '.mixstatus' }
export const REDO = '.mixredo'
const WHAT: Readonly<Record<Control, string>> = { meta: 'mix metadata file sequence', index: 'mix index sequence record', status: 'mix status sequence record' }
/** Metadata is read in one piece; larger files are damaged. */
const META_ROOM = 4096
const MOST_META = (1 << 20) - 1

type Handles = Readonly<Record<Control, OpenFile>> & { readonly inode: number; readonly writable: boolean }
/** What a look without locks finds. */
export interface Glance {
  readonly sequences: Sequences
  /** As that of `Held`. */
  readonly inode: number
}

/**
 * Files and locks of one mailbox. Order of locks: metadata shared, index, status; nothing is locked between two calls.
 *
 * Invariants: every change of a control file is in the redo file, durable, before it is made; octets of messages are durable before an operation
 * ends; nothing in a data file is ever overwritten.
 */
export class MixFolder {
  readonly path: string
  readonly place: FilePlace
  readonly data: DataFiles
  readonly #ctx: MixContext
  readonly #redo: Redo
  #handles: Handles | undefined
  /** The redo file held nothing to be made up for when it was looked at, which was since the files were opened. */
  #lookedBack = false

  constructor(place: FilePlace, ctx: MixContext) {
    this.path = place.path
    this.place = place
    this.#ctx = ctx
    this.data = new DataFiles(place, `${place.path}/${NAMES.meta}`, ctx)
    this.#redo = new Redo(ctx.files, `${place.path}/${REDO}`, this.durable, () => Buffer.from(ctx.locks.random(4)).readUInt32BE(0))
  }
  get durable(): boolean {
    return this.#ctx.mailbox.durability === 'full'
  }

  // ---- looking

  /**
   * Opens what the first look needs, in as few steps as can be, so that a mailbox whose rows are known costs no lock. Answers whether it can be
   * written; what is wrong with it is for the look to tell.
   */
  async prepare(): Promise<boolean> {
    const [opened, redo] = await Promise.allSettled([this.#open(), this.#redo.isKnown()])
    if (opened.status === 'rejected') return isWritable(this.#ctx.files, `${this.path}/${NAMES.meta}`)
    this.#lookedBack = redo.status === 'fulfilled' && redo.value
    return opened.value.writable
  }
  /**
   * Sequences without a lock, to find out whether anything changed; undefined when the mailbox is another one or gone, or when nobody knows yet
   * whether changes wait in the redo file. `found`: how the folder was found just now.
   */
  async peek(found: FileStat | undefined): Promise<Glance | undefined> {
    const handles = this.#handles
    if (handles === undefined || !this.#lookedBack) return undefined
    const known = found && this.#ctx.metaFiles.of(this.path, found)
    const [inode, ...heads] = await Promise.all([known ?? this.#inode(), ...CONTROLS.map((c) => readHead(handles[c]))])
    if (inode !== handles.inode) return undefined
    const [meta, index, status] = heads.map((head, i) => parseSequence(head, WHAT[CONTROLS[i] ?? 'meta']))
    return { sequences: { meta: meta ?? 1, index: index ?? 1, status: status ?? 1 }, inode: handles.inode }
  }

  /** Of the metadata file that has the name. */
  async #inode(): Promise<number | undefined> {
    return (await this.#ctx.files.stat(`${this.path}/${NAMES.meta}`))?.inode
  }

  /** Whether the file has this sequence, as far as can be told without waiting. */
  has(control: Control, sequence: number): boolean {
    const head = Buffer.alloc(SEQUENCE_OCTETS)
    return this.#handles?.[control].readNow?.(head, 0) === true && sequenceRecord(sequence).equals(head)
  }

  // ---- locks

  /** Runs with the control files locked. @throws MailError `not-found` when there is no mailbox, `in-use` when the locks do not come. */
  locked<T>(mode: 'shared' | 'exclusive', signal: AbortSignal, say: Say, work: (held: Held) => Promise<T>): Promise<T> {
    return this.#locked(mode, signal, say, async (handles) => work(await this.#held(handles)))
  }
  /** The same for work that needs no word of what the files hold, which may be damaged. `finished`: once the work of whoever was killed is. */
  guarded<T>(signal: AbortSignal, finished: boolean, say: Say, work: () => Promise<T>): Promise<T> {
    return this.#locked('exclusive', signal, say, work, finished)
  }
  #locked<T>(mode: 'shared' | 'exclusive', signal: AbortSignal, say: Say, work: (handles: Handles) => Promise<T>, finished = true): Promise<T> {
    return inTurn(this.#ctx, this.path, say, async (spoken) => {
      let handles = await this.#lock(mode, signal, spoken)
      try {
        if (finished && !((await this.#redo.isKnown()) && (await this.#isAsLeft(handles)))) {
          if (mode === 'shared' && handles.writable) {
            this.#unlock(handles)
            handles = await this.#lock('exclusive', signal, spoken)
          }
          if (handles.writable) await this.#recover(handles)
        }
        this.#lookedBack ||= finished
        return await work(handles)
      } catch (error) {
        throw asRefusal(error, this.path)
      } finally {
        this.#looked = undefined
        this.#unlock(handles)
      }
    })
  }
  async #lock(mode: 'shared' | 'exclusive', signal: AbortSignal, say: Say): Promise<Handles> {
    const { clock, locks } = this.#ctx
    const wait = new Wait(locks, say)
    const deadline = clock.steady() + locks.settings.dotlockTimeoutMs
    for (let tries = 0; ; tries++) {
      signal.throwIfAborted()
      const handles = await this.#open()
      if (mode === 'exclusive' && !handles.writable) throw new MailError('read-only', `${this.path} is read-only`)
      const wanted: readonly (readonly [Control, 'shared' | 'exclusive'])[] = [['meta', 'shared'], ['index', mode], ['status', mode]]
      if (wanted.every(([control, how]) => handles[control].lock('flock', how) !== 'busy')) {
        const inode = await this.#inode().catch((error: unknown) => {
          this.#unlock(handles)
          throw asRefusal(error, this.path)
        })
        if (inode === handles.inode) return handles
        // Replaced while it was waited for.
        this.#unlock(handles)
        await this.#close()
        continue
      }
      this.#unlock(handles)
      if (clock.steady() >= deadline) throw new MailError('in-use', `${this.path} is locked by another program for ${locks.settings.dotlockTimeoutMs / 1000} s`)
      wait.goesOn(() => isLockedFor(this.path, deadline - clock.steady()))
      await pause(clock, backOff(locks, tries), signal)
    }
  }
  #unlock(handles: Handles): void {
    for (const control of CONTROLS.toReversed()) handles[control].unlock('flock')
  }
  async #open(): Promise<Handles> {
    if (this.#handles !== undefined) return this.#handles
    const opened: OpenFile[] = []
    let writable = true
    const open = async (control: Control, how: OpenHow): Promise<OpenFile> => {
      const path = `${this.path}/${NAMES[control]}`
      let file: OpenFile
      try {
        file = await this.#ctx.files.open(path, { ...how, write: true })
      } catch (error) {
        if (!failedWith(error, 'EACCES', 'EPERM', 'EROFS')) throw error
        writable = false
        file = await this.#ctx.files.open(path)
      }
      opened.push(file)
      return file
    }
    // The index and flags of a mailbox without messages may be missing; they are made where there is a mailbox.
    const orMade = (control: Control, found: OpenFile | undefined): OpenFile | Promise<OpenFile> => found ?? open(control, { create: 'if-missing', mode: this.place.fileMode })
    try {
      const [meta, ...others] = [open('meta', {}), ...(['index', 'status'] as const).map((c) => open(c, {}).catch(missing))]
      const [, index, status] = await allDone([meta, ...others])
      const files = { meta: await meta, index: await orMade('index', index), status: await orMade('status', status) }
      return (this.#handles = { ...files, inode: (await files.meta.stat()).inode, writable })
    } catch (error) {
      for (const file of opened) await file.close()
      throw asRefusal(error, this.path)
    }
  }
  /** Whoever changes a control file gives it another sequence: where all three are those of last time, so is the rest. */
  async #held(handles: Handles): Promise<Held> {
    const last = this.#last
    const looked = this.#looked
    this.#looked = undefined
    if (last !== undefined && sequencesOf(last) === (looked ?? (await this.#sequences(handles)))) return last
    return (this.#last = await this.#readHeld(handles))
  }
  async #sequences(handles: Handles): Promise<string> {
    const heads = await allDone(CONTROLS.map((c) => readHead(handles[c])))
    return heads.map((head, i) => parseSequence(head, WHAT[CONTROLS[i] ?? 'meta'])).join(' ')
  }
  async #readHeld(handles: Handles): Promise<Held> {
    const room = Buffer.alloc(META_ROOM)
    const [got, index, status, indexStat, statusStat] = await Promise.all([
      readSmall(handles.meta, room, 0), readHead(handles.index), readHead(handles.status), handles.index.stat(), handles.status.stat(),
    ])
    const text = got < META_ROOM ? room.subarray(0, got) : await wholeOf(handles.meta, Math.min(MOST_META, (await handles.meta.stat()).size))
    return {
      meta: parseMeta(text),
      metaSize: text.length,
      index: { sequence: parseSequence(index, WHAT.index), size: indexStat.size },
      status: { sequence: parseSequence(status, WHAT.status), size: statusStat.size },
      inode: handles.inode,
    }
  }
  /** Nobody else has the mailbox open, in programs that say so: space may be taken back, names may change. Held locks only. */
  async alone<T>(work: () => Promise<T>): Promise<T | undefined> {
    const { meta } = await this.#open()
    // Sessions of this process that read just now hold it shared.
    if (this.data.isRead) return undefined
    try {
      if (meta.lock('flock', 'exclusive') === 'busy') return undefined
      return await work()
    } finally {
      // A change of the lock's kind gives the old one back first, also when it fails.
      meta.lock('flock', 'shared')
    }
  }

  // ---- changing

  /** Whole content of the index or of the status file. */
  async whole(control: 'index' | 'status', head: Head): Promise<Buffer> {
    return wholeOf((await this.#open())[control], head.size)
  }
  async part(control: 'index' | 'status', at: number, length: number): Promise<Buffer> {
    const into = Buffer.alloc(length)
    return into.subarray(0, await (await this.#open())[control].read(into, at))
  }
  /** The number that the next change gets. Even ones are this server's: other programs count up by one, which seldom gives the same. */
  nextSequence(held: Held): number {
    const now = Math.floor(this.#ctx.clock.now() / 1000)
    const next = Math.max(now, held.meta.sequence + 1, held.index.sequence + 1, held.status.sequence + 1)
    return next % 2 === 0 ? next : next + 1
  }
  /** Opens what `commit` will need, while what it is to be told is made ready. Resolves when nothing is under way; what fails `commit` tells. */
  prepareCommit(): Promise<void> {
    return this.#redo.prepare(this.place.fileMode)
  }
  /**
   * Makes a change under exclusive locks; it is on the disk when this resolves. Answers what is there afterwards. `meanwhile`: work for the time in which the disk
   * is waited for.
   */
  async commit(held: Held, sequence: number, change: Change, meanwhile?: () => void): Promise<Held> {
    const handles = await this.#open()
    // Entries are made again one after the other: none may follow a change that another program made in between.
    if (this.#redo.isLong || (this.#redo.holds && this.#chained !== sequencesOf(held))) await this.settle()
    const changes: ControlChange[] = []
    const meta = change.meta === undefined ? held.meta : { ...change.meta, sequence }
    let { metaSize } = held
    if (change.meta !== undefined) {
      const text = metaText(meta)
      metaSize = text.length
      changes.push({ file: 'meta', after: sequence, size: text.length, patches: [{ at: 0, bytes: text }] })
    }
    const heads = { index: held.index, status: held.status }
    for (const control of ['status', 'index'] as const) {
      const wish = change[control]
      if (wish === undefined) continue
      const size = Math.max(SEQUENCE_OCTETS, wish.size)
      // The sequence first, as it stands: who looks without locks and finds it new waits for them then, and so for the rest.
      changes.push({ file: control, after: sequence, size, patches: [{ at: 0, bytes: sequenceRecord(sequence) }, ...wish.patches] })
      heads[control] = { sequence, size }
    }
    const entry: Entry = { found: { meta: held.meta.sequence, index: held.index.sequence, status: held.status.sequence }, changes, data: change.data?.extents ?? [] }
    await this.#write(entry, change.data, meanwhile)
    try {
      await this.#apply(handles, entry, new Map([['meta', held.metaSize], ['index', held.index.size], ['status', held.status.size]]))
    } catch (error) {
      // It is in the redo file: the next operation finishes the work.
      this.#redo.forget()
      this.#last = undefined
      this.#owes = true
      throw error
    }
    const done = { ...held, meta, metaSize, index: heads.index, status: heads.status }
    this.#chained = sequencesOf(done)
    return (this.#last = done)
  }
  /** The entry and the octets that it speaks of, beside each other: a crash in between leaves an entry whose sums are wrong. All or none. */
  async #write(entry: Entry, data: DataWriter | undefined, meanwhile: (() => void) | undefined): Promise<void> {
    const adding = this.#redo.add(entry, { mode: this.place.fileMode, newNames: data?.fresh === true })
    const writing = data === undefined ? [] : [data.finish(this.durable)]
    try {
      meanwhile?.()
      await allDone<unknown>([adding, ...writing])
    } catch (error) {
      // What failed must not happen after all. An entry that could not be added has taken itself back.
      await adding.then((undo) => undo()).catch(() => undefined)
      throw error
    }
  }
  async #apply(handles: Handles, entry: Entry, sizes: ReadonlyMap<Control, number>): Promise<void> {
    await allDone(
      entry.changes.map(async ({ file, patches, size }) => {
        await writePatches(handles[file], patches)
        if (size < (sizes.get(file) ?? Number.POSITIVE_INFINITY)) await handles[file].truncate(size)
      }),
    )
  }
  /** False also when another process that made the changes of our entries once more was killed at it: the files are then as an earlier entry left them. */
  async #isAsLeft(handles: Handles): Promise<boolean> {
    this.#looked = this.#redo.holds ? await this.#sequences(handles).catch(() => undefined) : undefined
    return !this.#redo.holds || this.#chained === this.#looked
  }
  /** A change failed on its way into the control files; the next operation makes it. */
  get owes(): boolean {
    return this.#owes
  }
  #owes = false
  /** What is there, by the last look or change. */
  #last: Held | undefined
  /** Sequences of the control files, for the rest of an operation that has just looked at them. */
  #looked: string | undefined
  /** What the last entry of the redo file left. */
  #chained = ''
  /** Control files are on the disk as they are; the redo file has done its work. */
  async settle(): Promise<void> {
    if (!this.#redo.holds) return
    const handles = await this.#open()
    if (this.durable) await allDone(CONTROLS.map((c) => handles[c].sync()))
    await this.#redo.clear()
  }
  /**
   * Makes the changes that the redo file holds, of a server that was killed or of another that is at work. When a program that knows nothing of it
   * changed the mailbox since, its state is what counts.
   */
  async #recover(handles: Handles): Promise<void> {
    const entries = [...(await this.#redo.entries())]
    const last = entries.at(-1)
    if (last !== undefined && !(await this.#isWhole(last.data))) entries.pop()
    if (entries.length > 0 && (await this.#isOurs(handles, entries))) {
      for (const entry of entries) await this.#apply(handles, entry, new Map())
    }
    if (this.durable) await allDone(CONTROLS.map((c) => handles[c].sync()))
    await this.#redo.clear()
    this.#last = undefined
    this.#looked = undefined
    this.#owes = false
  }
  /**
   * Each control file is in a state that one of the entries found or left. Also one that they leave alone: an appending program may give the index the
   * sequence that it has already, and raises that of the metadata only.
   */
  async #isOurs(handles: Handles, entries: readonly Entry[]): Promise<boolean> {
    for (const control of CONTROLS) {
      const head = await readHead(handles[control])
      const known = entries.flatMap((e) => [e.found[control], ...e.changes.flatMap((c) => (c.file === control ? [c.after] : []))]).map(sequenceRecord)
      // A record that was written in part, or did not reach the disk, is still nobody else's.
      const whole = known.some((record) => record.equals(head))
      if (!whole && !(head.includes(0) || head.length < SEQUENCE_OCTETS)) return false
      if (!head.every((octet, i) => octet === 0 || known.some((record) => record[i] === octet))) return false
    }
    return true
  }
  async #isWhole(extents: readonly Extent[]): Promise<boolean> {
    for (const { file, at, length, sum } of extents) {
      const bytes = Buffer.alloc(Math.min(length, 1 << 20))
      let got = 0
      let found = 0
      try {
        const open = await this.#ctx.files.open(this.data.path(file))
        try {
          while (got < length) {
            const n = await open.read(bytes.subarray(0, Math.min(bytes.length, length - got)), at + got)
            if (n === 0) return false
            found = crc32(bytes.subarray(0, n), found)
            got += n
          }
        } finally {
          await open.close()
        }
      } catch (error) {
        if (failedWith(error, 'ENOENT')) return false
        throw error
      }
      if (found !== sum) return false
    }
    return true
  }

  async close(): Promise<void> {
    await this.#ctx.turns.run(this.path, async () => {
      try {
        // What is not on the disk yet is in the redo file.
        if (this.#handles !== undefined && this.#redo.holds) await this.#settleQuietly(this.#handles)
      } finally {
        await this.#close()
      }
    })
  }
  /** Only while nobody else is at work; otherwise the redo file waits for the next operation. */
  async #settleQuietly(handles: Handles): Promise<void> {
    try {
      if (CONTROLS.every((c) => handles[c].lock('flock', c === 'meta' ? 'shared' : 'exclusive') !== 'busy') && (await this.#redo.isKnown())) await this.settle()
    } catch {
      // It stays in the redo file.
    } finally {
      this.#unlock(handles)
    }
  }
  async #close(): Promise<void> {
    const handles = this.#handles
    this.#handles = undefined
    this.#last = undefined
    this.#lookedBack = false
    await this.#redo.close()
    await this.data.close()
    if (handles !== undefined) for (const control of CONTROLS) await handles[control].close()
  }
}

function sequencesOf({ meta, index, status }: Held): string {
  return `${meta.sequence} ${index.sequence} ${status.sequence}`
}
async function readHead(file: OpenFile): Promise<Uint8Array> {
  const head = new Uint8Array(SEQUENCE_OCTETS)
  return head.subarray(0, await readSmall(file, head, 0))
}
async function wholeOf(file: OpenFile, size: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(size)
  return bytes.subarray(0, await file.read(bytes, 0))
}
function missing(error: unknown): undefined {
  if (!failedWith(error, 'ENOENT')) throw error
}
