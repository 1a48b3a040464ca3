import { CLOCK, definePlugin, FILES, LOCK_SETTINGS, LOGGER, MAILBOX_SETTINGS, mailboxFormats, RANDOM, SPOOL, Turns, type DriverAbout } from 'mailwright/api'
import { z } from 'zod'
import { toldLocks } from '../shared/locks/wait-lines.js'
import { MhFormat } from './format.js'

const about: DriverAbout = { modseqs: false, keywords: 'any', uidsPersist: true, hierarchy: true, watches: true, facts: [], manyProcesses: true, acceptsUids: false }

const settings = z.strictObject({
  profile: z.string().min(1).default('.mh_profile').describe('File below the home with the line "Path:"; users without it have no MH mailboxes, unless a path is set.'),
  path: z.string().min(1).optional().describe('Folder of the MH mailboxes, absolute or below the home, for users with and without a profile.'),
  allowInbox: z.boolean().default(false).describe('The MH folder "inbox" is the INBOX of users who have it.'),
})

/** Folders of the MH message handling system. */
export default definePlugin({
  id: 'format-mh',
  api: '1.0',
  summary: 'MH folders: a file per message, with the sequences of MH for flags',
  setup(p) {
    p.to(mailboxFormats).contribute({
      name: 'mh',
      about,
      settings,
      needs: { files: FILES, clock: CLOCK, random: RANDOM, locks: LOCK_SETTINGS, mailbox: MAILBOX_SETTINGS, spool: SPOOL, logger: LOGGER },
      create: (options, { files, clock, random, locks, mailbox, spool, logger }) =>
        new MhFormat({ files, clock, locks: toldLocks({ files, clock, random, settings: locks, logger }), turns: new Turns(), spool, mailbox }, options),
    })
  },
})
