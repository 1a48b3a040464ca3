import type { Command } from './command.js'
import { compileAhead } from './first-calls.js'

const CONFIG = `  -c, --config FILE   configuration file; without it mailwright.config.* of the working directory, else of
                      /etc/mailwright, else a personal server on loopback with its data in the XDG state folder
`

/** All commands, in the order of the help. */
export const commands: readonly Command[] = [
  {
    name: 'serve',
    summary: 'run the server until it is told to stop',
    help: `usage: mailwright serve [--config FILE] [--try]

Runs in the foreground. SIGTERM and SIGINT let sessions end and stop it; SIGHUP takes up a changed configuration.

${CONFIG}      --try           make a first account and a small mailbox where there is none, and say how to try them

exit: 0 stopped, 78 the configuration or the machine does not allow a start
`,
    load: () => {
      compileAhead()
      return import('./commands/serve.js')
    },
  },
  {
    name: 'check',
    summary: 'report every problem of the configuration and of the machine',
    help: `usage: mailwright check [--config FILE]

Nothing is started or changed. Looks at the file, the plugins, certificates, permissions and ports.

${CONFIG}
exit: 0 usable (there may be warnings), 78 not usable
`,
    load: () => import('./commands/check.js'),
  },
  {
    name: 'explain',
    summary: 'show which plugin serves what, where settings come from, what is off and why',
    help: `usage: mailwright explain [USER[@DOMAIN]] [options]

Without a user the whole server; with one, or with an address, the host that serves it.

${CONFIG}      --from ADDR         address of the client
      --to ADDR           local address that the client connects to
      --server-name NAME  name that the client asks for in TLS
      --listener NAME     listener that the client connects to
`,
    load: () => import('./commands/explain.js'),
  },
  {
    name: 'plugins',
    summary: 'list what is loaded, from where, and which points it fills',
    help: `usage: mailwright plugins [--config FILE] [--json]

${CONFIG}      --json          for programs
`,
    load: () => import('./commands/plugins.js'),
  },
  {
    name: 'schema',
    summary: 'print the JSON Schema of the configuration',
    help: `usage: mailwright schema

For editors; for YAML put "# yaml-language-server: $schema=FILE" at the top of the configuration.
`,
    load: () => import('./commands/schema.js'),
  },
  {
    name: 'reload',
    summary: 'let the running server take up its configuration again',
    help: `usage: mailwright reload [--config FILE]

The new configuration is checked whole first; when something is wrong with it, nothing changes.

${CONFIG}
exit: 0 taken up, 69 no server runs, 78 refused
`,
    load: () => import('./commands/reload.js'),
  },
  {
    name: 'imapd',
    summary: 'serve one connection on standard input and output',
    help: `usage: mailwright imapd [options]

For inetd, systemd sockets with Accept=yes, and ssh. As root it is a connection with a login; for everybody else it is
the session of the account that started it.

${CONFIG}      --user NAME     root only: the session of this account
      --tls HOW       when standard input is a socket: none, starttls or implicit; without it implicit on the port of
                      imaps (services(5)), starttls on others
      --protocol NAME imap4, or the name of a protocol that a plugin brings
`,
    load: () => import('./commands/imapd.js'),
  },
  {
    name: 'pop3d',
    summary: 'serve one POP3 connection on standard input and output',
    help: `usage: mailwright pop3d [options]

For inetd, systemd sockets with Accept=yes, and ssh. There is always a login.

${CONFIG}      --tls HOW       when standard input is a socket: none, starttls or implicit; without it implicit on the port of
                      pop3s (services(5)), starttls on others
      --protocol NAME pop3, pop2, or the name of a protocol that a plugin brings
`,
    load: () => import('./commands/pop3d.js'),
  },
  {
    name: 'deliver',
    summary: 'file a message from standard input, for mail transports and filters',
    help: `usage: mailwright deliver [USER] [+FOLDER] [options] < MESSAGE

USER is an account or an address, without one whoever runs the command; USER+FOLDER and USER+FOLDER@DOMAIN mean the same.
A folder that is missing or cannot take the message is no reason to lose it: INBOX gets it then. Lines may end in LF or
CRLF, and a From line at the beginning is left out. As root it works with the rights of the account.

${CONFIG}      --host ID       virtual host; without it the one of the domain, else the first
  -f, --from ADDR     envelope sender (-r too): the message gets a Return-Path line
  -s, --seen          the message arrives as read
  -k, --keywords LIST keywords for the message, separated by blanks
      --create        make the folder when it is missing
      --user-mode     called by a filter of the account itself: +FOLDER may be in another namespace (#mh/x)
      --all-temporary every failure is 75, so that the transport keeps the message

exit: 0 delivered and on the disk; 75 try again later (also for a mistake in the configuration or in the options);
      65 there is no message, 67 no such account, 73 the mailbox cannot take it, 77 not permitted
`,
    load: () => import('./commands/deliver.js'),
  },
  {
    name: 'lmtpd',
    summary: 'take messages from a mail transport on standard input and output (LMTP)',
    help: `usage: mailwright lmtpd [options]

For systemd sockets with Accept=yes, inetd, and the spawn service of Postfix; not as root: it works for all recipients with
the rights of the user who started it. Addresses are those of "mailwright deliver": USER, USER@DOMAIN, USER+FOLDER@DOMAIN.
Each recipient is answered on its own, when the message is on the disk.

${CONFIG}      --host ID       virtual host; without it the one of the domain, else the first
      --create        make folders that are missing

exit: 0 the connection ended, however it did; 78 the configuration cannot be used
`,
    load: () => import('./commands/lmtpd.js'),
  },
  {
    name: 'mailbox',
    summary: 'check, list, make, copy, move, prune and convert the mailboxes of an account',
    help: `usage: mailwright mailbox check USER [MAILBOX]              new messages, unseen ones, all
       mailwright mailbox list USER [PATTERN]               names, as LIST of IMAP has them
       mailwright mailbox create USER MAILBOX               --format FORMAT, or "#driver.FORMAT/MAILBOX"
       mailwright mailbox delete USER MAILBOX
       mailwright mailbox rename USER OLD NEW
       mailwright mailbox copy USER SOURCE NEW              into a new mailbox, all messages or none
       mailwright mailbox move USER SOURCE NEW              the same, then the messages leave SOURCE
       mailwright mailbox append USER SOURCE TARGET         into one that exists; appenddelete also removes
       mailwright mailbox prune USER MAILBOX CRITERIA       removes what a search of IMAP finds, and nothing else
       mailwright mailbox transfer USER SOURCE [TARGET]     a mailbox and all below it; without TARGET in place (--to)

${CONFIG}      --host ID       virtual host; without it the one of the domain, else the first
      --to FORMAT     format of mailboxes that are made (--format too)
      --merge HOW     when a target of transfer exists: append, skip, suffix=TEXT
      --dry-run       prune and transfer only say what they would do

exit: 0 done, 1 failed, 64 wrong arguments, 67 no such account
`,
    load: () => import('./commands/mailbox.js'),
  },
  {
    name: 'fsck',
    summary: 'look for damage in mailboxes, and salvage what is readable',
    help: `usage: mailwright fsck USER MAILBOX... [options]

Reports everything that is wrong and changes nothing. With --repair a good mailbox with every message that can be read takes
the place of a damaged one, which stays beside it as it is, as MAILBOX.damaged.

${CONFIG}      --host ID       virtual host; without it the one of the domain, else the first
      --repair        salvage, instead of only saying what is wrong

exit: 0 all are good, or are so now; 1 there is damage; 67 no such account
`,
    load: () => import('./commands/fsck.js'),
  },
  {
    name: 'user',
    summary: 'add, list and remove accounts, set passwords',
    help: `usage: mailwright user add|passwd|remove NAME [options]
       mailwright user list [options]

Edits the accounts of the first password backend that can be edited. The password is asked for without echo, or read
from the first line of standard input. The mail of a removed user stays.

${CONFIG}      --host ID       virtual host; without it the first
`,
    load: () => import('./commands/user.js'),
  },
  {
    name: 'blocks',
    summary: 'list whom the running server keeps out after failed logins, and let them in again',
    help: `usage: mailwright blocks list [options]
       mailwright blocks clear [KEY] [options]

KEY is a user, an address or a network as the list shows it; without one everybody is let in again.

${CONFIG}
exit: 0 done, 69 no server runs
`,
    load: () => import('./commands/blocks.js'),
  },
  {
    name: 'login-test',
    summary: 'walk through a login and say what each backend, directory and policy answers',
    help: `usage: mailwright login-test USER [options]

The password is asked for without echo, or read from the first line of standard input. Nothing is counted or changed.
Clients are told only that a login failed; this says why.

${CONFIG}      --host ID       virtual host; without it the one of the domain, else the first
      --from ADDR     address of the client
      --service NAME  imap (default) or pop

exit: 0 would be let in, 1 would not
`,
    load: () => import('./commands/login-test.js'),
  },
  {
    name: 'init',
    summary: 'write a commented configuration for this machine',
    help: `usage: mailwright init [FILE] [--force]

      --force         replace a file that is there
`,
    load: () => import('./commands/init.js'),
  },
]
