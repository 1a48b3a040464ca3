/** Seeded input for servers: mostly commands, a little wrong. */

const WORDS = [
  'NOOP', 'CAPABILITY', 'LOGOUT', 'STARTTLS', 'AUTHENTICATE PLAIN', 'LOGIN', 'SELECT', 'EXAMINE', 'CREATE', 'DELETE', 'RENAME', 'SUBSCRIBE', 'UNSUBSCRIBE', 'LIST', 'LSUB', 'STATUS',
  'APPEND', 'CHECK', 'CLOSE', 'EXPUNGE', 'SEARCH', 'SORT', 'THREAD', 'FETCH', 'STORE', 'COPY', 'UID', 'IDLE', 'NAMESPACE', 'UNSELECT', 'ID', 'ENABLE', 'MOVE', 'UID EXPUNGE', 'UID FETCH', 'UID STORE', 'DONE', '*',
] as const
const ARGUMENTS = [
  'INBOX', '"a b"', 'Drafts', '"&AOk-t&AOk-"', '&bad', '""', '"', '\\', '(', ')', '()', '(\\Seen)', '(\\Seen $Label1 \\Bogus)', 'FLAGS', '+FLAGS.SILENT', '-FLAGS', '1', '1:*', '*', '0', '4294967295', '4294967296', '1,2,3:5', '$',
  'ALL', 'UNSEEN', 'OR', 'NOT', 'FROM alice', 'HEADER X-Y z', 'BEFORE 1-Feb-1994', 'SINCE 31-Feb-1994', 'LARGER 10', 'KEYWORD $x', 'CHARSET utf-8', 'CHARSET bogus', 'MODSEQ 1', '(CHANGEDSINCE 1)', '(UNCHANGEDSINCE 0)',
  '(CONDSTORE)', '(REVERSE DATE CC)', 'REFERENCES', 'BODY[]', 'BODY.PEEK[HEADER.FIELDS (From To)]<0.10>', 'BODY[1.2.3.MIME]', 'BODY[', ']', '<0.0>', 'ENVELOPE', 'BODYSTRUCTURE', 'FAST', '(MESSAGES UNSEEN HIGHESTMODSEQ)', '"" "*"', '% ', 'NIL',
  '("name" "x")', 'CONDSTORE', '" 1-Feb-1994 02:44:25 -0700"', 'AGEAYg==', '=', '\0', '\xff\xfe', '\t', '\x7f', '~{3+}\r\n\0\0\0', '{0+}\r\n', '{5+}\r\nINBOX', '{5}\r\nINBOX', '{99999}', '{12+}\r\nhello\r\nworld',
] as const

/** Whole commands, well formed: most of what is sent, so that what is wrong meets a session that does something. */
const COMMANDS = [
  'NOOP', 'CAPABILITY', 'LOGIN alice secret', 'LOGIN {5+}\r\nalice {6+}\r\nsecret', 'AUTHENTICATE PLAIN AGFsaWNlAHNlY3JldA==', 'SELECT INBOX', 'SELECT INBOX (CONDSTORE)', 'EXAMINE INBOX', 'SELECT Drafts',
  'CREATE Drafts', 'CREATE a/b/c', 'DELETE Drafts', 'RENAME Drafts "&AOk-t&AOk-"', 'SUBSCRIBE INBOX', 'UNSUBSCRIBE INBOX', 'LIST "" *', 'LIST "" ""', 'LSUB "" %', 'STATUS INBOX (MESSAGES UNSEEN UIDNEXT HIGHESTMODSEQ)',
  'APPEND INBOX (\\Seen $x) {12+}\r\nhello\r\nworld', 'APPEND Drafts " 1-Feb-1994 02:44:25 -0700" {40+}\r\nFrom: a\r\nContent-Type: multipart/mixed\r\n', 'CHECK', 'CLOSE', 'EXPUNGE', 'UNSELECT', 'UID EXPUNGE 1:2',
  'FETCH 1:* (FLAGS UID INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)', 'FETCH 1 BODY[]<0.5>', 'UID FETCH 1:* (BODY.PEEK[HEADER.FIELDS (Subject)] BODY[1])', 'FETCH 1:* (UID) (CHANGEDSINCE 1)', 'FETCH * FULL',
  'STORE 1:2 +FLAGS (\\Deleted)', 'UID STORE 1:* FLAGS.SILENT (\\Seen $y)', 'STORE 1 (UNCHANGEDSINCE 5) -FLAGS \\Deleted', 'COPY 1:* Drafts', 'UID COPY 1 Nowhere', 'MOVE 1 Drafts', 'SEARCH ALL', 'UID SEARCH OR SEEN NOT TEXT one',
  'SEARCH CHARSET UTF-8 SUBJECT {3+}\r\none SINCE 1-Jan-2020', 'SEARCH MODSEQ 1 LARGER 5', 'SORT (SUBJECT REVERSE DATE) UTF-8 ALL', 'UID SORT (SIZE FROM) {8+}\r\nUS-ASCII MODSEQ 1', 'THREAD REFERENCES UTF-8 ALL', 'UID THREAD ORDEREDSUBJECT UTF-8 NOT SEEN', 'NAMESPACE', 'ID ("name" "x")', 'ENABLE CONDSTORE', 'IDLE\r\nDONE',
] as const

export type Random = () => number
export function pick<T>(random: Random, list: readonly T[]): T {
  return list[Math.floor(random() * list.length)]!
}

/** One command, well formed in most places. */
export function command(random: Random, tag: string): string {
  if (random() < 0.6) return `${tag} ${pick(random, COMMANDS)}\r\n`
  let text = `${random() < 0.02 ? pick(random, ['', ' ', '+', '\xff', 'x'.repeat(60)]) : tag} ${pick(random, WORDS)}`
  for (let n = Math.floor(random() * 5); n > 0; n--) text += (random() < 0.95 ? ' ' : pick(random, ['', '  ', '\t'])) + pick(random, ARGUMENTS)
  const end = random()
  return text + (end < 0.9 ? '\r\n' : end < 0.96 ? '\n' : pick(random, ['', '\r', '\r\r\n', '{3+}\r\n', ' {4+}\r\na\r\nb\r\n', 'x'.repeat(3000)]))
}
/** Octets of a text in which some were changed, doubled or lost. */
export function damaged(random: Random, text: string): Buffer {
  const octets = Buffer.from(text, 'latin1')
  if (random() < 0.7 || octets.length === 0) return octets
  const out = [...octets]
  for (let n = 1 + Math.floor(random() * 3); n > 0; n--) {
    const at = Math.floor(random() * out.length)
    const way = random()
    if (way < 0.5) out[at] = Math.floor(random() * 256)
    else if (way < 0.75) out.splice(at, 1 + Math.floor(random() * 8))
    else out.splice(at, 0, ...out.slice(at, at + 1 + Math.floor(random() * 20)))
  }
  return Buffer.from(out)
}
/** The same octets in pieces, often cut in awkward places. */
export function pieces(random: Random, octets: Buffer): Buffer[] {
  const list: Buffer[] = []
  for (let at = 0; at < octets.length; ) {
    const size = random() < 0.3 ? 1 : 1 + Math.floor(random() * 40)
    list.push(octets.subarray(at, at + size))
    at += size
  }
  return list
}
