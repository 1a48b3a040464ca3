import { createColumn, failedWith, fileFailure, uids, UNKNOWN } from 'mailwright/api'
import { dateOfTime, infoOf, MAX_KEYWORDS, parseName, sizesOf } from './file-name.js'
import { Folder, INCOMING, markOf } from './folder.js'
import { readMessages, sizeOf } from './reading.js'

/** Base of the file's name, which never changes. */
const BASE = createColumn('maildir.base', 'ref')
/** `cur/` or `new/`, and what follows the base. */
const WHERE = createColumn('maildir.where', 'ref')

const VERSION = 'maildir/1'
/** Times of a folder that changed so lately may stay what they are at the next change. */
const SUSPICIOUS_MS = 1000
const PARALLEL = 32

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
  #scanMs = 0

  constructor(place, ctx) {
    this.#ctx = ctx
    this.#folder = new Folder(place, ctx)
    this.traits = Object.freeze({ writable: true, uidsPersist: true, modseqs: 'numbered-by-core', facts: [], columns: [BASE, WHERE] })
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

  async #marks() {
    const { files, path } = this.#folder
    const [cur, fresh, list, keywords, incoming] = await Promise.all(['cur', 'new', 'dovecot-uidlist', 'dovecot-keywords', INCOMING].map((name) => files.stat(`${path}/${name}`)))
    if (cur === undefined || fresh === undefined) {
      // A folder that lacks one of them lost it to somebody who tidied up; a mailbox has at least the other.
      if (cur === undefined && fresh === undefined) throw Object.assign(new Error(`${path} is gone`), { code: 'ENOENT' })
    }
    const latest = Math.max(cur?.ctimeMs ?? 0, fresh?.ctimeMs ?? 0)
    return { folders: [markOf(cur), markOf(fresh)], list: list === undefined ? '' : `${list.inode}`, keywords: markOf(keywords), incoming: incoming !== undefined, latest }
  }
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
    // Listing takes its time: the more there is, the seldomer it is done for nothing.
    this.#verifyAt = settled ? Infinity : Math.max(now, marks.latest) + SUSPICIOUS_MS + 50 * this.#scanMs
    this.#state = { folders: marks.folders, list: marks.list, keywords: marks.keywords, settled }
    this.#stamp = edit.stamp = JSON.stringify([VERSION, this.#state])
  }
  async #look(edit, signal, force = false) {
    this.#attach(edit)
    const marks = await this.#marks()
    if (marks.incoming) await this.#folder.locked(signal, async () => undefined)
    const state = this.#state
    const same = state !== undefined && !marks.incoming && state.list === marks.list && state.keywords === marks.keywords && state.folders.every((mark, i) => mark === marks.folders[i])
    if (same && !force && this.#ctx.clock.now() < this.#verifyAt) return
    await this.#scan(edit, signal)
  }
  /** What both folders hold, by base. Of two names of one message the one in `cur` counts. */
  async #listing() {
    const { files, path } = this.#folder
    const found = new Map()
    for (const where of ['new', 'cur']) {
      try {
        for (const { name, kind } of await files.list(`${path}/${where}`)) {
          if (name.startsWith('.') || kind === 'directory') continue
          const parsed = parseName(name)
          found.set(parsed.base, { ...parsed, where: `${where}/${parsed.info}` })
        }
      } catch (error) {
        if (!failedWith(error, 'ENOENT')) throw error
      }
    }
    return found
  }
  async #scan(edit, signal) {
    const began = performance.now()
    const folder = this.#folder
    let marks = await this.#marks()
    let found = await this.#listing()
    for (let tries = 0; tries < 5; tries++) {
      const after = await this.#marks()
      const quiet = sameFolders(marks, after)
      marks = after
      if (quiet) break
      found = await this.#listing()
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
    const last = await this.#marks()
    this.#remember(edit, { ...marks, list: last.list, keywords: marks.keywords }, true)
  }
  /**
   * Looks again for files that seem to be gone. One that is renamed while its folder is listed may be in none of the lists, also within one tick of the clock.
   * `unless`: times of the folders at which they were listed; nothing is missed when they are still the same, and not of this moment.
   */
  async #lookAgain(found, bases, unless) {
    const missed = bases.filter((base) => !found.has(base))
    if (missed.length === 0) return
    let before = await this.#marks()
    if (unless !== undefined && sameFolders(unless, before) && before.latest < this.#ctx.clock.now() - SUSPICIOUS_MS) return
    for (let tries = 0; tries < 5; tries++) {
      const again = await this.#listing()
      for (const base of missed) if (!found.has(base) && again.has(base)) found.set(base, again.get(base))
      const after = await this.#marks()
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
    const before = (await this.#marks()).folders
    const known = this.#state?.folders.every((mark, i) => mark === before[i]) === true
    for (const row of rows) {
      signal.throwIfAborted()
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
    await this.#folder.sync('cur')
    await this.#after(edit, known)
  }
  /** The folders are as this change left them; unless somebody else had changed them before. */
  async #after(edit, known) {
    const lost = this.#verifyAt === 0
    const marks = await this.#marks()
    this.#remember(edit, marks, false)
    if (!known || lost) this.#verifyAt = 0
  }
  async #change(edit, signal, work) {
    return this.#run(async () => {
      signal.throwIfAborted()
      await this.#look(edit, signal)
      const before = (await this.#marks()).folders
      const known = this.#state?.folders.every((mark, i) => mark === before[i]) === true
      const done = await work()
      if (done.changed) await this.#after(edit, known)
      return done.value
    })
  }

  store(change, edit, signal) {
    return this.#change(edit, signal, async () => {
      const folder = this.#folder
      if (change.how !== 'remove' && change.keywords.length > 0) await folder.keywordBits(change.keywords, signal)
      const names = await folder.keywords()
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
      return { changed: changed.count > 0, value: refused }
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
        const now = (await this.#listing()).get(base)
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
              const now = (await this.#listing()).get(base)
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
      return { changed: gone.length > 0, value: undefined }
    })
  }

  // ---- reading

  async *read(set, wants, rows, signal) {
    try {
      yield* readMessages((row) => this.#open(rows, row), set, wants, rows, (_row, size) => size, signal)
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
      const now = (await this.#listing()).get(base)
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
    return { [Symbol.dispose]: () => watching.splice(0).forEach((one) => one[Symbol.dispose]()) }
  }
  async close() {
    // Nothing is held between calls.
  }
}

function sameFolders(some, others) {
  return some.folders.every((mark, i) => mark === others.folders[i])
}
/**
 * What came, by the list, before something that was found, and was not found itself: its number was given, and it came, after the folders were listed. It cannot be
 * put in later, because rows ascend.
 */
function passedOver(found, { uids }, after) {
  let last = after
  for (const base of found.keys()) last = Math.max(last, uids.get(base) ?? 0)
  return [...uids].filter(([base, uid]) => uid > after && uid < last && !found.has(base)).map(([base]) => base)
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
function wordsOf(bits, names) {
  return names.filter((name, place) => name !== '' && (bits & (1 << place)) !== 0)
}
function bitsOf(words, names) {
  return words.reduce((bits, word) => {
    const place = names.findIndex((name) => name.toLowerCase() === word.toLowerCase())
    return place === -1 ? bits : bits | (1 << place)
  }, 0)
}
/** The change, made to the flags that somebody else gave the message. */
function changedFlags(now, change, names) {
  const keywords = bitsOf(change.keywords, names)
  if (change.how === 'replace') return { system: change.system, keywords }
  if (change.how === 'add') return { system: now.system | change.system, keywords: now.keywords | keywords }
  return { system: now.system & ~change.system, keywords: now.keywords & ~keywords }
}
