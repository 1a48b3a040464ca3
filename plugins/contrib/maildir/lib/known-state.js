import { FOLDERS, SUSPICIOUS_MS } from './listing.js'

const VERSION = 'maildir/3'
/** Listing for nothing takes at most so much of the time: one part of so many. */
const SELDOM = 50

/**
 * What is known of the files of a mailbox from one look to the next: the times of its folders, and where the part of the UID list ends that the rows have. A
 * folder that changed a moment ago, or was changed by this process, may have been changed by somebody else at the same time: it is not settled, and is due to be listed once more a
 * while later, however many changes there were.
 */
export class KnownState {
  #clock
  /** Stamp under which the rows are true, and what it says. */
  #stamp
  #state
  /** By folder: when it is to be listed again though its times are those that are known. */
  #due = [0, 0]
  /** By folder: the time at which that was said; before it the clock was set back, and says nothing. */
  #said = [0, 0]
  /** By folder: how long it took (ms). */
  #took = [0, 0]
  /** Who is to hear that it is time for that. */
  #watching = new Set()
  #timer

  constructor(clock) {
    this.#clock = clock
  }
  /** Whether the rows are those of which this speaks; if not, it does from now on, as far as their stamp says something. */
  attach(edit) {
    if (edit.stamp !== undefined && edit.stamp === this.#stamp) return true
    this.#state = decodeStamp(edit.stamp)
    this.#stamp = this.#state === undefined ? undefined : edit.stamp
    this.#due = FOLDERS.map((_, place) => (this.#state?.settled[place] === true ? Infinity : 0))
    return false
  }
  /** Undefined: nothing is known, and nothing of the rows is to be believed. */
  get now() {
    return this.#state
  }
  /** Whether the rows say what was there at these times. */
  isAs(marks) {
    return this.#isListAs(marks) && !marks.incoming && FOLDERS.every((_, place) => this.#state.folders[place] === marks.folders[place])
  }
  /** Whether nobody else touched the UID list, as far as times tell; if somebody did, its inode may still be the same. */
  isListUntouched({ list }) {
    return this.#state.list.mark === list.mark
  }
  #isListAs({ list, keywords }) {
    return this.#state !== undefined && this.#state.list.inode === list.inode && this.#state.keywords === keywords
  }
  /** Folders that changed by their times, and those that are to be listed whatever else tells of them; undefined: everything is to be read. */
  plan(marks) {
    if (!this.#isListAs(marks)) return undefined
    const places = FOLDERS.map((_, place) => place)
    const changed = places.filter((place) => this.#state.folders[place] !== marks.folders[place])
    const now = this.#clock.now()
    return { changed, due: places.filter((place) => this.#due[place] <= now || (this.#due[place] !== Infinity && now < this.#said[place])) }
  }
  /**
   * The rows are true now. `marks`: times of the folders, and of what else is given; of `list` (`inode`, `mark`, and the last line that the rows have, which ends at `from`) some of it may be. `listed`: folders that were listed, which began at `at` and took `tookMs`; `touched`:
   * those that this process changed. Of others everything stays as it was. `again`: when (ms) the listed ones are to be listed once more, whatever their times say.
   */
  remember(edit, marks, { listed = [], touched = [], at = 0, tookMs = 0, again = Infinity }) {
    const now = this.#clock.now()
    const { folders = ['', ''], settled = [false, false], list = {}, keywords = '' } = this.#state ?? {}
    const next = { folders: [...folders], settled: [...settled], list: { ...list, ...marks.list }, keywords: marks.keywords ?? keywords }
    for (const place of new Set([...listed, ...touched])) {
      const isListed = listed.includes(place)
      if (isListed) this.#took[place] = tookMs
      next.folders[place] = marks.folders[place]
      next.settled[place] = isListed && again === Infinity && marks.times[place] < at - SUSPICIOUS_MS
      // The longer listing takes, the seldomer it is done for nothing. One change after the other does not put it off for ever.
      if (next.settled[place]) this.#due[place] = Infinity
      else if (isListed || this.#due[place] === Infinity) [this.#due[place], this.#said[place]] = [Math.min(again, Math.max(now, marks.times[place]) + SUSPICIOUS_MS + SELDOM * this.#took[place]), now]
    }
    this.#state = next
    this.#stamp = edit.stamp = JSON.stringify([VERSION, next])
    this.#wake()
  }
  /** The folders are to be listed at the next look: somebody changed them in the meantime. */
  doubt(places = [0, 1]) {
    for (const place of places) this.#due[place] = 0
  }
  /** Calls back when a folder is due. */
  watch(changed) {
    const late = () => changed()
    this.#watching.add(late)
    this.#wake()
    return {
      [Symbol.dispose]: () => {
        this.#watching.delete(late)
        if (this.#watching.size === 0) this.#timer?.[Symbol.dispose]()
      },
    }
  }
  #wake() {
    this.#timer?.[Symbol.dispose]()
    this.#timer = undefined
    const due = Math.min(...this.#due)
    // What is due already is looked at with the next command.
    if (due === Infinity || due <= 0 || this.#watching.size === 0) return
    this.#timer = this.#clock.after(Math.max(0, due - this.#clock.now()), () => {
      for (const changed of this.#watching) changed()
    })
  }
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
