import { failedWith, MailError, type Delivery, type Examined, type FilePlace, type FileStat, type GivenNumbers, type MailboxFormat, type MailboxSource, type MailUser, type OpenFile, type TellWait } from 'mailwright/api'
import { Beginnings } from '../shared/beginnings.js'
import { nowSeconds } from '../shared/changes/state-directory.js'
import { folderOf, nameOf } from '../shared/locks/lock-context.js'
import { removeEmptyFolder } from '../shared/folders.js'
import { claimMaking, keepMakersAway } from '../shared/making.js'
import { sayWaits } from '../shared/locks/wait-lines.js'
import { asRefusal } from '../shared/refusal.js'
import { allDone } from './all-done.js'
import type { MixContext, MixParts } from './context.js'
import { MixDelivery } from './delivery.js'
import { examineMix } from './examine.js'
import { MixFolder, NAMES, REDO } from './folder.js'
import { MetaFiles } from './meta-files.js'
import { hex8, metaText } from './records.js'
import { MixSource } from './source.js'

/** Names of files in a mailbox begin with it, so names of mailboxes do not. */
const OWN = '.mix'
/** Metadata of a mailbox that is not made yet. */
const NEW = '.mixnew'

/** Mailboxes in the format mix: a folder with few files, for many sessions and programs at once. */
export class MixFormat implements MailboxFormat {
  readonly #ctx: MixContext
  readonly #beginnings = new Beginnings()
  constructor(parts: MixParts) {
    this.#ctx = { ...parts, metaFiles: new MetaFiles(parts.clock) }
  }
  async recognise(at: FilePlace, _signal?: AbortSignal, seen?: FileStat): Promise<'mine' | 'not-mine'> {
    if (seen !== undefined && seen.kind !== 'directory') return 'not-mine'
    const { files, metaFiles } = this.#ctx
    if (seen !== undefined && metaFiles.of(at.path, seen) !== undefined) return 'mine'
    const meta = await files.lstat(`${at.path}/${NAMES.meta}`)
    if (meta?.kind === 'symlink') return (await files.stat(`${at.path}/${NAMES.meta}`))?.kind === 'file' ? 'mine' : 'not-mine'
    if (meta?.kind !== 'file') return 'not-mine'
    if (seen !== undefined) metaFiles.learn(at.path, seen, meta.inode)
    return 'mine'
  }
  claims({ names }: { readonly path: string; readonly names: readonly string[] }): 'mailbox' | undefined {
    return names.includes(NAMES.meta) ? 'mailbox' : undefined
  }
  owns(fileName: string): boolean {
    return fileName.startsWith(OWN)
  }
  /** `~/INBOX`, when it is a mailbox of this format. */
  async inbox(user: MailUser, _signal: AbortSignal, delivered: string | undefined): Promise<FilePlace | undefined> {
    // Where mail is delivered nothing is taken over: that is INBOX, in whatever format.
    if (user.home === undefined || delivered === `${user.home}/INBOX`) return undefined
    const { fileMode, directoryMode } = this.#ctx.mailbox
    const place = { path: `${user.home}/INBOX`, user, fileMode, directoryMode }
    return (await this.recognise(place)) === 'mine' ? place : undefined
  }

