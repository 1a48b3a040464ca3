import { existsSync } from 'node:fs'
import { chmod, chown, mkdir, readdir, writeFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SeededRandom } from '../../core/testing/random.js'
import { hasPython, run } from '../support/programs.js'
import { seedOf } from '../support/random.js'
import { RawClient } from '../support/raw-client.js'
import { startServer, type RunningServer } from '../support/running-server.js'

const NOBODY = 65534
/** Dovecot's IMAP as a program that speaks on its standard input, already logged in. */
const DOVECOT = '/usr/lib/dovecot/imap'
const MESSAGES = 400

const WORDS = ['tea', 'Tea', 'kettle', '=?utf-8?q?caf=C3=A9?=', '=?iso-8859-1?q?CAF=C9?=', 'list', 'zebra', '[x]', '_under', '=?utf-8?b?5pel5pys?=']
const PREFIXES = ['', '', '', 'Re: ', 'RE: Re: ', 'Fwd: ', '[list] ', 'Re: [list] ', '[list] Re[2]: ', 'fw : ']
const PEOPLE = ['bob@example.org', 'Carol Q <carol@example.org>', '"Dave, Jr" <DAVE@example.org>', '=?utf-8?q?Ren=C3=A9e?= <renee@example.org>', 'Friends: eve@example.org, bob@example.org;', '<a_b@example.org>']

/**
 * Mail that quotes one another in every way: chains, cut references, loops, two of one id, parents that are not there. What the RFC leaves open is
 * left out: dates that cannot be read, and ids that are none.
 */
function mailbox(random: SeededRandom): string {
  const id = (n: number): string => `<m${n}@example.org>`
  return Array.from({ length: MESSAGES }, (_, i) => {
    const subject = `${random.pick(PREFIXES)}${random.pick(WORDS)} ${random.pick(WORDS)}${random.chance(0.1) ? ' (fwd)' : ''}`
    const lines = [
      `From bob@example.org Mon Nov 23 01:44:50 2026`,
      `Date: ${1 + random.below(28)} Jan 2026 ${String(random.below(24)).padStart(2, '0')}:${String(random.below(60)).padStart(2, '0')}:00 ${random.pick(['+0000', '-0800', '+0900', 'EST'])}`,
      `From: ${random.pick(PEOPLE)}`,
      `To: ${random.pick(PEOPLE)}`,
      ...(random.chance(0.5) ? [`Cc: ${random.pick(PEOPLE)}`] : []),
      ...(random.chance(0.95) ? [`Subject: ${random.chance(0.1) ? `[Fwd: ${subject} ]` : subject}`] : []),
      ...(random.chance(0.95) ? [`Message-ID: ${random.chance(0.03) ? id(random.below(MESSAGES)) : id(i)}`] : []),
    ]
    const chain = Array.from({ length: 1 + random.below(4) }, () => id(random.below(random.chance(0.1) ? 2 * MESSAGES : MESSAGES)))
    if (random.chance(0.3)) lines.push(`References: ${chain.join('\n ')}`)
    else if (random.chance(0.2)) lines.push(`In-Reply-To: ${random.chance(0.3) ? 'Your message of Monday ' : ''}${chain[0]}`)
    return `${lines.join('\n')}\nStatus: O\n\n${'x'.repeat(1 + random.below(500))}\n\n`
  }).join('')
}

const COMMANDS = [
  ...['ARRIVAL', 'CC', 'DATE', 'FROM', 'SIZE', 'SUBJECT', 'TO', 'DISPLAYFROM', 'DISPLAYTO'].flatMap((key) => [`SORT (${key}) UTF-8 ALL`, `UID SORT (REVERSE ${key}) UTF-8 ALL`]),
  'SORT (SUBJECT DATE) UTF-8 ALL',
  'SORT (FROM REVERSE SUBJECT SIZE) UTF-8 ALL',
  'SORT (DATE) UTF-8 SUBJECT tea',
  'SORT (REVERSE DATE) US-ASCII FROM carol',
  ...['ORDEREDSUBJECT', 'REFERENCES'].flatMap((by) => [`THREAD ${by} UTF-8 ALL`, `UID THREAD ${by} US-ASCII 1:100`, `THREAD ${by} UTF-8 SUBJECT tea`]),
]

