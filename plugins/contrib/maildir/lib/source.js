import { createColumn, failedWith, fileFailure, uids, UNKNOWN } from 'mailwright/api'
import { dateOfTime, infoOf, MAX_KEYWORDS, parseName, sizesOf } from './file-name.js'
import { Folder } from './folder.js'
import { bitsOf, changedFlags, wordsOf } from './keywords.js'
import { FOLDERS, folderMarks, listingOf, marksOf, passedOver, sameFolders, SUSPICIOUS_MS } from './listing.js'
import { readMessages, sizeOf } from './reading.js'

/** Base of the file's name, which never changes. */
const BASE = createColumn('maildir.base', 'ref')
/** `cur/` or `new/`, and what follows the base. */
const WHERE = createColumn('maildir.where', 'ref')

const VERSION = 'maildir/1'
const PARALLEL = 32
/** Messages of `new` that are listed with each delivery; there are more where nobody reads the mail. */
const FEW = 100

/**
 * A Maildir. What its folders hold is known from one look to the next by their times; a change of this process goes into the rows by itself. Because
 * somebody else may have renamed something in the same moment, the folders are listed once more a while after the last change, however many there were.
 */
export class MaildirSource {
  #folder
  #ctx
  /** Stamp under which the rows are true, and what it says. */
  #stamp
  #state
  /** When the folders are to be listed again though their times are those that are known. */
  #verifyAt = 0
  /** Who is to hear that it is time for that. */
  #watching = new Set()
  #verifying
  #scanMs = 0

