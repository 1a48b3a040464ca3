import type { Plugin } from 'mailwright/api'

/**
 * A plugin that comes with the server. `provides` says which short names it gives to which points, so that the loader
 * knows what to import without importing it; it repeats what the plugin's `setup` contributes, and a test compares both.
 */
export interface BuiltinPlugin {
  readonly id: string
  readonly provides: readonly { readonly point: string; readonly name: string }[]
  readonly load: () => Promise<{ readonly default: Plugin }>
}

/** One row per plugin, one line per row, sorted by id; only what the configuration uses is imported. */
export const builtinPlugins: readonly BuiltinPlugin[] = [
  { id: 'auth-anonymous', provides: [{ point: 'auth.mechanisms', name: 'anonymous' }], load: () => import('./auth/mechanisms/anonymous/index.js') },
  { id: 'auth-apop', provides: [{ point: 'auth.mechanisms', name: 'apop' }], load: () => import('./auth/mechanisms/apop/index.js') },
  { id: 'auth-cram-md5', provides: [{ point: 'auth.mechanisms', name: 'cram-md5' }], load: () => import('./auth/mechanisms/cram-md5/index.js') },
  { id: 'auth-digest-md5', provides: [{ point: 'auth.mechanisms', name: 'digest-md5' }], load: () => import('./auth/mechanisms/digest-md5/index.js') },
  { id: 'auth-external', provides: [{ point: 'auth.mechanisms', name: 'external' }], load: () => import('./auth/mechanisms/external/index.js') },
  { id: 'auth-file', provides: [{ point: 'auth.passwords', name: 'file' }], load: () => import('./auth/passwords/file/index.js') },
  { id: 'auth-login', provides: [{ point: 'auth.mechanisms', name: 'login' }], load: () => import('./auth/mechanisms/login/index.js') },
  { id: 'auth-md5-database', provides: [{ point: 'auth.passwords', name: 'md5-database' }], load: () => import('./auth/passwords/md5-database/index.js') },
  { id: 'auth-oauth', provides: [{ point: 'auth.mechanisms', name: 'oauthbearer' }, { point: 'auth.mechanisms', name: 'xoauth2' }], load: () => import('./auth/mechanisms/oauth/index.js') },
  { id: 'auth-otp', provides: [{ point: 'auth.mechanisms', name: 'otp' }], load: () => import('./auth/mechanisms/otp/index.js') },
  { id: 'auth-plain', provides: [{ point: 'auth.mechanisms', name: 'plain' }], load: () => import('./auth/mechanisms/plain/index.js') },
  { id: 'auth-schemes', provides: ['argon2id', 'scrypt', 'bcrypt', 'sha512-crypt', 'sha256-crypt', 'pbkdf2', 'scram', 'crypt', 'salted-sha', 'plain', 'weak-digests', 'md5-crypt', 'des-crypt'].map((name) => ({ point: 'auth.schemes', name })), load: () => import('./auth/schemes/index.js') },
  { id: 'auth-scram', provides: ['scram-sha-256-plus', 'scram-sha-256', 'scram-sha-1-plus', 'scram-sha-1'].map((name) => ({ point: 'auth.mechanisms', name })), load: () => import('./auth/mechanisms/scram/index.js') },
  { id: 'drivers-files', provides: [{ point: 'mail.drivers', name: 'files' }], load: () => import('./drivers/files/index.js') },
  { id: 'drivers-memory', provides: [{ point: 'mail.drivers', name: 'memory' }], load: () => import('./drivers/memory/index.js') },
  { id: 'format-dummy', provides: [{ point: 'mail.formats', name: 'dummy' }], load: () => import('./formats/dummy/index.js') },
  { id: 'format-mix', provides: [{ point: 'mail.formats', name: 'mix' }], load: () => import('./formats/mix/index.js') },
  { id: 'format-mx', provides: [{ point: 'mail.formats', name: 'mx' }], load: () => import('./formats/mx/index.js') },
  { id: 'format-unix', provides: [{ point: 'mail.formats', name: 'unix' }], load: () => import('./formats/unix/index.js') },
  { id: 'imap-children', provides: [{ point: 'imap.extensions', name: 'children' }], load: () => import('./imap/children/index.js') },
  { id: 'imap-condstore', provides: [{ point: 'imap.extensions', name: 'condstore' }], load: () => import('./imap/condstore/index.js') },
  { id: 'imap-enable', provides: [{ point: 'imap.extensions', name: 'enable' }], load: () => import('./imap/enable/index.js') },
  { id: 'imap-id', provides: [{ point: 'imap.extensions', name: 'id' }], load: () => import('./imap/id/index.js') },
  { id: 'imap-idle', provides: [{ point: 'imap.extensions', name: 'idle' }], load: () => import('./imap/idle/index.js') },
  { id: 'imap-literal-plus', provides: [{ point: 'imap.extensions', name: 'literal-plus' }, { point: 'imap.extensions', name: 'literal-minus' }], load: () => import('./imap/literal-plus/index.js') },
  { id: 'imap-move', provides: [{ point: 'imap.extensions', name: 'move' }], load: () => import('./imap/move/index.js') },
  { id: 'imap-multiappend', provides: [{ point: 'imap.extensions', name: 'multiappend' }], load: () => import('./imap/multiappend/index.js') },
  { id: 'imap-namespace', provides: [{ point: 'imap.extensions', name: 'namespace' }], load: () => import('./imap/namespace/index.js') },
  { id: 'imap-sasl-ir', provides: [{ point: 'imap.extensions', name: 'sasl-ir' }], load: () => import('./imap/sasl-ir/index.js') },
  { id: 'imap-uidplus', provides: [{ point: 'imap.extensions', name: 'uidplus' }], load: () => import('./imap/uidplus/index.js') },
  { id: 'imap-unselect', provides: [{ point: 'imap.extensions', name: 'unselect' }], load: () => import('./imap/unselect/index.js') },
  { id: 'log-syslog', provides: [{ point: 'process.log', name: 'syslog' }], load: () => import('./log/syslog/index.js') },
  { id: 'namespace-mailboxfile', provides: [{ point: 'mail.namespaces', name: 'mailboxfile' }], load: () => import('./namespaces/mailboxfile/index.js') },
  { id: 'namespace-restrict-box', provides: [{ point: 'mail.namespaces', name: 'restrict-box' }], load: () => import('./namespaces/restrict-box/index.js') },
  { id: 'passwords-otp', provides: [{ point: 'auth.passwords', name: 'otp' }], load: () => import('./auth/passwords/otp/index.js') },
  { id: 'pop3-apop', provides: [{ point: 'pop3.extensions', name: 'apop' }], load: () => import('./pop3/apop/index.js') },
  { id: 'pop3-capabilities', provides: ['login-delay', 'resp-codes', 'auth-resp-code', 'pipelining', 'expire', 'implementation'].map((name) => ({ point: 'pop3.extensions', name })), load: () => import('./pop3/capabilities/index.js') },
  { id: 'pop3-lang', provides: [{ point: 'pop3.extensions', name: 'lang' }], load: () => import('./pop3/lang/index.js') },
  { id: 'pop3-uidl', provides: [{ point: 'pop3.extensions', name: 'uidl' }], load: () => import('./pop3/uidl/index.js') },
  { id: 'pop3-utf8', provides: [{ point: 'pop3.extensions', name: 'utf8' }], load: () => import('./pop3/utf8/index.js') },
  { id: 'sidecars-files', provides: [{ point: 'mail.sidecars', name: 'files' }], load: () => import('./sidecars/files/index.js') },
  { id: 'subscriptions-mailboxlist', provides: [{ point: 'mail.subscriptions', name: 'mailboxlist' }], load: () => import('./subscriptions/mailboxlist/index.js') },
  { id: 'users-virtual', provides: [{ point: 'auth.users', name: 'virtual' }], load: () => import('./auth/users/virtual/index.js') },
  { id: 'workaround-entourage', provides: [{ point: 'client.workarounds', name: 'entourage' }], load: () => import('./workarounds/entourage/index.js') },
  { id: 'workaround-hold-expunge', provides: [{ point: 'client.workarounds', name: 'hold-expunge' }], load: () => import('./workarounds/hold-expunge/index.js') },
  { id: 'workaround-idle-keepalive', provides: [{ point: 'client.workarounds', name: 'idle-keepalive' }], load: () => import('./workarounds/idle-keepalive/index.js') },
  { id: 'workaround-lower-case-user', provides: [{ point: 'client.workarounds', name: 'lower-case-user' }], load: () => import('./workarounds/lower-case-user/index.js') },
  { id: 'workaround-netscape', provides: [{ point: 'client.workarounds', name: 'netscape' }, { point: 'imap.extensions', name: 'netscape' }], load: () => import('./workarounds/netscape/index.js') },
  { id: 'workaround-no-idle', provides: [{ point: 'client.workarounds', name: 'no-idle' }], load: () => import('./workarounds/no-idle/index.js') },
  { id: 'workaround-nul-to-0x80', provides: [{ point: 'client.workarounds', name: 'nul-to-0x80' }], load: () => import('./workarounds/nul-to-0x80/index.js') },
  { id: 'workaround-outlook-idle', provides: [{ point: 'client.workarounds', name: 'outlook-idle' }], load: () => import('./workarounds/outlook-idle/index.js') },
  { id: 'workaround-spaced-password', provides: [{ point: 'client.workarounds', name: 'spaced-password' }], load: () => import('./workarounds/spaced-password/index.js') },
  { id: 'workaround-status-warning', provides: [{ point: 'client.workarounds', name: 'status-warning' }], load: () => import('./workarounds/status-warning/index.js') },
  { id: 'workaround-subscribe-warning', provides: [{ point: 'client.workarounds', name: 'subscribe-warning' }], load: () => import('./workarounds/subscribe-warning/index.js') },
  { id: 'workaround-tls-8k-records', provides: [{ point: 'client.workarounds', name: 'tls-8k-records' }], load: () => import('./workarounds/tls-8k-records/index.js') },
]