/** Answers of Dovecot to the commands, by the same file. */
async function dovecotAnswers(server: RunningServer): Promise<Map<string, string>> {
  const config = join(server.folder, 'dovecot.conf')
  const home = join(server.folder, 'dovecot-home')
  await mkdir(home)
  await writeFile(config, `base_dir = ${server.folder}/dovecot\nlog_path = /dev/stderr\nmail_location = mbox:~/mail:INBOX=${server.inbox('alice')}:INDEX=MEMORY\nssl = no\nprotocols =\n`)
  const asNobody = userInfo().uid === 0
  // Dovecot reads mail for no administrator.
  if (asNobody) {
    await chmod(server.folder, 0o755)
    for (const folder of [home, server.home('alice')]) {
      await chown(folder, NOBODY, NOBODY)
      for (const entry of await readdir(folder, { withFileTypes: true })) await chown(join(folder, entry.name), NOBODY, NOBODY)
    }
  }
  const [program = '', ...args] = [...(asNobody ? ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'] : []), DOVECOT, '-c', config]
  const answers = new Map<string, string>()
  // One by one: it answers several searches at once when it can, and lines without a tag then say nothing of whose they are.
  for (const command of COMMANDS) {
    const { stdout, stderr } = await run(program, args, { input: `s SELECT INBOX\r\nc ${command}\r\nz LOGOUT\r\n`, env: { USER: 'alice', HOME: home } })
    const lines = stdout.split('\r\n')
    const said = lines.find((line) => /^\* (?:SORT|THREAD)/.test(line))
    if (said === undefined || !lines.some((line) => line.startsWith('c OK'))) throw new Error(`${stdout}${stderr}`)
    answers.set(command, said)
  }
  return answers
}

describe.skipIf(!existsSync(DOVECOT))('SORT and THREAD beside Dovecot on the same mailbox', () => {
  let server: RunningServer
  let theirs: Map<string, string>
  beforeAll(async () => {
    const random = new SeededRandom(seedOf('interop/sort-thread'))
    server = await startServer({ prepare: (folder) => writeFile(join(folder, 'mail/alice/INBOX'), mailbox(random)) })
    theirs = await dovecotAnswers(server)
  }, 60_000)
  afterAll(() => server.remove())

  test.each(COMMANDS)('%s', async (command) => {
    const client = await RawClient.login(server.ports.imap, 'alice')
    expect((await client.do('SELECT INBOX')).untagged).toContain(`* ${MESSAGES} EXISTS`)
    const { status, untagged } = await client.do(command)
    expect(status).toBe('OK')
    expect(untagged).toEqual([theirs.get(command)])
    await client.logout()
  })
})

const JOB = `
import imaplib, json, sys
m = imaplib.IMAP4('localhost', int(sys.argv[1]))
m.login('alice', 'secret')
m.select('INBOX')
out = {'sort': m.sort('(REVERSE SIZE)', 'UTF-8', 'ALL')[1][0].decode(), 'thread': m.thread('REFERENCES', 'UTF-8', 'ALL')[1][0].decode()}
out['uid'] = m.uid('THREAD', 'ORDEREDSUBJECT', 'UTF-8', 'ALL')[1][0].decode()
m.logout()
print(json.dumps(out))
`
describe.skipIf(!hasPython('imaplib'))("Python's imaplib", () => {
  test('sorts and threads', async () => {
    const server = await startServer()
    try {
      const client = await RawClient.login(server.ports.imap, 'alice')
      const messages = ['Subject: tea\r\nMessage-ID: <1@x>\r\n\r\nlonger\r\n', 'Subject: Re: tea\r\nIn-Reply-To: <1@x>\r\n\r\n\r\n', 'Subject: kettle\r\n\r\nx\r\n']
      for (const message of messages) expect((await client.append('INBOX', message)).status).toBe('OK')
      await client.logout()
      const got = await run('python3', ['-c', JOB, String(server.ports.imap)])
      expect(got.stderr).toBe('')
      expect(JSON.parse(got.stdout)).toEqual({ sort: '1 2 3', thread: '(1 2)(3)', uid: '(1 2)(3)' })
    } finally {
      await server.remove()
    }
  })
})
