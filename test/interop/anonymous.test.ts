import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { RawClient } from '../support/raw-client.js'
import { startServer, type RunningServer } from '../support/running-server.js'
import { SAMPLE_MAILBOX } from '../support/sample-mailbox.js'

describe('anonymous users (FAQ 4.1)', () => {
  let server: RunningServer
  beforeAll(async () => {
    server = await startServer({
      auth: 'mechanisms: [plain, { use: anonymous, enableFile: anonymous.newsgroups, home: anonymous }]\nschemes: [ { use: plain, allow: true } ]\npasswords: [ { use: file, path: users.txt } ]',
      namespaces: "[ prefixes, { use: mailboxfile, inboxPath: '{home}/INBOX' } ]",
      files: { 'anonymous/notes': SAMPLE_MAILBOX, 'mail/alice/INBOX': SAMPLE_MAILBOX, 'mail/imappublic/news': SAMPLE_MAILBOX, 'mail/imapshared/team': SAMPLE_MAILBOX },
    })
    await mkdir(join(server.folder, 'mail', 'ftp'), { recursive: true })
  })
  afterAll(() => server.remove())
  const enable = (): Promise<void> => writeFile(join(server.folder, 'anonymous.newsgroups'), 'whatever')
  const disable = (): Promise<void> => rm(join(server.folder, 'anonymous.newsgroups'), { force: true })
  const capabilities = async (): Promise<string> => {
    const client = await RawClient.open(server.ports.imap)
    const { untagged } = await client.do('CAPABILITY')
    await client.logout()
    return untagged.join('\n')
  }

  test('are let in while the enable file is there, whatever it holds, and at no other time', async () => {
    await disable()
    const client = await RawClient.open(server.ports.imap)
    expect(await capabilities()).not.toContain('AUTH=ANONYMOUS')
    expect((await client.do('LOGIN anonymous guest@example.org')).text).toContain('[AUTHENTICATIONFAILED]')
    expect((await client.do('AUTHENTICATE ANONYMOUS Z3Vlc3Q=')).status).toBe('BAD')
    await enable()
    // Capabilities end with what is for anybody.
    await expect.poll(capabilities, { timeout: 10_000 }).toMatch(/AUTH=ANONYMOUS$/m)
    expect((await client.do('LOGIN Anonymous guest@example.org')).status).toBe('OK')
    await client.logout()
    const other = await RawClient.open(server.ports.imap)
    expect((await other.do('AUTHENTICATE ANONYMOUS Z3Vlc3Q=')).status).toBe('OK')
    await other.logout()
    // What was given in place of a password is in the log, as whose mail it may be.
    for (const line of ['Login anonymous=guest@example.org host=[127.0.0.1]', 'Authenticated anonymous=guest host=[127.0.0.1] mech=ANONYMOUS']) expect(server.log()).toContain(` info  ${line}\n`)
  })
  test('reach what is public and their own home, and change nothing', async () => {
    await enable()
    const client = await RawClient.login(server.ports.imap, 'anonymous', 'guest')
    for (const name of ['#public/news', 'notes']) {
      const { text, untagged } = await client.do(`SELECT ${name}`)
      expect([name, text, untagged.includes('* 3 EXISTS')]).toEqual([name, '[READ-ONLY] SELECT completed', true])
      expect((await client.do('FETCH 1 BODY[]')).status).toBe('OK')
      expect((await client.do(String.raw`STORE 1 +FLAGS (\Deleted)`)).status).toBe('NO')
      expect((await client.do('EXPUNGE')).status).toBe('BAD')
    }
    expect((await client.append('#public/news', 'Subject: x\r\n\r\n')).status).toBe('BAD')
    expect((await client.do('STATUS #public/news (MESSAGES)')).untagged).toEqual(['* STATUS #public/news (MESSAGES 3)'])
    await client.logout()
    for (const path of ['anonymous/notes', 'mail/imappublic/news']) expect(await readFile(join(server.folder, path), 'utf8')).toBe(SAMPLE_MAILBOX)
  })
  test.each(['#shared/team', '~alice/INBOX', '../mail/alice/INBOX', '/etc/passwd', '{localhost}INBOX'])('do not reach %s', async (name) => {
    await enable()
    const client = await RawClient.login(server.ports.imap, 'anonymous', 'guest')
    for (const command of [`SELECT "${name}"`, `EXAMINE "${name}"`, `STATUS "${name}" (MESSAGES)`]) expect([command, (await client.do(command)).status]).toEqual([command, 'NO'])
    const { untagged } = await client.do('LIST "" *')
    expect(untagged.join('\n')).not.toMatch(/alice|team|passwd/)
    await client.logout()
  })
})
