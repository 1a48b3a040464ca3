import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { has, hasPython, run, runOnTerminal } from '../support/programs.js'
import type { Ran } from '../support/programs.js'
import { startServer, type RunningServer } from '../support/running-server.js'
import { messagesIn, SAMPLE_MAILBOX } from '../support/sample-mailbox.js'

const SUBJECTS = ['Minutes of Monday', 'Plans with a picture', 'Short']
const LAST_TEXT = /Subject: Short\r?\nDate: Wed, 7 Jan 2026 11:12:13 \+0000\r?\nMessage-ID: <short\.3@example\.org>\r?\nStatus: .*\r?\n\r?\nYes\.\r?\n/

let server: RunningServer
beforeAll(async () => {
  server = await startServer()
})
afterAll(() => server.remove())
beforeEach(async () => {
  await server.stop()
  await rm(server.home('alice'), { recursive: true, force: true })
  await mkdir(server.home('alice'), { recursive: true })
  await writeFile(server.inbox('alice'), SAMPLE_MAILBOX)
  await server.again()
})

async function left(): Promise<number> {
  return messagesIn(await readFile(server.inbox('alice'), 'latin1')).length
}
function ended(got: Ran): void {
  expect(got.code, got.stdout + got.stderr).toBe(0)
}

describe.skipIf(!has('curl'))('curl over POP3', () => {
  const links = [
    { link: 'plain', args: [], scheme: 'pop3', port: 'pop3' },
    { link: 'STLS', args: ['--ssl-reqd', '--cacert', 'CERT'], scheme: 'pop3', port: 'pop3' },
    { link: 'implicit TLS', args: ['--cacert', 'CERT'], scheme: 'pop3s', port: 'pop3s' },
  ] as const
  test.each(links)('reads a message over $link, and a deletion is done at QUIT', async ({ args, scheme, port }) => {
    const flags = args.map((a) => (a === 'CERT' ? server.certificate : a))
    const url = `${scheme}://localhost:${server.ports[port]}`
    const got = await run('curl', ['-sS', ...flags, '-u', 'alice:secret', `${url}/3`])
    expect(got.stderr).toBe('')
    expect(got.stdout).toMatch(LAST_TEXT)
    ended(await run('curl', ['-sS', ...flags, '-u', 'alice:secret', '-X', 'DELE 2', '--head', `${url}/`]))
    expect(await left()).toBe(2)
  })
  test('logs in by SASL PLAIN', async () => {
    const got = await run('curl', ['-sS', '-u', 'alice:secret', '--login-options', 'AUTH=PLAIN', `pop3://localhost:${server.ports.pop3}/3`])
    expect(got.stdout).toMatch(LAST_TEXT)
  })
  test('refuses a wrong password', async () => {
    expect((await run('curl', ['-sS', '-u', 'alice:wrong', `pop3://localhost:${server.ports.pop3}/`])).code).toBe(67)
  })
})

const TLS_KINDS = [
  { link: 'plain', kind: 'plain', port: 'pop3' },
  { link: 'STLS', kind: 'stls', port: 'pop3' },
  { link: 'implicit TLS', kind: 'tls', port: 'pop3s' },
] as const

describe.skipIf(!has('fetchmail'))('fetchmail over POP3', () => {
  const options = { plain: "sslproto ''", stls: "sslproto TLS1.2+ sslcertck sslcertfile 'CERT'", tls: "ssl sslcertck sslcertfile 'CERT'" }
  test.each(TLS_KINDS)('takes every message over $link and keeps them, takes none twice, then empties the mailbox', async ({ kind, port }) => {
    const rc = join(server.folder, 'fetchmailrc')
    const taken = join(server.folder, 'taken')
    await rm(taken, { force: true })
    await rm(join(server.folder, 'fetchids'), { force: true })
    const fetchAll = async (how: string): Promise<Ran> => {
      await writeFile(rc, `poll localhost protocol POP3 uidl port ${server.ports[port]} username 'alice' password 'secret' ${options[kind].replace('CERT', server.certificate)} ${how} no rewrite mda "cat >> ${taken}; echo >> ${taken}"\n`, { mode: 0o600 })
      return run('fetchmail', ['-f', rc, '--nosyslog', '--pidfile', join(server.folder, 'fetchmail.pid'), '--idfile', join(server.folder, 'fetchids')], { env: { HOME: server.folder, FETCHMAILHOME: server.folder } })
    }
    ended(await fetchAll('keep'))
    const text = await readFile(taken, 'latin1')
    for (const subject of SUBJECTS) expect(text.split(`Subject: ${subject}`)).toHaveLength(2)
    expect(await left()).toBe(3)
    // Code 1: there was no new mail.
    expect((await fetchAll('keep')).code).toBe(1)
    ended(await fetchAll('fetchall no keep'))
    expect(await left()).toBe(0)
  })
})

