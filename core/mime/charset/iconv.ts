import { createRequire } from 'node:module'

// Required, not imported, as all CommonJS packages that a start needs (docs/design/0023).
const iconv = createRequire(import.meta.url)('iconv-lite') as typeof import('iconv-lite')

/** The tables of character sets. */
export default iconv
