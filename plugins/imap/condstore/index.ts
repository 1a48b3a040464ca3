import { definePlugin, imapExtensions, noSettings } from 'mailwright/api'
import type { ImapExtension } from 'mailwright/api'
import { afterLogin } from '../shared/capability.js'
import { becomeAware, MODSEQ_ITEM, selected } from './awareness.js'
import { condstoreModifiers } from './modifiers.js'
import { modseqKey } from './search-key.js'

const condstore: ImapExtension = {
  enable: { name: 'CONDSTORE', on: becomeAware },
  ...condstoreModifiers,
  fetchItems: [MODSEQ_ITEM],
  searchKeys: [modseqKey],
  statusItems: [{ name: 'HIGHESTMODSEQ', from: 'figures', value: (figures) => String(figures.highestModseq), asked: becomeAware }],
  selected,
}

/** Mod-sequences of messages: who was away asks only for what changed, and a STORE can be made to lose a race. */
export default definePlugin({
  id: 'imap-condstore',
  api: '1.0',
  summary: 'CONDSTORE: mod-sequences, conditional STORE (RFC 7162)',
  setup(p) {
    p.to(imapExtensions).contribute({
      name: 'condstore',
      settings: noSettings,
      about: afterLogin(['CONDSTORE'], [{ driver: { modseqs: true }, or: 'emulated' }]),
      create: () => condstore,
    })
  },
})
