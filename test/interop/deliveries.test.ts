import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
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
/** Of each program. */
const DELIVERIES = LONG ? 100 : 6
/** Deliveries of one program at the same time. They meet each other at the lock too, and then sleep in step, so several take long. */
const AT_ONCE = LONG ? 3 : 1

/** Runs a program that refuses to be root as somebody who may do nothing else. */
function runUnprivileged(program: string, args: readonly string[], env: Record<string, string>): Promise<Ran> {
  if (process.getuid?.() !== 0) return run(program, args, { env })
  return run('setpriv', [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', program, ...args], { env })
}
const bodyOf = (subject: string): string =>
  `From: sender@example.org\nTo: alice@example.org\nSubject: ${subject}\nMessage-ID: <${subject}@example.org>\n\nText of ${subject}\nFrom here on more.\n`
const FROM_LINE = 'From sender@example.org Mon Jan  5 09:08:07 2026\n'

interface Deliverer {
  readonly program: string
  /** Writes its configuration once. */
  prepare(server: RunningServer): Promise<void>
  deliver(server: RunningServer, subject: string): Promise<Ran>
}
// Both ask again after their usual times: procmail after 8 seconds, maildrop after 5.
const deliverers: readonly Deliverer[] = [
  {
    program: 'procmail',
    prepare: (server) => writeFile(join(server.folder, 'procmailrc'), `:0:\n${server.inbox('alice')}\n`, { mode: 0o600 }),
    deliver: (server, subject) => run('procmail', ['-m', join(server.folder, 'procmailrc')], { input: FROM_LINE + bodyOf(subject), limitMs: 600_000 }),
  },
  {
    program: 'maildrop',
    prepare: (server) => writeFile(join(server.folder, 'mailfilter'), `to "${server.inbox('alice')}"\n`, { mode: 0o600 }),
    deliver: (server, subject) => run('maildrop', [join(server.folder, 'mailfilter')], { input: bodyOf(subject), env: { HOME: server.home('alice') }, limitMs: 600_000 }),
  },
]

describe('delivery programs and clients use the same mailbox', () => {
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
  /** The mailbox for a program that runs as nobody. */
  async function copyForOthers(name: string): Promise<string> {
    const copy = join(scratch, name)
    await copyFile(server.inbox('alice'), copy)
    await chmod(copy, 0o666)
    return copy
  }

  test.skipIf(!deliverers.every(({ program }) => has(program)))('deliveries beside clients that flag and expunge without a pause: nothing lost, nothing doubled, uids stable', async () => {
    const random = randomOf(seedOf('deliveries'))
    const removed = new Set<string>()
    const uidOf = new Map<string, number>()
    const state = { delivering: true, work: 0 }
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
    const ok = async (client: RawClient, command: string): Promise<readonly string[]> => {
      const { status, text, untagged } = await client.do(command)
      expect(status, `${command}: ${text}`).toBe('OK')
      return untagged
    }
    const busy = async (act: (client: RawClient, seen: Map<number, string>) => Promise<void>): Promise<void> => {
      const client = await RawClient.login(server.ports.imap, 'alice')
      await ok(client, 'SELECT INBOX')
      for (; state.delivering; state.work++) {
        await ok(client, 'NOOP')
        const seen = learn(await ok(client, 'UID FETCH 1:* (UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])'))
        if (seen.size > 0) await act(client, seen)
        // Other tests of the machine want the processor too; no longer than an instant.
        await pause(1)
      }
      await client.logout()
    }
    const any = (seen: Map<number, string>): [number, string] => [...seen][Math.floor(random() * seen.size)] ?? [0, '']
    const clients = [
      busy(async (client, seen) => {
        await ok(client, `UID STORE ${any(seen)[0]} ${random() < 0.5 ? '+' : '-'}FLAGS (\\Seen $Work)`)
        await ok(client, 'CHECK')
      }),
      busy(async (client, seen) => {
        if (seen.size < 6) return
        const [uid, subject] = any(seen)
        removed.add(subject)
        await ok(client, `UID STORE ${uid} +FLAGS.SILENT (\\Deleted)`)
        await ok(client, `UID EXPUNGE ${uid}`)
      }),
    ]
    const all: string[] = []
    const waits: number[] = []
    const deliverAll = async ({ program, prepare, deliver }: Deliverer): Promise<void> => {
      await prepare(server)
      let next = 0
      const one = async (): Promise<void> => {
        while (next < DELIVERIES) {
          const subject = `${program}-${++next}`
          all.push(subject)
          const began = performance.now()
          const got = await deliver(server, subject)
          waits.push(Math.round(performance.now() - began))
          expect(got.code, got.stderr).toBe(0)
        }
      }
      await Promise.all(Array.from({ length: AT_ONCE }, one))
    }
    try {
      await Promise.race([Promise.all(deliverers.map(deliverAll)), Promise.all(clients)])
    } finally {
      state.delivering = false
      await Promise.all(clients)
    }
    process.stdout.write(`deliveries waited ${waits.toSorted((a, b) => a - b).join(' ')} ms beside ${state.work} rounds of clients\n`)
    expect(state.work).toBeGreaterThan(0)
    await server.stop()
    const file = await readFile(server.inbox('alice'), 'latin1')
    const left = all.filter((s) => !removed.has(s)).toSorted()
    expect(subjectsIn(file).toSorted()).toEqual(left)
    for (const message of messagesIn(file)) expect(message).toMatch(/\nText of \S+\n>?From here on more\.\n/)
    expect((await readdir(server.home('alice'))).filter((name) => name.includes('.lock'))).toEqual([])

    // And by the server once more, with the uids that clients saw.
    await server.again()
    const client = await RawClient.login(server.ports.imap, 'alice')
    await ok(client, 'SELECT INBOX')
    expect([...learn(await ok(client, 'UID FETCH 1:* (UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])')).values()].toSorted()).toEqual(left)
    await client.logout()
  }, 1_800_000)

  test.skipIf(!has('mailutil'))('mailutil counts what is left', async () => {
    const left = subjectsIn(await readFile(server.inbox('alice'), 'latin1'))
    await copyForOthers('box')
    const checked = await runUnprivileged('mailutil', ['check', 'box'], { HOME: scratch })
    expect(checked.stdout + checked.stderr).toContain(`${left.length} total in box`)
  })
  test.skipIf(!has('mutt') || !has('script'))('mutt reads every message', async () => {
    const left = subjectsIn(await readFile(server.inbox('alice'), 'latin1'))
    const copy = await copyForOthers('for-mutt')
    // Without its folder it asks at the start whether to make one, and the question swallows the first of the keys.
    await writeFile(join(scratch, 'muttrc'), `set folder=${scratch}\nset quit=yes\nset move=no\nset confirmappend=no\nset confirmcreate=no\n`)
    const keys = `<tag-pattern>~A<enter><tag-prefix><copy-message>${join(scratch, 'muttcopy')}<enter><exit>`
    const got = await runOnTerminal('mutt', ['-F', join(scratch, 'muttrc'), '-n', '-R', '-f', copy, '-e', `push '${keys}'`], { env: { HOME: scratch } })
    expect(got.code, got.stdout).toBe(0)
    expect(subjectsIn(await readFile(join(scratch, 'muttcopy'), 'latin1')).toSorted()).toEqual(left.toSorted())
  })
  test.skipIf(!has('doveadm'))('Dovecot finds every message under the uid that our clients saw', async () => {
    const client = await RawClient.login(server.ports.imap, 'alice')
    await client.do('SELECT INBOX')
    const { untagged } = await client.do('UID FETCH 1:* (UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])')
    const ours = untagged.flatMap((line) => {
      const [uid, subject] = [/UID (\d+)/.exec(line)?.[1], /Subject: (\S+)/.exec(line)?.[1]]
      return uid === undefined || subject === undefined ? [] : [`${uid} ${subject}`]
    })
    await client.logout()
    const own = join(scratch, 'dovecot')
    for (const folder of [own, join(own, 'mail'), join(own, 'run')]) {
      await mkdir(folder)
      await chmod(folder, 0o777)
    }
    const copy = await copyForOthers('for-dovecot')
    await writeFile(join(own, 'conf'), `mail_location = mbox:${own}/mail:INBOX=${copy}\nfirst_valid_uid = 0\nbase_dir = ${own}/run\nlog_path = ${own}/log\nmail_privileged_group =\n`)
    const ids = process.getuid?.() === 0 ? [NOBODY, NOBODY] : [process.getuid?.() ?? 0, process.getgid?.() ?? 0]
    const got = await run('doveadm', ['-c', join(own, 'conf'), '-o', `mail_uid=${ids[0]}`, '-o', `mail_gid=${ids[1]}`, '-f', 'tab', 'fetch', 'uid hdr.subject', 'mailbox', 'INBOX', 'all'], {
      env: { HOME: own, USER: 'nobody' },
    })
    const rows = got.stdout.trim().split('\n').slice(1).map((row) => row.split('\t').slice(0, 2).join(' '))
    expect(rows.toSorted(), got.stderr).toEqual(ours.toSorted())
  })
})