  /** The metadata come last and at once, so that a crash leaves a mailbox or none. A folder that is there already becomes one. */
  async create(at: FilePlace, { uidValidity, uidNext = 1 }: GivenNumbers = {}): Promise<void> {
    const { files, clock, mailbox } = this.#ctx
    if (nameOf(at.path).startsWith(OWN)) throw new MailError('denied', `Can't create mailbox ${at.path}: invalid MIX-format name`)
    const durable = mailbox.durability === 'full'
    const now = nowSeconds(clock)
    const meta = metaText({ sequence: now, validity: uidValidity ?? this.#beginnings.at(at.path, now), last: uidNext - 1, file: now, keywords: mailbox.defaultKeywords })
    const fresh = (await files.stat(at.path)) === undefined
    try {
      if (fresh) await files.makeDirectory(at.path, at.directoryMode)
      const metaFile = await claimMaking(files, at, { fresh: NEW, made: NAMES.meta })
      const made = [`${at.path}/${NEW}`]
      const fill = async (file: OpenFile, content?: Uint8Array): Promise<void> => {
        if ((await file.stat()).size > 0) await file.truncate(0)
        if (content !== undefined) await file.write([content], 0)
        if (durable) await file.sync()
      }
      const make = async (name: string): Promise<void> => {
        const path = `${at.path}/${name}`
        const file = await files.open(path, { write: true, create: 'if-missing', mode: at.fileMode })
        made.push(path)
        await fill(file).finally(() => file.close())
      }
      try {
        if (!fresh) await this.#forgetChanges(at.path, durable)
        // Beside each other, so that the disk is told to write once.
        await allDone([make(NAMES.index), make(NAMES.status), make(`.mix${hex8(now)}`), fill(metaFile, meta)])
        await files.rename(`${at.path}/${NEW}`, `${at.path}/${NAMES.meta}`)
      } catch (error) {
        for (const path of made.toReversed()) await files.unlink(path).catch(() => undefined)
        throw error
      } finally {
        await metaFile.close()
      }
    } catch (error) {
      if (fresh) await files.removeDirectory(at.path).catch(() => undefined)
      throw error
    }
    if (durable) await allDone([at.path, folderOf(at.path)].map((path) => files.syncDirectory(path)))
  }
  /** What a DELETE that was stopped half-way left of changes is none of a new mailbox, which may have the same numbers. */
  async #forgetChanges(path: string, durable: boolean): Promise<void> {
    const { files } = this.#ctx
    try {
      await files.unlink(`${path}/${REDO}`)
    } catch (error) {
      if (failedWith(error, 'ENOENT', 'ENOTDIR')) return
      throw error
    }
    if (durable) await files.syncDirectory(path)
  }
  async open(at: FilePlace): Promise<MailboxSource> {
    const folder = new MixFolder(at, this.#ctx)
    try {
      return new MixSource(folder, await folder.prepare(), this.#ctx)
    } catch (error) {
      await folder.close()
      throw error
    }
  }
  examine(at: FilePlace, signal: AbortSignal): AsyncIterable<Examined> {
    return examineMix(at, this.#ctx.files, signal)
  }
  async append(at: FilePlace): Promise<Delivery> {
    return new MixDelivery(at, this.#ctx)
  }

  /** Without its metadata it is no mailbox; the folder stays when other mailboxes are in it. */
  async remove(at: FilePlace, waits?: TellWait): Promise<void> {
    const { files, mailbox } = this.#ctx
    const claim = await this.#alone(at, 'delete', waits, async () => {
      const held = await keepMakersAway(files, at, NEW)
      try {
        await files.unlink(`${at.path}/${NAMES.meta}`)
        if (mailbox.durability === 'full') await files.syncDirectory(at.path)
        return held
      } catch (error) {
        await held?.close()
        throw error
      }
    })
    try {
      const own = (await files.list(at.path)).filter(({ name, kind }) => kind === 'file' && name.startsWith(OWN) && name !== NEW)
      await allDone(own.map(({ name }) => files.unlink(`${at.path}/${name}`)))
      if (claim !== undefined) await files.unlink(claim.path)
    } finally {
      await claim?.close()
    }
    await removeEmptyFolder(files, at.path, mailbox.durability === 'full')
  }
  /** Mailboxes below it move along. */
  async rename(from: FilePlace, to: FilePlace, waits?: TellWait): Promise<void> {
    const { files, mailbox } = this.#ctx
    if (nameOf(to.path).startsWith(OWN)) throw new MailError('denied', `Can't rename to mailbox ${to.path}: invalid MIX-format name`)
    await this.#alone(from, 'rename', waits, () => files.renameToFree(from.path, to.path))
    if (mailbox.durability !== 'full') return
    await files.syncDirectory(folderOf(to.path))
    if (folderOf(from.path) !== folderOf(to.path)) await files.syncDirectory(folderOf(from.path))
  }
  async #alone<T>(at: FilePlace, what: 'delete' | 'rename', waits: TellWait | undefined, work: () => Promise<T>): Promise<T> {
    const folder = new MixFolder(at, this.#ctx)
    try {
      // Nobody needs what was left undone in a mailbox that goes.
      const done = await folder.guarded(new AbortController().signal, what !== 'delete', sayWaits(waits), async () => {
        // What is not in the control files yet would be lost with the file that speaks of it.
        await folder.settle()
        this.#beginnings.ends(at.path, nowSeconds(this.#ctx.clock))
        return folder.alone(async () => ({ value: await work() }))
      })
      if (done === undefined) throw new MailError('in-use', `Can't lock mailbox for ${what}: ${at.path}`)
      return done.value
    } catch (error) {
      throw asRefusal(error, at.path)
    } finally {
      await folder.close()
    }
  }
}
