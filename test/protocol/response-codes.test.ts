import { describe, expect, test } from 'vitest'
import { MailError, delegate } from '../../core/api/index.js'
import type { MailProblem, StoreLayer } from '../../core/api/index.js'
import { ImapFixture } from '../support/imap.js'
import { fill, notes } from '../support/imap-scenes.js'

/** What a store can find wrong with a mailbox, and what the client is told of it: one code each (RFC 5530 §3), and words that tell nothing of the machine. */
const problems = {
  'not-found': '[NONEXISTENT] SELECT failed: <cannot>: no such mailbox',
  exists: '[ALREADYEXISTS] SELECT failed: <cannot>: mailbox already exists',
  'read-only': '[NOPERM] SELECT failed: <cannot>: mailbox is read-only',
  denied: '[NOPERM] SELECT failed: <cannot>: access denied',
  'over-quota': '[OVERQUOTA] SELECT failed: <cannot>: no room for more mail',
  'in-use': '[INUSE] SELECT failed: <cannot>: mailbox is in use, try again',
  limit: '[LIMIT] SELECT failed: <cannot>: a limit of this server is exceeded',
  corrupt: '[CORRUPTION] SELECT failed: <cannot>: mailbox is damaged',
  unavailable: '[UNAVAILABLE] SELECT failed: <cannot>: not available now, try again later',
  unsupported: '[CANNOT] SELECT failed: <cannot>: this mailbox cannot do that',
  cancelled: 'SELECT failed: <cannot>: cancelled',
  vanished: '[EXPUNGEISSUED] SELECT failed: <cannot>: some of the messages no longer exist',
} as const satisfies Record<MailProblem, string>
const kinds = Object.keys(problems) as MailProblem[]

function failing(kind: MailProblem): StoreLayer {
  return { wrap: async (inner) => delegate(inner, [], { find: () => Promise.reject(new MailError(kind, 'disk /dev/sdb1: a secret of the machine')) }) }
}

describe('response codes (RFC 5530)', () => {
  test.each(kinds)('a mailbox that is "%s"', async (kind) => {
    await using server = await ImapFixture.make({ mail: { layers: [failing(kind)] } })
    const client = await server.session()
    const expected = problems[kind].replace('<cannot>', "Can't open mailbox box")
    expect(await client.command('a', 'SELECT box')).toEqual([`a NO ${expected}`])
  })
  test('CLIENTBUG: STATUS of the selected mailbox, unknown items of STATUS', async () => {
    await using server = await ImapFixture.make({ tweaks: { warnUnknownStatusItem: true } })
    await fill(server, 'box', notes('one'))
    const client = await server.session()
    await client.command('s', 'SELECT box')
    await client.play(`
      C: a1 STATUS box (MESSAGES)
      S: * NO CLIENT BUG DETECTED: STATUS on selected mailbox: box
      S: * STATUS box (MESSAGES 1)
      S: a1 OK [CLIENTBUG] STATUS completed
      C: a2 STATUS INBOX (MESSAGES COLOUR)
      S: * NO Unknown status flag COLOUR
      S: * STATUS INBOX (MESSAGES 0)
      S: a2 OK [CLIENTBUG] STATUS completed
      C: a3 STATUS INBOX (MESSAGES)
      S: * STATUS INBOX (MESSAGES 0)
      S: a3 OK STATUS completed
    `)
  })
  test('CLIENTBUG: SUBSCRIBE of a directory; of a mailbox, or where nobody warns, it is not', async () => {
    for (const warns of [true, false]) {
      await using server = await ImapFixture.make({ tweaks: { warnSubscribeDirectory: warns } })
      await fill(server, 'folder/box', [])
      const client = await server.session()
      await client.play(`
        C: a1 SUBSCRIBE folder${warns ? '\n        S: * NO CLIENT BUG DETECTED: subscribe of non-mailbox directory folder' : ''}
        S: a1 OK ${warns ? '[CLIENTBUG] ' : ''}SUBSCRIBE completed
        C: a2 SUBSCRIBE folder/box
        S: a2 OK SUBSCRIBE completed
      `)
    }
  })
  test('with the workaround "entourage" STATUS of the selected mailbox is nothing to speak of', async () => {
    await using server = await ImapFixture.make({ tweaks: { noteStatusOnSelected: false } })
    const client = await server.session()
    await client.command('s', 'SELECT INBOX')
    await client.play(`
      C: a1 STATUS INBOX (MESSAGES)
      S: * STATUS INBOX (MESSAGES 0)
      S: a1 OK STATUS completed
    `)
  })
})
