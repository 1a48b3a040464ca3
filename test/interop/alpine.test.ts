import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { giveAlpinePassword, jumpInAlpine } from '../support/alpine.js'
import { freshInbox, LINKS, type LinkName } from '../support/interop.js'
import { has } from '../support/programs.js'
import { startServer, type RunningServer } from '../support/running-server.js'
import { messagesIn, statusOf, subjectsIn } from '../support/sample-mailbox.js'
import { Screen } from '../support/screen.js'

const OPTIONS: Readonly<Record<LinkName, string>> = { plain: '/notls', STARTTLS: '/tls/novalidate-cert', 'implicit TLS': '/ssl/novalidate-cert' }
const FEATURES = 'enable-flag-cmd,expunge-without-confirm,expunge-without-confirm-everywhere,quit-without-confirm'

describe.skipIf(!has('alpine') || !has('tmux'))('alpine', () => {
  let server: RunningServer
  let own: string
  beforeAll(async () => {
    server = await startServer()
    own = await mkdtemp(join(tmpdir(), 'mailwright-alpine-'))
  })
  afterAll(async () => {
    await server.remove()
    await rm(own, { recursive: true, force: true })
  })

  test.each(LINKS)('reads, flags, deletes, saves to a new folder and expunges over $link', { timeout: 600_000 }, async ({ link, port }) => {
    await freshInbox(server)
    const place = `{localhost:${server.ports[port]}${OPTIONS[link]}/user=alice}`
    const rc = join(own, 'pinerc')
    await writeFile(rc, `inbox-path=${place}INBOX\nfolder-collections=Far ${place}[]\nfeature-list=${FEATURES}\nlast-version-used=99.9\nuser-domain=example.org\nsmtp-server=\nnntp-server=\n`)
    const screen = await Screen.open('alpine', ['-p', rc, '-i', '-d', '0'], { HOME: own })
    try {
      await giveAlpinePassword(screen)
      // Its line at the bottom says "opened with 3 messages", or only that opening is done, by which came last; the head stays.
      await screen.shows(/Folder: INBOX +Message \d of 3 /)
      // Read the second message.
      await jumpInAlpine(screen, 2, 3)
      await screen.press('Enter')
      await screen.shows('Café at noon?')
      await screen.type('<')
      await screen.shows('MESSAGE INDEX')
      // Flag it as important, and save a copy of it to a folder that is not there yet, which marks it as deleted.
      await screen.type('*')
      await screen.shows('[Important]')
      await screen.press('Enter')
      await screen.shows('Flagged message 2 "Important"')
      await screen.type('s')
      await screen.shows('SAVE Msg #2 to folder')
      await screen.type('Kept by alpine')
      await screen.press('Enter')
      await screen.shows(`doesn't exist.  Create?`)
      await screen.type('y')
      await screen.shows(/D {3}2 /)
      // Mark the first as answered by hand, and expunge.
      await jumpInAlpine(screen, 1, 3)
      await screen.type('*')
      await screen.shows('A Answered')
      await screen.type('a')
      await screen.shows('Flagged message 1 "Answered"')
      await screen.type('x')
      await screen.shows(/Message 1 of 2/)
      await screen.type('q')
      const { code, text } = await screen.ended()
      expect(code, text).toBe(0)
    } finally {
      await screen.close()
    }
    const inbox = await readFile(server.inbox('alice'), 'latin1')
    expect(subjectsIn(inbox)).toEqual(['Minutes of Monday', 'Short'])
    expect(messagesIn(inbox).map(statusOf)).toEqual(['AO', 'O'])
    const kept = await readFile(join(server.home('alice'), 'Kept by alpine'), 'latin1')
    expect(subjectsIn(kept)).toEqual(['Plans with a picture'])
    expect(statusOf(messagesIn(kept)[0] ?? '')).toMatch(/F.*R/)
  })

  test('selects the folders that hold a text, which it asks SCAN for', { timeout: 600_000 }, async () => {
    await freshInbox(server)
    const letter = (subject: string, text: string): string => `From carol@example.org Mon Jan  5 09:08:07 2026\nSubject: ${subject}\n\n${text}\n\n`
    await writeFile(join(server.home('alice'), 'Recipes'), letter('Soup', 'First the Leeks'), { mode: 0o600 })
    await writeFile(join(server.home('alice'), 'Travel'), letter('Trains', 'No LEE, no K'), { mode: 0o600 })
    const place = `{localhost:${server.ports.imaps}${OPTIONS['implicit TLS']}/user=alice}`
    const rc = join(own, 'pinerc-scan')
    await writeFile(rc, `inbox-path=${place}INBOX\nfolder-collections=Far ${place}[]\nfeature-list=enable-aggregate-command-set,quit-without-confirm\nlast-version-used=99.9\nuser-domain=example.org\nsmtp-server=\nnntp-server=\n`)
    const screen = await Screen.open('alpine', ['-p', rc, '-i', '-d', '0'], { HOME: own })
    try {
      await giveAlpinePassword(screen)
      await screen.shows(/Folder: INBOX +Message \d of 3 /)
      await screen.type('<')
      await screen.shows(/INBOX +Recipes +Travel/)
      await screen.type(';')
      await screen.shows('SELECT criteria')
      await screen.type('t')
      await screen.shows('Content Select')
      await screen.type('c')
      await screen.shows('String in folder CONTENTS to match')
      await screen.type('leeks')
      await screen.press('Enter')
      await screen.shows('Select matched 1 folder')
      await screen.shows(/INBOX +X +Recipes +Travel/)
      await screen.type('q')
      const { code, text } = await screen.ended()
      expect(code, text).toBe(0)
    } finally {
      await screen.close()
    }
  })
})
