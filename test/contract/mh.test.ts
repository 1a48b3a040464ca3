import { describeMailboxDriver, describeMailboxFormat, type KitServices } from 'mailwright/testing'
import { FilesDriver } from '../../plugins/drivers/files/store.js'
import { MhFormat } from '../../plugins/formats/mh/format.js'
import { toldLocks } from '../../plugins/formats/shared/locks/wait-lines.js'
import { Turns } from '../../core/api/index.js'

const about = { modseqs: false, keywords: 'any', uidsPersist: true, hierarchy: true, watches: true, facts: [], manyProcesses: true, acceptsUids: false } as const

/** All of the home is the user's MH folder. */
function mhFormat({ files, clock, random, locks, mailbox, spool, logger, home }: KitServices): MhFormat {
  const context = { files, clock, locks: toldLocks({ files, clock, random, settings: locks, logger, machine: { host: 'mail.example.org', pid: 1 } }), turns: new Turns(), spool, mailbox }
  return new MhFormat(context, { profile: '.mh_profile', path: home, allowInbox: false })
}
/** Text with the line ends of the machine: what comes out ends its lines with CRLF. */
function stored(octets: Uint8Array): Uint8Array {
  return Buffer.from(Buffer.from(octets).toString('latin1').replaceAll('\r', '').replaceAll('\n', '\r\n'), 'latin1')
}

describeMailboxFormat('mh', { about, stored, create: mhFormat })

describeMailboxDriver('files with mh', {
  about,
  stored,
  keeps: 'files',
  create(services) {
    const { files, mailbox } = services
    const entry = { name: 'mh', plugin: 'format-mh', about, made: mhFormat(services) }
    return new FilesDriver({ files, formats: [entry], choice: { create: 'mh', empty: 'mh' }, mailbox, listing: { maxDepth: 20, maxEntries: 0, hideDotFiles: false } })
  },
})
