import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freshInbox, LINKS, type LinkName } from '../support/interop.js'
import { has, run } from '../support/programs.js'
import { startServer, type RunningServer } from '../support/running-server.js'
import { messagesIn } from '../support/sample-mailbox.js'

/** This client knows no STARTTLS. */
const RETRIEVER: Readonly<Partial<Record<LinkName, string>>> = { plain: 'SimpleIMAPRetriever', 'implicit TLS': 'SimpleIMAPSSLRetriever' }

/**
 * As much of LMTP as a delivery needs. All other destinations of the client are processes that it starts, and it waits for ever
 * for one that ends sooner than it looks.
 */
function lmtpServer(taken: string[]): Server {
  return createServer((socket) => {
    let message: string[] | undefined
    const say = (line: string): void => void socket.write(`${line}\r\n`)
    say('220 localhost LMTP')
    socket.on('error', () => undefined)
    createInterface({ input: socket, crlfDelay: Infinity }).on('line', (line) => {
      if (message !== undefined) {
        if (line !== '.') message.push(line)
        else {
          taken.push(message.join('\n'))
          message = undefined
          say('250 taken')
        }
      } else if (line === 'data' || line === 'DATA') {
        message = []
        say('354 go on')
      } else say(/^quit/i.test(line) ? '221 bye' : '250 localhost')
    })
  })
}

describe.skipIf(!has('getmail'))('getmail6', () => {
  let server: RunningServer
  let lmtp: Server
  const taken: string[] = []
  beforeAll(async () => {
    server = await startServer()
    lmtp = lmtpServer(taken).listen(0, '127.0.0.1')
    await once(lmtp, 'listening')
  })
  afterAll(async () => {
    lmtp.close()
    await server.remove()
  })

  test.each(LINKS.filter(({ link }) => link in RETRIEVER))('takes all mail away over $link', { timeout: 120_000 }, async ({ link, port }) => {
    await freshInbox(server)
    taken.length = 0
    const own = join(server.folder, `getmail-${port}`)
    await mkdir(own)
    const address = lmtp.address()
    await writeFile(
      join(own, 'rc'),
      `[retriever]
type = ${RETRIEVER[link] ?? ''}
server = localhost
port = ${server.ports[port]}
username = alice
password = secret
${link === 'plain' ? '' : `ca_certs = ${server.certificate}\n`}[destination]
type = MDA_lmtp
host = 127.0.0.1
port = ${typeof address === 'object' && address !== null ? address.port : 0}
override = alice@example.org
[options]
delete = true
read_all = true
`,
      { mode: 0o600 },
    )
    const got = await run('getmail', ['--getmaildir', own, '--rcfile', join(own, 'rc')])
    expect(got.code, got.stdout + got.stderr).toBe(0)
    expect(taken.map((m) => /^Subject: (.*)$/m.exec(m)?.[1])).toEqual(['Minutes of Monday', 'Plans with a picture', 'Short'])
    expect(taken[1]).toContain('Caf=E9 at noon?\n')
    expect(messagesIn(await readFile(server.inbox('alice'), 'latin1'))).toEqual([])
  })
})
