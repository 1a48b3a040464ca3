import { expect, test } from 'vitest'
import { SYSTEM, sealDeriver, type MailAccess, type MailboxView } from '../../../core/api/index.js'
import { deriverTable } from '../../../core/mail/view/deriving.js'
import { bodystructureDeriver, envelopeDeriver } from '../../../core/mime/facts.js'
import { Site, asked, opened, subjects } from '../../support/arrival-site.js'
import { deliverNotes, mailFixture, never, setOf } from '../../support/mail.js'
import { SlowDisk } from '../../support/slow-disk.js'

// Envelopes of messages that arrive, made out of octets that are still in memory.

const DAY_MS = 86_400_000

async function start(): Promise<{ site: Site; mail: MailAccess; disk: SlowDisk; view: MailboxView }> {
  const disk = new SlowDisk()
  const site = await Site.start('asked', [disk])
  const mail = await site.login()
  await asked(site, mail)
  const view = await opened(mail)
  site.made.length = 0
  return { site, mail, disk, view }
}

test('envelopes are made as soon as nobody saves any, and nobody makes them again', async () => {
  const { site, mail, disk, view } = await start()
  await using _site = site
  await deliverNotes(mail, 'INBOX', 'two', 'three')
  await disk.slowly(() => deliverNotes(mail, 'INBOX', 'four'), async () => {
    await site.moment()
    expect(site.made).toEqual([])
  })
  expect(site.made).toEqual([])
  await site.moment()
  expect(site.made).toEqual(['two', 'three', 'four'])
  await view.sync(never)
  expect(await subjects(view)).toEqual(['first', 'two', 'three', 'four'])
  await site.idle()
  expect(site.made).toEqual(['two', 'three', 'four'])
})

test('they are kept for the next process', async () => {
  const { site, mail } = await start()
  await deliverNotes(mail, 'INBOX', 'two')
  await site.moment()
  expect(site.made).toEqual(['two'])
  await site.idle()
  await site[Symbol.asyncDispose]()
  await using after = new Site('asked', site)
  expect(await subjects(await opened(await after.login()))).toEqual(['first', 'two'])
  expect(after.made).toEqual([])
})

test('a client that asks first makes them, and they are passed over', async () => {
  const { site, mail, view } = await start()
  await using _site = site
  await deliverNotes(mail, 'INBOX', 'two', 'three')
  await view.sync(never)
  expect(await subjects(view)).toEqual(['first', 'two', 'three'])
  await site.idle()
  expect(site.made).toEqual(['two', 'three'])
})

test('what goes before its turn leaves the rest alone', async () => {
  const { site, mail, view } = await start()
  await using _site = site
  await deliverNotes(mail, 'INBOX', 'two', 'three', 'four')
  await view.sync(never)
  view.take({ expunge: true })
  await view.store({ uids: setOf(3), how: 'add', system: SYSTEM.deleted, keywords: [] }, true, never)
  await view.expunge(setOf(3), never)
  view.take({ expunge: true })
  await site.moment()
  expect(site.made).toEqual(['two', 'four'])
  expect(await subjects(view)).toEqual(['first', 'two', 'four'])
})

test.each([
  { name: 'nothing is made where nobody ever asked, by a program that delivers', client: false, made: [], fetched: ['one'] },
  { name: 'the usual things are where nobody ever asked, by a client', client: true, made: ['one'], fetched: ['one'] },
])('$name', async ({ client, made, fetched }) => {
  const site = await Site.start('asked')
  const mail = await site.login()
  if (client) await opened(mail)
  await deliverNotes(mail, 'INBOX', 'one')
  await site.moment()
  expect(site.made).toEqual(made)
  await site.idle()
  expect(site.made).toEqual(made)
  await site[Symbol.asyncDispose]()
  await using after = new Site('asked', site)
  expect(await subjects(await opened(await after.login()))).toEqual(['one'])
  expect([...site.made, ...after.made]).toEqual(fetched)
})

test('nothing is made by a client where nobody asked for a month', async () => {
  const { site, mail, disk } = await start()
  await using _site = site
  site.clock.advance(31 * DAY_MS)
  await disk.slowly(() => deliverNotes(mail, 'INBOX', 'two'))
  await site.idle()
  expect(site.made).toEqual([])
})

test('nothing is kept of messages that could not be saved', async () => {
  const { site, mail, disk, view } = await start()
  await using _site = site
  disk.fails = true
  await expect(disk.slowly(() => deliverNotes(mail, 'INBOX', 'lost'))).rejects.toMatchObject({ kind: 'unavailable' })
  disk.fails = false
  // The same size, under the same number.
  await deliverNotes(mail, 'INBOX', 'here')
  await view.sync(never)
  expect(await subjects(view)).toEqual(['first', 'here'])
  await site.idle()
  expect(site.made).toEqual(['here'])
})

test("messages that others' came before have the numbers that they got", async () => {
  const { site, mail, disk, view } = await start()
  await using _site = site
  await using other = mailFixture({ driver: site.driver, clock: site.clock })
  const elsewhere = await other.login()
  await disk.slowly(() => deliverNotes(mail, 'INBOX', 'mine', 'last'), async () => void (await deliverNotes(elsewhere, 'INBOX', 'that')))
  await view.sync(never)
  await site.moment()
  expect(site.made).toEqual(['mine', 'last'])
  expect(await subjects(view)).toEqual(['first', 'that', 'mine', 'last'])
})

test.each<{ name: string; says: SlowDisk['says'] }>([
  { name: 'does not say what messages will be', says: () => undefined },
  { name: 'says that they will be longer', says: (told) => (octets) => told(Buffer.concat([octets, Buffer.from('more')])) },
])('nothing of a store that $name', async ({ says }) => {
  const { site, mail, disk, view } = await start()
  await using _site = site
  disk.says = says
  await deliverNotes(mail, 'INBOX', 'two')
  await site.moment()
  expect(site.made).toEqual([])
  await site.idle()
  expect(site.made).toEqual(['two'])
  await view.sync(never)
  expect(await subjects(view)).toEqual(['first', 'two'])
})

test('facts that cannot be made, at once or later, leave messages and the process alone', async () => {
  await using site = await Site.start('always')
  const derivers = deriverTable([
    sealDeriver({ ...envelopeDeriver, derive: () => Promise.reject(new Error('later')) }),
    sealDeriver({
      ...bodystructureDeriver,
      derive: () => {
        throw new Error('at once')
      },
    }),
  ])
  await using fixture = site.with(derivers)
  const unheard: unknown[] = []
  const hear = (reason: unknown): void => void unheard.push(reason)
  process.on('unhandledRejection', hear)
  const mail = await fixture.login()
  const view = await opened(mail)
  await deliverNotes(mail, 'INBOX', 'one')
  await site.moment()
  view.take({ expunge: true })
  expect(view.announced).toBe(1)
  process.off('unhandledRejection', hear)
  expect(unheard).toEqual([])
})

test('numbers of another UIDVALIDITY are no numbers of theirs', async () => {
  const { site, mail, disk } = await start()
  await using _site = site
  disk.result = (result) => result && { ...result, uidValidity: result.uidValidity + 1 }
  await deliverNotes(mail, 'INBOX', 'two')
  await site.moment()
  expect(site.made).toEqual([])
  await site.idle()
  expect(site.made).toEqual(['two'])
})
