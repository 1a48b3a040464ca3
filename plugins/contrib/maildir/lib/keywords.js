/*
 * Keywords of a mailbox by their letters: `names[place]` is that of the letter at this place of the alphabet, `''` where there is none. Bits of a
 * number stand for letters in the same way. Upper and lower case of a name are the same.
 */

/** Place of a keyword; -1 for none. */
export function placeOf(names, word) {
  const lower = word.toLowerCase()
  return names.findIndex((name) => name.toLowerCase() === lower)
}
export function wordsOf(bits, names) {
  return names.filter((name, place) => name !== '' && (bits & (1 << place)) !== 0)
}
/** What has no letter is left out. */
export function bitsOf(words, names) {
  return words.reduce((bits, word) => {
    const place = placeOf(names, word)
    return place === -1 ? bits : bits | (1 << place)
  }, 0)
}
/** The change, made to the flags that somebody else gave the message. */
export function changedFlags(now, change, names) {
  const keywords = bitsOf(change.keywords, names)
  if (change.how === 'replace') return { system: change.system, keywords }
  if (change.how === 'add') return { system: now.system | change.system, keywords: now.keywords | keywords }
  return { system: now.system & ~change.system, keywords: now.keywords & ~keywords }
}
