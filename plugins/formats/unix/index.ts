import { CLOCK, definePlugin, FILE_LANE, FILES, HOST, LOCK_SETTINGS, LOGGER, MAILBOX_SETTINGS, mailboxFormats, RANDOM, SPOOL } from 'mailwright/api'
import { z } from 'zod'
import { fileLocks } from '../shared/locks.js'
import { Turns } from '../shared/turns.js'
import { AppendFacts } from '../shared/text/append-facts.js'
import { TextFormat } from '../shared/text/format.js'
import { KeptFiles } from '../shared/text/kept-file.js'

const settings = z.strictObject({
  watch: z
    .boolean()
    .default(true)
    .describe('Rely on change notices of the kernel. Switch it off for mailboxes on network file systems, where changes by other machines bring none.'),
})

/** Traditional UNIX mailboxes (mbox). */
export default definePlugin({
  id: 'format-unix',
  api: '1.0',
  summary: 'Traditional UNIX mailbox files, byte-compatible with c-client programs',
  setup(p) {
    p.to(mailboxFormats).contribute({
      name: 'unix',
      about: {
        modseqs: false,
        keywords: 'any',
        uidsPersist: true,
        hierarchy: false,
        watches: true,
        facts: [],
        manyProcesses: true,
        acceptsUids: false,
      },
      settings,
      needs: { files: FILES, lane: FILE_LANE, clock: CLOCK, random: RANDOM, locks: LOCK_SETTINGS, mailbox: MAILBOX_SETTINGS, host: HOST, spool: SPOOL, logger: LOGGER },
      create({ watch }, { files, lane, clock, random, locks, mailbox, host, spool, logger }) {
        return new TextFormat({
          files,
          clock,
          locks: fileLocks({ files, clock, random, settings: locks, logger, watch }),
          turns: new Turns(),
          spool,
          mailbox,
          serverName: host.serverName,
          watch,
          facts: new AppendFacts(),
          kept: new KeptFiles(),
          lane,
        })
      },
    })
  },
})
