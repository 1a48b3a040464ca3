import { describe, expect, test } from 'vitest'
import { MailError, fetchItem, sealCommand, sealModifier } from '../../core/api/index.js'
import type { ImapExtension, MailDriver, SelectPlan } from '../../core/api/index.js'
import { MemoryDriver } from '../../plugins/drivers/memory/store.js'
import { SystemFiles } from '../../core/os/files.js'
import { Anonymous } from '../../plugins/auth/mechanisms/anonymous/anonymous.js'
import { entry, gateFor } from '../support/auth.js'
import { ImapFixture } from '../support/imap.js'
import { fill, notes } from '../support/imap-scenes.js'

function broken(): never {
  throw new Error('a bug of a plugin')
}
/** An extension that is wrong in one place, under the plugin id `test-broken`. */
async function withExtension(made: ImapExtension): Promise<ImapFixture> {
  return ImapFixture.make({ more: [{ name: 'broken', plugin: 'test-broken', about: { requires: [], capabilities: () => [] }, made }] })
}
const BUG = 'NO [SERVERBUG] Internal error, reference abababab'
const command = sealCommand({ name: 'XBREAK', states: ['authenticated', 'selected'], uidForm: 'no', mayReportExpunge: false, parse: (input) => input.end(), run: async () => broken() })
const parsing = sealCommand({ name: 'XBREAK', states: ['authenticated', 'selected'], uidForm: 'no', mayReportExpunge: false, parse: broken, run: async () => ({ kind: 'ok' }) })
const halfway = sealCommand({
  name: 'XBREAK', states: ['authenticated', 'selected'], uidForm: 'no', mayReportExpunge: false, parse: (input) => input.end(),
  async run(_request: void, session) {
    session.out.raw('* half a li')
    return broken()
  },
})
const item = fetchItem({ name: 'XBREAK', parse: () => undefined, needs: () => 'columns', column: broken })
const modifier = sealModifier<SelectPlan, undefined>({ name: 'XBREAK', parse: () => undefined, apply: broken })

describe('an error inside a plugin is contained, answered and told to the operator with the plugin', () => {
  const rows: readonly { readonly name: string; readonly made: ImapExtension; readonly said: string; readonly answered: readonly string[]; readonly logged: string }[] = [
    { name: 'a command', made: { commands: [command] }, said: 'XBREAK', answered: [`b ${BUG}`], logged: 'command=XBREAK plugin=test-broken id=abababab' },
    { name: 'while it reads its arguments', made: { commands: [parsing] }, said: 'XBREAK', answered: [`b ${BUG}`], logged: 'command=XBREAK plugin=test-broken id=abababab' },
    { name: 'in the middle of a line', made: { commands: [halfway] }, said: 'XBREAK', answered: [`b ${BUG}`], logged: 'command=XBREAK plugin=test-broken id=abababab' },
    { name: 'an item of FETCH', made: { fetchItems: [item] }, said: 'FETCH 1 XBREAK', answered: [`b ${BUG}`], logged: 'command=FETCH plugin=test-broken id=abababab' },
    { name: 'an item of STATUS', made: { statusItems: [{ name: 'XBREAK', from: 'figures', value: broken }] }, said: 'STATUS INBOX (XBREAK)', answered: [`b ${BUG}`], logged: 'command=STATUS plugin=test-broken id=abababab' },
    { name: 'a search key', made: { searchKeys: [{ name: 'XBREAK', parse: broken }] }, said: 'SEARCH XBREAK', answered: [`b ${BUG}`], logged: 'command=SEARCH plugin=test-broken id=abababab' },
    { name: 'a modifier', made: { select: [modifier] }, said: 'SELECT INBOX (XBREAK)', answered: [`b ${BUG}`], logged: 'command=SELECT plugin=test-broken id=abababab' },
    { name: 'a code for the answers of others', made: { completing: (key, done) => (key === 'NOOP' ? broken() : done) }, said: 'NOOP', answered: ['b OK NOOP completed'], logged: 'command=NOOP plugin=test-broken error=' },
  ]
  test.each(rows)('$name', async ({ made, said, answered, logged }) => {
    await using server = await withExtension(made)
    await fill(server, 'a', notes('one'))
    const client = await server.session()
    await client.command('a', 'SELECT a')
    expect(await client.command('b', said)).toEqual(answered)
    expect(server.logged.filter((line) => line.startsWith('error '))).toEqual([expect.stringContaining(logged)])
    expect(server.logged.find((line) => line.startsWith('error '))).toContain('a bug of a plugin')
    // The session goes on.
    expect(await client.command('c', 'LIST "" a')).toHaveLength(2)
  })
  test('what is heard of other mailboxes', async () => {
    await using server = await withExtension({ heard: broken })
    const client = await server.session()
    expect(await client.command('a', 'CREATE x')).toEqual(['a OK CREATE completed'])
    expect(server.logged.filter((line) => line.startsWith('error '))[0]).toContain('plugin=test-broken error=Error: a bug of a plugin')
  })
  test('a listener that fails keeps no removal from the client, whose numbers would be wrong', async () => {
    const listening = sealCommand({
      name: 'XLISTEN', states: ['selected'], uidForm: 'no', mayReportExpunge: false, parse: (input) => input.end(),
      async run(_request: void, session) {
        session.updates.listen((_changes, _view, out) => {
          out.raw('* half a li')
          return broken()
        }, 'unselect')
        return { kind: 'ok' }
      },
    })
    await using server = await withExtension({ commands: [listening] })
    await fill(server, 'a', notes('one', 'two', 'three'))
    const client = await server.session()
    const other = await server.session()
    await client.command('a', 'SELECT a')
    await client.command('b', 'XLISTEN')
    await other.command('a', 'SELECT a')
    await other.command('b', String.raw`STORE 1 +FLAGS (\Deleted)`)
    await other.command('c', 'EXPUNGE')
    await client.play(`
      C: c NOOP
      S: * 1 EXPUNGE
      S: * 2 RECENT
      S: c OK NOOP completed
    `)
    expect(server.logged.filter((line) => line.startsWith('error '))).toEqual([expect.stringContaining('command=news')])
  })
  test('an anonymous login with LOGIN, where ANONYMOUS is offered (its trace is no password)', async () => {
    const anonymous = entry('anonymous', new Anonymous(new SystemFiles(undefined), undefined, '/var/anonymous'), { name: 'ANONYMOUS', exposesPassword: false, verifiesBy: [], worksWith: [], offered: () => true })
    const { gate, log } = gateFor({ mechanisms: [anonymous], settings: { plaintext: 'encrypted-only', failureDelayMs: 0 } })
    await gate.prepare(AbortSignal.timeout(10_000))
    await using server = await ImapFixture.make({ gate })
    const client = server.connect()
    await client.line()
    expect((await client.command('a', 'LOGIN bob guest@example.org')).at(-1)).toBe('a NO [PRIVACYREQUIRED] LOGIN failed')
    expect((await client.command('b', 'LOGIN Anonymous guest@example.org')).at(-1)).toContain('b OK [CAPABILITY ')
    expect(log.lines.at(-1)).toBe('info Login anonymous=guest@example.org host=[127.0.0.1]')
  })
})

