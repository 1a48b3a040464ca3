import { UNKNOWN } from 'mailwright/api'
import { baseOf, FILE, infoIn, isNew } from './columns.js'
import * as digestTask from './digest-task.js'
import { doubledIn, firstOf, settleDoubles } from './doubles.js'
import { MAX_KEYWORDS, parseInfo, sizesOf } from './file-name.js'
import { fillOne } from './filling.js'
import { wordsOf } from './keywords.js'
import { byBase, CUR, Finder, folderMarks, FOLDERS, lookAgain, marksOf, NEW, passedOver, quietListing, stillThere } from './listing.js'
import { sortFiles } from './sorting.js'

/** Messages that are looked at side by side. */
export const PARALLEL = 32

/**
 * Makes the rows of a mailbox true. What its folders hold is known from one look to the next by their times. A folder that changed is listed, and compared with the
 * rows, unless the kernel told which files; one that is only due to be listed once more is compared by a digest of its names. Everything is read anew where nothing is known, or the UID list or the keywords are others.
 */
export class Looking {
  #folder
  #ctx
  #state
  #ledger
  #doubles
  constructor(folder, ctx, state, ledger, doubles) {
    this.#folder = folder
    this.#ctx = ctx
    this.#state = state
    this.#ledger = ledger
    this.#doubles = doubles
  }
  /** Sizes and dates of rows, as far as they are not known. */
  async fill(edit, rows, signal) {
    const finder = new Finder(this.#folder)
    for (let at = 0; at < rows.length; at += PARALLEL) {
      signal.throwIfAborted()
      const some = rows.slice(at, at + PARALLEL)
      const there = await Promise.all(some.map((row) => fillOne(this.#folder, edit, row, finder)))
      this.#guess(some.filter((_, i) => !there[i]).map((row) => edit.rows.uid[row]))
    }
  }
  /** Makes the rows true; returns the times at which they are, undefined when something was read for it. */
  async look(edit, signal) {
    if (!this.#state.attach(edit)) this.#ledger.begin(edit.rows)
    let marks = await marksOf(this.#folder)
    if (marks.incoming) {
      await this.#folder.locked(signal, async () => undefined)
      marks = await marksOf(this.#folder)
    }
    const plan = this.#state.plan(marks)
    const heard = this.#folder.notices.take()
    if (plan === undefined || !(await this.#isListContinued(edit, marks))) {
      await this.#readAll(edit, signal)
      return undefined
    }
    const { due } = plan
    const changed = new Set(plan.changed)
    if (heard !== undefined && !due.includes(CUR)) {
      // What was told and cannot be followed is there to be found, though no time may tell.
      if (await this.#follow(edit, heard, changed.has(CUR))) changed.delete(CUR)
      else changed.add(CUR)
    }
    if (changed.size > 0) await this.#list(edit, [...new Set([...changed, ...due])], signal)
    else if (due.length > 0) await this.#verify(edit, due, marks, signal)
    else return heard === undefined ? marks : undefined
    return undefined
  }
  /** Whether the UID list is the one that the rows have, with more lines behind it at most. */
  async #isListContinued(edit, marks) {
    if (this.#state.isListUntouched(marks)) return true
    const lines = await this.#folder.linesFrom(this.#state.now.list, edit.uidValidity)
    if (lines === undefined) return false
    this.#state.remember(edit, { list: { mark: lines.mark } }, {})
    return true
  }
  /**
   * Follows changes in `cur` that the kernel told of by name, so that it need not be listed. False, and nothing was done: something came, or is gone, or what was told does
   * not say why the folder has another time. What was not told is found when the folder is listed once more, since after this it is not settled.
   */
  async #follow(edit, heard, isChanged) {
    const { files, path } = this.#folder
    const { rows } = edit
    const here = rows.column(FILE)
    const known = this.#ledger.bases(rows)
    const isThere = async (file) => (await files.stat(`${path}/${file}`)) !== undefined
    const told = new Map()
    for (const file of heard) {
      const uid = known.get(baseOf(file))
      if (uid !== undefined) told.set(uid, [...(told.get(uid) ?? []), file])
      else if (await isThere(file)) return false
    }
    const renamed = []
    for (const [uid, names] of told) {
      const row = rows.find(uid)
      if (await isThere(here[row])) continue
      let now
      for (const file of names) if (now === undefined && (await isThere(file))) now = file
      if (now === undefined) return false
      renamed.push([row, now])
    }
    if (renamed.length === 0) return !isChanged
    const flagsOf = flagsBy(edit, await this.#folder.keywords(this.#state.now.keywords))
    for (const [row, file] of renamed) this.#rename(edit, row, file, flagsOf)
    this.#state.remember(edit, await folderMarks(this.#folder), { touched: [CUR] })
    return true
  }
  /** Lists folders whose times are known, for what may have changed beside a change of ours. Mostly that is nothing. */
  async #verify(edit, places, marks, signal) {
    const [at, began] = [this.#ctx.clock.now(), performance.now()]
    this.#folder.notices.forget()
    const found = await this.#ctx.lane.run(digestTask, { path: this.#folder.path, folders: places.map((place) => FOLDERS[place]) })
    const tookMs = performance.now() - began
    const after = await folderMarks(this.#folder)
    const isQuiet = places.every((place) => after.folders[place] === marks.folders[place])
    if (isQuiet && found === this.#ledger.digest(edit.rows, places)) this.#state.remember(edit, { folders: after.folders, times: after.times }, { listed: places, at, tookMs })
    else await this.#list(edit, places, signal)
  }

  // ---- some folders

  async #list(edit, places, signal) {
    const [at, began] = [this.#ctx.clock.now(), performance.now()]
    if (places.includes(CUR)) this.#folder.notices.forget()
    const { marks, found, again } = await this.#sorted(edit, places, signal)
    if (found === undefined) return this.#readAll(edit, signal)
    const names = await this.#folder.keywords(marks.keywords)
    const flagsOf = flagsBy(edit, names)
    const { arrived } = found
    const missed = this.#rearrange(edit, found, places, flagsOf)
    if (missed.length > 0) await this.#lost(edit, missed, flagsOf)
    const lines = arrived.size === 0 ? undefined : await this.#numbered(edit, arrived, marks, signal)
    if (arrived.size > 0 && lines === undefined) return this.#readAll(edit, signal)
    if (lines !== undefined) this.#add(edit, sorted(arrived, lines.uids), lines, flagsOf)
    this.#ledger.forgetGuesses(edit)
    this.#state.remember(edit, { folders: marks.folders, times: marks.times, ...(lines && { list: { mark: lines.mark, ...lines.end(lastUid(edit.rows)) } }) }, { listed: places, at, tookMs: performance.now() - began, again })
  }
  /** What the folders hold, with one name of each message where that can be; `found` is undefined where everything is to be read. */
  async #sorted(edit, places, signal) {
    let { marks, files } = await quietListing(this.#folder, places)
    if (this.#state.plan(marks) === undefined) return {}
    let found = sortFiles(edit.rows, this.#ledger.bases(edit.rows), files, places)
    let again = Infinity
    if (found.doubled.size > 0) {
      const kept = new Map([...found.doubled.keys()].map((base) => [base, this.#fileOf(edit, base)]))
      const settled = await settleDoubles(this.#folder, found.doubled, kept, signal)
      again = settled.again
      if (settled.isChanged) ({ marks, files } = await quietListing(this.#folder, places))
      if (this.#state.plan(marks) === undefined) return {}
      found = sortFiles(edit.rows, this.#ledger.bases(edit.rows), files.filter((file) => !settled.gone.has(file)), places, settled.gone)
    }
    this.#doubles.put(places.map((place) => FOLDERS[place]), found.doubled)
    return { marks, found, again }
  }
  /** The file of the row of a base; undefined where it has none. */
  #fileOf({ rows }, base) {
    const uid = this.#ledger.bases(rows).get(base)
    return uid === undefined ? undefined : rows.column(FILE)[rows.find(uid)]
  }
  /** Gives rows the names that their files have now; returns those whose files are in none of these folders. */
  #rearrange(edit, { renamed, seen }, places, flagsOf) {
    const { rows } = edit
    const here = rows.column(FILE)
    for (const [row, file] of renamed) this.#rename(edit, row, file, flagsOf)
    const missed = []
    if (places.includes(CUR)) {
      for (let row = 0; row < seen.length; row++) if (seen[row] === 0 && places.includes(isNew(here[row]) ? NEW : CUR)) missed.push(row)
    } else {
      missed.push(...this.#ledger.fresh(rows).filter((row) => seen[row] === 0))
    }
    return missed
  }
  #rename(edit, row, file, flagsOf) {
    // It was claimed by somebody else.
    if (isNew(edit.rows.column(FILE)[row] ?? file) && !isNew(file)) edit.setRecent(row, false)
    this.#ledger.put(edit, row, file)
    edit.setFlags(row, flagsOf(file))
  }
  /** Rows whose files seem to be gone: they are somewhere else, or are taken out. */
  async #lost(edit, missed, flagsOf) {
    const files = edit.rows.column(FILE)
    const found = new Map()
    await lookAgain(this.#folder, found, missed.map((row) => baseOf(files[row])))
    const gone = []
    for (const row of missed) {
      const file = found.get(baseOf(files[row]))
      if (file === undefined) gone.push(edit.rows.uid[row])
      else if (file !== files[row]) this.#rename(edit, row, file, flagsOf)
    }
    if (gone.length > 0) this.#ledger.remove(edit, gone)
  }
  /** Lines of the UID list in which all that arrived has its number, by which it can be added; undefined: the list must be read whole. */
  async #numbered(edit, arrived, marks, signal) {
    const folder = this.#folder
    const known = this.#state.now.list
    const linesNow = () => folder.linesFrom(known, edit.uidValidity)
    let lines = await linesNow()
    if (lines === undefined) return undefined
    if ([...arrived.keys()].some((base) => !lines.uids.has(base))) {
      lines = await folder.locked(signal, async () => {
        const now = await linesNow()
        const bare = now === undefined ? [] : inOrder([...arrived.keys()].filter((base) => !now.uids.has(base)))
        // Somebody may have taken one away since it was listed; a number for it is lost, and no more.
        if (bare.length > 0) await folder.number(bare, [], edit)
        return linesNow()
      })
      if (lines === undefined || [...arrived.keys()].some((base) => !lines.uids.has(base))) return undefined
    }
    const last = lastUid(edit.rows)
    await lookAgain(folder, arrived, passedOver(arrived, lines.uids, last), marks, this.#ctx.clock.now())
    return [...arrived.keys()].every((base) => lines.uids.get(base) > last) ? lines : undefined
  }
  #add(edit, files, lines, flagsOf) {
    for (const [base, file] of files) {
      const row = edit.add(lines.uids.get(base), flagsOf(file), isNew(file))
      this.#ledger.put(edit, row, file)
      edit.setSize(row, sizesOf(base).size ?? lines.sizes.get(base) ?? UNKNOWN)
    }
    edit.uidNext = Math.max(edit.uidNext, lines.last + 1)
  }

  // ---- everything

  async #readAll(edit, signal) {
    const [at, began] = [this.#ctx.clock.now(), performance.now()]
    const folder = this.#folder
    folder.notices.forget()
    const { marks, found, again } = await this.#foundIn(edit, signal)
    await lookAgain(folder, found, filesIn(edit.rows).map(baseOf))
    const names = await folder.keywords()
    let list = await folder.list()
    if (list === undefined && marks.list.inode !== '') {
      const text = `Mailbox ${folder.path}: dovecot-uidlist is damaged; messages get new UIDs`
      edit.notice('warning', text)
      this.#ctx.logger.warn('maildir.uid-list-damaged', { path: folder.path })
    }
    if (list === undefined || [...found.keys()].some((base) => !list.uids.has(base))) list = await this.#numberAll(edit, found, signal)
    await lookAgain(folder, found, passedOver(found, list.uids, lastUid(edit.rows)), marks, this.#ctx.clock.now())
    const doubtful = this.#takeAll(edit, found, list, names)
    this.#ledger.forgetGuesses(edit)
    const guessed = []
    for (const row of doubtful) {
      signal.throwIfAborted()
      if (!(await fillOne(folder, edit, row))) guessed.push(edit.rows.uid[row])
    }
    this.#state.remember(edit, { folders: marks.folders, times: marks.times, keywords: marks.keywords, list: { inode: list.inode, mark: list.mark, ...(list.whole ? list.end(lastUid(edit.rows)) : { from: undefined, line: undefined }) } }, { listed: [CUR, NEW], at, tookMs: performance.now() - began, again })
    this.#guess(guessed)
  }
  /** Messages that were gone when their sizes were asked for: the folders are looked at once more. */
  #guess(uids) {
    if (uids.length === 0) return
    for (const uid of uids) this.#ledger.guess(uid)
    this.#state.doubt()
  }
  /** What both folders hold, by base, with one name of each message where that can be. */
  async #foundIn(edit, signal) {
    const folder = this.#folder
    let { marks, files } = await quietListing(folder, [CUR, NEW])
    let found = byBase(files)
    let again = Infinity
    if (found.size < files.length) {
      const doubled = doubledIn(files)
      const kept = new Map(filesIn(edit.rows).map((file) => [baseOf(file), file]))
      const settled = await settleDoubles(folder, doubled, kept, signal)
      again = settled.again
      if (settled.isChanged) ({ marks, files } = await quietListing(folder, [CUR, NEW]))
      files = files.filter((file) => !settled.gone.has(file))
      found = byBase(files)
      const left = doubledIn(files)
      for (const [base, names] of left) found.set(base, names.includes(kept.get(base)) ? kept.get(base) : names.reduce(firstOf))
      this.#doubles.put(FOLDERS, left)
    } else this.#doubles.put(FOLDERS, new Map())
    return { marks, found, again }
  }
  /** Gives numbers to what has none, in the order in which it came. */
  #numberAll(edit, found, signal) {
    const folder = this.#folder
    return folder.locked(signal, async () => {
      const list = await folder.ownList({ above: edit.uidValidity })
      const bare = inOrder([...found.keys()].filter((base) => !list.uids.has(base)))
      // Somebody may have taken one away since it was listed; a number for it is lost, and no more.
      if (bare.length > 0) {
        await folder.number(bare, [], edit)
        await folder.tidy((bases) => stillThere(folder, found, bases))
      }
      return folder.list()
    })
  }
  /** Makes the rows say what was found; returns those that were there and of which nothing is believed, neither size nor date. */
  #takeAll(edit, found, list, names) {
    if (edit.uidValidity !== list.validity) {
      if (edit.uidValidity !== 0 || edit.rows.length > 0) edit.reset(list.validity)
      edit.uidValidity = list.validity
    }
    const files = sorted(found, list.uids)
    const last = lastUid(edit.rows)
    const contradicts = files.some(([base, file]) => {
      const uid = list.uids.get(base)
      if (uid > last) return false
      const row = edit.rows.find(uid)
      // Rows of an earlier version say no file.
      return row === -1 || baseOf(edit.rows.column(FILE)[row] ?? file) !== base
    })
    if (contradicts) {
      edit.reset(list.validity)
      edit.uidValidity = list.validity
    }
    this.#ledger.begin(edit.rows)
    const trusted = this.#state.now !== undefined && !contradicts
    const flagsOf = flagsBy(edit, names)
    const had = edit.rows.length
    const byUid = new Map(files.map(([base, file]) => [list.uids.get(base), file]))
    const [gone, doubtful] = [[], []]
    for (let row = 0; row < had; row++) {
      const uid = edit.rows.uid[row]
      const file = byUid.get(uid)
      if (file === undefined) gone.push(uid)
      else {
        this.#rename(edit, row, file, flagsOf)
        if (trusted) continue
        edit.setSize(row, sizesOf(baseOf(file)).size ?? list.sizes.get(baseOf(file)) ?? UNKNOWN)
        doubtful.push(row)
      }
    }
    if (gone.length > 0) this.#ledger.remove(edit, gone)
    const end = had === 0 ? 0 : edit.rows.uid[had - 1]
    this.#add(edit, files.filter(([base]) => list.uids.get(base) > end), list, flagsOf)
    edit.uidNext = Math.max(edit.uidNext, list.next)
    publish(edit, names)
    return doubtful
  }
}

/** Which keywords there are, and whether more can be made. */
export function publish(edit, names) {
  edit.keywords(names.filter((name) => name !== ''), names.length < MAX_KEYWORDS || names.includes(''))
}
/** Flags of files; few combinations are those of many. */
function flagsBy(edit, names) {
  const known = new Map()
  return (file) => {
    const info = infoIn(file)
    let flags = known.get(info)
    if (flags === undefined) {
      const { system, keywords } = parseInfo(info)
      flags = edit.flagSet(system, wordsOf(keywords, names))
      known.set(info, flags)
    }
    return flags
  }
}
function lastUid(rows) {
  return rows.length === 0 ? 0 : rows.uid[rows.length - 1]
}
/** Where the rows say that their messages are; rows of an earlier version say nothing. */
function filesIn(rows) {
  return rows.column(FILE).slice(0, rows.length).filter((file) => file !== undefined)
}
/** Bases in the order in which their messages came: names begin with the time. */
function inOrder(bases) {
  return bases.sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10) || (a < b ? -1 : 1))
}
/** Files that have numbers, in their order. */
function sorted(found, numbers) {
  return [...found].filter(([base]) => numbers.has(base)).sort(([a], [b]) => numbers.get(a) - numbers.get(b))
}
