import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freshInbox, LINKS } from '../support/interop.js'
import { hasPython, run } from '../support/programs.js'
import { startServer, type RunningServer } from '../support/running-server.js'
import { messagesIn, statusOf, subjectsIn } from '../support/sample-mailbox.js'

const JOB = `
import imaplib, ssl, sys, json
link, port, certificate = sys.argv[1], int(sys.argv[2]), sys.argv[3]
tls = ssl.create_default_context(cafile=certificate)
if link == 'implicit TLS':
    m = imaplib.IMAP4_SSL('localhost', port, ssl_context=tls)
else:
    m = imaplib.IMAP4('localhost', port)
    if link == 'STARTTLS':
        m.starttls(tls)
m.login('alice', 'secret')
out = {}
out['select'] = m.select('INBOX')[1][0].decode()
out['tea'] = m.search(None, 'TEXT', '"tea kettle"')[1][0].decode()
out['dated'] = m.search(None, 'SENTSINCE', '6-Jan-2026')[1][0].decode()
m.store('2', '+FLAGS', r'(\\Seen Work)')
out['flags'] = imaplib.ParseFlags(m.fetch('2', '(FLAGS)')[1][0])
out['flags'] = sorted(f.decode() for f in out['flags'] if f != b'\\\\Recent')
m.create('Archive/2026')
out['copy'] = m.copy('1:2', 'Archive/2026')[0]
out['missing'] = m.copy('1', 'Nowhere')
out['missing'] = [out['missing'][0], out['missing'][1][0].decode()]
m.append('Archive/2026', r'(\\Answered)', imaplib.Time2Internaldate(86400 * 365), b'Subject: by imaplib\\r\\n\\r\\nHello\\r\\n')
m.store('1', '+FLAGS', r'(\\Deleted)')
out['expunge'] = [x.decode() for x in m.expunge()[1]]
out['list'] = sorted(l.decode() for l in m.list()[1])
out['structure'] = m.fetch('1', '(BODYSTRUCTURE)')[1][0].decode()
m.close()
m.logout()
print(json.dumps(out))
`

describe.skipIf(!hasPython('imaplib'))("Python's imaplib", () => {
  let server: RunningServer
  beforeAll(async () => {
    server = await startServer()
  })
  afterAll(() => server.remove())

  test.each(LINKS)('searches, flags, copies, files and expunges over $link', { timeout: 120_000 }, async ({ link, port }) => {
    await freshInbox(server)
    const got = await run('python3', ['-c', JOB, link, String(server.ports[port]), server.certificate])
    expect(got.stderr).toBe('')
    expect(JSON.parse(got.stdout)).toMatchObject({
      select: '3',
      tea: '1',
      dated: '2 3',
      flags: ['Work', '\\Seen'],
      copy: 'OK',
      missing: ['NO', expect.stringContaining('[TRYCREATE]')],
      expunge: ['1'],
    })
    const inbox = await readFile(server.inbox('alice'), 'latin1')
    expect(subjectsIn(inbox)).toEqual(['Plans with a picture', 'Short'])
    expect(statusOf(messagesIn(inbox)[0] ?? '')).toContain('R')
    expect(messagesIn(inbox)[0]).toMatch(/^X-Keywords: *Work/m)
    const archive = await readFile(join(server.home('alice'), 'Archive', '2026'), 'latin1')
    expect(subjectsIn(archive)).toEqual(['Minutes of Monday', 'Plans with a picture', 'by imaplib'])
    expect(statusOf(messagesIn(archive)[2] ?? '')).toContain('A')
  })
})
