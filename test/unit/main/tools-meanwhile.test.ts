import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { MailError, type AppendItem, type MailAccess, type MailboxName, type MailboxView } from '../../../core/api/index.js'
import { ACTIONS } from '../../../core/main/mailbox-tools/actions.js'
import { fsck } from '../../../core/main/mailbox-tools/fsck.js'
import { withMailbox } from '../../../core/main/mailbox-tools/views.js'
import type { Terminal } from '../../../core/main/terminal.js'
import { toolsSite, type ToolsSite } from '../../support/tools-site.js'

const { signal } = new AbortController()
let site: ToolsSite
beforeEach(async () => void (site = await toolsSite()))
afterEach(() => site[Symbol.asyncDispose]())

async function put(name: string, subject: string): Promise<void> {
  const bytes = Buffer.from(`Subject: ${subject}\r\n\r\nText.\r\n`)
  async function* items(): AsyncGenerator<AppendItem> {
    yield { size: bytes.length, bytes: (async function* () { yield bytes })(), binary: false, system: 0, keywords: [], facts: new Map() }
  }
  await site.mail.append(await site.mail.locate(name as MailboxName, 'append', signal), items(), signal)
}
async function subjectsOf(view: MailboxView): Promise<string[]> {
  const out: string[] = []
  for await (const batch of view.read(view.resolve({ pairs: Uint32Array.of(1, 0xffffffff) }, 'seq'), { bytes: 'whole', sections: [], facts: [] }, signal)) {
    for (const { bytes } of batch) {
      const octets = new Uint8Array(bytes.size)
      await bytes.read(0, octets, signal)
      out.push(/Subject: (\S+)/.exec(Buffer.from(octets).toString('latin1'))?.[1] ?? '(damaged)')
    }
  }
  return out
}
/** Every message of the account, by the mailboxes in which it is. */
async function all(): Promise<Map<string, string[]>> {
  const out = new Map<string, string[]>()
  for await (const batch of site.mail.list({ reference: '' as MailboxName, patterns: ['*'] }, signal)) {
    for (const { name, attributes } of batch) {
      if ([...attributes].some((a) => /^\\no(?:select|nexistent)$/i.test(a)) || name === 'INBOX') continue
      for (const subject of await withMailbox(site.mail, name, 'read-only', signal, subjectsOf)) out.set(subject, [...(out.get(subject) ?? []), name])
    }
  }
  return out
}
const METHODS = new Set(['locate', 'open', 'append', 'create', 'remove', 'rename'])
/** The mail as the tool sees it: before its call number `when` somebody else does something, and nothing can be copied. */
function disturbed(when: number, meanwhile: () => Promise<void>): { readonly mail: MailAccess; readonly calls: () => number } {
  let calls = 0
  const mail = new Proxy(site.mail, {
    get(target, key) {
      const member: unknown = Reflect.get(target, key, target)
      if (typeof member !== 'function') return member
      const call = member.bind(target) as (...args: unknown[]) => Promise<unknown>
      if (typeof key !== 'string' || !METHODS.has(key)) return call
      return async (...args: unknown[]) => {
        if (calls++ === when) await meanwhile()
        if (key === 'append') throw new MailError('over-quota', 'there is no room')
        return await call(...args)
      }
    },
  })
  return { mail, calls: () => calls }
}

