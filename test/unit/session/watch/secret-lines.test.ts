import { describe, expect, test } from 'vitest'
import { SecretLines } from '../../../../core/session/watch/secret-lines.js'

/** What is shown of a text that arrives in pieces; hidden octets are dots. */
function seen(text: string, size: number): string {
  let out = ''
  const lines = new SecretLines({
    shown: (octets) => (out += Buffer.from(octets).toString('latin1')),
    hidden: (octets) => (out += '.'.repeat(octets)),
  })
  const octets = Buffer.from(text, 'latin1')
  for (let at = 0; at < octets.length; at += size) lines.feed(octets.subarray(at, at + size))
  lines.end()
  return out
}
const dots = (text: string): string => '.'.repeat(text.length)

const rows: readonly { readonly name: string; readonly said: readonly (string | { readonly hidden: string })[] }[] = [
  { name: 'ordinary commands', said: ['a1 SELECT INBOX\r\n', 'a2 UID FETCH 1:* (FLAGS)\r\n', 'DONE\r\n', 'QUIT\r\n', '\r\n'] },
  { name: 'LOGIN in any case', said: ['a NOOP\r\n', { hidden: 'b login alice secret\r\n' }, 'c NOOP\r\n'] },
  { name: 'several spaces', said: [{ hidden: '  b   LOGIN   alice secret\r\n' }] },
  { name: 'LOGIN with literals', said: [{ hidden: 'b LOGIN {5}\r\nalice {6}\r\nsecret\r\n' }, 'c NOOP\r\n'] },
  { name: 'non-synchronising literals with line ends in them', said: [{ hidden: 'b LOGIN {5+}\r\nalice {8+}\r\nse\r\ncret\r\n' }, 'c NOOP\r\n'] },
  { name: 'AUTHENTICATE with an initial response', said: [{ hidden: 'b AUTHENTICATE PLAIN AGFsaWNlAHNlY3JldA==\r\n' }, 'c NOOP\r\n'] },
  { name: 'AUTHENTICATE and its answers', said: [{ hidden: 'b AUTHENTICATE LOGIN\r\nYWxpY2U=\r\nc2VjcmV0\r\n' }, 'c NOOP\r\n', 'DONE\r\n'] },
  { name: 'POP3', said: ['USER alice\r\n', { hidden: 'PASS secret word\r\n' }, 'STAT\r\n', { hidden: 'APOP alice c4c9334bac560ecc979e58001b3e22fb\r\n' }, { hidden: 'AUTH PLAIN\r\nAGFsaWNlAHNlY3JldA==\r\n' }, 'RETR 1\r\n'] },
  { name: 'a tag that is no tag', said: [{ hidden: `${'x'.repeat(300)} LOGIN alice secret\r\n` }, 'c NOOP\r\n'] },
  { name: 'spaces beyond all measure', said: [{ hidden: `b${' '.repeat(300)}LOGIN alice secret\r\n` }, 'c NOOP\r\n'] },
  { name: 'a message with long lines of words', said: [`a APPEND x {700+}\r\n${'word '.repeat(140)}\r\n`] },
  { name: 'bare line feeds', said: [{ hidden: 'b LOGIN alice secret\n' }, 'c NOOP\n'] },
  { name: 'an end in the middle', said: ['a NOO'] },
]
describe('what a client sends is shown without secrets, however it is cut', () => {
  test.each(rows)('$name', ({ said }) => {
    const text = said.map((s) => (typeof s === 'string' ? s : s.hidden)).join('')
    const expected = said.map((s) => (typeof s === 'string' ? s : dots(s.hidden))).join('')
    for (const size of [1, 2, 3, 7, 64, text.length]) expect(seen(text, size)).toBe(expected)
  })
})
