import { failedWith, fileNameOctets, fileNameOf, MailError } from 'mailwright/api'
import { MAX_KEYWORDS } from './file-name.js'
import { bitsOf, placeOf } from './keywords.js'
import { withListLock } from './lock.js'
import { Notices } from './notices.js'
import { nextUidValidity, noteUidValidity } from './uid-validity.js'
import { headText, lineOf, lineText, parseEnds, parseLines, parseUidList, validityOf } from './uid-list.js'

const LIST = 'dovecot-uidlist'
const KEYWORDS = 'dovecot-keywords'
/** Names of a delivery of several messages that is on its way from `tmp` to `new`. */
export const INCOMING = 'mailwright-incoming'
/** One more would not fit into the head's next number. */
const MAX_UID = 0xfffffffe
/** Octets of the UID list that say what the next number is. */
const [HEAD, TAIL] = [1024, 4096]
/** A keyword as other programs can have it in `dovecot-keywords`. */
const KEYWORD = /^[\x21-\x7e]{1,100}$/

/** Files of one mailbox, as everybody shares them. Nothing is held between calls but what was read of unchanged files. */
export class Folder {
  #keywords
  constructor(place, ctx) {
    this.path = place.path
    this.place = place
    this.ctx = ctx
    this.files = ctx.files
    this.notices = new Notices()
  }
  get durable() {
    return this.ctx.mailbox.durability === 'full'
  }
  async sync(name) {
    if (this.durable) await this.files.syncDirectory(name === undefined ? this.path : `${this.path}/${name}`)
  }
  /** With the UID list locked. Deliveries that were interrupted are finished first. */
  locked(signal, work) {
    return withListLock(this.ctx, this.path, signal, async () => {
      await this.finishIncoming()
      return work()
    })
  }

