/** What cannot be in a message id, and would be taken for the end of one where ids are kept in lines. */
// eslint-disable-next-line no-control-regex
const CONTROLS = /[\0-\x1f\x7f]/g
/** An id does not fit into a line of a header beyond this (RFC 5322 §2.1.1). */
const LONGEST = 998

/**
 * Message ids in the text of a field, without their angle brackets, normalized so that ids that differ in quoting are equal (RFC 5256 §3
 * "REFERENCES"): `"a"@b` is `a@b`, white space around dots and the `@` is gone. Text between them is passed over. Case counts. An id without
 * `@` is one too: programs that make such ids refer to them as well.
 */
export function messageIds(text: string): readonly string[] {
  const out: string[] = []
  let start = text.indexOf('<')
  while (start !== -1) {
    let id = ''
    let i = start + 1
    let quoted = false
    let isOpen = true
    while (i < text.length && isOpen) {
      const c = text[i]!
      if (c === '\\' && quoted && i + 1 < text.length) id += text[++i]!
      else if (c === '"') quoted = !quoted
      else if (!quoted && c === '>') isOpen = false
      else if (!quoted && c === '<') id = ''
      else if (quoted || (c !== ' ' && c !== '\t')) id += c
      i++
    }
    const found = isOpen ? '' : id.replace(CONTROLS, '')
    if (found !== '' && found.length <= LONGEST) out.push(found)
    start = isOpen ? -1 : text.indexOf('<', i)
  }
  return out
}
