/**
 * Tells one set of file names from another, in whatever order they are: two sums of hashes, and how many there are. That two sets of one Maildir have the same is a
 * matter of 1 in 2^64.
 */
export class NameDigest {
  #count = 0
  #sums = new Uint32Array(2)
  add(name) {
    let [a, b] = [0x811c9dc5, 0x9747b28c]
    for (let i = 0; i < name.length; i++) {
      const code = name.charCodeAt(i)
      a = Math.imul(a ^ code, 0x01000193)
      b = Math.imul(b ^ code, 0x5bd1e995)
      b ^= b >>> 15
    }
    this.#count++
    this.#sums[0] += a ^ (a >>> 13)
    this.#sums[1] += b
  }
  get value() {
    return `${this.#count}.${this.#sums.join('.')}`
  }
}
