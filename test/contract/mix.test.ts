import { describeMailboxDriver, describeMailboxFormat, type KitServices } from 'mailwright/testing'
import { FilesDriver } from '../../plugins/drivers/files/store.js'
import { MixFormat } from '../../plugins/formats/mix/format.js'
import { toldLocks } from '../../plugins/formats/shared/locks/wait-lines.js'
import { Turns } from '../../core/api/index.js'

const about = { modseqs: false, keywords: 'any', uidsPersist: true, hierarchy: true, watches: true, facts: [], manyProcesses: true, acceptsUids: true } as const

function mixFormat({ files, clock, random, locks, mailbox, spool, logger }: KitServices): MixFormat {
  return new MixFormat({
    files, clock, locks: toldLocks({ files, clock, random, settings: locks, logger, machine: { host: 'mail.example.org', pid: 1 } }), turns: new Turns(), spool, mailbox,
  })
}

describeMailboxFormat('mix', { about, create: mixFormat })

describeMailboxDriver('files with mix', {
  about,
  keeps: 'files',
  create(services) {
    const { files, mailbox } = services
    const entry = { name: 'mix', plugin: 'format-mix', about, made: mixFormat(services) }
    return new FilesDriver({ files, formats: [entry], choice: { create: 'mix', empty: 'mix' }, mailbox, listing: { maxDepth: 20, maxEntries: 0, hideDotFiles: false } })
  },
})
