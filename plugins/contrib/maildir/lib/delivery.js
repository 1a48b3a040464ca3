import { failedWith, fileFailure, MailError, uids } from 'mailwright/api'
import { infoOf, timeOfDate } from './file-name.js'

let count = 0

/** Messages come into `tmp` while their octets arrive, and all of them into `new` at once. */
export class MaildirDelivery {
  #waiting = []
  constructor(folder) {
    this.folder = folder
  }
  async add(item, signal) {
    const { ctx, path, durable, place } = this.folder
    const { files, clock, random, machine } = ctx
    const now = clock.now()
    const host = machine.host.replaceAll('/', '\\057').replaceAll(':', '\\072').replaceAll(',', '\\054')
    const unique = `${Math.floor(now / 1000)}.M${Math.floor((now % 1000) * 1000)}P${machine.pid}Q${count++}R${Buffer.from(random(6)).toString('hex')}.${host}`
    const waiting = { item, temporary: unique, base: unique, size: 0 }
    try {
      const file = await files.open(`${path}/tmp/${unique}`, { write: true, create: 'new', mode: place.fileMode })
      this.#waiting.push(waiting)
      try {
        for await (const chunk of item.bytes) {
          signal.throwIfAborted()
          await file.write([chunk], waiting.size)
          waiting.size += chunk.length
        }
        if (waiting.size === 0) throw new MailError('unsupported', 'Append of zero-length message')
        await file.setTimes(now, timeOfDate(item.date ?? { ms: now, zone: 0 }))
        if (durable) await file.sync()
      } finally {
        await file.close()
      }
    } catch (error) {
      throw fileFailure(error, `Can't append to ${path}`)
    }
    // Octets are kept as they are on the wire, so both sizes are one.
    waiting.base = `${unique},S=${waiting.size},W=${waiting.size}`
  }
  /** Adds no rows: the next look finds them. */
  async commit(_open, signal) {
    const { folder } = this
    try {
      const words = [...new Map(this.#waiting.flatMap(({ item }) => item.keywords).map((word) => [word.toLowerCase(), word])).values()]
      const letters = new Map()
      if (words.length > 0) {
        await folder.keywordBits(words, signal)
        for (const word of words) letters.set(word.toLowerCase(), await folder.keywordBits([word], signal))
      }
      return await folder.locked(signal, async () => {
        const numbers = await folder.number(
          this.#waiting.map(({ base }) => base),
          this.#waiting.map(({ item }) => item.uid ?? 0),
        )
        const { validity } = await folder.list()
        await this.#arrive((item) => item.keywords.reduce((bits, word) => bits | (letters.get(word.toLowerCase()) ?? 0), 0))
        this.#waiting.splice(0)
        return { uidValidity: validity, uids: uids.from(numbers) }
      })
    } catch (error) {
      throw fileFailure(error, `Can't append to ${folder.path}`)
    } finally {
      await this.abort()
    }
  }
  async #arrive(keywordsOf) {
    const { folder } = this
    const { files, path } = folder
    const pairs = this.#waiting.map(({ item, temporary, base }) => {
      const [system, keywords] = [item.system, keywordsOf(item)]
      return [temporary, `new/${base}${system === 0 && keywords === 0 ? '' : infoOf({ system, keywords, other: '' })}`]
    })
    try {
      if (pairs.length > 1) {
        await folder.sync('tmp')
        await folder.writeIncoming(pairs)
      }
      for (const [from, to] of pairs) await files.rename(`${path}/tmp/${from}`, `${path}/${to}`)
      await folder.sync('new')
    } catch (error) {
      // What failed must not happen after all at the next look.
      await files.unlink(`${path}/mailwright-incoming`).catch(() => undefined)
      await folder.sync().catch(() => undefined)
      for (const [, to] of pairs) await files.unlink(`${path}/${to}`).catch(() => undefined)
      await folder.sync('new').catch(() => undefined)
      throw error
    }
    // Without it nothing would happen: what it names is not in `tmp` any more.
    if (pairs.length > 1) await files.unlink(`${path}/mailwright-incoming`).catch(() => undefined)
  }
  async abort() {
    for (const { temporary } of this.#waiting.splice(0)) {
      await this.folder.files.unlink(`${this.folder.path}/tmp/${temporary}`).catch((error) => {
        if (!failedWith(error, 'ENOENT', 'ENOTDIR')) throw error
      })
    }
  }
}
