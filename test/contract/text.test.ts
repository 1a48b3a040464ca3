import { describeMailboxDriver, describeMailboxFormat, type KitServices } from 'mailwright/testing'
import { FilesDriver } from '../../plugins/drivers/files/store.js'
import { mmdfDialect } from '../../plugins/formats/mmdf/dialect.js'
import type { TextFormat } from '../../plugins/formats/shared/text/format.js'
import { unixDialect } from '../../plugins/formats/shared/text/dialect.js'
import { storedIn, textFormat } from '../support/unix.js'

const about = { modseqs: false, keywords: 'any', uidsPersist: true, hierarchy: false, watches: true, facts: [], manyProcesses: true, acceptsUids: true } as const

for (const dialect of [unixDialect, mmdfDialect]) {
  const under = { about, stored: storedIn(dialect) }
  const create = (services: KitServices): TextFormat => textFormat(dialect, services)
  describeMailboxFormat(dialect.name, { ...under, create })
  describeMailboxDriver(`files with ${dialect.name}`, {
    ...under,
    // The store has folders, where the format has none.
    about: { ...about, hierarchy: true },
    keeps: 'files',
    create(services) {
      const { files, mailbox, formats } = services
      const entry = { name: dialect.name, plugin: `format-${dialect.name}`, about, made: create(services) }
      return new FilesDriver({ files, formats: [entry], choice: { ...formats, create: dialect.name, empty: dialect.name }, mailbox, listing: { maxDepth: 20, maxEntries: 0, hideDotFiles: false } })
    },
  })
}
