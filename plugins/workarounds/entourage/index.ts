import { definePlugin, noSettings, workarounds } from 'mailwright/api'
import { forEverybody } from '../shared/everybody.js'

/**
 * Client: Microsoft Entourage 2001 to 2008 (Mac).
 * Entourage asks STATUS of the mailbox that it has selected, against the advice of RFC 3501 §6.3.10, and shows its user every complaint about it (FAQ 7.39).
 * Here the complaint is left out; the figures are the same.
 */
export default definePlugin({
  id: 'workaround-entourage',
  api: '1.0',
  summary: 'Entourage: no complaint when STATUS asks for the selected mailbox',
  setup(p) {
    p.to(workarounds).contribute({
      name: 'entourage',
      settings: noSettings,
      create: () => forEverybody('Entourage: no complaint when STATUS asks for the selected mailbox', { noteStatusOnSelected: false }),
    })
  },
})