describe.each(['unix', 'mbx', 'mix'])('from and to %s, while nothing can be copied', (format) => {
  test.each([
    { word: 'transfer', args: ['box'], where: 'box', make: false },
    { word: 'transfer', args: ['box'], where: 'box', make: true },
    { word: 'transfer', args: ['box', 'new'], where: 'new', make: false },
    { word: 'transfer', args: ['box', 'new'], where: 'new', make: true },
    { word: 'copy', args: ['box', 'new'], where: 'new', make: false },
    { word: 'move', args: ['box', 'new'], where: 'new', make: true },
  ])('$word: mail that is taken by $where meanwhile stays (it is made when it is missing: $make)', { timeout: 120_000 }, async ({ word, args, where, make }) => {
    const [out, err] = [new PassThrough(), new PassThrough()]
    const terminal: Terminal = { out, err, colours: false }
    for (let when = 0, steps = 1; when < steps; when++) {
      await site[Symbol.asyncDispose]()
      site = await toolsSite()
      const taken = ['old']
      await site.mail.create(`#driver.${format}/box` as MailboxName, { specialUse: [] }, signal)
      await put('box', 'old')
      const { mail, calls } = disturbed(when, async () => {
        try {
          if (make) await site.mail.create(where as MailboxName, { specialUse: [] }, signal).catch(() => undefined)
          await put(where, 'new')
          taken.push('new')
        } catch (error) {
          expect(error).toMatchObject({ kind: 'not-found' })
        }
      })
      const work = { mail, terminal, signal, format, merge: undefined, dryRun: false, holdsOthers: () => true }
      await (ACTIONS[word] ?? expect.fail(word)).run(work, args).catch((error: unknown) => expect(error).toBeInstanceOf(Error))
      const found = await all()
      for (const subject of taken) expect(found.get(subject), `${subject}, where the call ${when} of the tool was disturbed`).toHaveLength(1)
      steps = Math.max(steps, calls())
    }
  })
  test.each(['transfer', 'copy', 'move'])('%s: no mailbox is left that was made for it, so that it can be tried again', async (word) => {
    const terminal: Terminal = { out: new PassThrough(), err: new PassThrough(), colours: false }
    await site.mail.create(`#driver.${format}/box` as MailboxName, { specialUse: [] }, signal)
    await put('box', 'old')
    const attempt = (mail: MailAccess): Promise<unknown> =>
      (ACTIONS[word] ?? expect.fail(word)).run({ mail, terminal, signal, format, merge: undefined, dryRun: false, holdsOthers: () => true }, ['box', 'new']).catch((error: unknown) => error)
    expect(await attempt(disturbed(-1, async () => undefined).mail)).not.toBe(0)
    expect([...(await all())]).toEqual([['old', ['box']]])
    expect(await attempt(site.mail)).toBe(0)
  })
})

test('a copy that is told to stop when it was made says that it is there', async () => {
  await site.mail.create('box' as MailboxName, { specialUse: [] }, signal)
  await put('box', 'old')
  const stop = new AbortController()
  const mail = new Proxy(site.mail, {
    get(target, key) {
      const member: unknown = Reflect.get(target, key, target)
      if (typeof member !== 'function') return member
      const call = member.bind(target) as (...args: unknown[]) => Promise<unknown>
      return key !== 'append' ? call : async (...args: unknown[]) => {
        const result = await call(...args)
        stop.abort()
        return result
      }
    },
  })
  const terminal: Terminal = { out: new PassThrough(), err: new PassThrough(), colours: false }
  const work = { mail, terminal, signal: stop.signal, format: undefined, merge: undefined, dryRun: false, holdsOthers: () => true }
  await expect(ACTIONS['copy']?.run(work, ['box', 'new'])).rejects.toMatchObject({ kind: 'cancelled', message: 'the operation was cancelled; new stays, with what was copied or came meanwhile' })
  expect([...(await all())]).toEqual([['old', ['box', 'new']]])
})

describe('a repair', () => {
  /** Two messages, and a NUL that is damage. */
  async function damage(): Promise<void> {
    const message = (subject: string): string => `From a@example.org Mon Jan  5 09:08:07 2026\nSubject: ${subject}\n\nText.\0\n\n`
    await writeFile(join(site.folder, 'mail/alice/box'), message('one') + message('two'), { mode: 0o600 })
  }
  const repair = (mail: MailAccess): Promise<boolean> => {
    const terminal: Terminal = { out: new PassThrough(), err: new PassThrough(), colours: false }
    return fsck({ mail, terminal, signal, format: undefined, merge: undefined, dryRun: false, holdsOthers: () => false }, 'box', true)
  }

  test('that takes no message where there are some has failed, and everything is as it was', async () => {
    await damage()
    await expect(repair(disturbed(-1, async () => undefined).mail)).rejects.toThrow('there is no room')
    expect([...(await all())]).toEqual([['one', ['box']], ['two', ['box']]])
  })

  test('loses nothing of what comes meanwhile, and says where the mailbox is when its name is taken', { timeout: 120_000 }, async () => {
    const told: string[] = []
    for (let when = 0, steps = 1; when < steps; when++) {
      await site[Symbol.asyncDispose]()
      site = await toolsSite()
      await damage()
      const { mail, calls } = disturbed(when, async () => {
        await site.mail.create('box' as MailboxName, { specialUse: [] }, signal).catch(() => undefined)
        await put('box', 'new')
      })
      await repair(mail).catch((error: unknown) => told.push(String(error)))
      const found = await all()
      for (const subject of ['one', 'two', 'new']) if (subject !== 'new' || calls() > when) expect(found.get(subject), `${subject}, where the call ${when} of the repair was disturbed`).toBeDefined()
      steps = Math.max(steps, calls())
    }
    expect(told.filter((text) => text.includes('box cannot have its name back; the damaged mailbox, whole, is box.damaged'))).not.toEqual([])
  })
})
