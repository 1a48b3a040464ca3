import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hasPython, run } from '../support/programs.js'
import { RawClient } from '../support/raw-client.js'
import { RawPop3 } from '../support/raw-pop3.js'
import { startServer, type RunningServer } from '../support/running-server.js'
import { SAMPLE_MAILBOX } from '../support/sample-mailbox.js'

/** Mail on one server, POP3 on another that has no mail of its own. */
let far: RunningServer
let near: RunningServer
beforeAll(async () => {
  far = await startServer({ files: { 'mail/alice/INBOX': SAMPLE_MAILBOX, 'mail/bob/INBOX': SAMPLE_MAILBOX } })
  near = await startServer({
    host: `pop3:
  extensions:
    - uidl
    - resp-codes
    - { use: imap-proxy, trust: ${far.certificate}, allowedHosts: [ { host: localhost, port: ${far.ports.imap} }, { host: 127.0.0.1, port: ${far.ports.imap}, tls: none }, { host: localhost.localdomain, port: 1 } ] }`,
  })
})
afterAll(async () => {
  await near.remove()
  await far.remove()
})

const SCRIPT = `
import poplib, sys
p = poplib.POP3('localhost', int(sys.argv[1]))
try:
    p.user(sys.argv[2]); print(p.pass_(sys.argv[3]).decode())
    print(p.stat()[0], sum(int(l.split()[1]) for l in p.list()[1]) == p.stat()[1])
    for n in range(1, p.stat()[0] + 1):
        lines = p.retr(n)[1]
        assert sum(len(l) + 2 for l in lines) == int(p.list(n).split()[2]), (n, lines, p.list(n))
    print(p.top(3, 0)[1][2].decode())
    for n in sys.argv[4:]: p.dele(int(n))
    print(p.quit().decode())
except poplib.error_proto as e: print(e)
`
/** Subjects that are left, with the Status line of each, seen without the proxy. */
const LOOK = `
import poplib, sys
p = poplib.POP3('localhost', int(sys.argv[1]))
p.user(sys.argv[2]); p.pass_('secret')
for n in range(1, p.stat()[0] + 1):
    print(*[l.decode() for l in p.top(n, 0)[1] if l.startswith((b'Subject:', b'Status:'))])
`
async function python(script: string, ...args: readonly string[]): Promise<string> {
  const got = await run('python3', ['-c', script, ...args])
  return got.stdout + got.stderr
}
const pop = (user: string, password: string, ...deleted: readonly string[]): Promise<string> => python(SCRIPT, String(near.ports.pop3), user, password, ...deleted)

describe.skipIf(!hasPython('poplib'))('the IMAP proxy', () => {
  test.each([
    { link: 'STARTTLS', host: 'localhost', user: 'alice' },
    { link: 'plain', host: '127.0.0.1', user: 'bob' },
  ])('serves the INBOX of another server to HOST:USER over $link, and deletes there at QUIT', async ({ host, user }) => {
    expect(await pop(`${host}:${user}`, 'secret', '2')).toBe('+OK Mailbox open, 3 messages\n3 True\nSubject: Short\n+OK Sayonara\n')
    expect(await python(LOOK, String(far.ports.pop3), user)).toBe('Subject: Minutes of Monday Status: RO\nSubject: Short Status: RO\n')
    expect(near.log()).toMatch(new RegExp(`IMAP login to host=${host} user=${user} .*nmsgs=3/3`))
  })

  test('removes what was marked and nothing else, also where the other server has no UIDPLUS and something is flagged there', async () => {
    const old = await startServer({ host: 'imap: { without: [uidplus] }', files: { 'mail/alice/INBOX': SAMPLE_MAILBOX } })
    const proxy = await startServer({ host: `pop3: { extensions: [ { use: imap-proxy, allowedHosts: [ { host: 127.0.0.1, port: ${old.ports.imap}, tls: none } ] } ] }` })
    try {
      const imap = await RawClient.login(old.ports.imap, 'alice')
      expect((await imap.do('CAPABILITY')).untagged.join()).not.toContain('UIDPLUS')
      await imap.do('SELECT INBOX')
      await imap.do('STORE 1 +FLAGS (\\Deleted)')
      const client = await RawPop3.open(proxy.ports.pop3)
      expect(await client.enter('127.0.0.1:alice')).toBe('+OK Mailbox open, 2 messages')
      await client.do('DELE 1')
      expect(await client.quit()).toBe('+OK Sayonara')
      await imap.do('NOOP')
      expect((await imap.do('FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])')).untagged.map((line) => [line.includes('\\Deleted'), /Subject: (.*)\r/.exec(line)?.[1]])).toEqual([[true, 'Minutes of Monday'], [false, 'Short']])
      await imap.logout()
    } finally {
      await proxy.remove()
      await old.remove()
    }
  })

  const refused = [
    { name: 'a wrong password there', user: 'localhost:alice', password: 'wrong', answer: "b\"-ERR Unable to open user's INBOX\"\n" },
    { name: 'a server that is not there', user: 'localhost.localdomain:alice', password: 'secret', answer: "b\"-ERR Unable to open user's INBOX\"\n" },
    { name: 'a server that is not allowed', user: 'example.org:alice', password: 'secret', answer: "b'-ERR Bad login'\n" },
  ]
  test.each(refused)('$name is refused', async ({ user, password, answer }) => {
    expect(await pop(user, password)).toBe(answer)
  })

  test('accounts of its own are served as ever', async () => {
    expect(await pop('bob', 'secret')).toContain('+OK Mailbox open, 0 messages\n')
  })
})
