import type { TextDialect } from '../shared/text/dialect.js'

/** A line of four octets 0x01 stands in front of each message and behind it. */
export const mmdfDialect: TextDialect = { name: 'mmdf', title: 'MMDF', delimiter: '\x01\x01\x01\x01\n' }
