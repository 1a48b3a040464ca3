import { spawn, spawnSync } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { holderText } from '../../plugins/formats/shared/locks/holder.js'
import { thisMachine } from '../../plugins/formats/shared/machine.js'
import { has, run } from '../support/programs.js'

const NOBODY = 65_534
const root = process.getuid?.() === 0
const MAILBOX = 'From a@example.org Mon Jan  5 09:08:07 2026\nFrom: a@example.org\nSubject: first\n\nText.\n\n'

/** What other programs make of a lock file with our content in it. */
describe('lock files of this server and other programs', () => {
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mailwright-lockfiles-'))
    await chmod(folder, 0o777)
    await writeFile(join(folder, 'box'), MAILBOX)
    await chmod(join(folder, 'box'), 0o666)
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))
  const lock = (pid: number): Promise<void> => writeFile(join(folder, 'box.lock'), holderText({ ...thisMachine(), pid }, true), { mode: 0o666 })
  /** A number that no process has any more. */
  const gone = (): number => spawnSync(process.execPath, ['-e', '']).pid

  test.skipIf(!has('mutt_dotlock'))('mutt_dotlock respects it', async () => {
    await lock(process.pid)
    expect((await run('mutt_dotlock', ['-r', '1', join(folder, 'box')])).code).toBe(3)
    expect(await readdir(folder)).toEqual(['box', 'box.lock'])
  })
  test.skipIf(!has('mailutil') || (root && !has('setpriv')))('mailutil waits for it', async () => {
    await lock(process.pid)
    const [program = '', ...args] = [...(root ? ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'] : []), 'mailutil', 'check', 'box']
    const child = spawn(program, args, { env: { ...process.env, HOME: folder }, stdio: ['ignore', 'ignore', 'pipe'] })
    const said = await new Promise<string>((resolve) => child.stderr.once('data', (d: Buffer) => resolve(d.toString())))
    expect(said).toMatch(/Mailbox .*box is locked, will override in 300 seconds/)
    const end = new Promise<number | null>((resolve) => child.once('exit', resolve))
    await rm(join(folder, 'box.lock'))
    expect(await end).toBe(0)
  })
  test.skipIf(!has('doveadm'))('Dovecot overrides it at once when its process is gone', async () => {
    await lock(gone())
    expect((await readFile(join(folder, 'box.lock'), 'latin1')).split('\0')[0]).toMatch(new RegExp(`^\\d+:${hostname()}$`))
    const own = join(folder, 'dovecot')
    for (const path of [own, join(own, 'mail'), join(own, 'run')]) {
      await mkdir(path)
      await chmod(path, 0o777)
    }
    await writeFile(
      join(own, 'conf'),
      `mail_location = mbox:${own}/mail:INBOX=${folder}/box\nmbox_write_locks = dotlock fcntl\nfirst_valid_uid = 0\nbase_dir = ${own}/run\nlog_path = ${own}/log\nmail_privileged_group =\n`,
    )
    const ids = root ? [NOBODY, NOBODY] : [process.getuid?.() ?? 0, process.getgid?.() ?? 0]
    const args = ['-c', join(own, 'conf'), '-o', `mail_uid=${ids[0]}`, '-o', `mail_gid=${ids[1]}`, 'flags', 'add', '\\Seen', 'mailbox', 'INBOX', 'all']
    // Without a word of its holder it would wait two minutes.
    const got = await run('doveadm', args, { env: { HOME: own, USER: 'nobody' }, limitMs: 60_000 })
    expect(got.code, got.stderr).toBe(0)
    expect(await readFile(join(folder, 'box'), 'latin1')).toContain('Status: R')
  }, 90_000)
})
