import { describe, expect, test } from 'vitest'
import { SERVER_VERSION } from '../../core/session/version.js'
import { ImapFixture } from '../support/imap.js'

const BASE = 'IMAP4REV1 I18NLEVEL=1 LITERAL+ ID'
const POST = 'IDLE UIDPLUS NAMESPACE CHILDREN MAILBOX-REFERRALS UNSELECT SCAN SORT THREAD=REFERENCES THREAD=ORDEREDSUBJECT MULTIAPPEND ENABLE MOVE CONDSTORE SORT=DISPLAY'

describe('CAPABILITY (RFC 3501 §6.1.1)', () => {
  test('the greeting lists what there is before the login, the login what there is after it', async () => {
    await using server = await ImapFixture.make({ plaintext: false })
    const client = server.connect({ tls: 'on' })
    await client.play(`
      S: * OK [CAPABILITY ${BASE} SASL-IR LOGIN-REFERRALS AUTH=PLAIN AUTH=LOGIN] mail.example.org IMAP4rev1 at Fri, 2 Jan 2026 03:04:05 +0000 (UTC)
      C: a1 LOGIN alice secret
      S: a1 OK [CAPABILITY ${BASE} ${POST}] User alice authenticated
    `)
  })
  test('in clear, STARTTLS is offered and passwords are not taken', async () => {
    await using server = await ImapFixture.make({ plaintext: false })
    const client = server.connect({ tls: 'offered' })
    await client.play(`
      S: * OK [CAPABILITY ${BASE} LOGIN-REFERRALS STARTTLS LOGINDISABLED] <any>
      C: a1 STARTTLS
      S: a1 OK STARTTLS completed
      C: a2 CAPABILITY
      S: * CAPABILITY ${BASE} ${POST} SASL-IR LOGIN-REFERRALS AUTH=PLAIN AUTH=LOGIN
      S: a2 OK CAPABILITY completed
    `)
  })
  test('a hidden capability keeps working', async () => {
    await using server = await ImapFixture.make({ workarounds: [{ reason: 'test', applies: () => true, hide: ['idle'], show: ['X-NETSCAPE'] }] })
    const client = await server.session()
    const [line] = await client.command('c', 'CAPABILITY')
    expect(line).not.toContain('IDLE')
    expect(line).toContain(' X-NETSCAPE ')
    await client.play(`
      C: a1 IDLE
      S: + Waiting for DONE
      C: DONE
      S: a1 OK IDLE completed
    `)
  })
  test('an extension that is left out takes its command along', async () => {
    await using server = await ImapFixture.make({ without: ['idle'] })
    const client = await server.session()
    await client.play(`
      C: a1 IDLE
      S: a1 BAD Command unrecognized: IDLE
      C: a2 CAPABILITY now
      S: a2 BAD Argument given to CAPABILITY when none expected
    `)
  })
})

test('the greeting names the version of the server where the site wants it (FAQ 5.3)', async () => {
  for (const [greetingVersion, version] of [['full', `${SERVER_VERSION} `], ['none', '']] as const) {
    await using server = await ImapFixture.make({ settings: { greetingVersion } })
    expect(await server.connect().line()).toContain(`] mail.example.org IMAP4rev1 ${version}at `)
  }
})