describe.skipIf(!has('getmail'))('getmail', () => {
  // There is no retriever that says STLS.
  const types = { plain: 'SimplePOP3Retriever', tls: 'SimplePOP3SSLRetriever' }
  test.each(TLS_KINDS.filter((k) => k.kind !== 'stls'))('takes every message over $link, none twice, then deletes', async ({ kind, port }) => {
    const folder = join(server.folder, 'getmail')
    await rm(folder, { recursive: true, force: true })
    await mkdir(folder)
    const taken = join(folder, 'taken')
    const get = async (more: string): Promise<Ran> => {
      await writeFile(
        join(folder, 'getmailrc'),
        `[retriever]\ntype = ${types[kind as 'plain' | 'tls']}\nserver = localhost\nport = ${server.ports[port]}\nusername = alice\npassword = secret\n${kind === 'tls' ? `ca_certs = ${server.certificate}\n` : ''}[destination]\ntype = MDA_external\npath = /usr/bin/tee\narguments = ("-a", "${taken}")\nallow_root_commands = true\n[options]\n${more}`,
        { mode: 0o600 },
      )
      return run('getmail', ['--getmaildir', folder, '--rcfile', join(folder, 'getmailrc')], { env: { HOME: folder } })
    }
    ended(await get('read_all = false\ndelete = false\n'))
    const text = await readFile(taken, 'latin1')
    for (const subject of SUBJECTS) expect(text.split(`Subject: ${subject}`)).toHaveLength(2)
    ended(await get('read_all = false\ndelete = false\n'))
    expect(await readFile(taken, 'latin1')).toBe(text)
    expect(await left()).toBe(3)
    ended(await get('read_all = true\ndelete = true\n'))
    expect(await left()).toBe(0)
  })
})

describe.skipIf(!has('mpop'))('mpop', () => {
  const options = { plain: ['--tls=off'], stls: ['--tls=on', '--tls-starttls=on', '--tls-trust-file=CERT'], tls: ['--tls=on', '--tls-starttls=off', '--tls-trust-file=CERT'] }
  test.each(TLS_KINDS)('takes every message over $link with pipelining, none twice, then deletes', async ({ kind, port }) => {
    const box = join(server.folder, `mpop-${kind}`)
    const uidls = join(server.folder, `uidls-${kind}`)
    await rm(box, { force: true })
    await rm(uidls, { force: true })
    const get = (keep: 'on' | 'off', ids: string): Promise<Ran> =>
      run('mpop', [
        '--host=localhost', `--port=${server.ports[port]}`, '--user=alice', '--passwordeval=echo secret', '--auth=plain', '--pipelining=on', '--received-header=off',
        ...options[kind].map((o) => o.replace('CERT', server.certificate)), `--keep=${keep}`, '--only-new=on', `--uidls-file=${ids}`, `--delivery=mbox,${box}`,
      ], { env: { HOME: server.folder } })
    ended(await get('on', uidls))
    const text = await readFile(box, 'latin1')
    for (const subject of SUBJECTS) expect(text.split(`Subject: ${subject}`)).toHaveLength(2)
    ended(await get('on', uidls))
    expect(await readFile(box, 'latin1')).toBe(text)
    expect(await left()).toBe(3)
    ended(await get('off', `${uidls}-2`))
    expect(await left()).toBe(0)
  })
})

