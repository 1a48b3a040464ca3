import { sealCommand } from 'mailwright/api'
import type { ImapCommand, SealedCommand, Workaround } from 'mailwright/api'

/** The workaround, with the address that the command needs. */
export class AccountPage implements Workaround {
  readonly reason = 'Netscape: "Manage Mail Account" opens the page of this site'
  readonly show: readonly string[] = ['X-NETSCAPE']
  readonly with: readonly string[] = ['netscape']
  readonly url: string
  constructor(url: string) {
    this.url = url
  }
  applies(): boolean {
    return true
  }
}

/** NETSCAPE, in every state (spec of the original's `NETSCAPE_BRAIN_DAMAGE`). */
export function netscapeCommand(url: string): SealedCommand {
  const address = Buffer.from(url, 'latin1')
  const command: ImapCommand<undefined, 'not-authenticated' | 'authenticated' | 'selected'> = {
    name: 'NETSCAPE',
    states: ['not-authenticated', 'authenticated', 'selected'],
    uidForm: 'no',
    mayReportExpunge: false,
    parse(input) {
      input.end()
      return undefined
    },
    async run(_request, { out }) {
      out.raw('* OK [NETSCAPE]').endLine()
      out.raw('* VERSION 1.0 UNIX').endLine()
      out.raw('* ACCOUNT-URL ').string(address).endLine()
      return { kind: 'ok' }
    },
  }
  return sealCommand(command)
}
