import { failedWith, fileFailure, MailError, uids } from 'mailwright/api'
import { baseOf } from './columns.js'
import { dateOfTime, infoOf, isTold, timeOfDate } from './file-name.js'
import { linkMessages } from './linking.js'
import { Finder, FOLDERS } from './listing.js'
import { MaildirSource } from './source.js'
import { uniqueName } from './unique-name.js'

/** Messages of one delivery whose octets are on their way to the disk; what comes then waits for the first of them. */
const SYNCING = 16

/** Messages come into `tmp` while their octets arrive, and all of them into `new` at once. */
export class MaildirDelivery {
  #waiting = []
  constructor(folder) {
    this.folder = folder
  }
  async add(item, signal) {
    const { files, ctx, path, durable, place } = this.folder
    const now = ctx.clock.now()
    const temporary = uniqueName(ctx)
    const date = item.date ?? { ms: now, zone: 0 }
    try {
      const file = await files.open(`${path}/tmp/${temporary}`, { write: true, create: 'new', mode: place.fileMode })
      const waiting = { item, temporary, size: 0, date, synced: undefined }
      this.#waiting.push(waiting)
      try {
        for await (const chunk of item.bytes) {
          signal.throwIfAborted()
          await file.write([chunk], waiting.size)
          waiting.size += chunk.length
        }
        if (waiting.size === 0) throw new MailError('unsupported', 'Append of zero-length message')
        await file.setTimes(now, timeOfDate(date))
        if (!isTold(date)) waiting.date = dateOfTime((await file.stat()).mtimeMs)
      } catch (error) {
        await file.close()
        throw error
      }
      // The disk takes several at once; nobody hears that they are there before all of them are.
      waiting.synced = (durable ? file.sync() : Promise.resolve()).finally(() => file.close())
      waiting.synced.catch(() => undefined)
      await this.#waiting.at(-SYNCING)?.synced
    } catch (error) {
      throw fileFailure(error, `Can't append to ${path}`)
    }
  }
  /** Out of another mailbox of the same Maildir: one more name for the same file. */
  async take(from, messages, rows, signal) {
    if (!(from instanceof MaildirSource)) return false
    const linked = await linkMessages(from, this.folder, messages, rows, () => uniqueName(this.folder.ctx), signal)
    for (const message of linked ?? []) this.#waiting.push(message)
    return linked !== undefined
  }
  async commit(open, signal) {
    const source = open?.source instanceof MaildirSource && open.source.folder.path === this.folder.path ? open.source : undefined
    // That of an open mailbox knows what its files say.
    const folder = source?.folder ?? this.folder
    try {
      for (const { synced } of this.#waiting) await synced
      const words = [...new Map(this.#waiting.flatMap(({ item }) => item.keywords).map((word) => [word.toLowerCase(), word])).values()]
      const letters = new Map()
      if (words.length > 0) {
        await folder.keywordBits(words, signal)
        for (const word of words) letters.set(word.toLowerCase(), await folder.keywordBits([word], signal))
      }
      return await folder.locked(signal, async () => {
        // Octets are kept as they are on the wire, so both sizes are one.
        const messages = this.#waiting.map(({ item, temporary, size, stored = size, date }) => {
          const [system, keywords] = [item.system, item.keywords.reduce((bits, word) => bits | (letters.get(word.toLowerCase()) ?? 0), 0)]
          const base = `${temporary},S=${stored},W=${size}`
          return { temporary, base, file: `new/${base}${system === 0 && keywords === 0 ? '' : infoOf({ system, keywords, other: '' })}`, system, keywords, size, date }
        })
        const given = await folder.number(
          messages.map(({ base }) => base),
          this.#waiting.map(({ item }) => item.uid ?? 0),
          source && open.edit,
        )
        const before = messages.length === 0 ? undefined : await source?.trueAt(open.edit)
        await this.#arrive(messages)
        this.#waiting.splice(0)
        // Otherwise the next look finds them.
        if (before !== undefined && given.before === open.edit.uidNext && given.validity === open.edit.uidValidity) {
          await source.arrived(open.edit, messages.map((message, i) => ({ ...message, uid: given.numbers[i] })), before, given.list)
        }
        return { uidValidity: given.validity, uids: uids.from(given.numbers) }
      })
    } catch (error) {
      throw fileFailure(error, `Can't append to ${folder.path}`)
    } finally {
      await this.abort()
    }
  }
  async #arrive(messages) {
    const { folder } = this
    const { files, path } = folder
    const pairs = messages.map(({ temporary, file }) => [temporary, file])
    try {
      if (pairs.length > 1) {
        await folder.sync('tmp')
        await folder.writeIncoming(pairs)
      }
      folder.notices.announce(...pairs.map(([, to]) => to))
      for (const [from, to] of pairs) await files.rename(`${path}/tmp/${from}`, `${path}/${to}`)
      await folder.sync('new')
    } catch (error) {
      // What failed must not happen after all at the next look.
      await files.unlink(`${path}/mailwright-incoming`).catch(() => undefined)
      await folder.sync().catch(() => undefined)
      const finder = new Finder(folder)
      for (const [, to] of pairs) await this.#takeBack(to, finder).catch(() => undefined)
      for (const name of FOLDERS) await folder.sync(name).catch(() => undefined)
      throw error
    }
    // Without it nothing would happen: what it names is not in `tmp` any more.
    if (pairs.length > 1) await files.unlink(`${path}/mailwright-incoming`).catch(() => undefined)
  }
  /** Another program may have claimed it meanwhile. */
  async #takeBack(file, finder) {
    const { files, path } = this.folder
    try {
      await files.unlink(`${path}/${file}`)
    } catch (error) {
      if (!failedWith(error, 'ENOENT')) throw error
      const now = await finder.find(baseOf(file), file)
      if (now !== undefined) await files.unlink(`${path}/${now}`)
    }
  }
  async abort() {
    for (const { temporary, synced } of this.#waiting.splice(0)) {
      await synced?.catch(() => undefined)
      await this.folder.files.unlink(`${this.folder.path}/tmp/${temporary}`).catch((error) => {
        if (!failedWith(error, 'ENOENT', 'ENOTDIR')) throw error
      })
    }
  }
}
