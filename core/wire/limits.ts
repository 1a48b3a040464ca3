/** One bound on what the other end may send. */
export interface LimitRow {
  /** The largest value that is still accepted. */
  readonly bound: number
  readonly unit: 'octets' | 'items' | 'levels'
  /** What one past the bound leads to. */
  readonly reaction: string
}

/**
 * Every fixed bound of the wire, by name. Settings of a host may lower or raise some of them (`imap.limits`); the rest are the
 * original's, or what keeps one client's memory and time bounded. Each is tested at the bound and one past it.
 */
export const limitRows = {
  commandLine: { bound: 65_536, unit: 'octets', reaction: 'rest of the line dropped, BAD Command line too long' },
  tagSearch: { bound: 100, unit: 'octets', reaction: 'an overlong line whose tag does not end within this is answered untagged' },
  tag: { bound: 50, unit: 'octets', reaction: '* BAD Excessively long tag' },
  commandName: { bound: 80, unit: 'octets', reaction: 'name cut, so BAD Command unrecognized' },
  literal: { bound: 10_000, unit: 'octets', reaction: 'BAD Absurdly long client literal' },
  literalsPerCommand: { bound: 20, unit: 'items', reaction: 'BAD Too many literals in command' },
  appendLiteral: { bound: 1_073_741_824, unit: 'octets', reaction: 'NO Excessively large message to APPEND' },
  smallNonSyncLiteral: { bound: 4096, unit: 'octets', reaction: 'BAD where LITERAL- is announced and LITERAL+ is not (RFC 7888 §5)' },
  discardedLiteral: { bound: 67_108_864, unit: 'octets', reaction: 'BYE: refused octets are not read to their end' },
  discardedLiteralPrelogin: { bound: 1_048_576, unit: 'octets', reaction: 'BYE: refused octets are not read to their end' },
  unfinishedPrelogin: { bound: 4_194_304, unit: 'octets', reaction: 'of all clients of a host before their login: BYE to one that adds more than its share' },
  unfinishedShare: { bound: 4096, unit: 'octets', reaction: 'what one of them may hold in any case' },
  saslLine: { bound: 8192, unit: 'octets', reaction: 'the exchange fails' },
  idleLine: { bound: 1024, unit: 'octets', reaction: 'BAD Bogus IDLE continuation' },
  mailboxName: { bound: 256, unit: 'octets', reaction: 'NO, as for a name that does not exist' },
  remoteMailboxName: { bound: 712, unit: 'octets', reaction: 'NO, as for a name that does not exist' },
  listPattern: { bound: 256, unit: 'octets', reaction: 'NO Invalid LIST pattern specification' },
  listWildcards: { bound: 10, unit: 'items', reaction: 'NO Excessive wildcards in LIST/LSUB' },
  userName: { bound: 64, unit: 'octets', reaction: 'NO, and an alert in the log' },
  searchNesting: { bound: 500, unit: 'levels', reaction: 'BAD' },
  listNesting: { bound: 50, unit: 'levels', reaction: 'BAD' },
  fetchItems: { bound: 100, unit: 'items', reaction: 'BAD Excessively complex FETCH attribute list' },
  headerFields: { bound: 500, unit: 'items', reaction: 'BAD Syntax error in header fields' },
  sectionDepth: { bound: 100, unit: 'levels', reaction: 'BAD Syntax error in section specifier' },
  sequenceRanges: { bound: 16_384, unit: 'items', reaction: 'BAD Bogus sequence' },
  flags: { bound: 500, unit: 'items', reaction: 'BAD' },
  idPairs: { bound: 30, unit: 'items', reaction: 'BAD (RFC 2971 §3.3)' },
  idField: { bound: 30, unit: 'octets', reaction: 'BAD (RFC 2971 §3.3)' },
  idValue: { bound: 1024, unit: 'octets', reaction: 'BAD (RFC 2971 §3.3)' },
  pop3Line: { bound: 1024, unit: 'octets', reaction: '-ERR Command line too long, with its end; the rest of the line is dropped' },
  replyText: { bound: 900, unit: 'octets', reaction: 'text of a reply is cut' },
} as const satisfies Record<string, LimitRow>

/** Name of a bound. */
export type LimitName = keyof typeof limitRows

function bounds(): Readonly<Record<LimitName, number>> {
  const entries = Object.entries(limitRows).map(([name, row]) => [name, row.bound])
  // Every row's name is a key of the result, made from the rows themselves.
  return Object.freeze(Object.fromEntries(entries)) as Readonly<Record<LimitName, number>>
}
/** The bounds alone. */
export const LIMITS: Readonly<Record<LimitName, number>> = bounds()
