/** What is left of a subject, and whether anything was removed that replies and forwarded messages have. */
export interface BaseSubject {
  readonly text: string
  /** A `re:`, `fw:` or `fwd:`, a `(fwd)` at the end, or `[fwd: ...]` around it was removed (RFC 5256 §3 "REFERENCES"). */
  readonly isReply: boolean
}

const OPEN = '['
const CLOSE = ']'
const TRAILER = '(fwd)'
const WRAPPER = '[fwd:'

/**
 * The base subject of RFC 5256 §2.1, out of text whose encoded words are decoded. Letters keep their case.
 *
 * One pass over the text whatever it holds: `[a][a][a]...` must not cost the square of its length.
 */
export function baseSubject(subject: string): BaseSubject {
  // Step 1; line breaks are those of folds that something left.
  const text = /[\t\r\n]|  /.test(subject) ? subject.replace(/[ \t\r\n]+/g, ' ') : subject
  let from = 0
  let to = text.length
  let isReply = false
  for (;;) {
    // Step 2.
    for (;;) {
      if (to > from && text[to - 1] === ' ') to--
      else if (to - from >= TRAILER.length && isWord(text, to - TRAILER.length, TRAILER)) {
        to -= TRAILER.length
        isReply = true
      } else break
    }
    // Steps 3 to 5.
    for (;;) {
      while (from < to && text[from] === ' ') from++
      const afterBlobs = endOfBlobs(text, from, to)
      const afterReply = endOfReply(text, afterBlobs.end, to)
      if (afterReply !== -1) {
        from = afterReply
        isReply = true
        continue
      }
      // Nothing but blobs: the last one is the subject.
      if (afterBlobs.end === to) from = Math.max(from, afterBlobs.last)
      else if (afterBlobs.end > from) {
        from = afterBlobs.end
        continue
      }
      break
    }
    // Step 6.
    if (to - from <= WRAPPER.length || text[to - 1] !== CLOSE || !isWord(text, from, WRAPPER)) return { text: text.slice(from, to), isReply }
    from += WRAPPER.length
    to--
    isReply = true
  }
}

/** Whether this lower-case word stands here, in any case. */
function isWord(text: string, at: number, word: string): boolean {
  for (let i = 0; i < word.length; i++) {
    const c = text.charCodeAt(at + i)
    if ((c >= 0x41 && c <= 0x5a ? c | 0x20 : c) !== word.charCodeAt(i)) return false
  }
  return true
}

/** Behind the blank at `at`, if one stands there: step 1 leaves no two of them. */
function afterBlank(text: string, at: number): number {
  return text[at] === ' ' ? at + 1 : at
}

/** End of the `subj-blob` that begins at `at`, the blank behind it included; -1 where none does. */
function endOfBlob(text: string, at: number, to: number): number {
  if (at >= to || text[at] !== OPEN) return -1
  for (let i = at + 1; i < to; i++) {
    if (text[i] === CLOSE) return Math.min(to, afterBlank(text, i + 1))
    if (text[i] === OPEN) return -1
  }
  return -1
}

/** End of as many blobs as follow one another, and where the last of them begins. */
function endOfBlobs(text: string, from: number, to: number): { readonly end: number; readonly last: number } {
  let end = from
  let last = from
  for (let next = endOfBlob(text, end, to); next !== -1; next = endOfBlob(text, end, to)) {
    last = end
    end = next
  }
  return { end, last }
}

/** End of the `subj-refwd` that begins at `at`; -1 where none does. */
function endOfReply(text: string, at: number, to: number): number {
  let i = at
  if (isWord(text, i, 're')) i += 2
  else if (isWord(text, i, 'fw')) i += isWord(text, i + 2, 'd') ? 3 : 2
  else return -1
  i = afterBlank(text, i)
  const blob = endOfBlob(text, i, to)
  if (blob !== -1) i = blob
  return i < to && text[i] === ':' ? i + 1 : -1
}
