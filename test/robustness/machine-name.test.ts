import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { canonicalName } from '../../core/config/machine-name.js'
import { run } from '../support/programs.js'
import { CLI } from '../support/running-server.js'
import { canMount } from '../support/small-disk.js'

const answers = [
  { name: 'the first line has the canonical name', said: '192.0.2.1       STREAM mail.example.org\n192.0.2.1       DGRAM  \n', expected: 'mail.example.org' },
  { name: 'a name without a domain', said: '192.0.2.1 STREAM mail\n192.0.2.1 DGRAM\n', expected: undefined },
  { name: 'a name that every machine has', said: '127.0.1.1 STREAM localhost.localdomain\n', expected: undefined },
  { name: 'what is no host name', said: '192.0.2.1 STREAM mail.example.org;x\n', expected: undefined },
  { name: 'nothing', said: '', expected: undefined },
]
test.each(answers)('an answer of getent: $name', ({ said, expected }) => expect(canonicalName(said)).toBe(expected))

/** A machine by another name needs namespaces of the kernel. */
describe.skipIf(!canMount())('the name of the machine in the greeting (FAQ 7.8)', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mailwright-name-'))
    await mkdir(join(folder, 'mail/alice'), { recursive: true })
    await writeFile(join(folder, 'nsswitch.conf'), 'hosts: files\n')
  })
  afterAll(() => rm(folder, { recursive: true }))

  const machines = [
    { name: 'has the domain that the look-up gives', called: 'post', hosts: '127.0.1.1 post.example.org post\n', server: '', expected: 'post.example.org' },
    { name: 'is the canonical one, whatever the machine calls itself', called: 'post', hosts: '127.0.1.1 mail.example.org post\n', server: '', expected: 'mail.example.org' },
    { name: 'stays short where nobody knows more', called: 'post', hosts: '127.0.1.1 other.example.org\n', server: '', expected: 'post' },
    { name: 'is what it is where it has a domain', called: 'post.example.net', hosts: '127.0.1.1 mail.example.org post.example.net\n', server: '', expected: 'post.example.net' },
    { name: 'is what the configuration says', called: 'post', hosts: '127.0.1.1 post.example.org post\n', server: 'server: { name: imap.example.com }\n', expected: 'imap.example.com' },
  ]
  test.each(machines)('$name', async ({ called, hosts, server, expected }) => {
    await writeFile(join(folder, 'hosts'), `127.0.0.1 localhost\n${hosts}`)
    const config = join(folder, 'mailwright.config.yaml')
    await writeFile(config, `version: 1\n${server}log: []\nlisteners: {}\nhosts: { default: { auth: { users: [ { use: virtual, data: mail } ] } } }\n`)
    const script = `hostname ${called}; for file in hosts nsswitch.conf; do mount --bind ${folder}/$file /etc/$file; done; exec "$@"`
    const got = await run('unshare', ['--mount', '--uts', '--propagation', 'private', 'sh', '-c', script, 'sh', process.execPath, CLI, 'imapd', '--config', config, '--user', 'alice'], { input: 'a LOGOUT\r\n' })
    expect(got).toMatchObject({ code: 0, stdout: expect.stringContaining(`Pre-authenticated user alice ${expected} IMAP4rev1`) })
  })
})
