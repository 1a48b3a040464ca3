import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmod, chown, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { NOBODY, sessionOfNobody } from '../support/nobody-session.js'
import { has } from '../support/programs.js'
import { SAMPLE_MAILBOX } from '../support/sample-mailbox.js'

const HOLDER = fileURLToPath(new URL('../support/lock-holder.mjs', import.meta.url))

/** Only root can be somebody else, and give away files. */
describe.runIf(process.getuid?.() === 0 && has('setpriv'))('a mailbox that a user may read and not write', () => {
  let folder = ''
  let spool = ''
  let inbox = ''
  let holder: ChildProcess | undefined
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mailwright-protected-'))
    await chmod(folder, 0o755)
    spool = join(folder, 'spool')
    inbox = join(spool, 'nobody')
    await mkdir(spool)
    await chmod(spool, 0o1777)
    await mkdir(join(folder, 'home'))
    await chown(join(folder, 'home'), NOBODY, NOBODY)
    await writeFile(inbox, SAMPLE_MAILBOX)
  })
  afterEach(async () => {
    holder?.kill()
    await rm(folder, { recursive: true, force: true })
  })

  test('because its file is write-protected: SELECT says so and is READ-ONLY (FAQ 7.12)', async () => {
    await chmod(inbox, 0o644)
    const said = await sessionOfNobody({ folder, spool }, 'a SELECT INBOX\r\nb STORE 1 +FLAGS (\\Flagged)\r\nc EXAMINE INBOX\r\nd LOGOUT\r\n')
    expect(said).toContain("* NO Can't get write access to mailbox, access is readonly\r\na OK [READ-ONLY] SELECT completed\r\n")
    expect(said).toMatch(/^b NO /m)
    // Whoever did not want to write is told nothing.
    expect(said.split('access is readonly')).toHaveLength(2)
    expect(await readFile(inbox)).toEqual(Buffer.from(SAMPLE_MAILBOX))
  })
  test('because a program has it open that does not give it up: SELECT says so, and nothing is rewritten (FAQ 7.11)', async () => {
    await chown(inbox, NOBODY, NOBODY)
    await chmod(inbox, 0o600)
    const { dev, ino } = await stat(inbox, { bigint: true })
    const lock = `/tmp/.${dev.toString(16)}.${ino.toString(16)}`
    await writeFile(lock, '')
    await chmod(lock, 0o666)
    // A process of root, which nobody but root can ask.
    holder = spawn(process.execPath, [HOLDER, 'flock', lock, encodeURIComponent(String(process.pid))], { stdio: ['pipe', 'pipe', 'inherit'] })
    await once(holder.stdout!, 'data')
    try {
      const said = await sessionOfNobody({ folder, spool }, 'a SELECT INBOX\r\nb EXPUNGE\r\nc STORE 2 +FLAGS (\\Deleted)\r\nd EXPUNGE\r\ne MOVE 1 INBOX\r\nf LOGOUT\r\n')
      expect(said).toContain('* NO Mailbox is open by another process, access is readonly\r\na OK ')
      expect(said).toMatch(/^d NO \[INUSE\] /m)
      // What may not be removed is not copied either.
      expect(said).toMatch(/^e NO \[INUSE\] /m)
      expect(await readFile(inbox)).toEqual(Buffer.from(SAMPLE_MAILBOX))
    } finally {
      await rm(lock, { force: true })
    }
  })
})
