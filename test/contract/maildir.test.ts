import { chmod, chown, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { has, run } from '../support/programs.js'
import { packedSite, packedSiteWithout, type PackedSite } from '../support/packed-site.js'
import { LONG, randomOf, seedOf } from '../support/random.js'
import { RawClient } from '../support/raw-client.js'
import { startServer, type RunningServer } from '../support/running-server.js'

const NOBODY = 65534
/** The packed server with everybody's mail in Maildirs; `more`: further lines of its host. */
function maildirServer(site: PackedSite, more = ''): Promise<RunningServer> {
  return startServer({
    cli: join(site.modules, 'mailwright/dist/core/main/cli.js'),
    top: `plugins: ['@mailwright/maildir']`,
    namespaces: '[ { use: mailboxfile, store: maildir } ]',
    host: `drivers: { stores: [maildir] }\n${more}`,
    prepare: (folder) => symlink(site.modules, join(folder, 'node_modules')),
  })
}

describe.skipIf(!has('doveadm'))('the packed package in a packed server, and Dovecot on the same Maildir', () => {
  let server: RunningServer
  let site: PackedSite
  beforeAll(async () => {
    site = await packedSite('maildir')
    server = await maildirServer(site, 'subscriptions: maildir')
    // Dovecot reads mail for no administrator.
    await chmod(server.folder, 0o755)
    await writeFile(
      join(server.folder, 'dovecot.conf'),
      `base_dir = ${server.folder}/dovecot\nlog_path = /dev/stderr\nmail_location = maildir:~/Maildir\nssl = no\nprotocols =\nnamespace inbox {\n  inbox = yes\n  separator = /\n}\n`,
    )
  }, 120_000)
  afterAll(async () => {
    await server?.remove()
    await site?.[Symbol.asyncDispose]()
  })
  async function give(path: string): Promise<void> {
    await chown(path, NOBODY, NOBODY)
    for (const entry of await readdir(path, { recursive: true, withFileTypes: true })) await chown(join(entry.parentPath, entry.name), NOBODY, NOBODY)
  }
  async function doveadm(args: readonly string[], input = ''): Promise<string> {
    const home = server.home('alice')
    const command = ['doveadm', '-c', join(server.folder, 'dovecot.conf'), ...args]
    const asNobody = userInfo().uid === 0
    if (asNobody) await give(home)
    const [program = '', ...rest] = asNobody ? ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', ...command] : command
    const { code, stdout, stderr } = await run(program, rest, { input, env: { USER: 'alice', HOME: home, TZ: 'UTC' } })
    expect([code, stderr], args.join(' ')).toEqual([0, ''])
    return stdout
  }
  /** UID, flags and size of each message, as Dovecot has them. */
  async function dovecotSees(mailbox: string): Promise<readonly string[]> {
    const text = await doveadm(['-f', 'tab', 'fetch', 'uid flags size.virtual hdr.subject', 'mailbox', mailbox, 'all'])
    return text.trim().split('\n').slice(1).map((line) => {
      const [uid = '', flags = '', size = '', subject = ''] = line.split('\t')
      return [uid, sorted(flags), size, subject].join(' ')
    })
  }
  async function weSee(client: RawClient, mailbox: string): Promise<readonly string[]> {
    expect((await client.do(`SELECT ${mailbox}`)).status).toBe('OK')
    const { untagged } = await client.do('UID FETCH 1:* (UID FLAGS RFC822.SIZE BODY.PEEK[HEADER.FIELDS (SUBJECT)])')
    return untagged.filter((line) => line.includes('FETCH')).map((line) => {
      const [, flags = ''] = /FLAGS \(([^)]*)\)/.exec(line) ?? []
      return [/UID (\d+)/.exec(line)?.[1], sorted(flags), /SIZE (\d+)/.exec(line)?.[1], /Subject: (\S+)/.exec(line)?.[1]].join(' ')
    })
  }
  const sorted = (flags: string): string => `(${flags.split(' ').filter((flag) => flag !== '\\Recent' && flag !== '').sort().join(' ')})`
  const validityOf = (text: string): string | undefined => /uidvalidity[= ](\d+)/i.exec(text)?.[1]

  test('a Maildir of Dovecot opens with the same UIDs, flags and keywords, and Dovecot goes on with it', async () => {
    const home = server.home('alice')
    const letter = (subject: string): string => `From: bob@example.org\nSubject: ${subject}\n\nHello.\nline\n`
    for (const subject of ['one', 'two', 'three', 'four']) await doveadm(['save', '-m', 'INBOX'], letter(subject))
    await doveadm(['mailbox', 'create', 'lists/work', 'Entwürfe'])
    await doveadm(['save', '-m', 'lists/work'], letter('filed'))
    await doveadm(['flags', 'add', '\\Flagged $Label1 NonJunk', 'mailbox', 'INBOX', 'uid', '1,3'])
    await doveadm(['expunge', 'mailbox', 'INBOX', 'uid', '2'])
    const before = await dovecotSees('INBOX')
    const validity = validityOf(await doveadm(['mailbox', 'status', 'uidvalidity', 'INBOX']))
    expect(before).toEqual(['1 ($Label1 NonJunk \\Flagged) 53 one', '3 ($Label1 NonJunk \\Flagged) 55 three', '4 () 54 four'])

    const client = await RawClient.login(server.ports.imap, 'alice')
    expect((await client.do('LIST "" *')).untagged.map((line) => line.replace(/^\* LIST \([^)]*\) \S+ /, '')).sort()).toEqual(['Entw&APw-rfe', 'INBOX', 'lists', 'lists/work'])
    expect(await weSee(client, 'INBOX')).toEqual(before)
    expect((await client.do('SELECT INBOX')).untagged.join('\n')).toContain(`UIDVALIDITY ${validity}`)
    expect(await weSee(client, 'lists/work')).toEqual(await dovecotSees('lists/work'))
    // Changes on this side.
    await client.do('SELECT INBOX')
    await client.do('UID STORE 4 +FLAGS (\\Answered Work)')
    await client.do('UID STORE 3 -FLAGS (\\Flagged NonJunk)')
    expect((await client.append('INBOX', 'Subject: ours\r\n\r\nhello\r\n', '(\\Seen $Label1)')).text).toContain('APPENDUID')
    await client.do('UID STORE 1 +FLAGS (\\Deleted)')
    await client.do('EXPUNGE')
    expect((await client.do('CREATE lists/new')).status).toBe('OK')
    expect((await client.do('UID COPY 3 lists/new')).status).toBe('OK')
    const ours = await weSee(client, 'INBOX')
    expect(ours).toEqual(['3 ($Label1) 55 three', '4 (Work \\Answered) 54 four', '5 ($Label1 \\Seen) 24 ours'])

    // Dovecot sees them under the same numbers, and makes its own.
    expect(await dovecotSees('INBOX')).toEqual(ours)
    expect(validityOf(await doveadm(['mailbox', 'status', 'uidvalidity', 'INBOX']))).toBe(validity)
    expect(await dovecotSees('lists/new')).toEqual(['1 ($Label1) 55 three'])
    await doveadm(['flags', 'remove', 'Work', 'mailbox', 'INBOX', 'uid', '4'])
    await doveadm(['flags', 'add', '\\Draft', 'mailbox', 'INBOX', 'uid', '5'])
    await doveadm(['save', '-m', 'INBOX'], letter('last'))
    // An open session hears of them.
    await client.do('SELECT INBOX')
    await client.do('NOOP')
    expect(await weSee(client, 'INBOX')).toEqual(await dovecotSees('INBOX'))
    expect(await dovecotSees('INBOX')).toEqual(['3 ($Label1) 55 three', '4 (\\Answered) 54 four', '5 ($Label1 \\Draft \\Seen) 24 ours', '6 () 54 last'])
    await client.logout()
    await server.kill()
    await server.again()
    const again = await RawClient.login(server.ports.imap, 'alice')
    expect(await weSee(again, 'INBOX')).toEqual(await dovecotSees('INBOX'))
    await again.logout()
    expect(await readdir(home)).toContain('Maildir')
  }, 120_000)

  test('subscriptions are one list for both', async () => {
    const names = async (client: RawClient): Promise<readonly string[]> => (await client.do('LSUB "" *')).untagged.map((line) => line.replace(/^\* LSUB \([^)]*\) \S+ /, '')).sort()
    const list = join(server.home('alice'), 'Maildir/subscriptions')
    const client = await RawClient.login(server.ports.imap, 'alice')
    await doveadm(['mailbox', 'create', '-s', 'Entwürfe/日本語', 'lists/some where'])
    expect(await names(client)).toEqual(['"lists/some where"', 'Entw&APw-rfe/&ZeVnLIqe-'])
    for (const name of ['inbox', 'lists/ours', 'Entw&APw-rfe/&ZeVnLIqe-']) expect((await client.do(`SUBSCRIBE ${name}`)).status).toBe('OK')
    expect((await client.do('UNSUBSCRIBE "lists/some where"')).status).toBe('OK')
    expect((await client.do('UNSUBSCRIBE nothing')).status).toBe('NO')
    expect(await readFile(list, 'utf8')).toBe('V\t2\n\nEntw&APw-rfe\t&ZeVnLIqe-\nINBOX\nlists\tours\n')
    const dovecotNames = async (): Promise<readonly string[]> => Buffer.from(await doveadm(['mailbox', 'list', '-s']), 'latin1').toString().trim().split('\n').sort()
    expect(await dovecotNames()).toEqual(['Entwürfe/日本語', 'INBOX', 'lists/ours'])
    // What a program without version 2 left has dots, and stays so.
    await writeFile(list, 'INBOX\nlists.old\n')
    expect((await client.do('SUBSCRIBE lists/next')).status).toBe('OK')
    expect(await readFile(list, 'utf8')).toBe('INBOX\nlists.old\nlists.next\n')
    expect(await dovecotNames()).toEqual(['INBOX', 'lists/next', 'lists/old'])
    // The lock of another program is waited for; a later version is left alone.
    await writeFile(`${list}.lock`, '')
    const waiting = client.do('SUBSCRIBE lists/later')
    await rm(`${list}.lock`)
    expect((await waiting).status).toBe('OK')
    expect(await names(client)).toEqual(['INBOX', 'lists/later', 'lists/next', 'lists/old'])
    await writeFile(list, 'V\t3\n\nx\n')
    expect([(await client.do('SUBSCRIBE y')).status, await readFile(list, 'utf8')]).toEqual(['NO', 'V\t3\n\nx\n'])
    await rm(list)
    await client.logout()
  }, 60_000)

  test('a mailbox that is transferred keeps its numbers, for Dovecot as well; no format is made where Maildirs are', async () => {
    // As root it works with the rights of whoever owns the home.
    const mailwright = async (...args: readonly string[]) => {
      if (userInfo().uid === 0) await give(server.home('alice'))
      return run(process.execPath, [join(site.modules, 'mailwright/dist/core/main/cli.js'), 'mailbox', '--config', server.config, ...args])
    }
    const copied = await mailwright('transfer', 'alice', 'INBOX', 'kept')
    expect([copied.code, copied.stdout], copied.stderr).toEqual([0, 'INBOX [4 messages] => kept\n'])
    const client = await RawClient.login(server.ports.imap, 'alice')
    const inbox = await weSee(client, 'INBOX')
    expect(inbox.map((line) => line.split(' ')[0])).toEqual(['3', '4', '5', '6'])
    const numbers = async (name: string): Promise<readonly string[]> => (await client.do(`SELECT ${name}`)).untagged.filter((line) => /UIDVALIDITY|UIDNEXT/.test(line))
    expect([await weSee(client, 'kept'), await dovecotSees('kept')]).toEqual([inbox, inbox])
    expect(await numbers('kept')).toEqual(await numbers('INBOX'))
    // The next one is for both the one behind.
    await doveadm(['save', '-m', 'kept'], 'Subject: next\n\nx\n')
    expect((await weSee(client, 'kept')).at(-1)).toBe((await dovecotSees('kept')).at(-1))
    expect((await weSee(client, 'kept')).at(-1)).toMatch(/^7 .* next$/)
    const refused = await mailwright('transfer', 'alice', 'kept', '--to', 'mbx')
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('kept as a Maildir, not in format mbx')])
    expect((await client.do('CREATE #driver.mbx/files')).status).toBe('NO')
    await client.logout()
  }, 60_000)

  test('a delivery that another program puts into new is told to an open session, and numbered once for both', async () => {
    const client = await RawClient.login(server.ports.imap, 'bob')
    expect((await client.do('SELECT INBOX')).status, server.log()).toBe('OK')
    const maildir = join(server.home('bob'), 'Maildir')
    await writeFile(join(maildir, 'tmp/1700000000.1.host'), 'Subject: delivered\n\nHello.\n')
    await rename(join(maildir, 'tmp/1700000000.1.host'), join(maildir, 'new/1700000000.1.host'))
    expect((await client.do('NOOP')).untagged).toContain('* 1 EXISTS')
    expect((await client.do('FETCH 1 (UID RFC822.SIZE BODY[])')).untagged[0]).toContain('(UID 1 RFC822.SIZE 30 BODY[] {30}\r\nSubject: delivered\r\n\r\nHello.\r\n')
    expect(await readFile(join(maildir, 'dovecot-uidlist'), 'utf8')).toMatch(/^3 V\d+ N1 G[\da-f]{32}\n1 :1700000000\.1\.host\n$/)
    await client.logout()
  })

  test('COPY gives a message a further name, where another program sees it too; what needs CRLF, or other rights, is written anew', async () => {
    const maildir = join(server.home('alice'), 'Maildir')
    const client = await RawClient.login(server.ports.imap, 'alice')
    expect((await client.do('CREATE from')).status).toBe('OK')
    expect((await client.do('CREATE to')).status).toBe('OK')
    for (const n of [1, 2, 3]) {
      const text = `Subject: m${n}\r\n\r\n${'line\r\n'.repeat(n)}`
      expect((await client.do(`APPEND from (\\Flagged Work${n}) "1${n}-Feb-2020 10:11:12 +0345" {${text.length}}`, text)).status).toBe('OK')
    }
    await writeFile(join(maildir, '.from/new/1700000000.1.host'), 'Subject: foreign\n\nline\n')
    await client.do('SELECT from')
    const facts = '(FLAGS INTERNALDATE BODY.PEEK[])'
    const whole = async (): Promise<readonly string[]> => (await client.do(`FETCH 1:3 ${facts}`)).untagged.filter((line) => line.includes('FETCH')).map((line) => line.replace(/\\Recent ?/, ''))
    const originals = await whole()
    // Known under other flags than those that its name says now.
    const second = (await readdir(join(maildir, '.from/cur'))).find((name) => name.endsWith(':2,Fb')) ?? ''
    await rename(join(maildir, '.from/cur', second), join(maildir, '.from/cur', second.replace(/:2,.*/, ':2,FSb')))
    await chmod(join(maildir, '.from/cur', (await readdir(join(maildir, '.from/cur'))).find((name) => name.endsWith(':2,Fc')) ?? ''), 0o640)
    for (const set of ['1:2', '3', '4']) expect((await client.do(`COPY ${set} to`)).status).toBe('OK')
    const linksOf = async (folder: string): Promise<readonly string[]> => {
      const files = await Promise.all((await readdir(folder)).map(async (name) => ({ stat: await stat(join(folder, name)), subject: /Subject: (\S+)/.exec(await readFile(join(folder, name), 'latin1'))?.[1] })))
      return files.map(({ stat: { nlink, size, mode }, subject }) => `${subject} ${size} ${(mode & 0o777).toString(8)} names ${nlink}`).toSorted()
    }
    expect(await linksOf(join(maildir, '.to/new'))).toEqual(['foreign 26 600 names 1', 'm1 21 600 names 2', 'm2 27 600 names 2', 'm3 33 600 names 1'])
    expect(await readdir(join(maildir, '.to/tmp'))).toEqual([])
    expect(await weSee(client, 'to')).toEqual(await dovecotSees('to'))
    await client.do('SELECT from')
    await client.do('STORE 1:* +FLAGS (\\Deleted)')
    await client.do('EXPUNGE')
    expect(await readdir(join(maildir, '.from/cur'))).toEqual([])
    await client.do('SELECT to')
    expect(await whole()).toEqual(originals)
    expect(originals.join('\n')).toMatch(/Work1[^]*"11-Feb-2020 10:11:12 \+0345"[^]*Work2[^]*"12-Feb-2020/)
    expect(await linksOf(join(maildir, '.to/cur'))).toEqual(['foreign 26 600 names 1', 'm1 21 600 names 1', 'm2 27 600 names 1', 'm3 33 600 names 1'])
    await client.logout()
  }, 60_000)
})

