import { isNew } from './columns.js'

/** Names that are kept at most; more are as none, because the folder is listed then. */
const MANY = 64

/**
 * What the kernel tells of `cur` and `new` while somebody watches them: which files of `cur` others changed, so that one change can be followed without listing. It tells
 * of changes of this process too, which are announced here before they are made. Notices may be late or wanting: what they say is looked at, and the folder is listed once more later.
 */
export class Notices {
  #watchers = 0
  /** By file: how many notices of changes of our own are still to come. */
  #own = new Map()
  #heard = new Set()
  /** Until disposed of somebody watches. */
  begin() {
    this.#watchers++
    return {
      [Symbol.dispose]: () => {
        this.#watchers--
        if (this.#watchers === 0) this.forget()
      },
    }
  }
  /** Files that this process is about to give or to take a name. */
  announce(...files) {
    if (this.#watchers === 0) return
    for (const file of files) this.#own.set(file, (this.#own.get(file) ?? 0) + 1)
  }
  /** What was announced did not come about. */
  retract(...files) {
    for (const file of files) this.#isOwn(file)
  }
  /** Whether a notice tells of a change of somebody else. */
  hear(file) {
    if (this.#isOwn(file)) return false
    // Few are in `new`, which is listed.
    if (!isNew(file)) this.#heard.add(file)
    return true
  }
  /** Whether a change of this process to this file is still to be told, which it is once less then. */
  #isOwn(file) {
    const left = this.#own.get(file) ?? 0
    if (left > 1) this.#own.set(file, left - 1)
    else this.#own.delete(file)
    return left > 0
  }
  /** Files of which others' notices told since the last time; undefined: none, or too many. */
  take() {
    const heard = this.#heard
    this.#heard = new Set()
    return heard.size === 0 || heard.size > MANY ? undefined : [...heard]
  }
  /** The folders were listed: nothing that is still to be told is news. */
  forget() {
    this.#own.clear()
    this.#heard.clear()
  }
}
