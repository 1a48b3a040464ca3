import { chmod, chown, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { NOBODY, sessionOfNobody } from '../support/nobody-session.js'
import { has } from '../support/programs.js'
import { SAMPLE_MAILBOX } from '../support/sample-mailbox.js'

/** What a user's rights on files allow, and `restrict-box` does not (FAQ 5.1). Only root can be somebody else, and give away files. */
describe.runIf(process.getuid?.() === 0 && has('setpriv'))('restrict-box', () => {
  let folder = ''
  let spool = ''
  let outside = ''
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mailwright-box-'))
    await chmod(folder, 0o755)
    spool = join(folder, 'spool')
    outside = join(folder, 'outside')
    for (const made of [spool, outside, join(folder, 'home')]) await mkdir(made)
    await chmod(spool, 0o1777)
    for (const theirs of [join(folder, 'home'), outside]) await chown(theirs, NOBODY, NOBODY)
    for (const box of [join(spool, 'nobody'), join(outside, 'box')]) {
      await writeFile(box, SAMPLE_MAILBOX)
      await chown(box, NOBODY, NOBODY)
    }
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  /** The tagged line of each command, by its place, without the tag. */
  async function answers(before: string | undefined, commands: readonly string[]): Promise<readonly string[]> {
    const said = await sessionOfNobody({ folder, spool, ...(before !== undefined && { before }) }, [...commands, 'LOGOUT'].map((command, i) => `t${i} ${command}\r\n`).join(''))
    return commands.map((_, i) => new RegExp(`^t${i} (OK|NO|BAD)`, 'm').exec(said)?.[1] ?? said)
  }
  const everywhere = (): readonly string[] => [
    `EXAMINE "${outside}/box"`, `STATUS "${outside}/box" (MESSAGES)`, `APPEND "${outside}/box" {17+}\r\nSubject: ours\r\n\r\n`, `CREATE "${outside}/new"`, `RENAME "${outside}/new" "${outside}/newer"`, `DELETE "${outside}/newer"`,
  ]

  test('without it, names are paths, and the rights on the files decide', async () => {
    expect(await answers(undefined, everywhere())).toEqual(['OK', 'OK', 'OK', 'OK', 'OK', 'OK'])
  })
  test.each(['restrict-box', '{ use: restrict-box, deny: [root, other-users] }'])('%s: nothing outside is reached by any command; INBOX, which is outside too, is', async (before) => {
    expect(await answers(before, everywhere())).toEqual(['NO', 'NO', 'NO', 'NO', 'NO', 'NO'])
    expect(await readdir(outside)).toEqual(['box'])
    const others = [`EXAMINE "../outside/box"`, 'EXAMINE "~root/box"', 'EXAMINE "x/../../../etc/passwd"', 'SUBSCRIBE "/etc/passwd"', `CREATE "#driver.unix/${outside}/new"`]
    expect(await answers(before, others)).toEqual(others.map(() => 'NO'))
    expect(await answers(before, ['SELECT INBOX', String.raw`STORE 1 +FLAGS (\Seen)`])).toEqual(['OK', 'OK'])
    const listed = await sessionOfNobody({ folder, spool, before }, `a LIST "" "/*"\r\nb LIST "${outside}/" *\r\nc LIST "" *\r\nd LOGOUT\r\n`)
    expect(listed.split('\r\n').filter((line) => line.startsWith('* LIST') && !line.endsWith(' INBOX'))).toEqual([])
  })
})