/** Of the message with this subject. */
const textOf = (subject: string): string => `text of ${subject}\n`.repeat(1 + (subject.length + Number(/\d+$/.exec(subject)?.[0])) % 40)
/** Of each program. */
const DELIVERIES = LONG ? 200 : 12
describe.skipIf(!has('maildrop') || !has('procmail'))('delivery programs beside sessions', () => {
  test('every message of maildrop, procmail and our own deliveries is there once or expunged, and keeps its UID', { timeout: LONG ? 1_200_000 : 120_000 }, async () => {
    const random = randomOf(seedOf('maildir-deliveries'))
    await using site = await packedSite('maildir')
    const server = await maildirServer(site)
    try {
      const [home, sent, gone, uidOf] = [server.home('alice'), new Set<string>(), new Set<string>(), new Map<string, string>()]
      const look = async (client: RawClient): Promise<readonly { readonly uid: string; readonly subject: string }[]> => {
        const { untagged } = await client.do('UID FETCH 1:* (BODY.PEEK[HEADER.FIELDS (SUBJECT)])')
        const found = untagged.flatMap((line) => {
          const [, uid = '', subject = ''] = /UID (\d+) [^]*Subject: (\S+)/.exec(line) ?? []
          return uid === '' ? [] : [{ uid, subject }]
        })
        for (const { uid, subject } of found) {
          expect(uidOf.get(subject) ?? uid, subject).toBe(uid)
          uidOf.set(subject, uid)
        }
        return found
      }
      const first = await RawClient.login(server.ports.imap, 'alice')
      expect((await first.do('SELECT INBOX')).status).toBe('OK')
      await writeFile(join(server.folder, 'mailfilter'), `to "${home}/Maildir/"\n`, { mode: 0o600 })
      await writeFile(join(server.folder, 'procmailrc'), `:0\n${home}/Maildir/\n`, { mode: 0o600 })
      const appending = await RawClient.login(server.ports.imap, 'alice')
      const programs: Readonly<Record<string, (input: string) => Promise<unknown>>> = {
        maildrop: async (input) => expect((await run('maildrop', [join(server.folder, 'mailfilter')], { input, env: { HOME: home } })).code).toBe(0),
        procmail: async (input) => expect((await run('procmail', ['-m', join(server.folder, 'procmailrc')], { input })).code).toBe(0),
        append: async (input) => expect((await appending.append('INBOX', input.replaceAll('\n', '\r\n'), '(\\Seen)')).status).toBe('OK'),
      }
      const state = { busy: Object.keys(programs).length }
      const deliveries = Object.entries(programs).map(async ([name, deliver]) => {
        for (let n = 0; n < DELIVERIES; n++) {
          await deliver(`Subject: ${name}-${n}\n\n${textOf(`${name}-${n}`)}`)
          sent.add(`${name}-${n}`)
        }
        state.busy--
      })
      const session = async (client: RawClient): Promise<void> => {
        while (state.busy > 0) {
          const found = await look(client)
          const one = found[Math.floor(random() * found.length)]
          if (one === undefined) continue
          expect((await client.do(`UID STORE ${one.uid} +FLAGS (\\Flagged Work)`)).status).toBe('OK')
          if (found.length < 5) continue
          gone.add(one.subject)
          expect((await client.do(`UID STORE ${one.uid} +FLAGS.SILENT (\\Deleted)`)).status).toBe('OK')
          expect((await client.do(`UID EXPUNGE ${one.uid}`)).status).toBe('OK')
          await client.do('NOOP')
        }
      }
      const second = await RawClient.login(server.ports.imap, 'alice')
      expect((await second.do('SELECT INBOX')).status).toBe('OK')
      await Promise.all([...deliveries, session(first), session(second)])
      await first.do('NOOP')
      const left = (await look(first)).map(({ subject }) => subject)
      const { untagged } = await first.do('UID FETCH 1:* (BODY.PEEK[])')
      for (const line of untagged) {
        const subject = /Subject: (\S+)/.exec(line)?.[1] ?? ''
        expect({ subject, whole: line.includes(`\r\n\r\n${textOf(subject).replaceAll('\n', '\r\n')})`) }).toEqual({ subject, whole: true })
      }
      expect(untagged.length).toBe(left.length)
      expect(sent.size).toBe(3 * DELIVERIES)
      expect(left.toSorted()).toEqual([...sent].filter((subject) => !gone.has(subject)).toSorted())
      for (const client of [first, second, appending]) await client.logout()
    } finally {
      await server.remove()
    }
  })
})

describe('without any of the optional packages', () => {
  test('the packed server starts and keeps mail in a Maildir, also of an account that has no home yet', { timeout: 120_000 }, async () => {
    const { optionalDependencies } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8')) as { readonly optionalDependencies: Readonly<Record<string, string>> }
    const optional = Object.keys(optionalDependencies).map((name) => name.split('/')[0] ?? '')
    expect(optional).toContain('koffi')
    await using site = await packedSiteWithout(optional, 'maildir')
    const server = await maildirServer(site)
    try {
      await rm(server.home('alice'), { recursive: true })
      const client = await RawClient.login(server.ports.imap, 'alice')
      expect((await client.append('INBOX', 'Subject: x\r\n\r\nhello\r\n', '(\\Seen)')).status, server.log()).toBe('OK')
      expect((await client.do('SELECT INBOX')).untagged).toContain('* 1 EXISTS')
      await client.logout()
    } finally {
      await server.remove()
    }
  })
})
