import { chosen, definePlugin, imapExtensions, noSettings, workarounds } from 'mailwright/api'
import { z } from 'zod'
import { AccountPage, netscapeCommand } from './account-page.js'

/**
 * Client: Netscape Communicator 4 and Netscape Messenger.
 * The menu item "Manage Mail Account" is grey, or leads nowhere, unless the server lists X-NETSCAPE and names a page (FAQ 7.35).
 * Here both are given. The command is an extension that exists only where the workaround is on, since that has the address.
 */
export default definePlugin({
  id: 'workaround-netscape',
  api: '1.0',
  summary: 'Netscape: the address of the page where users manage their account',
  setup(p) {
    p.to(workarounds).contribute({
      name: 'netscape',
      settings: z.strictObject({
        accountUrl: z.url({ protocol: /^https?$/ }).describe('The page that "Manage Mail Account" opens.'),
      }),
      create: ({ accountUrl }) => new AccountPage(accountUrl),
    })
    p.to(imapExtensions).contribute({
      name: 'netscape',
      settings: noSettings,
      needs: { chosen: chosen(workarounds) },
      about: { requires: [], capabilities: () => [] },
      create(_settings, needs) {
        const page = needs.chosen.findLast((w) => w instanceof AccountPage)
        return page === undefined ? {} : { commands: [netscapeCommand(page.url)] }
      },
    })
  },
})
