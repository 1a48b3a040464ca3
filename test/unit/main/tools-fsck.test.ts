import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { MAIL_DOOR, SYSTEM, type AppendItem, type MailAccess, type MailboxName } from '../../../core/api/index.js'
import { configOf } from '../../../core/config/config.js'
import { LogHub } from '../../../core/log/log-hub.js'
import { findAccount } from '../../../core/main/mail-account.js'
import { fsck } from '../../../core/main/mailbox-tools/fsck.js'
import { withMailbox } from '../../../core/main/mailbox-tools/views.js'
import { MailServer } from '../../../core/main/server.js'
import { LONG, randomOf, seedOf } from '../../support/random.js'

const { signal } = new AbortController()
let folder: string
let server: MailServer
let mail: MailAccess & AsyncDisposable
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mailwright-fsck-'))
  await mkdir(join(folder, 'mail/alice'), { recursive: true })
  await writeFile(join(folder, 'users'), 'alice:{SCRYPT}x\n', { mode: 0o600 })
  const config = {
    version: 1,
    server: { name: 'mail.example.org', runDirectory: 'run' },
    listeners: { imap: { protocol: 'imap4', address: '127.0.0.1', port: 1, tls: 'none' } },
    hosts: {
      default: {
        auth: { passwords: [{ use: 'file', path: 'users' }], users: [{ use: 'virtual', data: 'mail' }] },
        namespaces: [{ use: 'mailboxfile', inboxPath: '{home}/INBOX' }],
        drivers: { use: ['mix', 'mbx', 'mmdf', 'unix', 'dummy'] },
      },
    },
  }
  server = await MailServer.start({ source: configOf(config, folder), log: new LogHub({ write: () => undefined }), inherited: new Map(), listen: false })
  await again()
})
afterEach(async () => {
  await mail[Symbol.asyncDispose]()
  await server.stop()
  await rm(folder, { recursive: true, force: true })
})
async function again(): Promise<void> {
  const { host, user } = await findAccount(server, 'alice', undefined, signal)
  mail = await host.get(MAIL_DOOR).open(user, signal)
}
const path = (name: string): string => join(folder, 'mail/alice', name)
const textOf = (i: number): string => `Subject: m${i}\r\nX-Size: ${i * 7}\r\n\r\n${`line of message ${i}\r\n`.repeat(3 + (i % 20))}`

async function fill(name: string, format: string, count: number): Promise<void> {
  await mail.create((name === 'INBOX' ? name : `#driver.${format}/${name}`) as MailboxName, { specialUse: [] }, signal).catch(() => undefined)
  async function* items(): AsyncGenerator<AppendItem> {
    for (let i = 1; i <= count; i++) {
      const bytes = Buffer.from(textOf(i))
      yield { size: bytes.length, bytes: (async function* () { yield bytes })(), binary: false, system: i % 2 === 0 ? SYSTEM.seen : 0, keywords: i % 3 === 0 ? ['$Work'] : [], date: { ms: Date.UTC(2024, 0, i), zone: 0 }, facts: new Map() }
    }
  }
  await mail.append(await mail.locate(name as MailboxName, 'append', signal), items(), signal)
}
async function check(name: string, repair: boolean): Promise<{ good: boolean; out: string }> {
  const [out, err] = [new PassThrough(), new PassThrough()]
  const good = await fsck({ mail, terminal: { out, err, colours: false }, signal, format: undefined, merge: undefined, dryRun: false, acceptsUids: () => false }, name, repair)
  return { good, out: String(out.read() ?? '') }
}
interface Read {
  readonly text: string
  readonly system: number
  readonly keywords: readonly string[]
  readonly ms: number
}
function messages(name: string): Promise<Read[]> {
  return withMailbox(mail, name, 'read-only', signal, async (view) => {
    const out: Read[] = []
    const all = view.resolve({ pairs: Uint32Array.of(1, 0xffffffff) }, 'seq')
    await view.fill(all, signal)
    for await (const batch of view.read(all, { bytes: 'whole', sections: [], facts: [] }, signal)) {
      for (const { uid, bytes } of batch) {
        const into = new Uint8Array(bytes.size)
        await bytes.read(0, into, signal)
        const row = view.rows.find(uid)
        const flags = view.rows.flagSets[view.rows.flags[row] ?? 0]
        out.push({ text: Buffer.from(into).toString('latin1'), system: flags?.system ?? 0, keywords: flags?.keywords ?? [], ms: view.rows.date[row] ?? 0 })
      }
    }
    return out
  })
}
const read = (i: number): Read => ({ text: textOf(i), system: i % 2 === 0 ? SYSTEM.seen : 0, keywords: i % 3 === 0 ? ['$Work'] : [], ms: Date.UTC(2024, 0, i) })

