/** What `config/examples/quickstart.yaml` says, with data beside the configuration: the server that needs no configuration. */
export function quickstartConfig(): object {
  return {
    version: 1,
    server: { runDirectory: 'run' },
    listeners: {
      imap: { protocol: 'imap4', address: 'localhost', port: 1143, tls: 'starttls' },
      imaps: { protocol: 'imap4', address: 'localhost', port: 1993, tls: 'implicit' },
      pop3: { protocol: 'pop3', address: 'localhost', port: 1110, tls: 'starttls' },
      pop3s: { protocol: 'pop3', address: 'localhost', port: 1995, tls: 'implicit' },
    },
    hosts: {
      default: {
        tls: { selfSigned: 'tls' },
        auth: { passwords: [{ use: 'file', path: 'users' }], users: [{ use: 'virtual', data: 'mail' }] },
        namespaces: [{ use: 'mailboxfile', inboxPath: '{home}/INBOX' }],
      },
    },
  }
}
