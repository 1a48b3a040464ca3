import { passwordBackends, passwordSchemes, loginPolicies, saslMechanisms, userDirectories } from '../api/auth.js'
import { lockers } from '../api/files.js'
import { imapExtensions } from '../api/imap.js'
import { services } from '../api/kernel.js'
import { mailboxFormats } from '../api/mail/format.js'
import { storeLayers } from '../api/mail/layer.js'
import { factDerivers } from '../api/mail/message.js'
import { namespaceResolvers, subscriptions } from '../api/mail/names.js'
import { mailPolicies } from '../api/mail/policy.js'
import { searchIndexes } from '../api/mail/search.js'
import { sidecarBackends } from '../api/mail/sidecar.js'
import { mailDrivers } from '../api/mail/store.js'
import { logSinks, observers, transcripts } from '../api/observe.js'
import { pop3Extensions } from '../api/pop3.js'
import { certificateSources, protocols, transportLayers } from '../api/protocol.js'
import { workarounds } from '../api/workaround.js'

/** What a point gets when the configuration does not mention it, and the sentence about it in `config/default.yaml`. */
export interface CorePoint {
  readonly point: { readonly id: string; readonly scope: 'process' | 'host' | 'session'; readonly pick: 'one' | 'ordered' | 'all'; readonly roles: typeof services.roles; readonly slot: string }
  /** Entries by default; absent: none, or all for a point that takes all. */
  readonly fallback?: readonly string[]
  readonly help: string
}

/** The points that core brings, in the order of the configuration file. */
export const corePoints: readonly CorePoint[] = [
  { point: logSinks, fallback: ['stderr'], help: 'Where log lines go.' },
  { point: services, help: 'Work beside the mail sessions that plugins bring.' },
  { point: observers, help: 'Eyes of plugins on what sessions do: metrics, inspectors.' },
  { point: transcripts, help: 'Recorders of whole sessions.' },
  { point: transportLayers, help: 'Layers over a connection, such as compression; without this list all that are loaded.' },
  { point: protocols, help: 'Protocols of this host; without this list all that are loaded.' },
  { point: certificateSources, help: 'Where certificates come from besides "certificate" and "selfSigned"; asked in this order.' },
  { point: mailDrivers, fallback: ['files'], help: 'Kinds of storage.' },
  { point: mailboxFormats, fallback: ['mbox', 'mix', 'mx', 'mbx', 'tenex', 'mtx', 'mh', 'mmdf', 'unix', 'dummy'], help: 'Formats of mailbox files, in the order in which they are tried on a file.' },
  { point: lockers, help: 'Who makes lock files in folders that take none from the user.' },
  { point: saslMechanisms, fallback: ['cram-md5', 'apop', 'plain', 'login'], help: 'SASL mechanisms, in the order in which they are advertised.' },
  { point: passwordBackends, fallback: ['md5-database', 'file'], help: 'Who checks passwords; asked in this order, stopping at the first that knows the user.' },
  { point: userDirectories, fallback: ['virtual'], help: 'Who knows the accounts: home, ids; the first that knows the user answers.' },
  { point: loginPolicies, help: 'Who may log in besides: administrators, rate limits, address rules; all must agree.' },
  { point: passwordSchemes, help: 'Stored forms of passwords; without this list all that are loaded.' },
  { point: namespaceResolvers, fallback: ['mailboxfile'], help: 'How mailbox names become places, as a chain.' },
  { point: subscriptions, fallback: ['mailboxlist'], help: 'Who keeps the lists of subscribed mailboxes.' },
  { point: sidecarBackends, fallback: ['files'], help: 'Who keeps what a mailbox cannot hold itself.' },
  { point: storeLayers, help: 'Layers around every store, the outermost first.' },
  { point: mailPolicies, help: 'Rights and quotas; all must agree.' },
  { point: searchIndexes, help: 'Search indexes; the first that knows a mailbox answers.' },
  { point: factDerivers, help: 'Properties of messages that plugins compute; without this list all that are loaded.' },
  { point: workarounds, fallback: ['tls-8k-records', 'nul-to-0x80', 'outlook-idle'], help: 'Help for clients with known faults; later entries win. Without this list three are on that harm no client; an empty list is none.' },
  { point: imapExtensions, help: 'IMAP extensions; without this list all that are loaded.' },
  { point: pop3Extensions, help: 'POP3 extensions; without this list all that are loaded.' },
]
