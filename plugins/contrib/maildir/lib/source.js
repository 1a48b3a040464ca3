import { failedWith, fileFailure, MailError, UNKNOWN } from 'mailwright/api'
import { baseOf, FILE, infoIn, rowsOf } from './columns.js'
import { CountedSizes } from './counted-sizes.js'
import { Doubles, isOneFile } from './doubles.js'
import { infoOf, parseInfo, sizesOf } from './file-name.js'
import { openMessage } from './filling.js'
import { Folder } from './folder.js'
import { bitsOf, changedFlags, placeOf, wordsOf } from './keywords.js'
import { KnownState } from './known-state.js'
import { Ledger } from './ledger.js'
import { CUR, Finder, folderMarks, FOLDERS, listingOf, marksOf, NEW, stillThere } from './listing.js'
import { Looking, PARALLEL, publish } from './looking.js'
import { readMessages } from './reading.js'

/** Messages of `new` that are listed with each delivery; there are more where nobody reads the mail. */
const FEW = 100
/** A list of UIDs that is this much (octets), and so many times longer than what is there needs, is written anew. */
const [SMALL_LIST, LONG_LIST] = [1 << 14, 3]

/** A Maildir: the changes of this process go into the rows by themselves, those of others by looking. */
export class MaildirSource {
  #folder
  #ctx
  #state
  #ledger = new Ledger()
  #doubles = new Doubles()
  #sizes = new CountedSizes()
  #looking

  constructor(place, ctx) {
    this.#ctx = ctx
    this.#folder = new Folder(place, ctx)
    this.#state = new KnownState(ctx.clock)
    this.#looking = new Looking(this.#folder, ctx, this.#state, this.#ledger, this.#doubles)
    this.traits = Object.freeze({ writable: true, uidsPersist: true, modseqs: 'numbered-by-core', facts: [], columns: [FILE] })
  }
  get folder() {
    return this.#folder
  }
  async #run(work) {
    try {
      return await work()
    } catch (error) {
      throw fileFailure(error, this.#folder.path)
    }
  }

