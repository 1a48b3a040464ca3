import { execFileSync } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { has, run } from '../../support/programs.js'

const ROOT = process.getuid?.() === 0
const CLI = fileURLToPath(new URL('../../../dist/core/main/cli.js', import.meta.url))

/** One run of `mailwright check`: the file, what lies around it, and what is said. */
interface Row {
  readonly name: string
  /** YAML of `hosts.default`; four spaces before each line are added. */
  readonly host: string
  /** Instead of `mail.example.org`. */
  readonly serverName?: string
  readonly tls?: string
  /** A further line of `listeners`. */
  readonly listener?: string
  readonly prepare?: () => Promise<void>
  /** In the order of the output; each must be the code, and a part of what is said with it. */
  readonly says: readonly (readonly [code: string, text: string])[]
  readonly code?: number
  readonly needs?: string
}

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mailwright-check-'))
  // A machine that is right: each row spoils one thing.
  await mkdir(join(folder, 'locks'), { mode: 0o1777 })
  await chmod(join(folder, 'locks'), 0o1777)
  await writeFile(join(folder, 'users'), '', { mode: 0o600 })
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const AUTH = 'auth: { passwords: [{ use: file, path: users }], users: [{ use: virtual, data: mail }] }'
const FILES = 'files: { lockDirectory: locks }'
const NAMES = "namespaces: [{ use: mailboxfile, inboxPath: '{home}/INBOX' }]"
const BARE = `${AUTH}\n${FILES}\n${NAMES}`
const OWN = 'tls: { selfSigned: own }'
const RIGHT = `${BARE}\n${OWN}`
async function directory(name: string, mode: number): Promise<void> {
  await mkdir(join(folder, name), { recursive: true })
  await chmod(join(folder, name), mode)
}
function certificate(name: string, forName: string, days: number, type: 'rsa' | 'ec' = 'ec'): void {
  const key = type === 'rsa' ? ['-newkey', 'rsa:2048'] : ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']
  const [pem, keyFile] = [join(folder, name), join(folder, `${name}.key`)]
  execFileSync('openssl', ['req', '-x509', ...key, '-nodes', '-subj', `/CN=${forName}`, '-addext', `subjectAltName=DNS:${forName}`, '-days', String(days), '-keyout', keyFile, '-out', pem], { stdio: 'ignore' })
}
async function withKey(name: string): Promise<void> {
  await writeFile(join(folder, name), (await readFile(join(folder, name), 'latin1')) + (await readFile(join(folder, `${name}.key`), 'latin1')))
}

