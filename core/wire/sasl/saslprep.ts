/** RFC 4013 §2.1: spaces of other scripts become a space; some characters become nothing (RFC 3454 table B.1). */
const OTHER_SPACES = /[\u00A0\u1680\u2000-\u200A\u202F\u205F\u3000]/g
// oxlint-disable-next-line no-misleading-character-class -- single characters are meant
const NOTHING = /\u00AD|\u034F|\u1806|[\u180B-\u180D]|[\u200B-\u200D]|\u2060|[\uFE00-\uFE0F]|\uFEFF/g
/** RFC 4013 §2.3: control characters, private use, no characters, surrogates, what changes the display, tags. */
// oxlint-disable-next-line no-control-regex, no-misleading-character-class -- single characters are meant
const PROHIBITED = /[\u0000-\u001F\u007F-\u009F\u0340\u0341\u06DD\u070F\u180E\u200E\u200F\u2028-\u202E\u2061-\u2063\u206A-\u206F\u2FF0-\u2FFB\uE000-\uF8FF\uFDD0-\uFDEF\uFFF9-\uFFFF]|\p{Cs}|[\u{1D173}-\u{1D17A}]|[\u{E0001}-\u{E007F}]|[\u{F0000}-\u{10FFFF}]|[\u{1FFFE}\u{1FFFF}]/u
const RIGHT_TO_LEFT = /[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}]/u
const LEFT_TO_RIGHT = /[\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u

/** SASLprep (RFC 4013) of a name or password; undefined when it holds what must not be in one. Unassigned characters pass. */
export function saslprep(text: string): string | undefined {
  const out = text.replace(OTHER_SPACES, ' ').replace(NOTHING, '').normalize('NFKC')
  if (PROHIBITED.test(out)) return undefined
  // RFC 3454: right-to-left text has nothing of the other direction, and begins and ends with its own.
  if (RIGHT_TO_LEFT.test(out) && (LEFT_TO_RIGHT.test(out) || !RIGHT_TO_LEFT.test(out[0] ?? '') || !RIGHT_TO_LEFT.test(out.at(-1) ?? ''))) return undefined
  return out
}