  /**
   * The UID list, read whole; undefined: there is none, or none that can be read. `inode` and `mark`: of the file, whose inode is mostly another one when it was written
   * anew, and may be that of an earlier one; `end`: what `lineOf` says of the line of a number.
   */
  async list() {
    const found = await this.#read(LIST, undefined)
    const value = found === undefined ? undefined : parseUidList(found.text)
    return value === undefined ? undefined : { ...value, inode: found.inode, mark: found.mark, end: (uid) => lineOf(found.text, uid) }
  }
  /**
   * Lines behind those of the UID list that are known: it had this inode, and this line ended there (`from`). Undefined: it is another list than it was, and must be read
   * whole. A file that was written anew twice may have the inode of before, so its UIDVALIDITY and that line are looked at. `mark` and `end` as above.
   */
  async linesFrom({ inode, from, line }, validity) {
    if (from === undefined || line === undefined) return undefined
    return this.#withList({}, async (file) => {
      const stat = await file.stat()
      if (`${stat.inode}` !== inode || stat.size < from) return undefined
      const begin = from - fileNameOctets(line).length
      // The end of the line before, which the head has not.
      const before = begin > 0 ? 1 : 0
      const octets = Buffer.alloc(stat.size - begin + before)
      const read = octets.subarray(0, await file.read(octets, begin - before))
      const known = fileNameOctets(before === 0 ? line : `\n${line}`)
      if (!read.subarray(0, known.length).equals(known)) return undefined
      if (validityOf(before === 0 ? line : await headOf(file)) !== validity) return undefined
      const text = fileNameOf(read.subarray(known.length - 1))
      const end = (uid) => {
        const found = uid === 0 ? undefined : lineOf(text, uid)
        return found?.from === undefined ? { from, line } : { from: from - 1 + found.from, line: found.line }
      }
      return { ...parseLines(text.slice(1)), mark: markOf(stat), end }
    })
  }
  async #withList(how, work) {
    let file
    try {
      file = await this.files.open(`${this.path}/${LIST}`, how)
    } catch (error) {
      if (failedWith(error, 'ENOENT')) return undefined
      throw error
    }
    try {
      return await work(file)
    } finally {
      await file.close()
    }
  }
  /** Under the lock: the list that there is, or a new one, which begins with these numbers where they are given. `above`: a UIDVALIDITY that clients know, whatever the clock says. */
  async ownList({ above = 0, uidValidity, uidNext = 1 } = {}) {
    const there = await this.list()
    if (there !== undefined) return there
    if (uidValidity !== undefined) await noteUidValidity(this, uidValidity)
    const validity = uidValidity ?? (await nextUidValidity(this, above + 1))
    return this.writeList({ validity, next: uidNext, guid: Buffer.from(this.ctx.random(16)).toString('hex'), others: [], uids: new Map(), more: new Map() })
  }
  /** Under the lock: the whole list, replaced at once. */
  async writeList(list) {
    const lines = [...list.uids].sort((a, b) => a[1] - b[1]).map(([base, uid]) => lineText(uid, base, list.more.get(base)))
    await this.#replace(LIST, `${LIST}.mailwright`, headText(list) + lines.join(''))
    return this.list()
  }
  /**
   * Under the lock: numbers for messages, in this order. They are on the disk when it resolves, so that none is given twice. A number that is wished for is given when it
   * is above those of all lines, which may be of messages that are gone; otherwise the next that was never given, also to none of the rows (`known`), of which the
   * list may tell nothing after it came out of a backup. `before`: what the next would have been; `list`: its
   * `inode` and `mark`, and where it ends.
   */
  async number(bases, wishes = [], known = {}) {
    const added = await this.#withList({ write: true }, async (file) => {
      const { size } = await file.stat()
      const ends = await endsOf(file, size)
      return ends === undefined ? undefined : this.#append(file, size, ends, { bases, wishes, known })
    })
    if (added !== undefined) return added
    const list = await this.ownList()
    if (list.whole) {
      return this.#withList({ write: true }, async (file) => {
        const { size } = await file.stat()
        return this.#append(file, size, list, { bases, wishes, known })
      })
    }
    const { numbers, next } = this.#numbersFor({ bases, wishes, known }, list)
    const uids = new Map(list.uids)
    for (const [i, base] of bases.entries()) uids.set(base, numbers[i])
    const written = await this.writeList({ ...list, next, uids })
    return { numbers, before: list.next, validity: list.validity, list: { inode: written.inode, mark: written.mark, ...written.end(written.last) } }
  }
  async #isWrittenAnew() {
    try {
      const list = await this.list()
      if (list !== undefined) await this.writeList(list)
      return list !== undefined
    } catch {
      return false
    }
  }
  #numbersFor({ bases, wishes, known }, list) {
    let [last, next] = [list.last, known.uidValidity === list.validity ? Math.max(list.next, known.uidNext) : list.next]
    const numbers = bases.map((_, i) => {
      const uid = wishes[i] > last && wishes[i] <= MAX_UID ? wishes[i] : next
      if (uid > MAX_UID) throw new MailError('limit', `${this.path}: there are no more uids`)
      last = uid
      next = Math.max(next, uid + 1)
      return uid
    })
    return { numbers, next }
  }
  async #append(file, size, list, wanted) {
    const { numbers } = this.#numbersFor(wanted, list)
    const lines = wanted.bases.map((base, i) => lineText(numbers[i], base))
    const octets = fileNameOctets(lines.join(''))
    try {
      await file.write([octets], size)
    } catch (error) {
      // A piece of a line must not stay before the next one.
      await file.truncate(size).catch(() => undefined)
      throw error
    }
    try {
      if (this.durable) await file.sync()
    } catch (error) {
      // Somebody may have read whole lines: they stay, so that their numbers are not given once more, but only in a list that is on the disk.
      if (!(await this.#isWrittenAnew())) await file.truncate(size).catch(() => undefined)
      throw error
    }
    const stat = await file.stat()
    return { numbers, before: list.next, validity: list.validity, list: { inode: `${stat.inode}`, mark: markOf(stat), from: size + octets.length, line: lines.at(-1) } }
  }
  /** Under the lock: lines of messages that are gone are left out, when they are most of the list, which is returned then. `whichAreThere`: of bases, a map with those. */
  async tidy(whichAreThere) {
    const list = await this.list()
    if (list === undefined || list.uids.size < 200) return undefined
    const there = await whichAreThere([...list.uids.keys()])
    const uids = new Map([...list.uids].filter(([base]) => there.has(base)))
    return uids.size * 2 < list.uids.size ? this.writeList({ ...list, uids }) : undefined
  }

  /** Names of keywords by their letter; `''` where there is none. `mark`: that of the file's present state, where it is known. */
  async keywords(mark) {
    if (mark !== undefined && mark === (this.#keywords?.mark ?? '')) return this.#keywords?.value ?? []
    const text = await this.#read(KEYWORDS, this.#keywords?.mark)
    if (text === undefined) {
      this.#keywords = undefined
      return []
    }
    if (text.same) return this.#keywords.value
    const value = []
    for (const line of text.text.split('\n')) {
      const [, place, name] = /^(\d+) (.+)$/.exec(line) ?? []
      if (name !== undefined && Number(place) < MAX_KEYWORDS) value[Number(place)] = name
    }
    const names = Array.from(value, (name) => name ?? '')
    this.#keywords = { mark: text.mark, value: names }
    return names
  }
  /** Letters of keywords as bits; those that are new get one while there are some. Not under the lock. */
  async keywordBits(words, signal) {
    let names = await this.keywords()
    if (words.some((word) => placeOf(names, word) === -1) && names.filter((n) => n !== '').length < MAX_KEYWORDS && words.some((word) => placeOf(names, word) === -1 && KEYWORD.test(word))) {
      names = await this.locked(signal, async () => this.#define(words))
    }
    return bitsOf(words, names)
  }
  async #define(words) {
    const names = [...(await this.keywords())]
    for (const word of words) {
      if (placeOf(names, word) !== -1 || !KEYWORD.test(word)) continue
      const free = names.indexOf('')
      if (free !== -1) names[free] = word
      else if (names.length < MAX_KEYWORDS) names.push(word)
    }
    await this.#replace(KEYWORDS, `${KEYWORDS}.lock`, names.map((name, place) => (name === '' ? '' : `${place} ${name}\n`)).join(''))
    return this.keywords()
  }

  /** Ends a delivery of several messages that was interrupted: all of them arrive. */
  async finishIncoming() {
    const found = await this.#read(INCOMING, undefined)
    if (found === undefined) return
    const lines = found.text.split('\n')
    // The last line says that the ones before it are all.
    if (lines.at(-2) === 'end') {
      for (const line of lines.slice(0, -2)) {
        const [from, to] = line.split('\t')
        if (to !== undefined && (await this.files.stat(`${this.path}/tmp/${from}`)) !== undefined) await this.files.rename(`${this.path}/tmp/${from}`, `${this.path}/${to}`)
      }
      await this.sync('new')
    }
    await this.files.unlink(`${this.path}/${INCOMING}`)
    await this.sync()
  }
  async writeIncoming(pairs) {
    await this.#replace(INCOMING, `${INCOMING}.mailwright`, `${pairs.map(([from, to]) => `${from}\t${to}\n`).join('')}end\n`)
  }

  async #read(name, known) {
    let file
    try {
      file = await this.files.open(`${this.path}/${name}`)
    } catch (error) {
      if (failedWith(error, 'ENOENT')) return undefined
      throw error
    }
    try {
      const stat = await file.stat()
      const mark = markOf(stat)
      if (mark === known) return { same: true, mark }
      const octets = Buffer.alloc(stat.size)
      return { same: false, mark, inode: `${stat.inode}`, text: fileNameOf(octets.subarray(0, await file.read(octets, 0))) }
    } finally {
      await file.close()
    }
  }
  async #replace(name, temporary, text) {
    const path = `${this.path}/${temporary}`
    try {
      const file = await this.files.open(path, { write: true, create: 'if-missing', mode: this.place.fileMode })
      try {
        await file.truncate(0)
        await file.write([fileNameOctets(text)], 0)
        if (this.durable) await file.sync()
      } finally {
        await file.close()
      }
      await this.files.rename(path, `${this.path}/${name}`)
    } catch (error) {
      await this.files.unlink(path).catch(() => undefined)
      throw error
    }
    await this.sync()
  }
}

/** What the ends of a UID list say, read in one go where it is short. */
async function endsOf(file, size) {
  const tail = Buffer.alloc(Math.min(size, TAIL))
  const got = await file.read(tail, size - tail.length)
  if (got < tail.length) return undefined
  const text = fileNameOf(tail)
  return parseEnds(size <= TAIL ? text : await headOf(file), text)
}
async function headOf(file) {
  const head = Buffer.alloc(HEAD)
  return fileNameOf(head.subarray(0, await file.read(head, 0)))
}

/** Names one state of a file or folder, as far as times can. */
export function markOf(stat) {
  return stat === undefined ? '' : `${stat.inode}.${stat.size}.${stat.mtimeMs}.${stat.ctimeMs}`
}