const rows: readonly Row[] = [
  { name: 'nothing', host: RIGHT, says: [] },
  { name: 'mail is taken on loopback and at a socket file of the mail transport', host: RIGHT, listener: 'lmtp: { protocol: lmtp, port: 0 }\n  file: { protocol: lmtp, unix: lmtp.sock, mode: "0660" }', says: [] },
  { name: 'mail is taken from every machine', host: RIGHT, listener: 'lmtp: { protocol: lmtp, port: 0, address: 0.0.0.0 }', says: [['NET_OPEN_DELIVERY', 'whoever reaches 0.0.0.0 may hand over mail for everybody']] },
  { name: 'mail is taken from every account', host: RIGHT, listener: 'lmtp: { protocol: lmtp, unix: lmtp.sock, mode: "0666" }', says: [['NET_OPEN_DELIVERY', 'every account of this machine may connect']] },
  { name: 'the folder of a socket file is not there', host: RIGHT, listener: 'lmtp: { protocol: lmtp, unix: nowhere/lmtp.sock }', code: 78, says: [['NET_NO_SUCH_ADDRESS', 'make ']] },
  { name: 'no backend: nobody can log in', host: `${OWN}\n${FILES}\n${NAMES}\nauth: { passwords: [] }`, says: [['AUTH_NO_LOGIN', 'there is no password backend']] },
  {
    name: 'passwords are refused, and nothing else is there',
    host: `${OWN}\n${FILES}\n${NAMES}\nauth: { plaintext: never, mechanisms: [plain, login], passwords: [{ use: file, path: users }], users: [{ use: virtual, data: mail }] }`,
    says: [['AUTH_NO_LOGIN', 'passwords are refused and there is no other mechanism']],
  },
  { name: 'the same with a mechanism that shows no password', host: `${OWN}\n${FILES}\n${NAMES}\n${AUTH.replace('{ ', '{ plaintext: never, mechanisms: [scram-sha-256], ')}`, says: [] },
  { name: 'passwords under TLS alone, and no TLS', tls: 'none', host: `${BARE.replace('{ ', '{ mechanisms: [plain], ')}`, says: [['AUTH_NO_LOGIN', 'no listener offers it']] },
  { name: 'passwords in clear', host: `${OWN}\n${FILES}\n${NAMES}\n${AUTH.replace('{ ', '{ plaintext: always, ')}`, says: [['AUTH_PLAINTEXT', 'passwords may cross the network in clear']] },
  {
    name: 'other users without root', host: `${OWN}\n${AUTH}\n${FILES}\nnamespaces: [{ use: restrict-box, deny: [other-users] }, { use: mailboxfile, inboxPath: '{home}/INBOX' }]`,
    says: [['NAMES_ROOT_OPEN', 'leaves the homes of others open']],
  },
  { name: 'other users with root', host: `${OWN}\n${AUTH}\n${FILES}\nnamespaces: [{ use: restrict-box, deny: [root, other-users] }, { use: mailboxfile, inboxPath: '{home}/INBOX' }]`, says: [] },
  { name: 'everything refused', host: `${OWN}\n${AUTH}\n${FILES}\nnamespaces: [{ use: restrict-box }, { use: mailboxfile, inboxPath: '{home}/INBOX' }]`, says: [] },
  {
    name: 'a lock directory with other permissions', host: RIGHT.replace('locks', 'narrow'), prepare: () => directory('narrow', 0o755),
    says: [['FILES_LOCK_DIRECTORY', 'has the permissions 755, so other programs cannot see our locks there']],
  },
  {
    name: 'a lock program that is missing', host: RIGHT.replace('locks }', 'locks, lockers: [{ use: mlock, programs: [/nowhere/mlock, mlock] }] }'),
    says: [['FILES_LOCK_PROGRAM', 'there is no lock program: /nowhere/mlock, ']],
  },
  {
    name: 'a lock program without the right to more', prepare: () => writeFile(join(folder, 'mlock-bare'), '', { mode: 0o755 }),
    host: RIGHT.replace('locks }', 'locks, lockers: [{ use: mlock, programs: [mlock-bare] }] }'), says: [['FILES_LOCK_PROGRAM', 'is not set-group-id']],
  },
  {
    name: 'a lock program as it should be',
    prepare: async () => {
      await writeFile(join(folder, 'mlock-right'), '')
      await chmod(join(folder, 'mlock-right'), 0o2755)
    },
    host: RIGHT.replace('locks }', 'locks, lockers: [{ use: mlock, programs: [mlock-right] }] }'), says: [],
  },
  { name: 'a lock directory that is missing', host: RIGHT.replace('locks', 'nowhere'), says: [['FILES_LOCK_DIRECTORY', 'does not exist']] },
  {
    name: 'a spool with other permissions, named by a template', prepare: () => directory('spool', 0o775),
    host: `${OWN}\n${AUTH}\n${FILES}\nnamespaces: [{ use: mailboxfile, spool: spool, inboxPath: '{spool}/{user}' }]`,
    says: [['FILES_SPOOL', 'has the permissions 775, so lock files of all users cannot be made there']],
  },
  {
    name: 'the same where a lock program makes the lock files',
    prepare: async () => {
      await directory('spool', 0o775)
      await writeFile(join(folder, 'mlock-spool'), '')
      await chmod(join(folder, 'mlock-spool'), 0o2755)
    },
    host: `${OWN}\n${AUTH}\n${FILES.replace('locks }', 'locks, lockers: [{ use: mlock, programs: [mlock-spool] }] }')}\nnamespaces: [{ use: mailboxfile, spool: spool, inboxPath: '{spool}/{user}' }]`,
    says: [],
  },
  { name: 'a spool as it should be', prepare: () => directory('open', 0o1777), host: `${OWN}\n${AUTH}\n${FILES}\nnamespaces: [{ use: mailboxfile, spool: open, inboxPath: '{spool}/{user}' }]`, says: [] },
  {
    name: 'a spool that nobody uses', prepare: () => directory('spool', 0o775),
    host: `${OWN}\n${AUTH}\n${FILES}\nnamespaces: [{ use: mailboxfile, spool: spool, inboxPath: '{home}/INBOX' }]`, says: [],
  },
  {
    name: 'a password file that others can read', prepare: () => writeFile(join(folder, 'open-users'), '').then(() => chmod(join(folder, 'open-users'), 0o644)),
    host: RIGHT.replace('path: users', 'path: open-users'), says: [['AUTH_FILE_READABLE', 'open-users can be read by others']],
  },
  {
    name: 'an MD5 database that others can read', prepare: () => writeFile(join(folder, 'md5.pwd'), 'alice\tsecret\n').then(() => chmod(join(folder, 'md5.pwd'), 0o640)),
    host: RIGHT.replace('passwords: [', 'passwords: [{ use: md5-database, path: md5.pwd }, '), says: [['AUTH_FILE_READABLE', 'md5.pwd can be read by others']],
  },
  {
    name: 'an MD5 database whose passwords cross the network in clear (FAQ 3.16)', prepare: () => writeFile(join(folder, 'own.pwd'), 'alice\tsecret\n', { mode: 0o400 }),
    host: RIGHT.replace('passwords: [', 'plaintext: always, passwords: [{ use: md5-database, path: own.pwd }, '),
    says: [['AUTH_PLAINTEXT', 'passwords may cross the network in clear'], ['AUTH_MD5_PLAINTEXT', 'own.pwd are asked for in clear logins too']],
  },
  { name: 'the same for CRAM-MD5 and APOP alone', host: RIGHT.replace('passwords: [', 'plaintext: always, passwords: [{ use: md5-database, path: own.pwd, useForPlaintext: false }, '), says: [['AUTH_PLAINTEXT', 'passwords may cross']] },
  { name: 'an MD5 database under TLS', host: RIGHT.replace('passwords: [', 'passwords: [{ use: md5-database, path: own.pwd }, '), says: [] },
  { name: 'an MD5 database that another backend answers before', host: RIGHT.replace('path: users }', 'path: users }, { use: md5-database, path: own.pwd }'), says: [['AUTH_MD5_NOT_FIRST', 'file is asked before']] },
  { name: 'a key table that is missing', host: `${OWN}\n${FILES}\n${NAMES}\n${AUTH.replace('{ ', '{ mechanisms: [{ use: gssapi, keytab: none.keytab }], ')}`, says: [['AUTH_KEYTAB', 'none.keytab, so nobody can log in this way']] },
  {
    name: 'a key table that others can read', prepare: () => writeFile(join(folder, 'open.keytab'), '').then(() => chmod(join(folder, 'open.keytab'), 0o644)),
    host: RIGHT.replace('passwords: [', 'passwords: [{ use: gss, keytab: open.keytab }, '), says: [['AUTH_FILE_READABLE', 'open.keytab can be read by others']],
  },
  {
    name: 'a PAM service of the protocol without its file', prepare: () => directory('pam.d', 0o755), host: RIGHT.replace('use: file, path: users', 'use: pam, folder: pam.d'),
    says: [['AUTH_PAM_SERVICE', 'pam.d/imap, so PAM goes by']],
  },
  { name: 'a PAM service that is set', prepare: () => directory('pam.d', 0o755).then(() => writeFile(join(folder, 'pam.d', 'mail'), '')), host: RIGHT.replace('use: file, path: users', 'use: pam, folder: pam.d, service: mail'), says: [] },
  {
    name: 'PAM with passwords in clear', prepare: () => directory('pam.d', 0o755).then(() => writeFile(join(folder, 'pam.d', 'mail'), '')),
    host: `${OWN}\n${FILES}\n${NAMES}\n${AUTH.replace('{ ', '{ plaintext: always, ').replace('use: file, path: users', 'use: pam, folder: pam.d, service: mail')}`,
    says: [['AUTH_PLAINTEXT', 'checked by pam they travel no better, also where Kerberos checks them']],
  },
  { name: 'an MD5 database that is not there yet', host: RIGHT.replace('passwords: [', 'passwords: [{ use: md5-database, path: later.pwd }, '), says: [] },
  { name: 'a name without a domain', host: `${BARE}\ntls: { certificate: short.pem, key: { file: short.pem.key } }`, serverName: 'mail', needs: 'openssl', prepare: async () => certificate('short.pem', 'mail', 90), says: [['HOST_NAME_UNQUALIFIED', 'the host name "mail" has no domain']] },
  // Only root may have these ports; an address of loopback that nobody else uses.
  ...([
    { name: 'the port of imaps without TLS', listener: 'x: { protocol: imap4, address: 127.0.0.93, port: 993 }', text: 'listener "x": clients begin TLS at once on port 993' },
    { name: 'the port of pop3 under TLS', listener: 'x: { protocol: pop3, address: 127.0.0.93, port: 110, tls: implicit }', text: 'listener "x": clients wait for a greeting in clear on port 110' },
    { name: 'the port of imaps under TLS', listener: 'x: { protocol: imap4, address: 127.0.0.93, port: 993, tls: implicit }', text: undefined },
    { name: 'the port of imaps behind a proxy', listener: 'x: { protocol: imap4, address: 127.0.0.93, port: 993, proxy: [192.0.2.1] }', text: undefined },
  ].map(({ text, ...row }): Row => ({
    ...row, host: RIGHT, code: ROOT ? 0 : 78, says: [...(text === undefined ? [] : [['NET_TLS_PORT', text] as const]), ...(ROOT ? [] : [['NET_NOT_PERMITTED', 'may not be used by this account'] as const])],
  }))),
  { name: 'no certificate where TLS is offered', host: BARE, says: [['NET_NO_CERTIFICATE', 'there is no certificate']] },
  {
    name: 'a certificate for another name, soon at its end', needs: 'openssl', prepare: async () => certificate('other.pem', 'other.example.org', 3),
    host: `${BARE}\ntls: { certificate: other.pem, key: { file: other.pem.key } }`,
    says: [['NET_CERTIFICATE_NAME', 'the certificate is not for "mail.example.org"'], ['NET_CERTIFICATE_EXPIRES', 'the certificate ends on']],
  },
  {
    name: 'the second certificate for another name', needs: 'openssl',
    prepare: async () => {
      certificate('good.pem', 'mail.example.org', 90)
      certificate('second.pem', 'other.example.org', 90, 'rsa')
    },
    host: `${BARE}\ntls: { certificate: good.pem, key: { file: good.pem.key }, also: [{ certificate: second.pem, key: { file: second.pem.key } }] }`,
    says: [['NET_CERTIFICATE_NAME', 'it is for DNS:other.example.org']],
  },
  {
    name: 'a certificate that is none', prepare: () => writeFile(join(folder, 'none.pem'), 'no certificate\n'), code: 78,
    host: `${BARE}\ntls: { certificate: none.pem }`, says: [['NET_BAD_CERTIFICATE', 'the certificate cannot be used']],
  },
  {
    name: 'certificates by address: the folder is empty', prepare: () => directory('certs-empty', 0o755),
    host: `${BARE}\ntls: { byAddress: certs-empty }`, says: [['NET_NO_CERTIFICATE', 'holds no imapd.pem and no imapd-ADDRESS.pem']],
  },
  {
    name: 'certificates by address: the one for the rest has another name, that of an address is soon at its end', needs: 'openssl',
    prepare: async () => {
      await directory('certs', 0o755)
      certificate('certs/imapd.pem', 'rest.example.org', 90)
      await withKey('certs/imapd.pem')
      certificate('certs/imapd-192.0.2.10.pem', 'tenth.example.org', 3)
      await withKey('certs/imapd-192.0.2.10.pem')
    },
    host: `${BARE}\ntls: { byAddress: certs }`,
    says: [['NET_CERTIFICATE_EXPIRES', 'the certificate imapd-192.0.2.10.pem ends on'], ['NET_CERTIFICATE_NAME', 'the certificate is not for "mail.example.org"']],
  },
]