  refresh(edit, { claimRecent }, signal) {
    return this.#run(async () => {
      signal.throwIfAborted()
      const looked = await this.#look(edit, signal)
      if (claimRecent) await this.#claim(edit, looked, signal)
    })
  }

  async #look(edit, signal) {
    const validity = edit.uidValidity
    const looked = await this.#looking.look(edit, signal)
    // Who reads still by the old numbers counts for those.
    if (edit.uidValidity !== validity) this.#sizes = new CountedSizes()
    for (const { row, told, size } of this.#sizes.settle(edit, { all: looked === undefined })) {
      this.#ctx.logger.warn('maildir.size-in-name-wrong', { path: this.#folder.path, name: edit.rows.column(FILE)[row], told, size })
    }
    return looked
  }

  // ---- changes

  /** Messages of `new` that this process takes, so that nobody else calls them recent. */
  async #claim(edit, looked, signal) {
    const fresh = this.#ledger.fresh(edit.rows)
    if (fresh.length === 0) return
    const { files, path } = this.#folder
    const known = this.#state.isAs(looked ?? (await marksOf(this.#folder)))
    const claim = async (row) => {
      const file = edit.rows.column(FILE)[row]
      const to = `cur/${file.slice(4)}${infoIn(file) === '' ? ':2,' : ''}`
      if (this.#doubles.isOther(to, file)) return
      this.#folder.notices.announce(file, to)
      try {
        await files.renameToFree(`${path}/${file}`, `${path}/${to}`)
        this.#doubles.drop(file)
        this.#ledger.put(edit, row, to)
      } catch (error) {
        this.#folder.notices.retract(file, to)
        if (!failedWith(error, 'ENOENT', 'EEXIST')) throw error
        // Another file has the name: which of them is the message is found out by the next look, and until then nobody has it.
        if (failedWith(error, 'ENOENT')) edit.setRecent(row, false)
        this.#state.doubt()
      }
    }
    for (let at = 0; at < fresh.length; at += PARALLEL) {
      signal.throwIfAborted()
      await Promise.all(fresh.slice(at, at + PARALLEL).map(claim))
    }
    // Not synced: after a crash they are new once more, or not.
    await this.#after(edit, known, [CUR, NEW], {})
  }
  /** The folders that this change touched are as it left them, unless somebody else had changed them before. `more`: times of what else it changed. */
  async #after(edit, known, touched, more) {
    const { folders, times } = await folderMarks(this.#folder)
    this.#state.remember(edit, { folders, times, ...more }, { touched })
    if (!known) this.#state.doubt(touched)
  }
  /** `work` tells whether anything changed, in which folders, and what it returns. */
  async #change(edit, signal, work) {
    return this.#run(async () => {
      signal.throwIfAborted()
      const looked = await this.#look(edit, signal)
      const before = looked ?? (await marksOf(this.#folder))
      const known = looked !== undefined || this.#state.isAs(before)
      const { changed, touched, more = {}, value } = await work(before)
      if (changed) await this.#after(edit, known, FOLDERS.flatMap((name, place) => (touched.has(name) ? [place] : [])), more)
      return value
    })
  }

  /** With the UID list locked, right before a delivery: the times at which the rows are true, so that what arrives can be added to them; otherwise undefined. */
  async trueAt(edit) {
    if (!this.#state.attach(edit)) this.#ledger.begin(edit.rows)
    const marks = await marksOf(this.#folder)
    return this.#state.isAs(marks) ? marks : undefined
  }
  /**
   * With the UID list still locked: adds rows of messages that are in `new` now. `before`: what `trueAt` said; `list`: where the UID list ends. Nothing is added when somebody
   * else changed the folders meanwhile, which the names in `new` tell, as long as they are few: the next look then finds all of it.
   */
  async arrived(edit, messages, before, list) {
    try {
      await this.#tell(edit, messages, before, list)
    } catch (error) {
      // They are there, and come once more if the client is told that they are not. The next look finds them.
      this.#state.doubt([NEW])
      this.#ctx.logger.warn('maildir.delivery-not-told', { path: this.#folder.path, error })
    }
  }
  async #tell(edit, messages, before, list) {
    const [marks, names] = [await folderMarks(this.#folder), await this.#folder.keywords(before.keywords)]
    if (marks.folders[CUR] !== before.folders[CUR]) return
    const files = edit.rows.column(FILE)
    const fresh = this.#ledger.fresh(edit.rows)
    if (fresh.length + messages.length <= FEW) {
      const there = await listingOf(this.#folder, [NEW])
      const expected = [...messages.map(({ base }) => base), ...fresh.map((row) => baseOf(files[row]))]
      if (there.size !== expected.length || expected.some((base) => !there.has(base))) return
    }
    for (const { uid, file, system, keywords, size, date } of messages) {
      const row = edit.add(uid, edit.flagSet(system, wordsOf(keywords, names)), true)
      this.#ledger.put(edit, row, file)
      edit.setSize(row, size)
      edit.setDate(row, Math.floor(date.ms / 1000) * 1000, date.zone)
      edit.uidNext = Math.max(edit.uidNext, uid + 1)
    }
    this.#state.remember(edit, { ...marks, list }, { touched: [NEW] })
    // The messages are there, whatever becomes of the list.
    await this.#tidy(edit, messages[0].base, list.from).catch((error) => this.#ctx.logger.warn('maildir.list-stays-long', { path: this.#folder.path, error }))
  }
  /** Where most of the UID list is of messages that are gone. */
  async #tidy(edit, base, octets) {
    const { rows } = edit
    if (octets < SMALL_LIST || octets < LONG_LIST * rows.length * (Buffer.byteLength(base) + 8)) return
    const known = this.#ledger.bases(rows)
    const list = await this.#folder.tidy((bases) => stillThere(this.#folder, known, bases))
    if (list !== undefined) this.#state.remember(edit, { list: { inode: list.inode, mark: list.mark, ...list.end(rows.uid[rows.length - 1]) } }, {})
  }
  /** Files of messages, in the same order, where the rows say that they are; undefined when there is no row for one, or its name says another size than was counted. */
  placesOf(messages, rows) {
    const files = messages.map(({ uid }) => {
      const file = rows.column(FILE)[rows.find(uid)]
      return file !== undefined && this.#sizes.agrees(uid, sizesOf(baseOf(file)).size) ? file : undefined
    })
    return files.includes(undefined) ? undefined : files
  }

  store(change, edit, signal) {
    return this.#change(edit, signal, async (before) => {
      const folder = this.#folder
      const defines = change.how !== 'remove' && change.keywords.length > 0
      if (defines) await folder.keywordBits(change.keywords, signal)
      const names = await folder.keywords(defines ? undefined : before.keywords)
      // What has no letter is not defined, and is left out.
      const keywords = change.keywords.filter((word) => placeOf(names, word) !== -1)
      const { changed, refused } = edit.apply({ ...change, keywords })
      publish(edit, names)
      const finder = new Finder(folder)
      const touched = new Set()
      try {
        for (const row of rowsOf(edit.rows, changed)) {
          const where = await this.#rename(edit, row, { ...change, keywords }, names, finder)
          if (where !== undefined) touched.add(where)
        }
      } finally {
        for (const name of touched) await folder.sync(name)
      }
      const more = defines ? { keywords: (await marksOf(folder)).keywords } : {}
      return { changed: changed.count > 0, value: refused, touched, more }
    })
  }
  /** Gives the file the flags of the row; returns its folder, undefined when it is gone. */
  async #rename(edit, row, change, names, finder) {
    const { files, path } = this.#folder
    const base = baseOf(edit.rows.column(FILE)[row])
    const set = edit.rows.flagSets[edit.rows.flags[row]]
    let target = { system: set?.system ?? 0, keywords: bitsOf(set?.keywords ?? [], names) }
    for (let tries = 0; ; tries++) {
      const file = edit.rows.column(FILE)[row]
      const old = parseInfo(infoIn(file))
      // Letters whose names nobody knows stay.
      const unnamed = old.keywords & ~bitsOf(names.filter((name) => name !== ''), names)
      const to = `${file.slice(0, 4)}${base}${infoOf({ system: target.system, keywords: target.keywords | unnamed, other: old.other })}`
      const taken = (options) => new MailError('in-use', `${path}: another program has two names of message ${edit.rows.uid[row]}`, options)
      if (this.#doubles.isOther(to, file)) throw taken()
      if (to !== file) this.#folder.notices.announce(file, to)
      try {
        if (to !== file) {
          await files.renameToFree(`${path}/${file}`, `${path}/${to}`)
          this.#doubles.drop(file)
        }
        this.#ledger.put(edit, row, to)
        edit.setFlags(row, edit.flagSet(target.system, wordsOf(target.keywords | unnamed, names)))
        return to.slice(0, 3)
      } catch (error) {
        this.#folder.notices.retract(file, to)
        if (failedWith(error, 'EEXIST')) {
          this.#state.doubt()
          throw taken({ cause: error })
        }
        if (!failedWith(error, 'ENOENT') || tries > 5) throw error
        // Somebody gave it other flags, or took it away.
        this.#state.doubt()
        const now = await finder.find(base, file)
        if (now === undefined) return undefined
        this.#ledger.put(edit, row, now)
        target = changedFlags(parseInfo(infoIn(now)), change, names)
      }
    }
  }

  expunge(among, { always }, edit, signal) {
    return this.#change(edit, signal, async () => {
      const finder = new Finder(this.#folder)
      const gone = []
      const touched = new Set()
      try {
        for (const row of rowsOf(edit.rows, always ? among : edit.deleted(among))) {
          for (const name of await this.#unlinkAll(edit.rows.column(FILE)[row], finder)) touched.add(name)
          gone.push(edit.rows.uid[row])
        }
      } finally {
        for (const name of touched) await this.#folder.sync(name)
      }
      if (gone.length > 0) this.#ledger.remove(edit, gone)
      return { changed: gone.length > 0, value: undefined, touched }
    })
  }
  /** Removes a message, with all names of its file that are known; returns the folders that they were in. */
  async #unlinkAll(file, finder) {
    const { files, path } = this.#folder
    const others = this.#doubles.of(baseOf(file)).filter((other) => other !== file)
    const stat = others.length === 0 ? undefined : await files.lstat(`${path}/${file}`)
    const touched = [await this.#unlink(file, finder)]
    for (const other of others) {
      const more = await files.lstat(`${path}/${other}`)
      if (stat !== undefined && more !== undefined && isOneFile(stat, more)) touched.push(await this.#unlink(other, finder))
    }
    return touched
  }
  /** Removes a message wherever it is; returns the folder that it was in. */
  async #unlink(file, finder) {
    const { files, path, notices } = this.#folder
    for (let at = file, tries = 0; ; tries++) {
      notices.announce(at)
      try {
        await files.unlink(`${path}/${at}`)
        this.#doubles.drop(at)
        return at.slice(0, 3)
      } catch (error) {
        notices.retract(at)
        if (!failedWith(error, 'ENOENT') || tries > 5) throw error
        this.#state.doubt()
        const now = await finder.find(baseOf(file), at)
        if (now === undefined) return at.slice(0, 3)
        at = now
      }
    }
  }

  // ---- reading

  async *read(set, wants, rows, signal) {
    const folder = this.#folder
    const finder = new Finder(folder)
    const files = rows.column(FILE)
    const place = { open: (row) => openMessage(folder, files[row], finder), nameOf: (row) => files[row], pathOf: (row) => `${folder.path}/${files[row]}`, lane: this.#ctx.lane, sizes: this.#sizes }
    try {
      yield* readMessages(place, rowsOf(rows, set), wants, rows, signal)
    } catch (error) {
      throw fileFailure(error, folder.path)
    }
  }
  fill(set, edit, signal) {
    return this.#run(async () => {
      const { rows } = edit
      await this.#looking.fill(edit, [...rowsOf(rows, set)].filter((row) => rows.size[row] === UNKNOWN || rows.date[row] === UNKNOWN), signal)
    })
  }

  watch(changed) {
    const { files, path, notices } = this.#folder
    const watching = [notices.begin()]
    for (const folder of FOLDERS) {
      try {
        watching.push(
          files.watch(`${path}/${folder}`, (name) => {
            if (name === undefined || notices.hear(`${folder}/${name}`)) changed()
          }),
        )
      } catch {
        // No more notices to be had on this machine, or no such folder: core looks now and then.
      }
    }
    watching.push(this.#state.watch(changed))
    return {
      [Symbol.dispose]: () => {
        for (const one of watching.splice(0)) one[Symbol.dispose]()
      },
    }
  }
  async close() {
    // Nothing is held between calls.
  }
}
