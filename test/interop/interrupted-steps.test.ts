import { chown, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Files, MailboxFormat } from '../../core/api/index.js'
import { SystemFiles } from '../../core/os/files.js'
import { nativeLocks } from '../../core/os/native-locks.js'
import { mmdfDialect } from '../../plugins/formats/mmdf/dialect.js'
import { mtxDialect } from '../../plugins/formats/mtx/dialect.js'
import { FixedFormat } from '../../plugins/formats/shared/fixed/format.js'
import { unixDialect, type TextDialect } from '../../plugins/formats/shared/text/dialect.js'
import { TextFormat } from '../../plugins/formats/shared/text/format.js'
import { tenexDialect } from '../../plugins/formats/tenex/dialect.js'
import { jumpInAlpine } from '../support/alpine.js'
import { familyHome, mailutil } from '../support/directory-formats.js'
import { fixedContextOf } from '../support/fixed.js'
import { COUNT, interruptExpunge, lined } from '../support/interrupted-steps.js'
import { OpenBox } from '../support/open-box.js'
import { has, run, runOnTerminal } from '../support/programs.js'
import { LONG } from '../support/random.js'
import { Screen } from '../support/screen.js'
import { mailboxSettings, TestClock, unixContext } from '../support/unix.js'

/*
 * What other programs see of an expunge that was made in steps, on a full disk, when the server ended on the way (docs/design/0017): all messages that
 * stay, and between what was moved and what was not a part of one of them a second time. Whoever only reads, or appends, leaves it so, and this server
 * goes on; what others rewrote stays as they wrote it.
 */

const files = new SystemFiles(await nativeLocks())
const NOBODY = 65_534
const root = process.getuid?.() === 0
const numbers = Array.from({ length: COUNT }, (_, i) => i + 1)
const without = (...gone: readonly number[]): readonly number[] => numbers.filter((n) => !gone.includes(n))
const original = (n: number): string => Buffer.from(lined(n).bytes).toString('latin1')

/** Writes to the mailbox that were made before the end: none, few, some of those in the message that is longer than a step, nearly all. */
const ENDS = LONG ? Array.from({ length: 70 }, (_, n) => n) : [0, 2, 9, 30]
/** For programs that take long. */
const FEW_ENDS = LONG ? ENDS.filter((n) => n % 7 === 2) : [2, 9]
const SHAPES = [
  { shape: 'with a record of its own', gone: 2, created: true },
  { shape: 'whose first message goes', gone: 1, created: false },
] as const

/** Whether a text is another, or that with a part of it twice. */
function holds(text: string, whole: string): boolean {
  let [before, after] = [0, 0]
  while (before < whole.length && text[before] === whole[before]) before++
  while (after < whole.length && text.at(-1 - after) === whole.at(-1 - after)) after++
  return text === whole || (text.length > whole.length && before + after >= whole.length)
}
/** Without what other programs put into a header. */
const plain = (text: string): string => text.replaceAll(/^(?:Content-Length|Lines|Status|X-Status): .*\r\n/gm, '')
/** The messages of which nothing is missing. */
const allOf = (texts: readonly string[]): readonly number[] => numbers.filter((n) => texts.some((text) => holds(plain(text), original(n))))

let home = ''
let path = ''
beforeEach(async () => {
  home = await familyHome()
  path = join(home, 'box')
})
afterEach(() => rm(home, { recursive: true, force: true }))

const textFormat = (dialect: TextDialect) => (of: Files): MailboxFormat =>
  new TextFormat({ ...unixContext(of, '/tmp', { clock: new TestClock(Date.now()) }), mailbox: mailboxSettings(join(home, 'state')), dialect })

