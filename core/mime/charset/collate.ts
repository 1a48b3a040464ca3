import { fold } from './fold.js'

/**
 * Text as i;unicode-casemap (RFC 5051) orders it: strings of this form are ordered by `<`, and equal where the collation says so.
 *
 * The collation compares octets of UTF-8, which is the order of code points. JavaScript compares units of UTF-16, where characters beyond
 * U+FFFF stand before those from U+E000 on; these two ranges of units change their places here.
 */
export function collationKey(text: string): string {
  const folded = fold(text)
  if (!/[\ud800-\uffff]/.test(folded)) return folded
  return folded.replace(/[\ud800-\uffff]/g, (unit) => {
    const code = unit.charCodeAt(0)
    return String.fromCharCode(code < 0xe000 ? code + 0x2000 : code - 0x800)
  })
}
