import { chosenEntries, definePlugin, mailboxFormats, MailError, namespaceResolvers, userDirectories } from 'mailwright/api'
import { z } from 'zod'
import { Prefixes, type Lookup } from './resolver.js'

const settings = z.strictObject({
  store: z.string().min(1).default('files').describe('Store of the mailboxes that are files; one of "drivers.stores".'),
  news: z.string().min(1).optional().describe('Store of the newsgroups of #news.; without it there is no such namespace.'),
  accounts: z.boolean().default(true).describe('The homes of the accounts named below are the roots of #shared/, #public/ and #ftp/.'),
  sharedAccount: z.string().min(1).default('imapshared').describe('Account whose home is the root of #shared/.'),
  publicAccount: z.string().min(1).default('imappublic').describe('Account whose home is the root of #public/.'),
  ftpAccount: z.string().min(1).default('ftp').describe('Account whose home is the root of #ftp/.'),
})

/** Namespaces that begin with `#`. */
export default definePlugin({
  id: 'namespace-prefixes',
  api: '1.0',
  summary: 'Names that begin with #: #mh/ and #mhinbox, #news., and #shared/, #public/, #ftp/ in the homes of accounts',
  setup(p) {
    p.to(namespaceResolvers).contribute({
      name: 'prefixes',
      settings,
      needs: { formats: chosenEntries(mailboxFormats), directories: chosenEntries(userDirectories) },
      create({ store, news, accounts, sharedAccount, publicAccount, ftpAccount }, { formats, directories }) {
        const lookup: Lookup = async (name, signal) => {
          for (const { made } of directories) {
            try {
              const found = await made.find(name, signal)
              if (found !== undefined) return found
            } catch (error) {
              // Without an answer there is no such namespace for this login; the login itself is not in danger.
              if (!(error instanceof MailError)) throw error
            }
          }
          return undefined
        }
        const mh = formats.find((f) => f.name === 'mh')?.made
        const names = accounts ? { shared: sharedAccount, public: publicAccount, ftp: ftpAccount } : undefined
        return new Prefixes({ store, newsStore: news, accounts: names }, mh?.root?.bind(mh), lookup)
      },
    })
  },
})