interface Seen {
  readonly uids: readonly number[]
  readonly texts: readonly string[]
  readonly warnings: readonly string[]
}
async function see(format: MailboxFormat, at = path): Promise<Seen> {
  const box = await OpenBox.open(format, at)
  try {
    await box.refresh(true)
    return { uids: box.uids, texts: (await box.messages()).map((m) => m.text), warnings: box.notices.filter((n) => n.severity === 'warning').map((n) => n.text) }
  } finally {
    await box.source.close()
  }
}
/** As if nothing had been interrupted. */
function mustBeWhole(seen: Seen, gone: number, more: readonly string[] = []): void {
  expect(seen.warnings).toEqual([])
  expect(seen.texts.slice(0, COUNT - 1)).toEqual(without(gone).map(original))
  expect(seen.texts.slice(COUNT - 1)).toEqual(more)
}

async function mutt(keys: string): Promise<void> {
  const rc = join(home, 'muttrc')
  await writeFile(rc, `set folder=${home}\nset quit=yes\nset move=no\nset confirmappend=no\nset confirmcreate=no\nset delete=yes\nset mbox_type=mbox\n`)
  const got = await runOnTerminal('mutt', ['-F', rc, '-n', '-f', path, '-e', `push '${keys}'`], { env: { HOME: home } })
  expect(got.code, got.stdout).toBe(0)
}
async function dovecot(...words: readonly string[]): Promise<string> {
  const conf = join(home, 'dovecot.conf')
  await writeFile(
    conf,
    `mail_location = mbox:${home}:INBOX=${path}:INDEX=MEMORY\nmbox_write_locks = dotlock fcntl\nfirst_valid_uid = 0\nbase_dir = ${home}/run\nlog_path = /dev/stderr\nmail_privileged_group =\n`,
  )
  const ids = root ? [NOBODY, NOBODY] : [process.getuid?.() ?? 0, process.getgid?.() ?? 0]
  if (root) for (const entry of ['', ...(await readdir(home))]) await chown(join(home, entry), NOBODY, NOBODY)
  const got = await run('doveadm', ['-c', conf, '-o', `mail_uid=${ids[0]}`, '-o', `mail_gid=${ids[1]}`, ...words], { env: { HOME: home, USER: 'nobody' } })
  expect(got.code, got.stderr).toBe(0)
  return got.stdout
}
/** Opens the mailbox, and leaves after the work; answers what it shows at first. */
async function alpine(work: (screen: Screen, count: number) => Promise<void>): Promise<string> {
  const rc = join(home, 'pinerc')
  await writeFile(rc, 'user-domain=example.org\nfeature-list=expunge-without-confirm,expunge-without-confirm-everywhere,quit-without-confirm,quell-folder-internal-msg\nlast-version-used=99.9\n')
  const screen = await Screen.open('alpine', ['-p', rc, '-i', '-d', '0', '-f', path], { HOME: home })
  try {
    await screen.shows(/Message \d+ of \d+ /)
    const text = await screen.text()
    await work(screen, Number(/Message \d+ of (\d+) /.exec(text)?.[1]))
    await screen.type('q')
    expect((await screen.ended()).code).toBe(0)
    return text
  } finally {
    await screen.close()
  }
}
/** It may warn of numbers that are not as they should be, and of the header of a message that is cut. */
async function mailutilSays(...words: readonly string[]): Promise<string> {
  const { stdout, stderr } = await mailutil(home, ...words)
  expect(stderr.replaceAll(/^warning: (?:Message \d+ UID \d+ less than \d+|Must use comma to separate addresses: .*)\n/gm, '')).toBe('')
  return stdout
}
async function showInAlpine(): Promise<void> {
  const text = await alpine(() => Promise.resolve())
  expect(numbers.filter((n) => new RegExp(`message ${n}$`, 'm').test(text)).length).toBeGreaterThanOrEqual(COUNT - 1)
}
async function deliverByProcmail(): Promise<void> {
  const rc = join(home, 'procmailrc')
  await writeFile(rc, `:0:\n${path}\n`, { mode: 0o600 })
  expect(await run('procmail', ['-m', rc], { input: STORED_LETTER })).toMatchObject({ code: 0, stderr: '' })
}
const LETTER = 'From: bob@example.org\r\nSubject: theirs\r\n\r\nhello\r\n'

