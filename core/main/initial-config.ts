/** What `init` finds out about the machine. */
export interface MachineFacts {
  readonly hostName: string
  readonly root: boolean
  readonly certificate: { readonly certificate: string; readonly key: string } | undefined
}

/** A configuration to begin with, every choice with its reason. */
export function initialConfig({ hostName, root, certificate }: MachineFacts): string {
  const data = root ? '/var/lib/mailwright' : './mailwright-data'
  const [imap, imaps, pop3, pop3s] = root ? [143, 993, 110, 995] : [1143, 1993, 1110, 1995]
  const address = root ? '' : 'address: localhost, '
  return `# Mailwright. Every setting, with its default, is in default.yaml of the package.
# "mailwright check" reports everything that is wrong with this file and with the machine, "mailwright explain" what is in force.
version: 1

server:
  # Name in greetings and message ids.
  name: ${JSON.stringify(hostName)}

# Where lines go: stderr (the journal under systemd), a file, or syslog.
log:
  - { use: stderr, level: info }

listeners:
${root ? '' : '  # Ports below 1024 need root or socket activation.\n'}  imap: { protocol: imap4, ${address}port: ${imap}, tls: starttls }
  imaps: { protocol: imap4, ${address}port: ${imaps}, tls: implicit }
  pop3: { protocol: pop3, ${address}port: ${pop3}, tls: starttls }
  pop3s: { protocol: pop3, ${address}port: ${pop3s}, tls: implicit }

hosts:
  default:
    tls:
${
  certificate === undefined
    ? `      # For trying out. For others to trust it, set "certificate" and "key" instead.
      selfSigned: ${data}/tls`
    : `      certificate: ${certificate.certificate}
      key: { file: ${certificate.key} }`
}
    auth:
      # Passwords only inside TLS.
      plaintext: encrypted-only
      # Accounts of this server alone: "mailwright user add NAME".
      passwords:
        - { use: file, path: ${data}/users }
      users:
        - { use: virtual, data: ${data}/mail }
    namespaces:
      # All mail of an account is in its home: the INBOX beside the other mailboxes.
      - { use: mailboxfile, inboxPath: '{home}/INBOX' }
`
}
