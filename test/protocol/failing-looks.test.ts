import { expect, test } from 'vitest'
import { MailError, type MailDriver } from '../../core/api/index.js'
import { MemoryDriver } from '../../plugins/drivers/memory/store.js'
import { ImapFixture } from '../support/imap.js'
import { StillClock, deliverNotes } from '../support/mail.js'

test('a mailbox that cannot be looked at is in the log once, whoever polls it, and once more when it can', async () => {
  const clock = new StillClock()
  const memory = new MemoryDriver(() => clock.now())
  let failing: MailError | undefined
  const driver: MailDriver = {
    openStore: async (user) => {
      const store = await memory.openStore(user)
      const find = store.find.bind(store)
      return Object.assign(store, {
        find: async (...args: Parameters<typeof find>) => {
          const found = await find(...args)
          if (found === undefined) return undefined
          return {
            ...found,
            open: async (signal: AbortSignal) => {
              const source = await found.open(signal)
              const refresh = source.refresh.bind(source)
              source.refresh = async (...how) => {
                if (failing !== undefined) throw failing
                await refresh(...how)
              }
              return source
            },
          }
        },
      })
    },
  }
  await using server = await ImapFixture.make({ mail: { clock, driver } })
  await deliverNotes(await server.access(), 'INBOX', 'one')
  const clients = [await server.session(), await server.session()]
  for (const client of clients) await client.command('s', 'SELECT INBOX')
  const events = (): readonly unknown[] => server.mail.logger.lines.map(({ level, event, facts }) => [level, event, (facts as { readonly reason?: unknown } | undefined)?.reason])
  const poll = async (): Promise<void> => {
    for (const client of clients) {
      clock.advance(60_000)
      expect((await client.command('n', 'NOOP')).at(-1)).toMatch(/^n OK/)
    }
  }
  await poll()
  expect(events()).toEqual([])
  failing = new MailError('in-use', 'mutt has locked the mailbox')
  await poll()
  await poll()
  const once = ['warn', 'Mailbox cannot be looked at', 'mutt has locked the mailbox']
  expect(events()).toEqual([once])
  failing = undefined
  await poll()
  failing = new MailError('unavailable', 'the disk does not answer')
  await poll()
  expect(events()).toEqual([once, ['warn', 'Mailbox cannot be looked at', 'the disk does not answer']])
})