const STORED_LETTER = `From bob@example.org Mon Jan  5 09:08:07 2015\n${LETTER.replaceAll('\r\n', '\n')}`

interface Program {
  readonly program: string
  readonly does: string
  readonly needs: readonly string[]
  readonly formats: readonly string[]
  /** The mailbox is left as it is, but for what is appended: this server goes on where it ended. Otherwise messages are where they were put. */
  readonly harmless: boolean
  /** A message that it removes, and one that it brings. */
  readonly removes?: number
  readonly brings?: string
  /** Answers the messages that it read, if it reads all. */
  work(): Promise<readonly string[] | undefined>
}
const doing = (work: () => Promise<unknown>) => async (): Promise<undefined> => {
  await work()
  return undefined
}
const BOTH = ['unix', 'mmdf'] as const
const UNIX = ['unix'] as const
const programs: readonly Program[] = [
  {
    program: 'mutt', does: 'reads', needs: ['mutt', 'script'], formats: BOTH, harmless: true,
    async work() {
      await mutt(`<tag-pattern>~A<enter><tag-prefix><copy-message>${home}/seen<enter><quit>`)
      return (await see(textFormat(unixDialect)(files), join(home, 'seen'))).texts
    },
  },
  { program: 'mutt', does: 'flags', needs: ['mutt', 'script'], formats: BOTH, harmless: false, work: doing(() => mutt('<tag-pattern>~s message.5$<enter><tag-prefix><flag-message><quit>')) },
  { program: 'mutt', does: 'deletes', needs: ['mutt', 'script'], formats: BOTH, harmless: false, removes: 5, work: doing(() => mutt('<delete-pattern>~s message.5$<enter><sync-mailbox><quit>')) },
  {
    program: 'mailutil', does: 'reads', needs: ['mailutil'], formats: BOTH, harmless: true,
    async work() {
      await mailutilSays('copy', 'box', '#driver.mbx/seen')
      return (await readFile(join(home, 'seen'), 'latin1')).split(/[^\r\n]*,\d+;[0-9a-f]{12}-[0-9a-f]{8}\r\n/).slice(1)
    },
  },
  { program: 'mailutil', does: 'counts', needs: ['mailutil'], formats: BOTH, harmless: true, work: doing(() => mailutilSays('check', 'box')) },
  { program: 'mailutil', does: 'deletes', needs: ['mailutil'], formats: BOTH, harmless: false, removes: 5, work: doing(() => mailutilSays('prune', 'box', 'subject "message 5"')) },
  {
    program: 'mailutil', does: 'appends', needs: ['mailutil'], formats: BOTH, harmless: false, brings: LETTER,
    work: doing(async () => {
      await writeFile(join(home, 'one'), STORED_LETTER)
      await mailutilSays('append', 'one', 'box')
    }),
  },
  {
    // It mends numbers that are there twice.
    program: 'Dovecot', does: 'reads', needs: ['doveadm'], formats: UNIX, harmless: false,
    work: async () => (await dovecot('fetch', 'text', 'mailbox', 'INBOX', 'all')).split('text:\n').map((text) => text.replaceAll('\n', '\r\n')),
  },
  { program: 'Dovecot', does: 'flags', needs: ['doveadm'], formats: UNIX, harmless: false, work: doing(() => dovecot('flags', 'add', '\\Flagged', 'mailbox', 'INBOX', 'subject', 'message 5')) },
  { program: 'Dovecot', does: 'deletes', needs: ['doveadm'], formats: UNIX, harmless: false, removes: 5, work: doing(() => dovecot('expunge', 'mailbox', 'INBOX', 'subject', 'message 5')) },
  {
    program: 'alpine', does: 'reads', needs: ['alpine', 'tmux'], formats: UNIX, harmless: false,
    work: doing(showInAlpine),
  },
  {
    program: 'alpine', does: 'deletes', needs: ['alpine', 'tmux'], formats: UNIX, harmless: false, removes: COUNT,
    work: doing(() =>
      alpine(async (screen, count) => {
        await jumpInAlpine(screen, count, count)
        await screen.type('d')
        await screen.shows(new RegExp(`D +${count} `))
        await screen.type('x')
        await screen.shows(new RegExp(`Message \\d+ of ${count - 1} `))
      }),
    ),
  },
  {
    program: 'procmail', does: 'delivers', needs: ['procmail'], formats: UNIX, harmless: true, brings: LETTER,
    work: doing(deliverByProcmail),
  },
]

