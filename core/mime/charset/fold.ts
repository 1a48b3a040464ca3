/**
 * Digraphs whose title case is neither their lower nor their upper case, and the Greek letters with iota subscript whose upper case is two
 * letters: the places where `toUpperCase` is not the simple title case.
 */
const TITLE = ((): ReadonlyMap<number, number> => {
  const table = new Map<number, number>()
  for (const first of [0x1c4, 0x1c7, 0x1ca, 0x1f1]) for (let i = 0; i < 3; i++) table.set(first + i, first + 1)
  for (const first of [0x1f80, 0x1f90, 0x1fa0]) for (let i = 0; i < 8; i++) table.set(first + i, first + i + 8)
  for (const letter of [0x1fb3, 0x1fc3, 0x1ff3]) table.set(letter, letter + 9)
  return table
})()
/** Characters that tables of Japanese encodings choose differently for the same octets. */
const TWINS: ReadonlyMap<string, string> = new Map([
  ['\u301c', '~'], ['\u2225', '\u2016'], ['\u2212', '-'],
])

/** Mail may bring every character there is; those of the living scripts fit. */
const REMEMBERED = 70_000
const folded = new Map<string, string>()

/**
 * Puts text in the form in which searches compare (i;unicode-casemap, RFC 5051): each character its simple title case, fully decomposed.
 * Hangul syllables stay whole, letters out of a compatibility decomposition keep their case. ASCII costs little.
 */
export function fold(text: string): string {
  let start = 0
  let out = ''
  const pattern = /[^\0-\x7f]+/g
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
    out += text.slice(start, match.index).toUpperCase()
    for (const character of match[0]) {
      let form = folded.get(character)
      if (form === undefined) {
        form = foldCharacter(character)
        if (folded.size < REMEMBERED) folded.set(character, form)
      }
      out += form
    }
    start = match.index + match[0].length
  }
  return start === 0 ? text.toUpperCase() : out + text.slice(start).toUpperCase()
}

function foldCharacter(character: string): string {
  const code = character.codePointAt(0)!
  if (code >= 0xac00 && code <= 0xd7a3) return character
  const title = TITLE.get(code)
  const upper = title === undefined ? character.toUpperCase() : String.fromCodePoint(title)
  const raised = upper.length === (upper.codePointAt(0)! > 0xffff ? 2 : 1) ? upper : character
  const form = raised.normalize('NFKD')
  return TWINS.get(form) ?? form
}