  constructor(place, ctx) {
    this.#ctx = ctx
    this.#folder = new Folder(place, ctx)
    this.traits = Object.freeze({ writable: true, uidsPersist: true, modseqs: 'numbered-by-core', facts: [], columns: [BASE, WHERE] })
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
      await this.#look(edit, signal)
      if (claimRecent) await this.#claim(edit, signal)
    })
  }

  // ---- what the folders say

  #attach(edit) {
    if (edit.stamp !== undefined && edit.stamp === this.#stamp) return
    this.#state = decodeStamp(edit.stamp)
    this.#stamp = this.#state === undefined ? undefined : edit.stamp
    this.#verifyAt = this.#state?.settled === true ? Infinity : 0
  }
  /** `listed`: the folders were looked at; otherwise the times are those behind a change of ours, which somebody else's may have been beside. */
  #remember(edit, marks, listed) {
    const now = this.#ctx.clock.now()
    const settled = listed && marks.latest < now - SUSPICIOUS_MS
    // Listing takes its time: the more there is, the seldomer it is done for nothing. One change after the other does not put it off for ever.
    const soon = Math.max(now, marks.latest) + SUSPICIOUS_MS + 50 * this.#scanMs
    if (settled) this.#verify(Infinity)
    else if (listed || this.#verifyAt === Infinity) this.#verify(soon)
    this.#state = { folders: marks.folders, list: marks.list, keywords: marks.keywords, settled }
    this.#stamp = edit.stamp = JSON.stringify([VERSION, this.#state])
  }
  #verify(at) {
    this.#verifyAt = at
    this.#verifying?.[Symbol.dispose]()
    this.#verifying = undefined
    if (at === Infinity || this.#watching.size === 0) return
    this.#verifying = this.#ctx.clock.after(Math.max(0, at - this.#ctx.clock.now()), () => {
      for (const changed of this.#watching) changed()
    })
  }
  /** Whether the rows say what was there at these times. */
  #isAs(marks) {
    const state = this.#state
    return state !== undefined && !marks.incoming && state.list === marks.list && state.keywords === marks.keywords && sameFolders(state, marks)
  }
  /** Makes the rows true; returns the times at which they are, undefined when the folders were listed. */
  async #look(edit, signal) {
    this.#attach(edit)
    const marks = await marksOf(this.#folder)
    if (marks.incoming) await this.#folder.locked(signal, async () => undefined)
    if (this.#isAs(marks) && this.#ctx.clock.now() < this.#verifyAt) return marks
    await this.#scan(edit, signal)
    return undefined
  }
  async #scan(edit, signal) {
    const began = performance.now()
    const folder = this.#folder
    let marks = await marksOf(this.#folder)
    let found = await listingOf(this.#folder)
    for (let tries = 0; tries < 5; tries++) {
      const after = await marksOf(this.#folder)
      const quiet = sameFolders(marks, after)
      marks = after
      if (quiet) break
      found = await listingOf(this.#folder)
    }
    const bases = edit.rows.column(BASE).slice(0, edit.rows.length).filter((base) => base !== undefined)
    await this.#lookAgain(found, bases)
    const names = await folder.keywords()
    let list = await folder.list()
    if (list === undefined && marks.list !== '') {
      const text = `Mailbox ${folder.path}: dovecot-uidlist is damaged; messages get new UIDs`
      edit.notice('warning', text)
      this.#ctx.logger.warn('maildir.uid-list-damaged', { path: folder.path })
    }
    const known = new Set(list?.uids.keys() ?? [])
    if (list === undefined || [...found.keys()].some((base) => !known.has(base))) list = await this.#number(found, signal)
    await this.#lookAgain(found, passedOver(found, list, edit.rows.length === 0 ? 0 : edit.rows.uid[edit.rows.length - 1]), marks)
    for (const row of this.#take(edit, found, list, names)) {
      signal.throwIfAborted()
      await this.#fillOne(edit, row)
    }
    this.#scanMs = performance.now() - began
    const last = await marksOf(this.#folder)
    this.#remember(edit, { ...marks, list: last.list, keywords: marks.keywords }, true)
  }
  /**
   * Looks again for files that seem to be gone. One that is renamed while its folder is listed may be in none of the lists, also within one tick of the clock.
   * `unless`: times of the folders at which they were listed; nothing is missed when they are still the same, and not of this moment.
   */
  async #lookAgain(found, bases, unless) {
    const missed = bases.filter((base) => !found.has(base))
    if (missed.length === 0) return
    let before = await marksOf(this.#folder)
    if (unless !== undefined && sameFolders(unless, before) && before.latest < this.#ctx.clock.now() - SUSPICIOUS_MS) return
    for (let tries = 0; tries < 5; tries++) {
      const again = await listingOf(this.#folder)
      for (const base of missed) if (!found.has(base) && again.has(base)) found.set(base, again.get(base))
      const after = await marksOf(this.#folder)
      if (sameFolders(before, after) || missed.every((base) => found.has(base))) return
      before = after
    }
  }
  /** Gives numbers to what has none, in the order in which it came. */
  #number(found, signal) {
    const folder = this.#folder
    return folder.locked(signal, async () => {
      const list = await folder.ownList()
      const fresh = [...found.keys()].filter((base) => !list.uids.has(base)).sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10) || (a < b ? -1 : 1))
      // Somebody may have taken one away since it was listed; a number for it is lost, and no more.
      if (fresh.length > 0) {
        await folder.number(fresh)
        await folder.tidy((base) => found.has(base))
      }
      return folder.list()
    })
  }
  /** Makes the rows say what was found; returns those that were there and of which nothing is believed, neither size nor date. */
  #take(edit, found, list, names) {
    if (edit.uidValidity !== list.validity) {
      if (edit.uidValidity !== 0 || edit.rows.length > 0) edit.reset(list.validity)
      edit.uidValidity = list.validity
    }
    const arrived = [...found.values()].map((file) => ({ ...file, uid: list.uids.get(file.base) })).filter(({ uid }) => uid !== undefined).sort((a, b) => a.uid - b.uid)
    const last = edit.rows.length === 0 ? 0 : edit.rows.uid[edit.rows.length - 1]
    const contradicts = arrived.some(({ uid, base }) => {
      if (uid > last) return false
      const row = edit.rows.find(uid)
      return row === -1 || edit.rows.column(BASE)[row] !== base
    })
    if (contradicts) {
      edit.reset(list.validity)
      edit.uidValidity = list.validity
    }
    const trusted = this.#state !== undefined && !contradicts
    const had = edit.rows.length
    const byUid = new Map(arrived.map((file) => [file.uid, file]))
    const [gone, doubtful] = [[], []]
    for (let row = 0; row < had; row++) {
      const file = byUid.get(edit.rows.uid[row])
      if (file === undefined) gone.push(edit.rows.uid[row])
      else {
        this.#put(edit, row, file, list, names, trusted)
        if (!trusted) doubtful.push(row)
      }
    }
    edit.remove(uids.from(gone))
    const end = had === 0 ? 0 : edit.rows.uid[had - 1]
    for (const file of arrived) {
      if (file.uid <= end) continue
      const row = edit.add(file.uid, edit.flagSet(0, []), file.where.startsWith('new/'))
      edit.set(row, BASE, file.base)
      this.#put(edit, row, file, list, names, false)
    }
    edit.uidNext = Math.max(edit.uidNext, list.next)
    this.#publish(edit, names)
    return doubtful
  }
  #put(edit, row, file, list, names, trusted) {
    const { rows } = edit
    edit.setFlags(row, edit.flagSet(file.system, wordsOf(file.keywords, names)))
    const before = rows.column(WHERE)[row]
    // It was claimed by somebody else.
    if (trusted && before?.startsWith('new/') === true && !file.where.startsWith('new/')) edit.setRecent(row, false)
    edit.set(row, WHERE, file.where)
    if (trusted) return
    const size = sizesOf(file.base).size ?? list.sizes.get(file.base)
    edit.setSize(row, size ?? UNKNOWN)
  }
  #publish(edit, names) {
    edit.keywords(names.filter((name) => name !== ''), names.length < MAX_KEYWORDS || names.includes(''))
  }

  // ---- changes

  #pathOf(rows, row) {
    const where = rows.column(WHERE)[row] ?? ''
    return `${this.#folder.path}/${where.slice(0, 4)}${rows.column(BASE)[row] ?? ''}${where.slice(4)}`
  }
  /** Messages of `new` that this process takes, so that nobody else calls them recent. */
  async #claim(edit, signal) {
    const where = edit.rows.column(WHERE)
    const rows = []
    for (let row = 0; row < edit.rows.length; row++) if (where[row]?.startsWith('new/') === true) rows.push(row)
    if (rows.length === 0) return
    const before = await marksOf(this.#folder)
    const known = this.#isAs(before)
    const claim = async (row) => {
      const info = where[row].slice(4)
      const to = `cur/${info === '' ? ':2,' : info}`
      try {
        await this.#folder.files.rename(this.#pathOf(edit.rows, row), `${this.#folder.path}/cur/${edit.rows.column(BASE)[row]}${to.slice(4)}`)
        edit.set(row, WHERE, to)
      } catch (error) {
        if (!failedWith(error, 'ENOENT')) throw error
        edit.setRecent(row, false)
        this.#verifyAt = 0
      }
    }
    for (let at = 0; at < rows.length; at += PARALLEL) {
      signal.throwIfAborted()
      await Promise.all(rows.slice(at, at + PARALLEL).map(claim))
    }
    // Not synced: after a crash they are new once more, or not.
    await this.#after(edit, known, before, new Set(FOLDERS))
  }
  /** The folders are as this change left them; unless somebody else had changed them before, or one that it did not touch since. `before`: what else is as it was. */
  async #after(edit, known, before, touched) {
    const lost = this.#verifyAt === 0
    const marks = await folderMarks(this.#folder)
    const others = FOLDERS.some((name, i) => !touched.has(name) && marks.folders[i] !== before.folders[i])
    this.#remember(edit, { ...before, ...marks }, false)
    if (!known || lost || others) this.#verify(0)
  }
  async #change(edit, signal, work) {
    return this.#run(async () => {
      signal.throwIfAborted()
      const looked = await this.#look(edit, signal)
      const before = looked ?? (await marksOf(this.#folder))
      const known = looked !== undefined || this.#isAs(before)
      const done = await work(before)
      if (done.changed) await this.#after(edit, known, { ...before, ...done.marks }, done.touched)
      return done.value
    })
  }

  /** With the UID list locked, right before a delivery: the times at which the rows are true, so that what arrives can be added to them; otherwise undefined. */
  async trueAt(edit) {
    this.#attach(edit)
    const marks = await marksOf(this.#folder)
    return this.#isAs(marks) ? marks : undefined
  }
  /**
   * With the UID list still locked: adds rows of messages that are in `new` now. `before`: what `trueAt` said. Nothing is added when somebody else changed the folders
   * meanwhile, which the names in `new` tell, as long as they are few: the next look then finds all of it.
   */
  async arrived(edit, messages, before) {
    const [marks, names] = [await marksOf(this.#folder), await this.#folder.keywords(before.keywords)]
    if (marks.folders[0] !== before.folders[0]) return
    const where = edit.rows.column(WHERE)
    const unclaimed = new Set(messages.map(({ base }) => base))
    for (let row = 0; row < edit.rows.length; row++) if (where[row]?.startsWith('new/') === true) unclaimed.add(edit.rows.column(BASE)[row])
    if (unclaimed.size <= FEW) {
      const there = await listingOf(this.#folder, ['new'])
      if (there.size !== unclaimed.size || [...there.keys()].some((base) => !unclaimed.has(base))) return
    }
    for (const { uid, base, where: place, system, keywords, size, date } of messages) {
      const row = edit.add(uid, edit.flagSet(system, wordsOf(keywords, names)), true)
      edit.set(row, BASE, base)
      edit.set(row, WHERE, place)
      edit.setSize(row, size)
      edit.setDate(row, Math.floor(date.ms / 1000) * 1000, date.zone)
      edit.uidNext = Math.max(edit.uidNext, uid + 1)
    }
    const lost = this.#verifyAt === 0
    this.#remember(edit, { ...marks, keywords: before.keywords }, false)
    if (lost) this.#verify(0)
  }
  /** Names of messages and where the rows say that they are, in the same order; undefined when there is no row for one. */
  placesOf(messages, rows) {
    const found = messages.map(({ uid }) => rows.find(uid)).map((row) => ({ base: rows.column(BASE)[row], where: rows.column(WHERE)[row] }))
    return found.every(({ base, where }) => base !== undefined && where !== undefined) ? found : undefined
  }

  store(change, edit, signal) {
    return this.#change(edit, signal, async (before) => {
      const folder = this.#folder
      const defines = change.how !== 'remove' && change.keywords.length > 0
      if (defines) await folder.keywordBits(change.keywords, signal)
      const names = await folder.keywords(defines ? undefined : before.keywords)
      // What has no letter is not defined, and is left out.
      const keywords = change.keywords.filter((word) => names.some((name) => name.toLowerCase() === word.toLowerCase()))
      const { changed, refused } = edit.apply({ ...change, keywords })
      this.#publish(edit, names)
      const touched = new Set()
      try {
        for (let row = 0; row < edit.rows.length; row++) {
          if (!changed.has(edit.rows.uid[row])) continue
          const where = await this.#rename(edit, row, { ...change, keywords }, names)
          if (where !== undefined) touched.add(where)
        }
      } finally {
        for (const name of touched) await folder.sync(name)
      }
      const marks = defines ? { keywords: (await marksOf(folder)).keywords } : {}
      return { changed: changed.count > 0, value: refused, touched, marks }
    })
  }
  /** Gives the file the flags of the row; returns its folder, undefined when it is gone. */
  async #rename(edit, row, change, names) {
    const { files, path } = this.#folder
    const base = edit.rows.column(BASE)[row] ?? ''
    const set = edit.rows.flagSets[edit.rows.flags[row]]
    let target = { system: set?.system ?? 0, keywords: bitsOf(set?.keywords ?? [], names) }
    for (let tries = 0; ; tries++) {
      const where = edit.rows.column(WHERE)[row] ?? ''
      const old = parseName(`${base}${where.slice(4)}`)
      // Letters whose names nobody knows stay.
      const unnamed = old.keywords & ~bitsOf(names.filter((name) => name !== ''), names)
      const info = infoOf({ system: target.system, keywords: target.keywords | unnamed, other: old.other })
      const to = `${where.slice(0, 4)}${info}`
      try {
        if (to !== where) await files.rename(this.#pathOf(edit.rows, row), `${path}/${to.slice(0, 4)}${base}${info}`)
        edit.set(row, WHERE, to)
        edit.setFlags(row, edit.flagSet(target.system, wordsOf(target.keywords | unnamed, names)))
        return to.slice(0, 3)
      } catch (error) {
        if (!failedWith(error, 'ENOENT') || tries > 5) throw error
        // Somebody gave it other flags, or took it away.
        const now = (await listingOf(this.#folder)).get(base)
        this.#verifyAt = 0
        if (now === undefined) return undefined
        edit.set(row, WHERE, now.where)
        target = changedFlags(now, change, names)
      }
    }
  }

  expunge(among, { always }, edit, signal) {
    return this.#change(edit, signal, async () => {
      const doomed = always ? among : edit.deleted(among)
      const gone = []
      const touched = new Set()
      const { files, path } = this.#folder
      try {
        for (let row = 0; row < edit.rows.length; row++) {
          const uid = edit.rows.uid[row]
          if (!doomed.has(uid)) continue
          let file = this.#pathOf(edit.rows, row)
          for (let tries = 0; ; tries++) {
            try {
              await files.unlink(file)
              break
            } catch (error) {
              if (!failedWith(error, 'ENOENT') || tries > 5) throw error
              const base = edit.rows.column(BASE)[row]
              const now = (await listingOf(this.#folder)).get(base)
              this.#verifyAt = 0
              if (now === undefined) break
              file = `${path}/${now.where.slice(0, 4)}${base}${now.info}`
            }
          }
          touched.add(edit.rows.column(WHERE)[row]?.slice(0, 3) ?? 'cur')
          gone.push(uid)
        }
      } finally {
        for (const name of touched) await this.#folder.sync(name)
      }
      edit.remove(uids.from(gone))
      return { changed: gone.length > 0, value: undefined, touched, marks: {} }
    })
  }

  // ---- reading

  async *read(set, wants, rows, signal) {
    try {
      yield* readMessages({ open: (row) => this.#open(rows, row), pathOf: (row) => this.#pathOf(rows, row), lane: this.#ctx.lane }, set, wants, rows, signal)
    } catch (error) {
      throw fileFailure(error, this.#folder.path)
    }
  }
  /** The file of a message, which may have been renamed since; undefined when it is gone. */
  async #open(rows, row) {
    const { files, path } = this.#folder
    const base = rows.column(BASE)[row]
    let file = this.#pathOf(rows, row)
    for (let tries = 0; tries < 5; tries++) {
      try {
        return await files.open(file, { keepAccessTime: true })
      } catch (error) {
        if (!failedWith(error, 'ENOENT')) throw error
      }
      const now = (await listingOf(this.#folder)).get(base)
      if (now === undefined) return undefined
      file = `${path}/${now.where.slice(0, 4)}${base}${now.info}`
    }
    return undefined
  }
  fill(set, edit, signal) {
    return this.#run(async () => {
      const { rows } = edit
      const wanted = []
      for (let row = 0; row < rows.length; row++) if (set.has(rows.uid[row]) && (rows.size[row] === UNKNOWN || rows.date[row] === UNKNOWN)) wanted.push(row)
      for (let at = 0; at < wanted.length; at += PARALLEL) {
        signal.throwIfAborted()
        await Promise.all(wanted.slice(at, at + PARALLEL).map((row) => this.#fillOne(edit, row)))
      }
    })
  }
  async #fillOne(edit, row) {
    const { files } = this.#folder
    let stat = rows(edit).size[row] === UNKNOWN ? undefined : await files.stat(this.#pathOf(edit.rows, row))
    if (stat === undefined) {
      const file = await this.#open(edit.rows, row)
      if (file !== undefined) {
        try {
          stat = await file.stat()
          if (rows(edit).size[row] === UNKNOWN) edit.setSize(row, await sizeOf(file))
        } finally {
          await file.close()
        }
      }
    }
    const { ms, zone } = dateOfTime(stat?.mtimeMs ?? 0)
    edit.setDate(row, ms, zone)
    if (rows(edit).size[row] === UNKNOWN) edit.setSize(row, 0)
  }

  watch(changed) {
    const { files, path } = this.#folder
    const watching = []
    try {
      for (const name of ['new', 'cur']) watching.push(files.watch(`${path}/${name}`, () => changed()))
    } catch (error) {
      for (const one of watching) one[Symbol.dispose]()
      throw error
    }
    const late = () => changed()
    this.#watching.add(late)
    if (Number.isFinite(this.#verifyAt) && this.#verifyAt > 0) this.#verify(this.#verifyAt)
    return {
      [Symbol.dispose]: () => {
        this.#watching.delete(late)
        if (this.#watching.size === 0) this.#verifying?.[Symbol.dispose]()
        for (const one of watching.splice(0)) one[Symbol.dispose]()
      },
    }
  }
  async close() {
    // Nothing is held between calls.
  }
}

function rows(edit) {
  return edit.rows
}
function decodeStamp(stamp) {
  if (stamp === undefined) return undefined
  try {
    const [version, state] = JSON.parse(stamp)
    return version === VERSION ? state : undefined
  } catch {
    return undefined
  }
}
