import type { TextDialect } from '../shared/text/dialect.js'

/** From lines begin messages, empty lines end them. */
export const unixDialect: TextDialect = { name: 'unix', title: 'UNIX', delimiter: '' }
