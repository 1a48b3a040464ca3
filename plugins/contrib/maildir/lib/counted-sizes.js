import { UNKNOWN } from 'mailwright/api'

/**
 * Sizes of messages whose octets were counted, under one UIDVALIDITY. Nothing else tells whether the `W=` of a name is right; Dovecot believes it until it reads the message, and so does this.
 */
export class CountedSizes {
  #sizes = new Map()
  /** Those that no look has compared with the rows. */
  #fresh = new Set()
  has(uid) {
    return this.#sizes.has(uid)
  }
  /** Nothing else was counted. */
  agrees(uid, size) {
    return !this.has(uid) || this.#sizes.get(uid) === size
  }
  put(uid, size) {
    if (this.#sizes.get(uid) === size) return
    this.#sizes.set(uid, size)
    this.#fresh.add(uid)
  }
  /** Puts them into the rows, and returns those that the rows had otherwise. `all`: the rows have their sizes from names once more. */
  settle(edit, { all }) {
    const wrong = []
    for (const uid of all ? this.#sizes.keys() : this.#fresh) {
      const [row, size] = [edit.rows.find(uid), this.#sizes.get(uid)]
      if (row === -1 || edit.rows.size[row] === size) continue
      if (edit.rows.size[row] !== UNKNOWN) wrong.push({ row, told: edit.rows.size[row], size })
      edit.setSize(row, size)
    }
    this.#fresh.clear()
    return wrong
  }
}
