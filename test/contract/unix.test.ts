import { describeMailboxFormat } from 'mailwright/testing'
import { AppendFacts } from '../../plugins/formats/unix/append-facts.js'
import { UnixFormat } from '../../plugins/formats/unix/format.js'
import { Turns } from '../../plugins/formats/shared/turns.js'

describeMailboxFormat('unix', {
  about: { modseqs: false, keywords: 'any', uidsPersist: true, hierarchy: true, watches: true, facts: [], manyProcesses: true, acceptsUids: false },
  stored(octets) {
    const text = Buffer.from(octets).toString('latin1').replaceAll('\nFrom ', '\n>From ')
    // A header without an end gets one.
    const ended = text.startsWith('\r\n') || text.includes('\r\n\r\n') ? text : `${text}\r\n`
    return Buffer.from(ended, 'latin1')
  },
  create: ({ files, clock, random, locks, mailbox, host, spool }) =>
    new UnixFormat({
      files,
      clock,
      locks: { files, clock, random, settings: locks, machine: { host: 'mail.example.org', pid: 1 } },
      turns: new Turns(),
      spool,
      mailbox,
      serverName: host.serverName,
      watch: true,
      facts: new AppendFacts(),
    }),
})