describe.skipIf(!hasPython('poplib'))('poplib', () => {
  test.each(TLS_KINDS)('every command over $link', async ({ kind, port }) => {
    const script = `
import poplib, ssl, sys
kind, port, cert = sys.argv[1], int(sys.argv[2]), sys.argv[3]
context = ssl.create_default_context(cafile=cert)
p = poplib.POP3_SSL('localhost', port, context=context) if kind == 'tls' else poplib.POP3('localhost', port)
if kind == 'stls': p.stls(context=context)
caps = p.capa()
assert 'TOP' in caps and 'UIDL' in caps and 'PIPELINING' in caps, caps
assert p.utf8().startswith(b'+OK')
p.user('alice'); p.pass_('secret')
count, octets = p.stat()
assert count == 3
sizes = [int(line.split()[1]) for line in p.list()[1]]
assert sum(sizes) == octets
for n in range(1, 4):
    _, lines, _ = p.retr(n)
    assert sum(len(line) + 2 for line in lines) == sizes[n - 1], (n, sizes)
_, top, _ = p.top(2, 1)
assert top[-2:] == [b'', b'--=-b-='], top
ids = [line.split()[1] for line in p.uidl()[1]]
assert p.uidl(2).split()[2] == ids[1] and len(set(ids)) == 3
p.dele(1); assert p.stat()[0] == 2
p.rset(); assert p.stat()[0] == 3
p.dele(3); p.noop()
assert p.quit().startswith(b'+OK')
print('done')
`
    const got = await run('python3', ['-c', script, kind, String(server.ports[port]), server.certificate])
    expect(got.stdout + got.stderr).toBe('done\n')
    expect(await left()).toBe(2)
  })
})

describe.skipIf(!has('mutt') || !has('script'))('mutt over POP3', () => {
  test.each(TLS_KINDS)('opens the maildrop over $link, saves a message and deletes it', async ({ kind, port }) => {
    const saved = join(server.folder, `mutt-${kind}`)
    await rm(saved, { force: true })
    const rc = join(server.folder, 'muttrc-pop')
    const url = `${kind === 'tls' ? 'pops' : 'pop'}://alice@localhost:${server.ports[port]}/`
    await writeFile(
      rc,
      [
        'set pop_pass=secret', 'set pop_authenticators=user', `set ssl_starttls=${kind === 'stls' ? 'yes' : 'no'}`, `set ssl_force_tls=${kind === 'plain' ? 'no' : 'yes'}`, `set certificate_file=${server.certificate}`, 'set ssl_verify_host=no', 'set pop_delete=yes', 'set quit=yes', 'set delete=yes',
        'set confirmappend=no', 'set confirmcreate=no', 'set sleep_time=0', 'set timeout=1', 'set wait_key=no', 'set mbox_type=mbox', `set folder=${server.folder}`, 'set header_cache=', 'set message_cachedir=',
      ].join('\n'),
    )
    const got = await runOnTerminal('mutt', ['-n', '-F', rc, '-f', url, '-e', `push "<last-entry><save-message>${saved}<enter><sync-mailbox><quit>"`], { env: { HOME: server.folder } })
    expect(got.code, got.stdout).toBe(0)
    expect(await readFile(saved, 'latin1')).toContain('Subject: Short')
    expect(await left()).toBe(2)
  })
})

describe.skipIf(!has('alpine') || !has('script'))('alpine over POP3', () => {
  test.each(TLS_KINDS)('shows the messages over $link', async ({ kind, port }) => {
    const rc = join(server.folder, `pinerc-${kind}`)
    await writeFile(rc, 'last-version-used=6.26\nfeature-list=quit-without-confirm,disable-setlocale-collate\ncolor-style=no-color\n')
    await mkdir(join(server.folder, 'mail-alpine'), { recursive: true })
    const how = { plain: '/notls', stls: '/tls/novalidate-cert', tls: '/ssl/novalidate-cert' }[kind]
    const got = await runOnTerminal('alpine', ['-p', rc, '-passfile', join(server.folder, 'no-such-file'), '-i', '-f', `{localhost:${server.ports[port]}/pop3/user=alice${how}}INBOX`], {
      input: 'secret\rn\rqy',
      env: { HOME: server.folder },
      limitMs: 50_000,
    }).catch((error: Error) => ({ code: -1, stdout: error.message, stderr: '' }))
    expect(got.stdout).toContain('Minutes of Monday')
    expect(server.log()).toMatch(/Login user=alice .*nmsgs=3\/3/)
  })
})
