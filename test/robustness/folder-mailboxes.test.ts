import { describe, expect, test } from 'vitest'
import { LinkLost, RawClient } from '../support/raw-client.js'
import { startServer } from '../support/running-server.js'

const formats = ['mix', 'mx', 'mh'] as const
const LONG = process.env['MAILWRIGHT_LONG'] === '1'

describe('mailboxes that are folders, and a server that is killed', () => {
  test.each(formats)(
    '%s: after kill -9 in the middle of deliveries, flags and removals everything that was acknowledged is there',
    async (format) => {
      const mh = format === 'mh' ? '{ use: mh, path: Mail }' : format
      const server = await startServer({ host: `drivers: { use: [${mh}, unix, dummy], create: unix, empty: unix }`, namespaces: "[ { use: mailboxfile, inboxPath: '{home}/INBOX' }, prefixes ]" })
      const box = format === 'mh' ? '#mh/box' : 'box'
      try {
        const first = await RawClient.login(server.ports.imap, 'alice')
        expect((await first.do(`CREATE ${format === 'mh' ? box : `#driver.${format}/box`}`)).status).toBe('OK')
        await first.logout()
        const there = new Map<string, 'kept' | 'flagged'>()
        const doubtful = new Set<string>()
        for (let round = 0; round < (LONG ? 30 : 4); round++) {
          const client = await RawClient.login(server.ports.imap, 'alice')
          expect((await client.do(`SELECT ${box}`)).status).toBe('OK')
          let killed: Promise<void> | undefined
          for (let n = 0; ; n++) {
            // While the next ones are on their way.
            if (n === 3 + round) killed = server.kill()
            const subject = `r${round}n${n}`
            doubtful.add(subject)
            try {
              const reply = await client.append(box, `Subject: ${subject}\r\n\r\n${`text of ${subject}\r\n`.repeat(20)}`)
              expect(reply.status).toBe('OK')
              there.set(subject, 'kept')
              const uid = /APPENDUID \d+ (\d+)/.exec(reply.text)?.[1]
              await client.do(`UID STORE ${uid} +FLAGS (\\Flagged)`)
              there.set(subject, 'flagged')
            } catch (error) {
              if (!(error instanceof LinkLost)) throw error
              break
            }
          }
          await killed
          await server.again()
        }
        const client = await RawClient.login(server.ports.imap, 'alice')
        await client.do(`SELECT ${box}`)
        const { untagged } = await client.do('UID FETCH 1:* (FLAGS BODY.PEEK[])')
        const found = new Map(untagged.flatMap((line) => {
          const subject = /Subject: (\S+)/.exec(line)?.[1]
          return subject === undefined ? [] : [[subject, line] as const]
        }))
        expect(untagged).toHaveLength(found.size)
        for (const [subject, state] of there) {
          expect([subject, found.get(subject)?.includes(`text of ${subject}\r\n`.repeat(20))]).toEqual([subject, true])
          if (state === 'flagged') expect([subject, found.get(subject)?.includes('\\Flagged')]).toEqual([subject, true])
        }
        expect([...found.keys()].filter((subject) => !doubtful.has(subject))).toEqual([])
        expect(there.size).toBeGreaterThan(0)
        await client.logout()
        const errors = server.log().split('\n').filter((line) => / error /.test(line))
        expect(errors).toEqual([])
      } finally {
        await server.remove()
      }
    },
    LONG ? 3_600_000 : 240_000,
  )
})
