import { expect, test } from 'vitest'
import { delegate, type Delivery, type StoreLayer } from '../../../core/api/index.js'
import { MailTable } from '../../../core/mail/table/table.js'
import { Site, asked, opened, subjects } from '../../support/arrival-site.js'
import { deliverNotes, item, mailFixture, named, never, setOf } from '../../support/mail.js'
import { SlowDisk } from '../../support/slow-disk.js'

// Envelopes of messages that arrive, made when nobody asks for anything.

const DAY_MS = 86_400_000

/** Takes messages out of another mailbox as they lie there, or with an octet more. */
function taking(more: string): StoreLayer {
  const rows = new MailTable({ ownModseqs: false, firstModseq: 1 }).generation
  return {
    wrap: async (inner) =>
      delegate(inner, [], {
        find: async (at, signal) => {
          const found = await inner.find(at, signal)
          return found && { ...found, open: async (s) => delegate(await found.open(s), ['watch', 'reclaim'], {}) }
        },
        append: async (at, signal): Promise<Delivery> => {
          const delivery = await inner.append(at, signal)
          return {
            add: (message, s) => delivery.add(message, s),
            async take(from, messages, _rows, s) {
              for (const { uid, ...rest } of messages) {
                for await (const batch of from.read(setOf(uid), { bytes: 'whole', sections: [], facts: [] }, rows, s)) {
                  for (const m of batch) await delivery.add(item(`${new TextDecoder().decode(m.bytes.inline)}${more}`, rest), s)
                }
              }
              return true
            },
            commit: (open, s) => delivery.commit(open, s),
            abort: () => delivery.abort(),
          }
        },
      }),
  }
}

test('they are made before a client asks again, once clients asked', async () => {
  await using site = await Site.start()
  const mail = await site.login()
  await deliverNotes(mail, 'INBOX', 'one')
  await site.idle()
  expect(site.made).toEqual([])
  const view = await opened(mail)
  expect(await subjects(view)).toEqual(['one'])
  await deliverNotes(mail, 'INBOX', 'two', 'three')
  await deliverNotes(mail, 'INBOX', 'four')
  expect(site.made).toEqual(['one'])
  await site.idle()
  expect(site.made).toEqual(['one', 'two', 'three', 'four'])
  await view.sync(never)
  expect(await subjects(view)).toEqual(['one', 'two', 'three', 'four'])
  expect(site.made).toHaveLength(4)
})

test('a hundred of them in steps, in order', async () => {
  await using site = await Site.start('always')
  const names = Array.from({ length: 100 }, (_, i) => `m${i}`)
  const mail = await site.login()
  await opened(mail)
  await deliverNotes(mail, 'INBOX', ...names)
  await site.idle()
  expect(site.made).toEqual(names)
})

test('while messages keep coming those that have to be read wait, but not for ever', async () => {
  const disk = new SlowDisk()
  disk.says = () => undefined
  await using site = await Site.start('always', [disk])
  const mail = await site.login()
  await opened(mail)
  const names = Array.from({ length: 80 }, (_, i) => `m${i}`)
  for (const [i, name] of names.entries()) {
    await deliverNotes(mail, 'INBOX', name)
    await site.pass(50)
    if (i === 9) expect(site.made).toEqual([])
  }
  expect(site.made.length).toBeGreaterThan(0)
  await site.idle()
  expect(site.made).toEqual(names)
})

test('a new mailbox does what was asked for elsewhere in the account', async () => {
  await using site = await Site.start()
  const mail = await site.login()
  await asked(site, mail)
  await mail.create(named('Archive'), { specialUse: [] }, never)
  await opened(mail, 'Archive')
  await deliverNotes(mail, 'Archive', 'kept')
  await site.idle()
  expect(site.made).toEqual(['first', 'kept'])
})

test.each([
  { days: 30, made: ['first', 'later'] },
  { days: 31, made: ['first'] },
])('$days days after the last question', async ({ days, made }) => {
  await using site = await Site.start()
  const mail = await site.login()
  await asked(site, mail)
  site.clock.advance(days * DAY_MS - 12_000)
  await deliverNotes(mail, 'INBOX', 'later')
  await site.idle()
  expect(site.made).toEqual(made)
})

test.each([
  { setting: 'never' as const, made: ['first'] },
  { setting: 'always' as const, made: ['first', 'second'] },
])('makeOnArrival: $setting', async ({ setting, made }) => {
  await using site = await Site.start(setting)
  const mail = await site.login()
  await asked(site, mail)
  await deliverNotes(mail, 'INBOX', 'second')
  await site.idle()
  expect(site.made).toEqual(made)
})

