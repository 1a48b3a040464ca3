import { describe, expect, test } from 'vitest'
import { ImapFixture } from '../../support/imap.js'
import { deliverNotes } from '../../support/mail.js'

describe('SCAN', () => {
  async function filled() {
    const server = await ImapFixture.make()
    const mail = await server.access()
    const client = await server.session()
    for (const name of ['Work', 'Work/Old', 'Play', 'Void']) await client.command('c', `CREATE ${name}`)
    await deliverNotes(mail, 'INBOX', 'Lunch')
    await deliverNotes(mail, 'Work', 'Budget', 'lunch at noon')
    await deliverNotes(mail, 'Work/Old', 'Minutes')
    await deliverNotes(mail, 'Play', 'Chess')
    return { server, client }
  }

  test('tells, as LIST would, of the mailboxes that hold the text, INBOX among them; letters match in either case', async () => {
    const { server, client } = await filled()
    await using _ = server
    await client.play(String.raw`
      C: a1 SCAN "" * LUNCH
      S: * LIST (\HasNoChildren) "/" INBOX
      S: * LIST (\HasChildren) "/" Work
      S: a1 OK SCAN completed
      C: a2 SCAN "Work/" % {7+}\r\nMinutes
      S: * LIST (\HasNoChildren) "/" Work/Old
      S: a2 OK SCAN completed
      C: a3 SCAN "" % "nowhere to be found"
      S: a3 OK SCAN completed
    `)
  })
  test('a text without octets is in every mailbox, and the root is none', async () => {
    const { server, client } = await filled()
    await using _ = server
    await client.play(String.raw`
      C: a1 SCAN "" P% ""
      S: * LIST (\HasNoChildren) "/" Play
      S: a1 OK SCAN completed
      C: a2 SCAN "" "" x
      S: a2 OK SCAN completed
    `)
  })
  test('wants three arguments, obeys the bounds of LIST, and is not there without the extension', async () => {
    const { server, client } = await filled()
    await using _ = server
    await client.play(String.raw`
      C: a1 SCAN "" *
      S: a1 BAD Missing or invalid argument to SCAN
      C: a2 SCAN "" * x y
      S: a2 BAD Argument given to SCAN when none expected
      C: a3 SCAN "" *%*%*%*%*%* x
      S: a3 NO [LIMIT] Excessive wildcards in SCAN
    `)
    await using without = await ImapFixture.make({ without: ['scan'] })
    const plain = await without.session()
    await plain.play(`
      C: a1 SCAN "" * x
      S: a1 BAD Command unrecognized: SCAN
    `)
    expect((await plain.command('c', 'CAPABILITY')).join(' ')).not.toContain('SCAN')
    expect((await client.command('c', 'CAPABILITY')).join(' ')).toContain(' UNSELECT SCAN ')
  })
  test('anonymous users scan what they may name', async () => {
    await using server = await ImapFixture.make()
    const client = server.preauthenticated({ name: 'ANONYMOUS', kind: 'anonymous', facts: {} })
    await client.command('g', 'NOOP')
    await client.play(`
      C: a1 SCAN "" "#shared/*" x
      S: a1 NO [NOPERM] Anonymous may not SCAN this name
    `)
  })
  test('a mailbox without the right to read it is not looked into', async () => {
    const { server, client } = await filled()
    await using _ = server
    const mail = await server.access()
    const at = await mail.locate('Play' as Parameters<typeof mail.locate>[0], 'status', AbortSignal.timeout(5000))
    const text = Buffer.from('chess')
    expect(await mail.holds(at, text, AbortSignal.timeout(5000))).toBe(true)
    expect(await mail.holds({ ...at, rights: 'l' as typeof at.rights }, text, AbortSignal.timeout(5000))).toBe(false)
    await client.command('x', 'DELETE Play')
    expect(await mail.holds(at, text, AbortSignal.timeout(5000))).toBe(false)
  })
})
