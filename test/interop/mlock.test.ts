import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { watch } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { NOBODY, sessionOfNobody } from '../support/nobody-session.js'
import { has } from '../support/programs.js'
import { messagesIn, SAMPLE_MAILBOX, statusOf, subjectsIn } from '../support/sample-mailbox.js'


/** A spool as Debian has it: 775, group `mail`. Only root can make one, and be somebody else then. */
describe.runIf(process.getuid?.() === 0 && has('mlock') && has('setpriv'))("a spool in which users may make no files, and Debian's mlock", () => {
  let dir = ''
  let spool = ''
  let seen: string[] = []
  let watching: Disposable | undefined
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'mailwright-spool-'))
    await chmod(dir, 0o755)
    spool = join(dir, 'spool')
    await mkdir(spool)
    await chown(spool, 0, await mailGroup())
    await chmod(spool, 0o775)
    await mkdir(join(dir, 'home'))
    await chown(join(dir, 'home'), NOBODY, NOBODY)
    await writeFile(join(spool, 'nobody'), SAMPLE_MAILBOX)
    await chown(join(spool, 'nobody'), NOBODY, NOBODY)
    await chmod(join(spool, 'nobody'), 0o600)
    seen = []
    const watcher = watch(spool, (_event, name) => void seen.push(name ?? ''))
    watching = { [Symbol.dispose]: () => watcher.close() }
  })
  afterEach(async () => {
    watching?.[Symbol.dispose]()
    await rm(dir, { recursive: true, force: true })
  })
  async function mailGroup(): Promise<number> {
    return Number(/^mail:[^:]*:(\d+):/m.exec(await readFile('/etc/group', 'utf8'))?.[1])
  }
  const session = (files: string, commands: string): Promise<string> => sessionOfNobody({ folder: dir, spool, files }, commands)
  const COMMANDS = 'a SELECT INBOX\r\nb STORE 1 +FLAGS (\\Flagged)\r\nc APPEND INBOX {17+}\r\nSubject: ours\r\n\r\n\r\nd CHECK\r\ne STORE 2 +FLAGS (\\Deleted)\r\nf EXPUNGE\r\ng LOGOUT\r\n'

  test('flags, appends and expunges under lock files that the program makes, and leaves none', async () => {
    const said = await session('{ lockers: [mlock] }', COMMANDS)
    for (const tag of ['a', 'b', 'c', 'd', 'e', 'f', 'g']) expect(said).toMatch(new RegExp(`^${tag} OK`, 'm'))
    expect(said).not.toContain('vulnerable')
    expect(seen).toContain('nobody.lock')
    expect(await readdir(spool)).toEqual(['nobody'])
    const box = await readFile(join(spool, 'nobody'), 'latin1')
    expect(subjectsIn(box)).toEqual(['Minutes of Monday', 'Short', 'ours'])
    expect(statusOf(messagesIn(box)[0] ?? '')).toContain('F')
  })
  test('a lock that somebody else has is waited for', async () => {
    await writeFile(join(spool, 'nobody.lock'), '')
    const waiting = session('{ lockers: [mlock], dotlockTimeout: 20s }', 'a SELECT INBOX\r\nb STORE 1 +FLAGS (\\Flagged)\r\nd CHECK\r\ng LOGOUT\r\n')
    const releasing = pause(2500).then(() => rm(join(spool, 'nobody.lock'), { force: true }))
    const said = await waiting
    await releasing
    expect(said).toMatch(/^a OK/m)
    expect(said).not.toContain('vulnerable')
  })
  test('without the program the mailbox is used all the same, and the user is told', async () => {
    const said = await session('{}', COMMANDS)
    expect(said).toContain(`* NO Mailbox vulnerable - directory ${spool} must have 1777 protection`)
    expect(said).toMatch(/^f OK/m)
    expect(seen).not.toContain('nobody.lock')
  })
})
