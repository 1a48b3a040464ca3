import fc from 'fast-check'
import { expect, test } from 'vitest'
import { memoryLinkPair } from '../support/memory-link.js'
import { DEFAULT_TWEAKS } from '../../core/api/index.js'
import { settle } from '../support/imap-client.js'
import { ImapFixture } from '../support/imap.js'
import { fill, notes } from '../support/imap-scenes.js'
import { alice } from '../support/mail.js'

/** A conversation that needs no continuation to be waited for: every literal is sent unasked, or refused before it is needed. */
const SCRIPT = [
  'a1 SELECT INBOX', 'a2 FETCH 1:* (FLAGS UID)', 'a3 SELECT {5+}\r\nINBOX', 'a4 FETCH 1 BODY.PEEK[HEADER.FIELDS (SUBJECT)]', '', 'a5', 'a6 NOTHING {3+}\r\nabc def {2+}\r\nxy', 'a7 APPEND {5+}\r\nINBOX (\\Seen) {8+}\r\nA: b\r\n\r\n',
  'a8 APPEND nowhere {20+}\r\n0123456789{5}\r\nA1 NO', 'a9 STORE 1 +FLAGS ($x \\Flagged)', 'b1 SEARCH SUBJECT {3+}\r\none UNSEEN', 'b2 UID FETCH 3 BODY[TEXT]', 'b3 IDLE', 'DONE', 'b4 SEARCH (', 'b5 COPY 1:2 INBOX', 'b6 EXPUNGE', 'b7 LOGOUT', '',
].join('\r\n')

/** Everything that the server says to the script when it arrives in these pieces. */
async function answers(cuts: readonly number[]): Promise<string> {
  await using server = await ImapFixture.make()
  await fill(server, 'INBOX', notes('one', 'two'))
  const pair = memoryLinkPair()
  const mail = await server.mail.login(alice)
  const served = server.imap.serve(
    pair.server,
    {
      sessionId: 'x', host: 'default', plan: '1', login: { kind: 'in', user: alice, authcid: 'alice', alerts: [] }, peer: pair.server.peer,
      client: { address: '127.0.0.1', id: new Map(), commands: [] }, unread: new Uint8Array(0), slots: new Map(),
    },
    mail,
    DEFAULT_TWEAKS,
  )
  const octets = Buffer.from(SCRIPT, 'latin1')
  const places = [0, ...cuts.map((c) => c % octets.length).sort((a, b) => a - b), octets.length]
  const sending = (async () => {
    for (let i = 1; i < places.length; i++) {
      pair.client.write(Buffer.from(octets.subarray(places[i - 1], places[i])))
      await settle(2)
    }
  })()
  let said = ''
  for (;;) {
    const chunk = await pair.client.read()
    if (chunk === undefined) break
    said += Buffer.from(chunk).toString('latin1')
  }
  await sending
  await served
  return said
}

test('however the input is cut, the answers are the same', async () => {
  const whole = await answers([])
  expect(whole.split('\r\n').filter((line) => /^[ab]\d /.test(line)).map((line) => line.slice(0, 6).trim())).toEqual([
    'a1 OK', 'a2 OK', 'a3 OK', 'a4 OK', 'a5 BAD', 'a6 BAD', 'a7 OK', 'a8 NO', 'a9 OK', 'b1 OK', 'b2 OK', 'b3 OK', 'b4 BAD', 'b5 OK', 'b6 OK', 'b7 OK',
  ])
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(SCRIPT.length - 1), { minLength: 1, maxLength: 40 }), async (cuts) => {
      expect(await answers(cuts)).toBe(whole)
    }),
    { numRuns: 40 },
  )
})
