import { chosenEntries, definePlugin, FILES, FORMAT_CHOICE, LOGGER, MAILBOX_SETTINGS, mailboxFormats, mailDrivers } from 'mailwright/api'
import { z } from 'zod'
import { FilesDriver } from './store.js'

const settings = z.strictObject({
  listMaxDepth: z.int().min(0).max(100).default(20).describe('How many directories deep "*" in LIST goes; 0 lists no subdirectories.'),
  listMaxEntries: z.int().min(0).default(0).describe('Most names that one LIST answers; 0: no limit.'),
  hideDotFiles: z.boolean().default(false).describe('Leave names that begin with a dot out of LIST.'),
})

/** The store `files`: traditional mail directories. */
export default definePlugin({
  id: 'drivers-files',
  api: '1.0',
  summary: 'Mailboxes in files and directories, in the formats that the host uses',
  setup(p) {
    p.to(mailDrivers).contribute({
      name: 'files',
      about: { modseqs: false, keywords: 'any', uidsPersist: true, hierarchy: true, watches: true, facts: [], manyProcesses: true, acceptsUids: true },
      settings,
      needs: { files: FILES, formats: chosenEntries(mailboxFormats), choice: FORMAT_CHOICE, mailbox: MAILBOX_SETTINGS, logger: LOGGER },
      create: ({ listMaxDepth, listMaxEntries, hideDotFiles }, { files, formats, choice, mailbox, logger }) =>
        new FilesDriver({ files, formats, choice, mailbox, logger, listing: { maxDepth: Math.max(1, listMaxDepth), maxEntries: listMaxEntries, hideDotFiles } }),
    })
  },
})
