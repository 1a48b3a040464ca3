import { existsSync } from 'node:fs'
import { chmod, chown, mkdir, readdir, writeFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { run } from '../support/programs.js'
import { RawClient } from '../support/raw-client.js'
import { RawPop3 } from '../support/raw-pop3.js'
import { startServer, type RunningServer } from '../support/running-server.js'

const NOBODY = 65534
/** Dovecot's POP3, as its package has it or as `.ci/run` puts it aside: the package conflicts with other POP3 servers. */
const DOVECOT = ['/usr/lib/dovecot/pop3', '/usr/local/lib/dovecot-pop3d/usr/lib/dovecot/pop3'].find((path) => existsSync(path))

/** A mailbox that a server has numbered before: UIDVALIDITY 1700000000, UIDs with gaps. */
const NUMBERED = [171, 0x1a2b3, 4_000_000_000]
  .map((uid, i) => `From bob@example.org Mon Nov 23 01:44:50 2026\n${i === 0 ? 'X-IMAPbase: 1700000000 4000000000\n' : ''}X-UID: ${uid}\nStatus: RO\nSubject: m${i}\n\nHello.\n\n`)
  .join('')

/** What our form is in the words of Dovecot's `pop3_uidl_format`, and what the documentation of that server says an id looks like. */
const forms = [
  { form: 'uw', dovecot: '%08Xv%08Xu', first: '6553f100000000ab' },
  { form: 'dovecot', dovecot: '%08Xu%08Xv', first: '000000ab6553f100' },
  { form: 'cyrus', dovecot: '%v.%u', first: '1700000000.171' },
  { form: 'cyrus-2.0', dovecot: '%u', first: '171' },
  { form: 'courier', dovecot: 'UID%u-%v', first: 'UID171-1700000000' },
  { form: 'courier-dash', dovecot: '%v-%u', first: '1700000000-171' },
  { form: '{uid:hex}/{validity}', dovecot: '%08Xu/%v', first: '000000ab/1700000000' },
]

async function uidl(server: RunningServer): Promise<readonly string[]> {
  const client = await RawPop3.login(server.ports.pop3, 'alice')
  const lines = await client.lines('UIDL')
  for (const line of lines) expect(await client.do(`UIDL ${line.split(' ', 1)[0]}`)).toBe(`+OK ${line}`)
  await client.quit()
  return lines
}
/** Dovecot's UIDL of the same file, with the same home. */
async function dovecotUidl(server: RunningServer, format: string): Promise<readonly string[]> {
  const home = server.home('alice')
  const config = join(server.folder, 'dovecot.conf')
  await writeFile(config, `base_dir = ${server.folder}/dovecot\nlog_path = /dev/stderr\nmail_location = mbox:~/mail:INBOX=${server.inbox('alice')}:INDEX=MEMORY\nssl = no\nprotocols =\npop3_uidl_format = ${format}\n`)
  const asNobody = userInfo().uid === 0
  // Dovecot reads mail for no administrator.
  if (asNobody) {
    await chmod(server.folder, 0o755)
    await chown(home, NOBODY, NOBODY)
    for (const entry of await readdir(home, { withFileTypes: true })) await chown(join(home, entry.name), NOBODY, NOBODY)
  }
  const [program = '', ...args] = [...(asNobody ? ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'] : []), DOVECOT ?? '', '-c', config]
  const { stdout, stderr } = await run(program, args, { input: 'UIDL\r\nQUIT\r\n', env: { USER: 'alice', HOME: home } })
  const [, list] = /\+OK\r\n((?:.*\r\n)*?)\.\r\n/.exec(stdout) ?? []
  if (list === undefined) throw new Error(`${stdout}${stderr}`)
  return list.trimEnd().split('\r\n')
}

describe.skipIf(DOVECOT === undefined)('UIDL beside Dovecot on the same mailbox', () => {
  test.each(forms)('a site that comes from a server with ids such as $first sets the form $form, and nothing is fetched again', async ({ form, dovecot, first }) => {
    const server = await startServer({ host: `pop3:\n  extensions: [ { use: uidl, format: "${form}" }, resp-codes ]`, prepare: (folder) => writeFile(join(folder, 'mail/alice/INBOX'), NUMBERED) })
    try {
      const before = await dovecotUidl(server, dovecot)
      expect(before[0]).toBe(`1 ${first}`)
      expect(before).toHaveLength(3)
      expect(await uidl(server)).toEqual(before)
      // What comes later is numbered once for both, whoever sees it first.
      const client = await RawClient.login(server.ports.imap, 'alice')
      expect((await client.append('INBOX', 'Subject: later\r\n\r\nHello.\r\n')).status).toBe('OK')
      await client.do('SELECT INBOX')
      await client.do('STORE 2 +FLAGS (\\Deleted)')
      expect((await client.do('EXPUNGE')).status).toBe('OK')
      await client.logout()
      const after = await uidl(server)
      expect(after.map((line) => line.slice(2)).slice(0, 2)).toEqual([before[0], before[2]].map((line) => line?.slice(2)))
      expect(await dovecotUidl(server, dovecot)).toEqual(after)
    } finally {
      await server.remove()
    }
  })
})

describe('UIDL stays (RFC 1939 §7)', () => {
  test.each(['unix', 'mbx', 'mx', 'mix', 'mh'])('over IMAP use, deletions, restarts and kill -9: %s', async (format) => {
    const server = await startServer({
      host: `drivers: { use: [mix, mx, { use: mh, allowInbox: true }, mbx, unix, dummy] }`,
      namespaces: "[ { use: mailboxfile, inboxPath: '{home}/delivered' }, { use: prefixes } ]",
      prepare: async (folder) => {
        if (format !== 'mh') return
        await writeFile(join(folder, 'mail/alice/.mh_profile'), 'Path: Mail\n')
        await mkdir(join(folder, 'mail/alice/Mail/inbox'), { recursive: true })
      },
    })
    try {
      const client = await RawClient.login(server.ports.imap, 'alice')
      if (format !== 'unix' && format !== 'mh') expect((await client.do(`CREATE #driver.${format}/INBOX`)).status).toBe('OK')
      for (const n of [1, 2, 3, 4, 5]) await client.append('INBOX', `Subject: m${n}\r\n\r\nHello.\r\n`)
      const ids = (await uidl(server)).map((line) => line.slice(2))
      expect(new Set(ids).size).toBe(5)
      // What the form says: UIDVALIDITY and UID as IMAP tells them.
      const validity = Number(/UIDVALIDITY (\d+)/.exec((await client.do('SELECT INBOX')).untagged.join('\n'))?.[1])
      const uids = (await client.do('FETCH 1:* UID')).untagged.flatMap((line) => /UID (\d+)/.exec(line)?.[1] ?? []).map(Number)
      expect(ids).toEqual(uids.map((uid) => `${validity.toString(16).padStart(8, '0')}${uid.toString(16).padStart(8, '0')}`))
      await client.do('STORE 1:5 +FLAGS (\\Seen \\Flagged work)')
      await client.do('COPY 1 INBOX')
      await client.do('STORE 2,4 +FLAGS (\\Deleted)')
      await client.do('EXPUNGE')
      await client.logout()
      const kept = [ids[0], ids[2], ids[4]]
      const look = async (): Promise<readonly string[]> => (await uidl(server)).map((line) => line.slice(2))
      const now = await look()
      expect(now.slice(0, 3)).toEqual(kept)
      expect(ids).not.toContain(now[3])
      await server.stop()
      await server.again()
      expect(await look()).toEqual(now)
      const pop = await RawPop3.login(server.ports.pop3, 'alice')
      await pop.lines('RETR 1')
      await pop.do('DELE 3')
      await pop.quit()
      await server.kill()
      await server.again()
      expect(await look()).toEqual([now[0], now[1], now[3]])
    } finally {
      await server.remove()
    }
  })
})
