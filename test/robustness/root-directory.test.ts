import { existsSync, readdirSync } from 'node:fs'
import { chmod, chown, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SAMPLE_MAILBOX } from '../support/sample-mailbox.js'
import { RawClient } from '../support/raw-client.js'
import { startServer, type RunningServer } from '../support/running-server.js'
import { canMount } from '../support/small-disk.js'

const ALICE = 64_001
const PROJECT = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '')
/** As config/examples/systemd-root/root-directory.conf has them, beside the project and the mail. */
const PROGRAM = ['/usr', '/lib', '/lib64', '/bin', dirname(process.execPath), PROJECT].filter((path, i, all) => existsSync(path) && all.indexOf(path) === i)

/** Mounts that go with the process; then the program in a root directory that has what is bound into it and nothing else. */
const script = (root: string, folder: string): string =>
  [
    'set -e',
    `mount -t tmpfs none ${root}`,
    ...PROGRAM.map((path) => `mkdir -p ${root}${path}; mount --bind ${path} ${root}${path}; mount -o remount,bind,ro ${root}${path}`),
    `mkdir -p ${root}${folder}; mount --bind ${folder} ${root}${folder}`,
    `mkdir -p ${root}/etc ${root}/tmp; chmod 1777 ${root}/tmp; cp /etc/passwd /etc/group ${root}/etc`,
    `mkdir -p ${root}/proc ${root}/dev; mount -t proc none ${root}/proc; mount --bind /dev ${root}/dev`,
    `exec chroot ${root} "$@"`,
  ].join('\n')

describe.skipIf(!canMount())('the server in a root directory of its own (FAQ 5.1)', () => {
  let server: RunningServer
  let root: string
  let outside: string
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'mailwright-root-'))
    outside = await mkdtemp(join(tmpdir(), 'mailwright-outside-'))
    await writeFile(join(outside, 'box'), SAMPLE_MAILBOX)
    // Here nothing but the root directory keeps alice out.
    await chmod(outside, 0o777)
    await chmod(join(outside, 'box'), 0o666)
    server = await startServer({
      files: { 'mail/alice/INBOX': SAMPLE_MAILBOX, 'open-to-alice': SAMPLE_MAILBOX },
      // The process of the user has the user's rights, so names may lead anywhere that the system lets them.
      top: 'processes: { model: per-user }',
      users: `[ { use: file, path: accounts.txt } ]`,
      prepare: async (folder) => {
        await writeFile(join(folder, 'accounts.txt'), `alice:x:${ALICE}:${ALICE}::${folder}/mail/alice:\n`)
        for (const path of [folder, join(folder, 'mail')]) await chmod(path, 0o711)
        for (const path of ['mail/alice', 'mail/alice/INBOX', 'open-to-alice']) await chown(join(folder, path), ALICE, ALICE)
      },
      within: (folder) => ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script(root, folder), 'sh'],
    })
  })
  afterAll(async () => {
    await server.remove()
    await rm(root, { recursive: true })
    await rm(outside, { recursive: true })
  })

  test('serves the mail', async () => {
    const client = await RawClient.login(server.ports.imap, 'alice')
    expect((await client.do('SELECT INBOX')).untagged).toContain('* 3 EXISTS')
    expect((await client.do(String.raw`STORE 1 +FLAGS (\Flagged)`)).status).toBe('OK')
    expect((await client.append('kept', 'Subject: x\r\n\r\ntext\r\n')).text).toContain('[TRYCREATE]')
    expect((await client.do('CREATE kept')).status).toBe('OK')
    expect((await client.append('kept', 'Subject: x\r\n\r\ntext\r\n')).status).toBe('OK')
    await client.logout()
    expect(await readFile(join(server.home('alice'), 'kept'), 'latin1')).toContain('Subject: x')
  })
  test('whatever names lead to, there is nothing else', async () => {
    const client = await RawClient.login(server.ports.imap, 'alice')
    expect((await client.do(`STATUS "${server.folder}/open-to-alice" (MESSAGES)`)).untagged).toEqual([`* STATUS ${server.folder}/open-to-alice (MESSAGES 3)`])
    for (const name of [`${outside}/box`, '/etc/hosts', '/var/mail/alice']) {
      const { status, text } = await client.do(`EXAMINE "${name}"`)
      expect([name, status, text]).toEqual([name, 'NO', expect.stringContaining('[NONEXISTENT]')])
    }
    // What is made under the same name is in the root directory.
    expect((await client.do(`CREATE "${outside}/made"`)).status).toBe('OK')
    expect(readdirSync(outside)).toEqual(['box'])
    const { untagged } = await client.do('LIST "" /%')
    expect(untagged.filter((line) => /"?\/(?:home|root|srv|var)"?$/.test(line))).toEqual([])
    await client.logout()
  })
})
