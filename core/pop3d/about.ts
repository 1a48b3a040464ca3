import type { Pop3ExtensionAbout } from '../api/index.js'

/** What the protocol itself announces (RFC 2449 §6, RFC 2595 §4, RFC 5034 §3). Apart from the commands, which are imported only where the protocol is served. */
export const baseAbout: Pop3ExtensionAbout = {
  requires: [],
  capabilities: ({ peer, encrypted, plaintext, mechanisms }) => [
    'TOP',
    ...(peer.startTls === true && !encrypted ? ['STLS'] : []),
    ...(plaintext ? ['USER'] : []),
    ...(mechanisms.length > 0 ? [`SASL ${mechanisms.join(' ')}`] : []),
  ],
}
