import { readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { hasPostfix, Postfix } from '../support/postfix.js'
import { subjectsIn } from '../support/sample-mailbox.js'
import { NOBODY, transportSite } from '../support/transport-site.js'

const CLI = fileURLToPath(new URL('../../dist/core/main/cli.js', import.meta.url))
const mail = (subject: string, text = 'Text.\n'): string => `From: sender@example.net\nTo: alice@example.org\nSubject: ${subject}\n\n${text}`

describe.skipIf(!hasPostfix)('mail that Postfix hands over', () => {
  let folder = ''
  let config = ''
  beforeEach(async () => {
    ;({ folder, config } = await transportSite('postfix-mail'))
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
