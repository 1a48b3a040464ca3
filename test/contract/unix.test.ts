import { describeMailboxDriver, describeMailboxFormat, type KitServices } from 'mailwright/testing'
import { inlineLane } from '../../core/os/lane.js'
import { FilesDriver } from '../../plugins/drivers/files/store.js'
import { fileLocks } from '../../plugins/formats/shared/locks.js'
import { Turns } from '../../plugins/formats/shared/turns.js'
import { AppendFacts } from '../../plugins/formats/shared/text/append-facts.js'
import { KeptFiles } from '../../plugins/formats/shared/text/kept-file.js'
import { TextFormat } from '../../plugins/formats/shared/text/format.js'
import { testMachine } from '../support/unix.js'

const about = { modseqs: false, keywords: 'any', uidsPersist: true, hierarchy: true, watches: true, facts: [], manyProcesses: true, acceptsUids: false } as const

function unixFormat({ files, clock, random, locks, mailbox, host, spool, logger }: KitServices): TextFormat {
  return new TextFormat({
    files,
    clock,
    locks: fileLocks({ files, clock, random, settings: locks, logger, watch: false, machine: testMachine }),
    turns: new Turns(),
    spool,
    mailbox,
    serverName: host.serverName,
    watch: true,
    facts: new AppendFacts(),
    kept: new KeptFiles(),
    lane: inlineLane({ files, clock, random }),
  })
}

/** A traditional mailbox quotes From lines, and ends a header that has no end. */
function stored(octets: Uint8Array): Uint8Array {
  const text = Buffer.from(octets).toString('latin1').replaceAll('\nFrom ', '\n>From ')
  return Buffer.from(text.startsWith('\r\n') || text.includes('\r\n\r\n') ? text : `${text}\r\n`, 'latin1')
}

describeMailboxFormat('unix', { about, stored, create: unixFormat })

describeMailboxDriver('files with unix', {
  about,
  stored,
  keeps: 'files',
  create(services) {
    const { files, mailbox, formats } = services
    const entry = { name: 'unix', plugin: 'format-unix', about, made: unixFormat(services) }
    return new FilesDriver({ files, formats: [entry], choice: formats, mailbox, listing: { maxDepth: 20, maxEntries: 0, hideDotFiles: false } })
  },
})
