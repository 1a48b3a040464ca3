import { expect, test } from 'vitest'
import { sealCommand } from '../../core/api/index.js'
import { settle } from '../support/imap-client.js'
import { ImapFixture } from '../support/imap.js'

const noise = [
  { said: '\r\n', answer: '* BAD Null command', logged: 'Null command before authentication' },
  { said: 'a\r\n', answer: 'a BAD Missing command', logged: 'Missing command before authentication' },
  { said: `a ${'x'.repeat(65_536)}\r\n`, answer: 'a BAD Command line too long', logged: 'Line too long before authentication' },
]
test.each(noise)('$logged is a line of the log once, and none after the login', async ({ said, answer, logged }) => {
  await using server = await ImapFixture.make()
  const client = server.connect()
  await client.line()
  for (let n = 0; n < 3; n++) {
    await client.send(said)
    expect(await client.line()).toBe(answer)
  }
  await client.command('l', 'LOGIN alice secret')
  await client.send(said)
  expect(await client.line()).toBe(answer)
  expect(server.logged.filter((line) => line.includes('before authentication'))).toEqual([`info ${logged} host=[127.0.0.1] session=s1`])
})

test('a failure outside of any command says goodbye with an alert, and the log has it and the end of the session', async () => {
  const broken = sealCommand({
    name: 'XBREAK', states: ['authenticated', 'selected'], uidForm: 'no', mayReportExpunge: false, parse: (input) => input.end(),
    run: async () => ({ kind: 'ok', code: { name: 'X', write() { throw new Error('a bug of a plugin') } } }),
  })
  await using server = await ImapFixture.make({ more: [{ name: 'broken', plugin: 'test-broken', about: { requires: [], capabilities: () => [] }, made: { commands: [broken] } }] })
  const client = await server.session()
  await client.command('s', 'SELECT INBOX')
  await client.send('a XBREAK\r\n')
  expect(await client.line()).toBe('* BYE [ALERT] IMAP4rev1 server crashing: internal error')
  expect(await client.line()).toBeUndefined()
  await settle()
  expect(server.logged.filter((line) => line.startsWith('error '))).toEqual([expect.stringContaining('error Session failed user=alice host=[127.0.0.1] session=s1 error=Error: a bug of a plugin')])
  expect(server.logged.at(-1)).toBe('info Fatal error user=alice host=[127.0.0.1] session=s1 mbx=INBOX text=a bug of a plugin')
})