test('what others put into the mailbox is made when it is found', async () => {
  await using site = await Site.start()
  const mail = await site.login()
  await asked(site, mail)
  const view = await opened(mail)
  const registry = site.fixture.host.registry
  const key = await mail.keyOf(view.at, never)
  // Another program: no edit of this process's table.
  await using other = mailFixture({ driver: site.driver, clock: site.clock })
  await deliverNotes(await other.login(), 'INBOX', 'from outside')
  expect(site.made).toEqual(['first'])
  const open = (await registry.borrow(key))!
  open.touched()
  registry.release(open)
  await view.sync(never)
  await site.idle()
  expect(site.made).toEqual(['first', 'from outside'])
})

test('after a power failure they are right, whether they were written or not', async () => {
  const site = await Site.start()
  const mail = await site.login()
  await asked(site, mail)
  await deliverNotes(mail, 'INBOX', 'second')
  await site.idle()
  await deliverNotes(mail, 'INBOX', 'third')
  await using after = new Site('asked', site)
  expect(await subjects(await opened(await after.login()))).toEqual(['first', 'second', 'third'])
  expect(after.made).toEqual(['third'])
  await site[Symbol.asyncDispose]()
})

test('what was left undone goes on when the mailbox is opened the next time', async () => {
  const site = await Site.start()
  const mail = await site.login()
  await asked(site, mail)
  await deliverNotes(mail, 'INBOX', 'second')
  await site.idle()
  await deliverNotes(mail, 'INBOX', 'third', 'fourth')
  await site[Symbol.asyncDispose]()
  expect(site.made).toEqual(['first', 'second'])
  await using after = new Site('asked', site)
  await opened(await after.login())
  await after.idle()
  expect(after.made).toEqual(['third', 'fourth'])
})

test.each(['asked', 'facts-0', 'asked of the account'])('a garbled %s costs time only', async (which) => {
  const site = await Site.start()
  await asked(site, await site.login())
  await site[Symbol.asyncDispose]()
  const state = '/home/.mailwright'
  const [folder] = await site.files.list(`${state}/mailboxes`)
  const path = which === 'asked of the account' ? `${state}/asked` : `${state}/mailboxes/${folder!.name}/${which}`
  const file = await site.files.open(path, { write: true })
  const { size } = await file.stat()
  expect(size).toBeGreaterThan(0)
  await file.write([new Uint8Array(size).fill(0x7b)], 0)
  await file.close()
  await using after = new Site('asked', site)
  const mail = await after.login()
  const view = await opened(mail)
  expect(await subjects(view)).toEqual(['first'])
  await deliverNotes(mail, 'INBOX', 'second')
  await after.idle()
  expect(after.made).toEqual(which === 'facts-0' ? ['first', 'second'] : ['second'])
  await view.sync(never)
  expect(await subjects(view)).toEqual(['first', 'second'])
})

test.each([
  { name: 'as they lie', how: 'copy' as const, more: '', made: [] },
  { name: 'as they lie, which then are removed', how: 'move' as const, more: '', made: [] },
  { name: 'and changed on the way', how: 'copy' as const, more: 'x', made: ['first', 'second'] },
])('those of messages that are copied $name', async ({ how, more, made }) => {
  await using site = await Site.start('asked', [taking(more)])
  const mail = await site.login()
  await asked(site, mail)
  await deliverNotes(mail, 'INBOX', 'second')
  await site.idle()
  await mail.create(named('Copies'), { specialUse: [] }, never)
  const target = await opened(mail, 'Copies')
  const view = await opened(mail)
  site.made.length = 0
  await view.copy(view.resolve({ pairs: Uint32Array.of(1, 0xffffffff) }, 'seq'), target.at, how, never)
  await site.idle()
  expect(site.made).toEqual(made)
  await target.sync(never)
  expect(await subjects(target)).toEqual(['first', 'second'])
  expect(site.made).toEqual(made)
})

test('nothing is made after the host was closed, and no timer is left', async () => {
  const site = await Site.start('always')
  const mail = await site.login()
  await opened(mail)
  await deliverNotes(mail, 'INBOX', 'one')
  expect(site.clock.waiting).toBeGreaterThan(0)
  await site[Symbol.asyncDispose]()
  expect(site.clock.waiting).toBe(0)
  await site.idle()
  expect(site.made).toEqual([])
})
