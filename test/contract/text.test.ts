import { describeMailboxDriver, describeMailboxFormat, type KitServices } from 'mailwright/testing'
import { FilesDriver } from '../../plugins/drivers/files/store.js'
import { mmdfDialect } from '../../plugins/formats/mmdf/dialect.js'
import type { TextFormat } from '../../plugins/formats/shared/text/format.js'
import { unixDialect } from '../../plugins/formats/shared/text/dialect.js'
import { textFormat, withoutDelimiters } from '../support/unix.js'

const about = { modseqs: false, keywords: 'any', uidsPersist: true, hierarchy: true, watches: true, facts: [], manyProcesses: true, acceptsUids: true } as const

/** A mailbox of text ends a header that has no end. */
function ended(text: string): string {
  return text.startsWith('\r\n') || text.includes('\r\n\r\n') ? text : `${text}\r\n`
}
const dialects = [
  // Only From lines begin a message there, so others are quoted.
  { dialect: unixDialect, stored: (text: string) => ended(text.replaceAll('\nFrom ', '\n>From ')) },
  { dialect: mmdfDialect, stored: (text: string) => ended(withoutDelimiters(text)) },
]
for (const { dialect, stored } of dialects) {
  const under = { about, stored: (octets: Uint8Array) => Buffer.from(stored(Buffer.from(octets).toString('latin1')), 'latin1') }
  const create = (services: KitServices): TextFormat => textFormat(dialect, services)
  describeMailboxFormat(dialect.name, { ...under, create })
  describeMailboxDriver(`files with ${dialect.name}`, {
    ...under,
    keeps: 'files',
    create(services) {
      const { files, mailbox, formats } = services
      const entry = { name: dialect.name, plugin: `format-${dialect.name}`, about, made: create(services) }
      return new FilesDriver({ files, formats: [entry], choice: { ...formats, create: dialect.name, empty: dialect.name }, mailbox, listing: { maxDepth: 20, maxEntries: 0, hideDotFiles: false } })
    },
  })
}
