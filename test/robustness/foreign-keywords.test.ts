import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { run } from '../support/programs.js'
import { RawClient } from '../support/raw-client.js'
import { CLI, startServer, type RunningServer } from '../support/running-server.js'

/** Names of keywords that a file may hold, and that no response can. */
const ODD = String.raw`a)b (c "q" \Seen {3} p%c *s x]y`
const MESSAGE = 'Subject: x\r\n\r\nhello\r\n'

describe('names of keywords in a file that no client could read', () => {
  let server: RunningServer
  beforeEach(async () => {
    server = await startServer({ host: 'drivers: { use: [mbx, unix, dummy] }' })
  })
  afterEach(() => server.remove())

  const files = {
    unix: `From a@b.c Mon Nov 23 01:44:00 2026\nX-IMAPbase: 77 1 good ${ODD}\nX-Keywords: good ${ODD}\nX-UID: 1\nSubject: x\n\nhello\n\n`,
    mbx: `*mbx*\r\n${'0000004d00000001'}\r\ngood\r\n${ODD.split(' ').join('\r\n')}\r\n${'\r\n'.repeat(21)}`.padEnd(2048, '\0') + ` 5-Jan-2015 09:08:07 +0100,${MESSAGE.length};000001ff0001-00000001\r\n${MESSAGE}`,
  }
  test.each(['unix', 'mbx'] as const)('are told to none, and stay in the file: %s', async (format) => {
    const path = join(server.home('alice'), 'odd')
    await writeFile(path, files[format])
    const client = await RawClient.login(server.ports.imap, 'alice')
    const { untagged } = await client.do('SELECT odd')
    expect(untagged.filter((line) => line.includes('FLAGS'))).toEqual([
      String.raw`* FLAGS (good \Answered \Flagged \Deleted \Draft \Seen)`,
      String.raw`* OK [PERMANENTFLAGS (good \* \Answered \Flagged \Deleted \Draft \Seen)] Permanent flags`,
    ])
    expect((await client.do('FETCH 1 FLAGS')).untagged.join('').replace(/\\(?:Recent|Seen) /g, '')).toBe('* 1 FETCH (FLAGS (good))')
    expect((await client.do('STORE 1 +FLAGS (new)')).untagged[0]?.replace(/\\(?:Recent|Seen) /g, '')).toBe('* 1 FETCH (FLAGS (good new))')
    // Where it goes, they do not follow.
    expect((await client.do('CREATE copy')).status).toBe('OK')
    expect((await client.do('COPY 1 copy')).status).toBe('OK')
    await client.logout()
    const [kept, copy] = [await readFile(path, 'latin1'), await readFile(join(server.home('alice'), 'copy'), 'latin1')]
    for (const word of ODD.split(' ')) expect([word, kept.includes(word), copy.includes(word)]).toEqual([word, true, false])
    expect(copy).toContain('X-Keywords: good new')
  })

  test('a traditional mailbox has thirty of ours, however many are asked for at once', async () => {
    const words = (n: number): string => Array.from({ length: n }, (_, i) => `k${i}`).join(' ')
    const client = await RawClient.login(server.ports.imap, 'alice')
    for (const name of ['stored', 'appended']) {
      await client.do(`CREATE ${name}`)
      await client.append(name, MESSAGE, name === 'stored' ? '(k0)' : `(${words(35)})`)
      await client.do(`SELECT ${name}`)
      await client.do(`STORE 1 +FLAGS (${words(35)})`)
      await client.do('STORE 1 +FLAGS (another)')
      expect((await client.do('FETCH 1 FLAGS')).untagged.join('').replace(/\\(?:Recent|Seen) ?/g, '')).toBe(`* 1 FETCH (FLAGS (${words(30)}))`)
      const { untagged } = await client.do(`SELECT ${name}`)
      expect(untagged.find((line) => line.includes('PERMANENTFLAGS'))).not.toContain(String.raw`\*`)
      expect((await readFile(join(server.home('alice'), name), 'latin1')).match(/X-Keywords: (.*)/)?.[1]?.trim()).toBe(words(30))
    }
    await client.logout()
  })

  test('are left out by mailwright deliver, which delivers all the same', async () => {
    const { code, stderr } = await run(process.execPath, [CLI, 'deliver', '--config', server.config, '-k', String.raw`good a)b \Seen`, 'alice'], { input: 'Subject: x\n\nhello\n', limitMs: 60_000 })
    expect([code, stderr]).toEqual([0, expect.stringContaining(String.raw`what is no keyword is left out`)])
    const client = await RawClient.login(server.ports.imap, 'alice')
    await client.do('SELECT INBOX')
    expect((await client.do('FETCH 1 FLAGS')).untagged).toEqual([String.raw`* 1 FETCH (FLAGS (\Recent good))`])
    await client.logout()
  })
})
