import { chmod, chown, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { hasPostfix, Postfix } from '../support/postfix.js'
import { subjectsIn } from '../support/sample-mailbox.js'

const CLI = fileURLToPath(new URL('../../dist/core/main/cli.js', import.meta.url))
const NOBODY = 65_534
const mail = (subject: string, text = 'Text.\n'): string => `From: sender@example.net\nTo: alice@example.org\nSubject: ${subject}\n\n${text}`

describe.skipIf(!hasPostfix)('mail that Postfix hands over', () => {
  let folder = ''
  let config = ''
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mailwright-postfix-mail-'))
    config = join(folder, 'mailwright.config.yaml')
    await chmod(folder, 0o755)
    for (const name of ['mail/alice', 'mail/bob']) await mkdir(join(folder, name), { recursive: true })
    await writeFile(config, `version: 1
server: { name: mail.example.org, runDirectory: run }
listeners: { imap: { protocol: imap4, address: 127.0.0.1, port: 1, tls: none } }
hosts:
  default:
    auth: { passwords: [{ use: file, path: users }], users: [{ use: virtual, data: mail }], names: { stripDomains: [example.org] } }
    namespaces: [{ use: mailboxfile, inboxPath: '{home}/INBOX' }]
`)
    await writeFile(join(folder, 'users'), 'alice:{SCRYPT}x\nbob:{SCRYPT}x\n', { mode: 0o600 })
    for (const name of ['', 'mailwright.config.yaml', 'users', 'mail', 'mail/alice', 'mail/bob']) await chown(join(folder, name), NOBODY, NOBODY)
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))
  const inbox = (user: string): string => join(folder, 'mail', user, 'INBOX')
  const subjects = async (path: string): Promise<readonly string[]> => subjectsIn(await readFile(path, 'latin1'))

  test('by pipe to "mailwright deliver": into INBOX and folders, an unknown account bounces, what must wait is tried again', { timeout: 240_000 }, async () => {
    await using postfix = await Postfix.start('mailwright', [`mailwright unix - n n - - pipe user=nobody null_sender= argv=${process.execPath} ${CLI} deliver --config ${config} --create -f \${sender} \${recipient}`])
    await postfix.send(mail('first', 'From here on\n.\nlast\n'), 'sender@example.net', 'alice@example.org')
    await postfix.send(mail('filed'), 'sender@example.net', 'alice+lists@example.org')
    await postfix.send(mail('to both'), '', 'alice@example.org', 'bob@example.org')
    await postfix.send(mail('to nobody'), 'sender@example.net', 'carol@example.org')
    await postfix.logs(/to=<carol@example\.org>.*dsn=5\.1\.1, status=bounced/)
    for (const who of ['alice', 'alice\\+lists', 'bob']) await postfix.logs(new RegExp(`to=<${who}@example\\.org>.*status=sent`))
    await expect.poll(async () => [...(await subjects(inbox('alice')))].toSorted(), { timeout: 60_000 }).toEqual(['first', 'to both'])
    expect(await subjects(inbox('bob'))).toEqual(['to both'])
    expect(await subjects(join(folder, 'mail/alice/lists'))).toEqual(['filed'])
    const text = await readFile(inbox('alice'), 'latin1')
    expect(text.match(/^Return-Path: .*$/gm)?.toSorted()).toEqual(['Return-Path: <>', 'Return-Path: <sender@example.net>'])
    expect(text).toContain('\n>From here on\n.\nlast\n')
    expect(await stat(inbox('alice'))).toMatchObject({ uid: NOBODY })
    // A damaged mailbox keeps mail in the queue, until it is mended.
    await writeFile(inbox('bob'), 'no mailbox\n')
    await postfix.send(mail('later'), 'sender@example.net', 'bob@example.org')
    await postfix.logs(/to=<bob@example\.org>.*status=deferred .*not in valid mailbox format/)
    await writeFile(inbox('bob'), '')
    await expect.poll(async () => subjects(inbox('bob')), { timeout: 60_000 }).toEqual(['later'])
  })
})
