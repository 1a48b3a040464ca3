import { once } from 'node:events'
import { connect } from 'node:net'
import { startTestServer } from 'mailwright/testing'
import { expect, test } from 'vitest'

/** The last lines of the answers to commands that alice gives, over mailboxes in files. */
async function answers(commands: readonly string[]): Promise<readonly string[]> {
  const host = { drivers: { stores: ['files'] }, namespaces: [{ use: 'mailboxfile', inboxPath: '{home}/INBOX' }] }
  await using server = await startTestServer({ host })
  const socket = connect(server.port, '127.0.0.1')
  let heard = ''
  socket.on('data', (chunk: Buffer) => (heard += chunk.toString()))
  await once(socket, 'data')
  const last: string[] = []
  for (const command of ['LOGIN alice secret', ...commands]) {
    heard = ''
    socket.write(`a ${command}\r\n`)
    while (!/^a .*\r\n$/m.test(heard)) await once(socket, 'data')
    last.push(heard.trimEnd().split('\r\n').at(-1) ?? '')
  }
  socket.destroy()
  return last.slice(1)
}

test('below a mailbox that is a file there is no room (FAQ 7.3)', async () => {
  expect(await answers(['CREATE box', 'CREATE box/below', 'CREATE box/below/deeper', 'CREATE box', 'CREATE INBOX/x'])).toEqual([
    'a OK CREATE completed',
    "a NO [CANNOT] CREATE failed: Can't create mailbox node box: File exists",
    "a NO [CANNOT] CREATE failed: Can't create mailbox node box: File exists",
    "a NO [ALREADYEXISTS] CREATE failed: Can't create mailbox box: mailbox already exists",
    "a NO [CANNOT] CREATE failed: Can't create mailbox node INBOX: File exists",
  ])
})
test.each([['CREATE INBOX/x'], ['CREATE INBOX/'], ['RENAME other INBOX/x']])('INBOX stays what mail is delivered to, also before there is a file: %s', async (command) => {
  expect(await answers(['CREATE other', command, 'SELECT INBOX', command, 'SELECT INBOX'])).toEqual([
    'a OK CREATE completed', expect.stringMatching(/^a NO /), 'a OK [READ-WRITE] SELECT completed', expect.stringMatching(/^a NO /), 'a OK [READ-WRITE] SELECT completed',
  ])
})
test('a directory is told from nothing', async () => {
  expect(await answers(['CREATE dir/', 'SELECT dir', 'EXAMINE dir', 'SELECT dir/x', 'SELECT nothing'])).toEqual([
    'a OK CREATE completed',
    "a NO [CANNOT] SELECT failed: Can't open dir: not a selectable mailbox",
    "a NO [CANNOT] EXAMINE failed: Can't open dir: not a selectable mailbox",
    "a NO [NONEXISTENT] SELECT failed: Can't open mailbox dir/x: no such mailbox",
    "a NO [NONEXISTENT] SELECT failed: Can't open mailbox nothing: no such mailbox",
  ])
})
test.each(['#driver.mbx', '#driver.mbx/', '#driver.'])('a format without the name of a mailbox behind it: %s', async (name) => {
  expect(await answers([`CREATE ${name}`])).toEqual([`a NO [CANNOT] CREATE failed: Can't create mailbox ${name}: no name of a mailbox behind it, as in #driver.mbx/NAME`])
})
test('a format that is not there is named as the mistake', async () => {
  expect(await answers(['CREATE #driver.nope/box', 'CREATE #driver.unix/box', 'SELECT box'])).toEqual([
    "a NO [CANNOT] CREATE failed: Can't create mailbox #driver.nope/box: unknown driver", 'a OK CREATE completed', 'a OK [READ-WRITE] SELECT completed',
  ])
})
