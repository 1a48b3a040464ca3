import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { has, runOnTerminal } from '../support/programs.js'
import { RawClient } from '../support/raw-client.js'
import { startServer, type RunningServer } from '../support/running-server.js'

let minute = 10
/** Each a minute after the one before: mutt puts them in the order of their dates. */
const text = (subject: string): string => `From: bob@example.org\r\nDate: Thu, 5 Mar 2026 12:${minute++}:00 +0000\r\nSubject: ${subject}\r\n\r\nHello.\r\n`
let server: RunningServer
let own: string
let rc: string
beforeAll(async () => {
  server = await startServer({
    namespaces: "[ { use: mailboxfile, inboxPath: '{home}/INBOX' }, prefixes ]",
    host: 'drivers: { use: [mix, mbx, mx, mh, unix, dummy] }',
  })
  own = await mkdtemp(join(tmpdir(), 'mailwright-mutt-'))
  rc = join(own, 'muttrc')
  for (const name of ['imappublic', 'imapshared', 'ftp']) await mkdir(server.home(name))
  await mkdir(join(server.home('alice'), 'MH'))
  await writeFile(join(server.home('alice'), '.mh_profile'), 'Path: MH\n')
  const common = `set mark_old=no\nset confirmappend=no\nset confirmcreate=no\nset delete=yes\nset move=no\nset header_cache=\nset wait_key=no\nset quit=yes\nset mail_check=0\nset timeout=1\n`
  await writeFile(rc, `set imap_user=alice\nset imap_pass=secret\nset imap_authenticators="login"\nset ssl_starttls=no\nunset ssl_force_tls\nset folder=${own}\nset mbox_type=MH\nset mh_purge=yes\n${common}`)
})
afterAll(async () => {
  await server.remove()
  await rm(own, { recursive: true, force: true })
})
async function mutt(mailbox: string, keys: string): Promise<void> {
  const got = await runOnTerminal('mutt', ['-F', rc, '-n', '-f', mailbox, '-e', `push '${keys}'`], { env: { HOME: own } })
  expect(got.code, got.stdout).toBe(0)
}
async function messages(client: RawClient, mailbox: string): Promise<readonly string[]> {
  expect((await client.do(`EXAMINE "${mailbox}"`)).status).toBe('OK')
  const { untagged } = await client.do('FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])')
  return untagged.filter((line) => line.includes('Subject')).map((line) => {
    const [, flags = '', subject = ''] = /FLAGS \(([^)]*)\)[^]*Subject: (\S+)/.exec(line) ?? []
    return [subject, ...flags.split(' ').filter((flag) => flag !== '' && flag !== '\\Recent').sort()].join(' ')
  })
}

describe.skipIf(!has('mutt') || !has('script'))('mutt', () => {
  const names = [
    { name: '#mh/work', file: ['alice', 'MH/work'], mode: '700' },
    { name: '#public/team', file: ['imappublic', 'team'], mode: '666' },
    { name: '#shared/team', file: ['imapshared', 'team'], mode: '660' },
    { name: '#ftp/files', file: ['ftp', 'files'], mode: '644' },
  ] as const
  test.each(names)('copies to $name, which it makes, and flags and deletes there (FAQ 4.6)', { timeout: 120_000 }, async ({ name, file, mode }) => {
    const client = await RawClient.login(server.ports.imap, 'alice')
    await rm(server.inbox('alice'), { force: true })
    for (const subject of ['one', 'two', 'three']) await client.append('INBOX', text(subject))
    const url = `imap://localhost:${server.ports.imap}/`
    await mutt(`${url}INBOX`, `<tag-pattern>~A<enter><tag-prefix><copy-message>${url}${name}<enter><quit>`)
    expect((await messages(client, name)).map((line) => line.split(' ')[0])).toEqual(['one', 'two', 'three'])
    expect(((await stat(join(server.folder, 'mail', ...file))).mode & 0o777).toString(8)).toBe(mode)
    await mutt(url + name, '<jump>3<enter><flag-message><jump>1<enter><delete-message><sync-mailbox><quit>')
    expect((await messages(client, name)).map((line) => line.replace(' \\Seen', ''))).toEqual(['two', 'three \\Flagged'])
    await client.logout()
  })

  test('and this server use one MH folder: flags both ways, what it removes, what it keeps', { timeout: 120_000 }, async () => {
    const folder = join(server.home('alice'), 'MH/both')
    const client = await RawClient.login(server.ports.imap, 'alice')
    expect((await client.do('CREATE #mh/both')).status).toBe('OK')
    const appended = [['one', ''], ['two', '\\Seen'], ['three', '\\Flagged'], ['four', '\\Seen \\Answered']] as const
    for (const [subject, flags] of appended) expect((await client.append('#mh/both', text(subject), `(${flags})`)).status).toBe('OK')
    // What it reads of our flags it copies by them.
    for (const [pattern, into] of [['~F', 'flagged'], ['~U', 'unread'], ['~Q', 'replied']] as const) {
      await mutt(folder, `<tag-pattern>${pattern}<enter><tag-prefix><copy-message>${own}/${into}<enter><quit>`)
    }
    const subjectsIn = async (name: string): Promise<readonly string[]> =>
      (await Promise.all((await readdir(join(own, name))).filter((file) => /^\d+$/.test(file)).map(async (file) => /Subject: (\S+)/.exec(await readFile(join(own, name, file), 'utf8'))?.[1] ?? ''))).sort()
    expect([await subjectsIn('flagged'), await subjectsIn('unread'), await subjectsIn('replied')]).toEqual([['three'], ['one', 'three'], ['four']])
    const before = /UIDVALIDITY (\d+)/.exec((await client.do('EXAMINE #mh/both')).untagged.join(' '))?.[1]
    await mutt(folder, '<jump>1<enter><flag-message><jump>4<enter><clear-flag>r<jump>2<enter><delete-message><sync-mailbox><quit>')
    expect((await readdir(folder)).filter((file) => /^\d+$/.test(file)).sort()).toEqual(['1', '3', '4'])
    expect(await messages(client, '#mh/both')).toEqual(['one \\Flagged', 'three \\Flagged', 'four \\Seen'])
    expect(/UIDVALIDITY (\d+)/.exec((await client.do('EXAMINE #mh/both')).untagged.join(' '))?.[1]).toBe(before)
    await client.logout()
  })
})
