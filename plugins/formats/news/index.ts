import { CLOCK, definePlugin, filePath, FILES, MAILBOX_SETTINGS, mailDrivers } from 'mailwright/api'
import { z } from 'zod'
import { NewsDriver } from './store.js'

const settings = z.strictObject({
  spool: filePath().default('/var/spool/news').describe('Folder of the articles: a folder per part of the name of a group, a file per article.'),
  active: filePath().default('/var/lib/news/active').describe('List of the groups; only those that it names are there.'),
  stateFile: z.string().regex(/^[^/]+$/, 'expected a file name').default('.newsrc').describe('File below the home with the groups that the user subscribed and the articles that were read, shared with newsreaders.'),
})

/** Local news, as a store of its own: its names have dots where others have slashes. */
export default definePlugin({
  id: 'drivers-news',
  api: '1.0',
  summary: 'Newsgroups of a local spool, read-only, with subscriptions and what was read in .newsrc',
  setup(p) {
    p.to(mailDrivers).contribute({
      name: 'news',
      about: { modseqs: false, keywords: 'none', uidsPersist: true, hierarchy: true, watches: true, facts: [], manyProcesses: true, acceptsUids: false, subscriptions: true },
      settings,
      needs: { files: FILES, clock: CLOCK, mailbox: MAILBOX_SETTINGS },
      create: ({ spool, active, stateFile }, { files, clock, mailbox }, site) =>
        new NewsDriver({ spool: site.resolve(spool), active: site.resolve(active), stateFile }, { files, clock, durable: mailbox.durability === 'full' }),
    })
  },
})
