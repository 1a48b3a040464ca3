import { protocols } from '../api/index.js'
import type { MailUser, Protocol } from '../api/index.js'
import type { HostView } from '../kernel/kernel.js'
import type { ByteLink } from '../net/byte-link.js'
import type { HostEvidence } from './host-choice.js'

/** Finds the host of a session by what is known of it so far. */
export type HostFinder = (evidence: Partial<HostEvidence> & Pick<HostEvidence, 'localAddress'>) => HostView

/** What becomes of a link that has been accepted. */
export interface Sessions {
  /** From the greeting to the end; `again`: the link goes back to the greeting's half (RFC 8437). */
  run(link: ByteLink, protocol: string): Promise<'ended' | 'again'>
  /** The same for somebody who needs no login. */
  preauthenticated(link: ByteLink, protocol: string, user: MailUser): Promise<'ended' | 'again'>
}

/** The protocol of a host by its name in the configuration. */
export function protocolOf(host: HostView, name: string): ReturnType<typeof entriesOf>[number] | undefined {
  return entriesOf(host).find((entry) => entry.name === name)
}
function entriesOf(host: HostView): ReturnType<typeof host.entries<Protocol, { service: string }>> {
  return host.entries(protocols)
}
