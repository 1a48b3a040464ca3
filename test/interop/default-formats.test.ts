import { cp, mkdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { RawClient } from '../support/raw-client.js'
import { startServer, type RunningServer } from '../support/running-server.js'

const fixture = (path: string): string => fileURLToPath(new URL(`../fixtures/${path}`, import.meta.url))
const formats = ['unix', 'mmdf', 'mbx', 'tenex', 'mtx', 'mix', 'mx']

describe('a server whose configuration names no formats', () => {
  let server: RunningServer
  beforeAll(async () => {
    server = await startServer()
    for (const format of formats) {
      const to = join(server.home('alice'), format)
      await cp(fixture(`${format}/opened`), to, { recursive: true })
      for (const name of { mix: ['mixmeta', 'mixindex', 'mixstatus', 'mix6b039a93'], mx: ['mxindex'] }[format] ?? []) await rename(join(to, `dot.${name}`), join(to, `.${name}`))
    }
    await mkdir(join(server.home('alice'), 'plain'))
  })
  afterAll(() => server.remove())

  test.each(formats)('opens mailboxes in the format %s, and makes some when it is asked to', async (format) => {
    const client = await RawClient.login(server.ports.imap, 'alice')
    expect((await client.do(`SELECT ${format}`)).untagged).toContain('* 3 EXISTS')
    const { untagged } = await client.do('FETCH 1:* (BODY.PEEK[HEADER.FIELDS (SUBJECT)])')
    expect(untagged.flatMap((line) => /Subject: (.*)\r\n/.exec(line)?.[1] ?? [])).toEqual(['first sample', 'second sample', 'third sample'])
    expect((await client.do(`CREATE #driver.${format}/new/${format}`)).status).toBe('OK')
    // tenex and mtx files have no format before their first message.
    const name = ['tenex', 'mtx'].includes(format) ? `#driver.${format}/new/${format}` : `new/${format}`
    expect((await client.append(name, 'Subject: hello\r\n\r\nhello\r\n')).status).toBe('OK')
    expect((await client.do(`STATUS new/${format} (MESSAGES)`)).untagged).toEqual([`* STATUS new/${format} (MESSAGES 1)`])
    await client.logout()
  })
  test('makes traditional ones when it is not', async () => {
    const client = await RawClient.login(server.ports.imap, 'alice')
    expect((await client.do('CREATE usual')).status).toBe('OK')
    expect((await client.do('LIST "" usual')).untagged[0]).toContain('\\NoInferiors')
    expect((await client.do('SELECT plain')).status).toBe('NO')
    await client.logout()
  })
})
