/** RFC 9051 §9 `flag-keyword`: an atom. Of printable US-ASCII, less what ends one. */
const FLAG_KEYWORD = /^[\x21-\x7e]+$/
const ATOM_SPECIALS = /[(){%*"\\\]]/

/**
 * Whether a word can stand in FLAGS as it is. Files that other programs write may have names that cannot, and a header that came with a message may look
 * like such a name: no client is told of them, since one would make the whole response unreadable.
 */
export function isFlagKeyword(word: string): boolean {
  return FLAG_KEYWORD.test(word) && !ATOM_SPECIALS.test(word)
}
