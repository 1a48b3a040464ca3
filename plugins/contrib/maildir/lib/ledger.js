import { uids, UNKNOWN } from 'mailwright/api'
import { baseOf, FILE, isNew } from './columns.js'
import { FOLDERS } from './listing.js'
import { NameDigest } from './name-digest.js'

/** Files of the rows, so that what is wanted of them is found without going through all: which are in `new`, and which row a base is of. */
export class Ledger {
  #fresh = new Set()
  /** Messages that were gone when their sizes were asked for. */
  #guessed = new Set()
  /** Uids, made when they are asked for. */
  #byBase
  /** The rows are others, or were changed elsewhere. */
  begin(rows) {
    const files = rows.column(FILE)
    this.#fresh.clear()
    this.#byBase = undefined
    for (let row = 0; row < rows.length; row++) if (files[row] !== undefined && isNew(files[row])) this.#fresh.add(rows.uid[row])
  }
  /** Rows of messages in `new`, ascending. */
  fresh(rows) {
    return [...this.#fresh].map((uid) => rows.find(uid)).filter((row) => row !== -1).sort((a, b) => a - b)
  }
  bases(rows) {
    if (this.#byBase === undefined) {
      const files = rows.column(FILE)
      this.#byBase = new Map()
      for (let row = 0; row < rows.length; row++) this.#byBase.set(baseOf(files[row]), rows.uid[row])
    }
    return this.#byBase
  }
  /** The file of a row is this one now; also of a row that was added. */
  put(edit, row, file) {
    const uid = edit.rows.uid[row]
    edit.set(row, FILE, file)
    if (isNew(file)) this.#fresh.add(uid)
    else this.#fresh.delete(uid)
    this.#byBase?.set(baseOf(file), uid)
  }
  guess(uid) {
    this.#guessed.add(uid)
  }
  /** Rows were made true: those that are there after all are asked for their sizes once more. */
  forgetGuesses(edit) {
    for (const uid of this.#guessed) {
      const row = edit.rows.find(uid)
      if (row !== -1) edit.setSize(row, UNKNOWN)
    }
    this.#guessed.clear()
  }
  /** Uids ascend. */
  remove(edit, gone) {
    const files = edit.rows.column(FILE)
    for (const uid of gone) {
      this.#fresh.delete(uid)
      this.#byBase?.delete(baseOf(files[edit.rows.find(uid)]))
    }
    edit.remove(uids.from(gone))
  }
  /** What the folders hold, if the rows are true. */
  digest(rows, places) {
    const files = rows.column(FILE)
    const digest = new NameDigest()
    const wanted = FOLDERS.filter((_, place) => places.includes(place)).map((name) => `${name}/`)
    for (let row = 0; row < rows.length; row++) if (wanted.some((folder) => files[row].startsWith(folder))) digest.add(files[row])
    return digest.value
  }
}