const formats = [
  { format: 'unix', begins: /^From \S+ \w{3} \w{3} .*$/gm },
  { format: 'mmdf', begins: /^From \S+ \w{3} \w{3} .*$/gm },
  { format: 'mbx', begins: /^[ \d]\d-\w{3}-\d{4} \d\d:\d\d:\d\d [+-]\d{4},\d+;[\da-f-]+\r$/gim },
]
describe.each(formats)('mailwright fsck of $format', ({ format, begins }) => {
  test('a good mailbox is good, and nothing is changed', async () => {
    await fill('box', format, 5)
    const before = await readFile(path('box'))
    expect(await check('box', true)).toEqual({ good: true, out: 'box: good, 5 readable messages\n' })
    expect(await readFile(path('box'))).toEqual(before)
  })
  test('a mailbox whose beginning is gone is told, and repaired when that is asked for; the damaged file stays', async () => {
    await fill('box', format, 5)
    const damaged = await readFile(path('box'))
    damaged.fill('x', 0, 20)
    await writeFile(path('box'), damaged)
    const dry = await check('box', false)
    expect(dry.good).toBe(false)
    expect(dry.out).toContain('box: at octet 0: ')
    expect(await readFile(path('box'))).toEqual(damaged)
    const did = await check('box', true)
    expect(did.out).toContain('the damaged mailbox is box.damaged')
    expect(await readFile(path('box.damaged'))).toEqual(damaged)
    const found = await messages('box')
    // Names of keywords stand in the beginning of an mbx file, so they are lost with it.
    expect(found).toEqual([1, 2, 3, 4, 5].map((i) => ({ ...read(i), ...(format === 'mbx' ? { keywords: [] } : {}) })))
    expect((await check('box', false)).good).toBe(true)
  })
  test('random damage of a tenth of the file: every message that is whole comes back with its flags and date', async () => {
    const random = randomOf(seedOf(`fsck-${format}`))
    for (let round = 0; round < (LONG ? 100 : 6); round++) {
      const name = `box${round}`
      await fill(name, format, 120)
      const whole = await readFile(path(name))
      const damaged = Buffer.from(whole)
      const least = format === 'mbx' ? 2048 : 0
      for (let done = 0; done < whole.length / 10; ) {
        const octets = 1 + Math.floor(random() * 300)
        const at = least + Math.floor(random() * (whole.length - least - octets))
        for (let i = at; i < at + octets; i++) damaged[i] = Math.floor(random() * 256)
        done += octets
      }
      const starts = [...whole.toString('latin1').matchAll(begins)].map((m) => m.index)
      const numbers = starts.map((at, i) => Number(/Subject: m(\d+)\r?\n/.exec(whole.toString('latin1', at, starts[i + 1]))?.[1]))
      // In a unix mailbox only the start of a line is the start of a message, so the line end before it counts (seed 3733288102); in one of MMDF the delimiter does.
      const before = { unix: 1, mmdf: 5 }[format] ?? 0
      const survivors = starts.flatMap((at, i) => (whole.subarray(Math.max(0, at - before), starts[i + 1]).equals(damaged.subarray(Math.max(0, at - before), starts[i + 1])) ? [numbers[i] ?? 0] : [])).filter((n) => n > 0)
      expect(survivors.length).toBeGreaterThan(10)
      await writeFile(path(name), damaged)
      const { out } = await check(name, true)
      expect(await readFile(path(`${name}.damaged`)).catch(() => damaged), out).toEqual(damaged)
      const found = await messages(name)
      for (const i of survivors) {
        // The line that began the next message may be gone: what was its own is then the end of this one.
        const hit = found.find((m) => m.text.startsWith(textOf(i).trimEnd()))
        expect({ ...hit, text: textOf(i) }, `round ${round}, message ${i}\n${out}`).toEqual(read(i))
      }
    }
  })
  test('INBOX stays where mail is delivered; what is readable is saved beside it', async () => {
    await fill('INBOX', format, 3)
    const damaged = Buffer.concat([Buffer.from('rubbish\n'), await readFile(path('INBOX'))])
    await writeFile(path('INBOX'), damaged)
    const { good, out } = await check('INBOX', true)
    expect(good).toBe(false)
    expect(out).toContain('3 messages saved to INBOX.salvaged')
    expect(await readFile(path('INBOX'))).toEqual(damaged)
    expect((await messages('INBOX.salvaged')).map((m) => m.text)).toEqual([1, 2, 3].map(textOf))
  })
})
test('what an earlier repair left is not touched', async () => {
  await fill('box', 'mbx', 2)
  await fill('box.salvaged', 'mbx', 1)
  const damaged = await readFile(path('box'))
  damaged.fill('x', 0, 20)
  await writeFile(path('box'), damaged)
  await expect(check('box', true)).rejects.toMatchObject({ kind: 'exists' })
  expect(await readFile(path('box'))).toEqual(damaged)
  expect((await messages('box.salvaged')).map((m) => m.text)).toEqual([textOf(1)])
})
test('a mailbox of a format that has no way of its own is read message by message', async () => {
  await fill('box', 'mix', 3)
  expect(await check('box', false)).toEqual({ good: true, out: 'box: good, 3 readable messages\n' })
})
test('a mailbox that is not there is an error', async () => {
  await expect(check('nope', false)).rejects.toMatchObject({ kind: 'not-found' })
})
