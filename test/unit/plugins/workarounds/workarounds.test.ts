import { describe, expect, test } from 'vitest'
import type { ImapExtension, Plugin, PluginSetup, Workaround } from '../../../../core/api/index.js'
import { builtinPlugins } from '../../../../plugins/builtin.js'
import { AccountPage, netscapeCommand } from '../../../../plugins/workarounds/netscape/account-page.js'
import { ImapFixture } from '../../../support/imap.js'
import { deliverNotes } from '../../../support/mail.js'

interface Contributed {
  readonly name: string
  readonly settings: { readonly '~standard': { validate(value: unknown): { readonly value?: unknown; readonly issues?: readonly unknown[] } } }
  create(settings: unknown, needs: unknown): unknown
}
/** What a plugin contributes, by point and name. */
function contributions(plugin: Plugin): ReadonlyMap<string, Contributed> {
  const found = new Map<string, Contributed>()
  const to = (point: { readonly id: string }) => ({ contribute: (what: Contributed) => void found.set(`${point.id} ${what.name}`, what) })
  // Workarounds only contribute.
  plugin.setup({ to } as unknown as PluginSetup)
  return found
}
async function made(name: string, settings: unknown = {}): Promise<Workaround> {
  const row = builtinPlugins.find((p) => p.id === `workaround-${name}`)
  if (row === undefined) throw new Error(`no plugin for ${name}`)
  const what = contributions((await row.load()).default).get(`client.workarounds ${name}`)
  const checked = what?.settings['~standard'].validate(settings)
  if (what === undefined || checked === undefined || checked.issues !== undefined) throw new Error(`refused: ${JSON.stringify(checked)}`)
  return what.create(checked.value, {}) as Workaround
}
const client = { address: '127.0.0.1', id: new Map<string, string>(), commands: [] }

const tweaks = [
  { name: 'entourage', settings: {}, tweaks: { noteStatusOnSelected: false } },
  { name: 'nul-to-0x80', settings: {}, tweaks: { nulToEighty: true } },
  { name: 'tls-8k-records', settings: {}, tweaks: { maxWriteOctets: 8192 } },
  { name: 'tls-8k-records', settings: { payload: '4KiB' }, tweaks: { maxWriteOctets: 4096 } },
  { name: 'spaced-password', settings: {}, tweaks: { spacedPasswordRetry: true } },
  { name: 'lower-case-user', settings: {}, tweaks: { lowerCaseUserRetry: true } },
  { name: 'outlook-idle', settings: {}, tweaks: { idlePhantomAfterMs: 29 * 60_000 } },
  { name: 'idle-keepalive', settings: { every: '1m' }, tweaks: { idleNudgeMs: 60_000 } },
  { name: 'idle-keepalive', settings: {}, tweaks: { idleNudgeMs: 120_000 } },
  { name: 'status-warning', settings: {}, tweaks: { warnUnknownStatusItem: true } },
  { name: 'subscribe-warning', settings: {}, tweaks: { warnSubscribeDirectory: true } },
  { name: 'hold-expunge', settings: {}, tweaks: { holdExpunge: 'never-while-busy' } },
]
describe('workarounds', () => {
  test.each(tweaks)('$name $settings changes its tweak and no other', async ({ name, settings, tweaks }) => {
    const workaround = await made(name, settings)
    expect([workaround.tweaks, workaround.applies(client, undefined), workaround.without, workaround.hide]).toEqual([tweaks, true, undefined, undefined])
  })
  test('no-idle takes the extension away', async () => {
    await using server = await ImapFixture.make({ workarounds: [await made('no-idle')] })
    const alice = await server.session()
    expect((await alice.command('c', 'CAPABILITY'))[0]).not.toContain('IDLE')
    expect(await alice.command('i', 'IDLE')).toEqual(['i BAD Command unrecognized: IDLE'])
  })
  test('netscape lists X-NETSCAPE and names the page, in every state', async () => {
    const page = await made('netscape', { accountUrl: 'https://example.org/mail' })
    if (!(page instanceof AccountPage)) throw new Error('not the page')
    const extension: ImapExtension = { commands: [netscapeCommand(page.url)] }
    const more = [{ name: 'netscape', plugin: 'workaround-netscape', about: { requires: [], capabilities: () => [] }, made: extension }]
    await using server = await ImapFixture.make({ workarounds: [page], more })
    const anybody = server.connect()
    expect(await anybody.line()).toContain(' X-NETSCAPE ')
    await anybody.play(`
      C: n1 NETSCAPE
      S: * OK [NETSCAPE]
      S: * VERSION 1.0 UNIX
      S: * ACCOUNT-URL "https://example.org/mail"
      S: n1 OK NETSCAPE completed
      C: n2 NETSCAPE x
      S: n2 BAD <any>
    `)
  })
  test('netscape makes its command from the workaround that was chosen, and none without it', async () => {
    const row = builtinPlugins.find((p) => p.id === 'workaround-netscape')
    const what = contributions((await row!.load()).default).get('imap.extensions netscape')
    expect(what?.create({}, { chosen: [new AccountPage('https://example.org/')] })).toHaveProperty('commands')
    expect(what?.create({}, { chosen: [] })).toEqual({})
  })
  test.each([{}, { accountUrl: 'javascript:alert(1)' }, { accountUrl: 'https://example.org/', extra: 1 }])('netscape refuses %j', async (settings) => {
    await expect(made('netscape', settings)).rejects.toThrow('refused')
  })
})

describe('the 29th minute over a whole session', () => {
  test('one phantom, taken back at DONE, then the news that waited', async () => {
    await using server = await ImapFixture.make({ workarounds: [await made('outlook-idle'), await made('idle-keepalive', { every: '58m' })] })
    const mail = await server.access()
    await deliverNotes(mail, 'INBOX', 'one', 'two')
    const alice = await server.session()
    await alice.command('s', 'SELECT INBOX')
    await alice.play(`
      C: a1 IDLE
      S: + Waiting for DONE
    `)
    server.clock.advance(29 * 60_000)
    expect([await alice.line(), await alice.line(), await alice.line()]).toEqual(['* OK Timeout in 2 minutes', '* 3 EXISTS', '* 3 RECENT'])
    await deliverNotes(mail, 'INBOX', 'three', 'four')
    await alice.play(`
      C: DONE
      S: * 3 EXPUNGE
      S: * 2 EXISTS
      S: * 2 RECENT
      S: * 4 EXISTS
      S: * 4 RECENT
      S: a1 OK IDLE completed
    `)
  })
})