describe.each([
  { name: 'unix', dialect: unixDialect },
  { name: 'mmdf', dialect: mmdfDialect },
])('a mailbox of $name that was half expunged', ({ name, dialect }) => {
  const make = textFormat(dialect)
  const seenByUs = (): Promise<Seen> => see(make(files))

  test.each(SHAPES)('$shape: whenever the server ended, it goes on where it was', async ({ gone, created }) => {
    let ended = 0
    for (const end of ENDS) {
      if (await interruptExpunge({ home, path, make, files, gone, created }, end)) ended++
      const seen = await seenByUs()
      mustBeWhole(seen, gone)
      expect(seen.uids).toEqual(without(gone))
    }
    expect(ended).toBeGreaterThan(3)
  }, 120_000)

  for (const { program, does, needs, formats, harmless, removes, brings, work } of programs) {
    if (!formats.includes(name)) continue
    test.skipIf(!needs.every(has)).each(SHAPES)(`$shape, in ${program}, which ${does}: every message is there`, async ({ gone, created }) => {
      const stay = without(gone, ...(removes === undefined ? [] : [removes]))
      let looked = 0
      for (const end of FEW_ENDS) {
        if (!(await interruptExpunge({ home, path, make, files, gone, created }, end))) continue
        looked++
        const where = `behind ${end} writes`
        const read = await work()
        if (read !== undefined) expect(allOf(read), where).toEqual(expect.arrayContaining([...stay]))
        const seen = await seenByUs()
        const aside = (await readdir(join(home, 'state/redo'))).filter((entry) => entry.endsWith('.lost')).length
        expect(seen.warnings.filter((text) => /interrupted rewrite; a part of one message may be there twice/.test(text)).length, where).toBe(aside)
        if (harmless) mustBeWhole(seen, gone, brings === undefined ? [] : [brings])
        expect(allOf(seen.texts), where).toEqual(expect.arrayContaining([...stay]))
        if (brings !== undefined) expect(seen.texts.filter((text) => plain(text).startsWith(brings)).length, where).toBe(1)
        // And so it remains.
        const again = await seenByUs()
        expect([again.warnings, again.texts, again.uids], where).toEqual([[], seen.texts, seen.uids])
        await rm(join(home, 'seen'), { force: true })
      }
      expect(looked).toBeGreaterThan(1)
    }, LONG ? 3_600_000 : 120_000)
  }
})

describe.runIf(has('mailutil')).each([
  { name: 'mtx', dialect: mtxDialect },
  { name: 'tenex', dialect: tenexDialect },
])('a mailbox of $name that was half expunged', ({ dialect }) => {
  const make = (of: Files): MailboxFormat => new FixedFormat(dialect, fixedContextOf(of, home))
  test.each([1, 2])('programs of the c-client family do not open it, and leave it as it is; message %s went', async (gone) => {
    let looked = 0
    for (const end of ENDS) {
      if (!(await interruptExpunge({ home, path, make, files, gone, created: false }, end))) continue
      looked++
      const before = await readFile(path)
      for (const words of [['check', 'box'], ['prune', 'box', 'subject "message 5"'], ['copy', 'box', '#driver.mbx/seen']]) {
        expect(await mailutil(home, ...words), `${words[0]} behind ${end} writes`).toMatchObject({ stdout: '', stderr: expect.stringMatching(/^Unable to parse internal header/) })
      }
      expect((await readFile(path)).equals(before), `behind ${end} writes`).toBe(true)
      mustBeWhole(await see(make(files)), gone)
    }
    expect(looked).toBeGreaterThan(1)
  }, LONG ? 3_600_000 : 60_000)
})
