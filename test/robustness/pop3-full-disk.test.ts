import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { driversFor, isInboxMade } from '../support/inbox-format.js'
import { RawClient } from '../support/raw-client.js'
import { RawPop3 } from '../support/raw-pop3.js'
import { startServer } from '../support/running-server.js'
import { SmallDisk, canMount } from '../support/small-disk.js'

const SUBJECTS = ['one', 'two', 'three', 'four', 'five', 'six']
const KEPT = ['one', 'three', 'five', 'six']
const message = (subject: string): string => `From: bob@example.org\r\nSubject: ${subject}\r\n\r\n${`${subject} `.repeat(2000)}\r\n`
const DONE = '+OK Sayonara'
const formats = ['unix', 'mmdf', 'mbx', 'mtx', 'tenex', 'mx', 'mix', 'mh'].map((format) => ({ format }))

describe.skipIf(!canMount())('QUIT while the disk is full', () => {
  test.each(formats)('removes what was deleted, and loses nothing: $format', async ({ format }) => {
    const disks: SmallDisk[] = []
    const server = await startServer({
      host: `${driversFor(format)}\nmailbox: { poll: 1s, checkpointDelay: 1s }`,
      namespaces: "[ { use: mailboxfile, inboxPath: '{home}/delivered' }, { use: prefixes } ]",
      prepare: async (folder) => {
        const home = join(folder, 'mail/alice')
        disks.push(new SmallDisk(home, '512k'))
        if (format !== 'mh') return
        await writeFile(join(home, '.mh_profile'), 'Path: Mail\n')
        await mkdir(join(home, 'Mail/inbox'), { recursive: true })
      },
    })
    const [disk] = disks
    if (disk === undefined) throw new Error('there is no disk')
    try {
      const imap = await RawClient.login(server.ports.imap, 'alice')
      if (isInboxMade(format)) expect((await imap.do(`CREATE #driver.${format}/INBOX`)).status).toBe('OK')
      for (const subject of SUBJECTS) expect((await imap.append('INBOX', message(subject))).status).toBe('OK')
      await imap.logout()

      const client = await RawPop3.login(server.ports.pop3, 'alice')
      expect(await client.subjects()).toEqual(SUBJECTS)
      await client.lines('RETR 1')
      for (const n of [2, 4]) expect(await client.do(`DELE ${n}`)).toBe('+OK Message deleted')
      await disk.fill()
      expect(await client.quit()).toBe(DONE)
      // What was answered holds without the process that answered it.
      await server.kill()
      await disk.room()
      await server.again()
      const again = await RawPop3.login(server.ports.pop3, 'alice')
      expect(await again.subjects()).toEqual(KEPT)
      for (const [i, subject] of KEPT.entries()) expect((await again.lines(`RETR ${i + 1}`)).join('\r\n')).toContain(`\r\n\r\n${`${subject} `.repeat(2000)}`)
      expect(await again.quit()).toBe(DONE)
      expect(server.log()).not.toMatch(/^\S+ \S+ error /m)
    } finally {
      await server.stop()
      disk[Symbol.dispose]()
      await server.remove()
    }
  })
})
