import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { RawClient } from '../support/raw-client.js'
import { startServer, type RunningServer } from '../support/running-server.js'

const ALL = '[mix, mx, mbx, tenex, mtx, mmdf, unix, dummy]'
/** How a file of each format begins. */
const BEGINS = {
  unix: /^From \S+ /,
  mmdf: new RegExp(`^${'\x01'.repeat(4)}\nFrom `),
  mbx: /^\*mbx\*\r\n[\da-f]{16}\r\n/,
  mtx: /^[ \d]\d-\w{3}-\d{4} [\d:]{8} [+-]\d{4},\d+;\d{12}\r\n/,
  tenex: /^[ \d]\d-\w{3}-\d{4} [\d:]{8} [+-]\d{4},\d+;\d{12}\n/,
} as const
type FileFormat = keyof typeof BEGINS
const LETTER = 'From: bob@example.org\r\nSubject: hello\r\n\r\nhello\r\n'

describe('which formats mailboxes have is for the site to say', () => {
  let server: RunningServer
  afterEach(() => server.remove())
  const alice = (): Promise<RawClient> => RawClient.login(server.ports.imap, 'alice')
  const at = (name: string): string => join(server.home('alice'), name)
  const isOf = async (name: string, format: FileFormat): Promise<void> => expect(await readFile(at(name), 'latin1')).toMatch(BEGINS[format])

  const rows: readonly { readonly create: FileFormat | 'mix' | 'mx'; readonly empty: FileFormat }[] = [
    { create: 'mbx', empty: 'mmdf' },
    { create: 'mmdf', empty: 'mbx' },
    { create: 'mix', empty: 'tenex' },
    { create: 'mx', empty: 'mtx' },
    { create: 'unix', empty: 'unix' },
  ]
  test.each(rows)('CREATE makes $create, and the first message makes $empty of an empty file', async ({ create, empty }) => {
    server = await startServer({ host: `drivers: { use: ${ALL}, create: ${create}, empty: ${empty} }` })
    await writeFile(at('nothing'), '', { mode: 0o600 })
    const client = await alice()
    expect((await client.do('CREATE made')).status).toBe('OK')
    for (const name of ['made', 'nothing']) {
      const { status, text } = await client.append(name, LETTER)
      expect(status, text).toBe('OK')
      expect((await client.do(`SELECT ${name}`)).untagged).toContain('* 1 EXISTS')
    }
    if (create === 'mix' || create === 'mx') expect((await stat(at(`made/.${create === 'mix' ? 'mixmeta' : 'mxindex'}`))).isFile()).toBe(true)
    else await isOf('made', create)
    await isOf('nothing', empty)
    // A format that is asked for by name wins over both.
    expect((await client.append('#driver.mtx/other', LETTER)).status).toBe('NO')
    await writeFile(at('other'), '', { mode: 0o600 })
    expect((await client.append('#driver.mtx/other', LETTER)).status).toBe('OK')
    await isOf('other', 'mtx')
    await client.logout()
  })
  test('where the format of empty files is dummy, nobody chooses for the user', async () => {
    server = await startServer({ host: `drivers: { use: ${ALL}, create: unix, empty: dummy }` })
    await writeFile(at('nothing'), '', { mode: 0o600 })
    const client = await alice()
    const { status, text } = await client.append('nothing', LETTER)
    expect([status, text]).toEqual(['NO', expect.stringMatching(/^\[CANNOT\] APPEND failed: /)])
    expect((await stat(at('nothing'))).size).toBe(0)
    await client.logout()
  })

  const orders = [
    { use: '[unix, phile, dummy]', messages: 2 },
    { use: '[phile, unix, dummy]', messages: 1 },
  ]
  test.each(orders)('a file that two formats take is of the first that is asked: $use', async ({ use, messages }) => {
    server = await startServer({ host: `drivers: { use: ${use}, create: unix, empty: unix }` })
    await writeFile(at('both'), ['one', 'two'].map((s) => `From bob@example.org Mon Nov 23 01:44:50 2026\nSubject: ${s}\n\ntext\n\n`).join(''), { mode: 0o600 })
    const client = await alice()
    expect((await client.do('EXAMINE both')).untagged).toContain(`* ${messages} EXISTS`)
    await client.logout()
  })
})
