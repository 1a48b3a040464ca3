/**
 * `mailwright/toolkit`: the pure code of the wire for plugin authors. No function here waits, opens or keeps anything.
 */
export { LIMITS, limitRows } from './limits.js'
export type { LimitName, LimitRow } from './limits.js'
export { decodeMailboxName, encodeMailboxName } from './imap/modified-utf7.js'
export type { Utf7Problem, Utf7Result } from './imap/modified-utf7.js'
export { DATE_TIME_OCTETS, dayOf, dayOfTime, parseDateTime, parseDay, writeDateTime } from './imap/dates.js'
export type { ZonedTime } from './imap/dates.js'
export { LAST_NUMBER, parseSequenceSet } from './imap/sequence-set.js'
export { systemFlag } from './imap/flags.js'
export type { FlagList } from './imap/flags.js'
export { OctetCursor } from './imap/cursor.js'
export { OctetWriter } from './imap/writer.js'
export type { OctetSink, WriterOptions } from './imap/writer.js'
export { decodeBase64, encodeBase64 } from './sasl/base64.js'
