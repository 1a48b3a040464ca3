import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { has, run, runOnTerminal, type Ran } from '../support/programs.js'
import { LONG, randomOf, seedOf } from '../support/random.js'
import { RawClient } from '../support/raw-client.js'
import { startServer, type RunningServer } from '../support/running-server.js'
import { messagesIn, subjectsIn } from '../support/sample-mailbox.js'

const NOBODY = 65_534
const DELIVERIES = LONG ? 400 : 12
/** Between two actions of a client, as a person's mail program would at its busiest; without it the lock is hardly ever free for a delivery. */
const BREATH_MS = 150

/** Runs a program that refuses to be root as somebody who may do nothing else. */
function runUnprivileged(program: string, args: readonly string[], env: Record<string, string>): Promise<Ran> {
  if (process.getuid?.() !== 0) return run(program, args, { env })
  return run('setpriv', [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', program, ...args], { env })
}
const mailOf = (subject: string): string =>
  `From sender@example.org Mon Jan  5 09:08:07 2026\nFrom: sender@example.org\nTo: alice@example.org\nSubject: ${subject}\nMessage-ID: <${subject}@example.org>\n\nText of ${subject}\nFrom here on more.\n`

const deliverers = [
  {
    program: 'procmail',
    deliver: async (server: RunningServer, subject: string): Promise<Ran> => {
      const rc = join(server.folder, 'procmailrc')
      await writeFile(rc, `LOCKSLEEP=1\n:0:\n${server.inbox('alice')}\n`, { mode: 0o600 })
      return await run('procmail', ['-m', rc], { input: mailOf(subject) })
    },
  },
  {
    program: 'maildrop',
    deliver: async (server: RunningServer, subject: string): Promise<Ran> => {
      const rc = join(server.folder, 'mailfilter')
      await writeFile(rc, `to "${server.inbox('alice')}"\n`, { mode: 0o600 })
      return await run('maildrop', [rc], { input: mailOf(subject).slice(mailOf(subject).indexOf('\n') + 1), env: { HOME: server.home('alice') } })
    },
  },
]

describe.each(deliverers)('$program delivers into the mailbox that clients use', ({ program, deliver }) => {
  let server: RunningServer
  let scratch: string
  beforeAll(async () => {
    server = await startServer()
    scratch = await mkdtemp(join(tmpdir(), 'mailwright-shared-'))
    await chmod(scratch, 0o777)
  })
  afterAll(async () => {
    await server.remove()
    await rm(scratch, { recursive: true, force: true })
  })

  test.skipIf(!has(program))(`${DELIVERIES} deliveries beside clients that flag and expunge: nothing lost, nothing doubled, uids stable`, async () => {
    const random = randomOf(seedOf(program))
    const removed = new Set<string>()
    const uidOf = new Map<string, number>()
    const deliveries = { running: true }
    // One client flags what it sees, another removes some; both note the uid under which they saw a subject.
    const learn = (untagged: readonly string[]): Map<number, string> => {
      const seen = new Map<number, string>()
      for (const line of untagged) {
        const uid = Number(/UID (\d+)/.exec(line)?.[1] ?? 0)
        const subject = /Subject: (\S+)/.exec(line)?.[1]
        if (uid === 0 || subject === undefined) continue
        seen.set(uid, subject)
        expect(uidOf.get(subject) ?? uid, `uid of ${subject}`).toBe(uid)
        uidOf.set(subject, uid)
      }
      return seen
    }
    const busy = async (act: (client: RawClient, seen: Map<number, string>) => Promise<void>): Promise<void> => {
      const client = await RawClient.login(server.ports.imap, 'alice')
      expect(await client.do('SELECT INBOX')).toMatchObject({ status: 'OK' })
      while (deliveries.running) {
        await client.do('NOOP')
        const got = await client.do('UID FETCH 1:* (UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])')
        expect(got.status).toBe('OK')
        const seen = learn(got.untagged)
        if (seen.size > 0) await act(client, seen)
        await pause(BREATH_MS)
      }
      await client.logout()
    }
    const any = (seen: Map<number, string>): [number, string] => [...seen][Math.floor(random() * seen.size)] ?? [0, '']
    const flagger = busy(async (client, seen) => {
      const [uid] = any(seen)
      expect((await client.do(`UID STORE ${uid} +FLAGS (\\Seen $Work)`)).status).toBe('OK')
      if (random() < 0.3) expect((await client.do('CHECK')).status).toBe('OK')
    })
    const remover = busy(async (client, seen) => {
      if (seen.size < 5) return
      const [uid, subject] = any(seen)
      removed.add(subject)
      expect((await client.do(`UID STORE ${uid} +FLAGS.SILENT (\\Deleted)`)).status).toBe('OK')
      expect((await client.do(`UID EXPUNGE ${uid}`)).status).toBe('OK')
    })
    const all: string[] = []
    try {
      for (let n = 1; n <= DELIVERIES; n++) {
        all.push(`s${n}`)
        const got = await deliver(server, `s${n}`)
        expect(got.code, got.stderr).toBe(0)
      }
    } finally {
      deliveries.running = false
      await Promise.all([flagger, remover])
    }
    await server.stop()
    const file = await readFile(server.inbox('alice'), 'latin1')
    expect(subjectsIn(file).toSorted()).toEqual(all.filter((s) => !removed.has(s)).toSorted())
    for (const message of messagesIn(file)) expect(message).toMatch(/\nText of s\d+\n>?From here on more\.\n/)

    // The same file, as other programs read it.
    const left = all.length - removed.size
    if (has('mailutil')) {
      await copyFile(server.inbox('alice'), join(scratch, 'box'))
      await chmod(join(scratch, 'box'), 0o666)
      const checked = await runUnprivileged('mailutil', ['check', 'box'], { HOME: scratch })
      expect(checked.stdout + checked.stderr).toContain(`${left} total in box`)
    }
    if (has('mutt')) {
      await writeFile(join(scratch, 'muttrc'), 'set quit=yes\nset move=no\nset confirmappend=no\nset confirmcreate=no\n')
      await runOnTerminal(
        'mutt',
        ['-F', join(scratch, 'muttrc'), '-n', '-R', '-f', server.inbox('alice'), '-e', `push '<tag-pattern>~A<enter><tag-prefix><copy-message>${join(scratch, 'muttcopy')}<enter><exit>'`],
        { env: { HOME: scratch } },
      )
      expect(subjectsIn(await readFile(join(scratch, 'muttcopy'), 'latin1')).toSorted()).toEqual(subjectsIn(file).toSorted())
    }
    if (has('doveadm')) {
      const own = join(scratch, 'dovecot')
      for (const folder of [own, join(own, 'mail'), join(own, 'run')]) {
        await mkdir(folder)
        await chmod(folder, 0o777)
      }
      await copyFile(server.inbox('alice'), join(own, 'INBOX'))
      await chmod(join(own, 'INBOX'), 0o666)
      await writeFile(join(own, 'conf'), `mail_location = mbox:${own}/mail:INBOX=${own}/INBOX\nfirst_valid_uid = 0\nbase_dir = ${own}/run\nlog_path = ${own}/log\nmail_privileged_group =\n`)
      const ids = process.getuid?.() === 0 ? [NOBODY, NOBODY] : [process.getuid?.() ?? 0, process.getgid?.() ?? 0]
      const got = await run('doveadm', ['-c', join(own, 'conf'), '-o', `mail_uid=${ids[0]}`, '-o', `mail_gid=${ids[1]}`, '-f', 'tab', 'fetch', 'uid hdr.subject', 'mailbox', 'INBOX', 'all'], {
        env: { HOME: own, USER: 'nobody' },
      })
      const rows = got.stdout.trim().split('\n').slice(1).map((row) => row.split('\t'))
      expect(rows.map((row) => row[1]).toSorted(), got.stderr).toEqual(subjectsIn(file).toSorted())
      for (const [uid, subject] of rows) expect(uidOf.get(subject ?? '') ?? Number(uid)).toBe(Number(uid))
    }
    // And by the server once more, with the uids that clients saw.
    await server.again()
    const client = await RawClient.login(server.ports.imap, 'alice')
    await client.do('EXAMINE INBOX')
    expect(learn((await client.do('UID FETCH 1:* (UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])')).untagged).size).toBe(left)
    await client.logout()
  }, 600_000)
})
