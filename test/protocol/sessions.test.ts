import { describe, expect, test } from 'vitest'
import { MailError, delegate, sealCommand } from '../../core/api/index.js'
import type { MailDriver, MailStore, MailboxSource } from '../../core/api/index.js'
import { Imap4 } from '../../core/imapd/imap4.js'
import { MemoryDriver } from '../../plugins/drivers/memory/store.js'
import { settle } from '../support/imap-client.js'
import { ImapFixture } from '../support/imap.js'
import { fill, notes } from '../support/imap-scenes.js'
import { item } from '../support/mail.js'

/** The memory driver with other sources. */
function changed(change: (source: MailboxSource) => MailboxSource): MailDriver {
  const driver = new MemoryDriver(() => 0)
  return {
    async openStore(user) {
      const store = await driver.openStore(user)
      const find: MailStore['find'] = async (at, within) => {
        const found = await store.find(at, within)
        return found === undefined ? undefined : { ...found, open: async (until) => change(await found.open(until)) }
      }
      return delegate(store, [], { find })
    },
  }
}

describe('workarounds that are known only after ID (RFC 2971)', () => {
  test('extensions go as a whole; other clients keep them', async () => {
    const workarounds = [{ reason: 'Old cannot idle', applies: (c: { readonly id: ReadonlyMap<string, string> }) => c.id.get('name') === 'Old', without: ['idle'] }]
    await using server = await ImapFixture.make({ workarounds })
    const old = await server.session()
    await old.play(`
      C: a1 ID ("name" "Old")
      S: * ID ("name" "Mailwright")
      S: a1 OK ID completed
      C: a2 IDLE
      S: a2 BAD Command unrecognized: IDLE
    `)
    expect((await old.command('a3', 'CAPABILITY'))[0]).not.toContain('IDLE')
    const other = await server.session()
    expect((await other.command('a1', 'CAPABILITY'))[0]).toContain(' IDLE ')
  })
})

describe('the server stops', () => {
  test('a session that waits says goodbye; the command in hand is finished first', async () => {
    let finish: () => void = () => undefined
    const waiting = new Promise<void>((resolve) => (finish = resolve))
    const slow = sealCommand({
      name: 'SLOW',
      states: ['authenticated'],
      uidForm: 'no',
      mayReportExpunge: false,
      parse: () => undefined,
      async run() {
        await waiting
        return { kind: 'ok' }
      },
    })
    const more = [{ name: 'slow', plugin: 'test', about: { requires: [], capabilities: () => [] }, made: { commands: [slow] } }]
    await using server = await ImapFixture.make({ more })
    const client = await server.session()
    await client.send('a1 SLOW\r\n')
    await client.quiet()
    server.stop()
    await client.quiet()
    finish()
    await client.play(`
      S: a1 OK SLOW completed
      S: * BYE Server shutting down
      S: <end>
    `)
    expect(server.logged.at(-1)).toBe('info Killed (terminated) user=alice host=[127.0.0.1] session=s1')
  })
})

describe('messages that cannot be read', () => {
  test('a store that is down: NO [UNAVAILABLE], nothing half said', async () => {
    const driver = changed((source) =>
      delegate(source, ['watch'], {
        // eslint-disable-next-line require-yield
        async *read() {
          throw new MailError('unavailable', 'the disk does not answer')
        },
      }),
    )
    await using server = await ImapFixture.make({ mail: { driver } })
    await fill(server, 'INBOX', notes('one'))
    const client = await server.session()
    await client.command('s', 'SELECT INBOX')
    await client.play(`
      C: a1 FETCH 1 BODY.PEEK[]
      S: a1 NO [UNAVAILABLE] FETCH failed: not available now, try again later
      C: a2 FETCH 1 UID
      S: * 1 FETCH (UID 1)
      S: a2 OK FETCH completed
    `)
  })
  test('a message that ends within its literal ends the link: nothing else keeps the client from misreading', async () => {
    const driver = changed((source) =>
      delegate(source, ['watch'], {
        async *read(uids) {
          const octets = new Uint8Array(200_000).fill(0x78)
          yield [
            {
              uid: uids.ranges[0] ?? 1,
              headerSize: 0,
              bytes: {
                size: octets.length,
                read: async (at, into) => {
                  if (at > 100_000) throw new MailError('vanished', 'gone')
                  const part = octets.subarray(at, at + into.length)
                  into.set(part)
                  return part.length
                },
              },
            },
          ]
        },
      }),
    )
    await using server = await ImapFixture.make({ mail: { driver } })
    await fill(server, 'INBOX', [item('A: b\n\ntext\n')])
    const client = await server.session()
    await client.command('s', 'SELECT INBOX')
    await client.send('a1 FETCH 1 BODY.PEEK[]\r\n')
    expect(await client.line()).toBeUndefined()
    expect(await client.unread()).toMatch(/^\* 1 FETCH \(BODY\[\] \{200000\}\r\nx+$/)
    await settle()
    expect(server.logged.some((line) => line.startsWith('info Broken off'))).toBe(true)
  })
})

test('what the kernel contributes is the protocol of these tests', async () => {
  const { default: plugin } = await import('../../core/imapd/plugin.js')
  const points: string[] = []
  // Only what the plugin declares in `setup` is collected.
  plugin.setup({ to: (point: { readonly id: string }) => ({ contribute: (what: { readonly name: string }) => void points.push(`${point.id} ${what.name}`) }) } as unknown as Parameters<typeof plugin.setup>[0])
  expect(points).toEqual(['imap.extensions base', 'imap.extensions imap2bis', 'imap.extensions mailbox-referrals', 'net.protocols imap4'])
  expect(Imap4.prototype).toHaveProperty('greet')
})

describe('a mailbox for which another program is waited', () => {
  test('sessions that wait for it hear so at once, also those that come later; those that do not wait hear nothing', async () => {
    let finish: () => void = () => undefined
    const waiting = new Promise<void>((resolve) => (finish = resolve))
    let isLocked = false
    const driver = changed((source) =>
      delegate(source, ['watch'], {
        async refresh(edit, how, signal) {
          if (isLocked) {
            edit.waits('Mailbox is locked by process 4712')
            await waiting
          }
          await source.refresh(edit, how, signal)
        },
      }),
    )
    await using server = await ImapFixture.make({ mail: { driver } })
    await fill(server, 'INBOX', notes('one'))
    const idle = await server.session()
    await idle.command('i', 'SELECT INBOX')
    isLocked = true
    const [first, second] = [await server.session(), await server.session()]
    await first.play(`
      C: a1 SELECT INBOX
      S: * NO Mailbox is locked by process 4712
    `)
    await second.play(`
      C: b1 SELECT INBOX
      S: * NO Mailbox is locked by process 4712
    `)
    await first.quiet()
    await idle.quiet()
    isLocked = false
    finish()
    for (const [client, tag] of [[first, 'a1'], [second, 'b1']] as const) {
      let line = await client.line()
      for (; line?.startsWith('* ') === true; line = await client.line()) expect(line).not.toContain('locked')
      expect(line).toMatch(new RegExp(`^${tag} OK `))
    }
    await idle.play(`
      C: i2 NOOP
      S: i2 OK NOOP completed
    `)
  })
})
