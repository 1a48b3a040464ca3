import { describeMailboxDriver, describeMailboxFormat, type KitServices } from 'mailwright/testing'
import { FilesDriver } from '../../plugins/drivers/files/store.js'
import { MxFormat } from '../../plugins/formats/mx/format.js'
import { toldLocks } from '../../plugins/formats/shared/locks/wait-lines.js'
import { Turns } from '../../core/api/index.js'

const about = { modseqs: false, keywords: 'any', uidsPersist: true, hierarchy: true, watches: true, facts: [], manyProcesses: true, acceptsUids: true } as const

function mxFormat({ files, clock, random, locks, mailbox, spool, logger }: KitServices): MxFormat {
  return new MxFormat({
    files, clock, random, locks: toldLocks({ files, clock, random, settings: locks, logger, machine: { host: 'mail.example.org', pid: 1 } }), turns: new Turns(), spool, mailbox,
  })
}

describeMailboxFormat('mx', { about, create: mxFormat })

describeMailboxDriver('files with mx', {
  about,
  keeps: 'files',
  create(services) {
    const { files, mailbox } = services
    const entry = { name: 'mx', plugin: 'format-mx', about, made: mxFormat(services) }
    return new FilesDriver({ files, formats: [entry], choice: { create: 'mx', empty: 'mx' }, mailbox, listing: { maxDepth: 20, maxEntries: 0, hideDotFiles: false } })
  },
})