describe('mailwright check looks at the machine', () => {
  for (const { name, host, serverName = 'mail.example.org', tls = 'starttls', listener = '', prepare, says, code = 0, needs } of rows) {
    test.skipIf(needs !== undefined && !has(needs))(`${name}`, async () => {
      await prepare?.()
      const file = join(folder, 'mailwright.config.yaml')
      const indented = host.split('\n').map((line) => `    ${line}`).join('\n')
      await writeFile(file, `version: 1\nserver: { name: ${serverName}, runDirectory: run }\nlisteners:\n  imap: { protocol: imap4, address: 127.0.0.1, port: 0, tls: ${tls} }\n  ${listener}\nhosts:\n  default:\n${indented}\n`)
      const done = await run(process.execPath, [CLI, 'check', '--config', file], { cwd: folder, env: { HOME: folder } })
      const found = [...done.stdout.matchAll(/\b((?:AUTH|FILES|HOST|NAMES|NET|CFG|PLG)_[A-Z0-9_]+)\b/g)].map(([, found = '']) => found)
      expect(found.toSorted(), done.stdout + done.stderr).toEqual(says.map(([one]) => one).toSorted())
      for (const [, text] of says) expect(done.stdout).toContain(text)
      expect(done.code).toBe(code)
      // Everything but what has no place in the file says where it was written.
      if (says.length > 0) expect(done.stdout).toContain('mailwright.config.yaml')
    })
  }
})
