import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { RawClient } from '../support/raw-client.js'
import { RawPop3 } from '../support/raw-pop3.js'
import { startServer } from '../support/running-server.js'
import { SmallDisk, canMount } from '../support/small-disk.js'

const SUBJECTS = ['one', 'two', 'three', 'four', 'five', 'six']
const KEPT = ['one', 'three', 'five', 'six']
const message = (subject: string): string => `From: bob@example.org\r\nSubject: ${subject}\r\n\r\n${`${subject} `.repeat(2000)}\r\n`
const REFUSED = '-ERR [SYS/TEMP] some deleted messages not removed'
const DONE = '+OK Sayonara'
/** Formats that first write down what they are about to do need room for it; the others change and remove what is there. */
const formats = [
  { format: 'unix', answer: REFUSED },
  { format: 'mbx', answer: DONE },
  { format: 'mtx', answer: REFUSED },
  { format: 'tenex', answer: REFUSED },
  { format: 'mx', answer: DONE },
  { format: 'mix', answer: DONE },
  { format: 'mh', answer: DONE },
]

describe.skipIf(!canMount())('QUIT while the disk is full', () => {
  test.each(formats)('loses nothing, says +OK only of what is done, and can be done when there is room again: $format', async ({ format, answer }) => {
    const disks: SmallDisk[] = []
    const server = await startServer({
      host: `drivers: { use: [mix, mx, { use: mh, allowInbox: true }, mbx, tenex, mtx, unix, dummy] }\nmailbox: { poll: 1s, checkpointDelay: 1s }`,
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
      if (format !== 'unix' && format !== 'mh') expect((await imap.do(`CREATE #driver.${format}/INBOX`)).status).toBe('OK')
      for (const subject of SUBJECTS) expect((await imap.append('INBOX', message(subject))).status).toBe('OK')
      await imap.logout()

      const client = await RawPop3.login(server.ports.pop3, 'alice')
      expect(await client.subjects()).toEqual(SUBJECTS)
      await client.lines('RETR 1')
      for (const n of [2, 4]) expect(await client.do(`DELE ${n}`)).toBe('+OK Message deleted')
      await disk.fill()
      expect(await client.quit()).toBe(answer)
      // What was answered holds without the process that answered it.
      await server.kill()
      await disk.room()
      await server.again()
      const again = await RawPop3.login(server.ports.pop3, 'alice')
      const left = await again.subjects()
      expect(left.filter((s) => s !== 'two' && s !== 'four')).toEqual(KEPT)
      if (answer === DONE) expect(left).toEqual(KEPT)
      for (const [i, subject] of left.entries()) {
        expect((await again.lines(`RETR ${i + 1}`)).join('\r\n')).toContain(`\r\n\r\n${`${subject} `.repeat(2000)}`)
        if (!KEPT.includes(subject)) await again.do(`DELE ${i + 1}`)
      }
      expect(await again.quit()).toBe(DONE)
      const last = await RawPop3.login(server.ports.pop3, 'alice')
      expect(await last.subjects()).toEqual(KEPT)
      await last.quit()
      expect(server.log()).not.toMatch(/^\S+ \S+ error /m)
    } finally {
      await server.stop()
      disk[Symbol.dispose]()
      await server.remove()
    }
  })
})
