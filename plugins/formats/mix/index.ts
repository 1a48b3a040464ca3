import { CLOCK, definePlugin, FILES, LOCK_SETTINGS, LOGGER, MAILBOX_SETTINGS, mailboxFormats, noSettings, RANDOM, SPOOL, Turns, type DriverAbout } from 'mailwright/api'
import { toldLocks } from '../shared/locks/wait-lines.js'
import { MixFormat } from './format.js'

const about: DriverAbout = { modseqs: false, keywords: 'any', uidsPersist: true, hierarchy: true, watches: true, facts: [], manyProcesses: true, acceptsUids: true }

/** Folders with an index, flags beside it, and messages in files of about a megabyte. */
export default definePlugin({
  id: 'format-mix',
  api: '1.0',
  summary: 'mix mailboxes: shared by many sessions and programs, byte-compatible with c-client programs',
  setup(p) {
    p.to(mailboxFormats).contribute({
      name: 'mix',
      about,
      settings: noSettings,
      needs: { files: FILES, clock: CLOCK, random: RANDOM, locks: LOCK_SETTINGS, mailbox: MAILBOX_SETTINGS, spool: SPOOL, logger: LOGGER },
      create: (_settings, { files, clock, random, locks, mailbox, spool, logger }) =>
        new MixFormat({ files, clock, locks: toldLocks({ files, clock, random, settings: locks, logger }), turns: new Turns(), spool, mailbox }),
    })
  },
})
