import { CLOCK, definePlugin, FILES, LOCK_SETTINGS, LOGGER, MAILBOX_SETTINGS, mailboxFormats, noSettings, RANDOM, SPOOL, Turns, type DriverAbout } from 'mailwright/api'
import { toldLocks } from '../shared/locks/wait-lines.js'
import { MxFormat } from './format.js'

const about: DriverAbout = { modseqs: false, keywords: 'any', uidsPersist: true, hierarchy: true, watches: true, facts: [], manyProcesses: true, acceptsUids: true }

/** Folders with a file per message and an index of flags. */
export default definePlugin({
  id: 'format-mx',
  api: '1.0',
  summary: 'mx mailboxes: a file per message, byte-compatible with c-client programs',
  setup(p) {
    p.to(mailboxFormats).contribute({
      name: 'mx',
      about,
      settings: noSettings,
      needs: { files: FILES, clock: CLOCK, random: RANDOM, locks: LOCK_SETTINGS, mailbox: MAILBOX_SETTINGS, spool: SPOOL, logger: LOGGER },
      create: (_settings, { files, clock, random, locks, mailbox, spool, logger }) =>
        new MxFormat({ files, clock, random, locks: toldLocks({ files, clock, random, settings: locks, logger }), turns: new Turns(), spool, mailbox }),
    })
  },
})