describe('what the machine or its rules refuse is one line in the log, with user, mailbox and reason', () => {
  const system = (code: string): Error => Object.assign(new Error(`${code}: the system says so`), { code })
  const rows: readonly { readonly error: MailError; readonly level: 'warn' | 'info' | 'debug'; readonly code: string }[] = [
    { error: new MailError('unavailable', 'ENOSPC: no space left on device', { cause: system('ENOSPC') }), level: 'warn', code: 'UNAVAILABLE' },
    { error: new MailError('corrupt', 'the index is damaged'), level: 'warn', code: 'CORRUPTION' },
    { error: new MailError('denied', 'EACCES: permission denied', { cause: system('EACCES') }), level: 'info', code: 'NOPERM' },
    { error: new MailError('denied', 'this needs the right "i"'), level: 'info', code: 'NOPERM' },
    { error: new MailError('over-quota', 'EDQUOT: disk quota exceeded'), level: 'info', code: 'OVERQUOTA' },
    { error: new MailError('in-use', 'locked by another program'), level: 'info', code: 'INUSE' },
    { error: new MailError('unsupported', 'Indeterminate mailbox format: box'), level: 'info', code: 'CANNOT' },
    { error: new MailError('read-only', 'EROFS: read-only file system', { cause: system('EROFS') }), level: 'info', code: 'NOPERM' },
    { error: new MailError('limit', 'EFBIG: file too large', { cause: system('EFBIG') }), level: 'info', code: 'LIMIT' },
    // Normal traffic.
    { error: new MailError('read-only', 'open for reading only'), level: 'debug', code: 'NOPERM' },
    { error: new MailError('not-found', 'nothing at /srv/mail'), level: 'debug', code: 'NONEXISTENT' },
    { error: new MailError('exists', 'there already'), level: 'debug', code: 'ALREADYEXISTS' },
    { error: new MailError('vanished', 'expunged meanwhile'), level: 'debug', code: 'EXPUNGEISSUED' },
  ]
  test.each(rows)('$error.kind: $error.message', async ({ error, level, code }) => {
    const memory = new MemoryDriver(() => 0)
    const refusing: MailDriver = {
      async openStore(user) {
        const store = await memory.openStore(user)
        return Object.assign(store, { create: () => Promise.reject(error) })
      },
    }
    await using server = await ImapFixture.make({ mail: { driver: refusing } })
    const client = await server.session()
    const answer = await client.command('a', 'CREATE some/box')
    expect(answer).toEqual([expect.stringMatching(new RegExp(`^a NO \\[${code}\\] CREATE failed: `))])
    expect(answer[0]).not.toContain(error.message)
    expect(server.logged.filter((line) => line.includes('Command refused'))).toEqual([
      expect.stringMatching(new RegExp(`^${level} +Command refused user=alice host=.* command=CREATE mailbox=some/box reason=`)),
    ])
    expect(server.logged.join('\n')).toContain(error.message)
    // A later refusal speaks of its own mailbox.
    expect(await client.command('b', 'SELECT other')).toEqual([expect.stringContaining('b NO ')])
    expect(server.logged.filter((line) => line.includes('Command refused')).at(-1)).toContain('command=SELECT mailbox=other')
  })
})
