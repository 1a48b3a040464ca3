import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { describeMailboxDriver, describeMailboxFormat } from 'mailwright/testing'
import { describe, expect, test } from 'vitest'
import { CLOCK, FILES, loginPolicies, mailboxFormats, SPOOL } from '../../core/api/index.js'
import type { PeerFacts, Spool } from '../../core/api/index.js'
import { startKernel } from '../../core/kernel/lifecycle/start.js'
import os from '../../core/os/plugin.js'
import folder, { FolderFormat, folderAbout } from '../../docs/guide/examples/folder-format.js'
import officeHours from '../../docs/guide/examples/office-hours.js'
import { FilesDriver } from '../../plugins/drivers/files/store.js'
import { kernelOptions, plugin, problemsOf, row } from '../support/kernel.js'

const guide = fileURLToPath(new URL('../../docs/guide', import.meta.url))
const SPOOL_TAKES_NOTHING: Spool = { take: () => Promise.reject(new Error('nothing is delivered here')) }
const peer: PeerFacts = { address: '192.0.2.7', localAddress: '192.0.2.1', localPort: 993, service: 'imap' }
const HOUR_MS = 3_600_000

describeMailboxFormat('folder of the guide', { about: folderAbout, create: (services) => new FolderFormat(services) })

describeMailboxDriver('files with the folder of the guide', {
  about: folderAbout,
  keeps: 'files',
  create(services) {
    const { files, mailbox, formats } = services
    const entry = { name: 'folder', plugin: 'acme-folder', about: folderAbout, made: new FolderFormat(services) }
    const choice = { ...formats, create: 'folder', empty: 'folder' }
    return new FilesDriver({ files, formats: [entry], choice, mailbox, listing: { maxDepth: 20, maxEntries: 0, hideDotFiles: true } })
  },
})

describe('the examples of the guide as plugins', () => {
  test('the format is loaded by its name with what it asks for', async () => {
    const spool = plugin('spool', (p) => p.provide(SPOOL, { create: () => SPOOL_TAKES_NOTHING }))
    const kernel = await startKernel(
      kernelOptions(
        { hosts: { default: { drivers: { use: ['folder'], create: 'folder', empty: 'folder' } } } },
        { builtins: [row(folder, ['mail.formats', 'folder'])], always: [os, spool], points: [mailboxFormats], reading: [mailboxFormats] },
      ),
    )
    try {
      expect(kernel.process.get(FILES)).toBeDefined()
      expect(kernel.host('default')?.entries(mailboxFormats).map((e) => [e.name, e.plugin, e.made instanceof FolderFormat])).toEqual([['folder', 'acme-folder', true]])
    } finally {
      await kernel.stop()
    }
  })

  const hours = [
    { name: 'in the morning', hour: 9, user: 'alice', answer: 'allow' },
    { name: 'at the first minute', hour: 7, user: 'alice', answer: 'allow' },
    { name: 'after the last', hour: 19, user: 'alice', answer: 'refuse' },
    { name: 'at night', hour: 3, user: 'alice', answer: 'refuse' },
    { name: 'at night with an exception', hour: 3, user: 'bob', answer: 'allow' },
  ]
  test.each(hours)('the policy decides $name: $answer', async ({ hour, user, answer }) => {
    const clock = plugin('clock', (p) => p.provide(CLOCK, { create: () => ({ now: () => hour * HOUR_MS, steady: () => hour * HOUR_MS, after: () => ({ [Symbol.dispose]: () => undefined }) }) }))
    const kernel = await startKernel(
      kernelOptions(
        { hosts: { default: { auth: { policies: [{ use: 'office-hours', except: ['bob'] }] } } } },
        { builtins: [row(officeHours, ['auth.policies', 'office-hours'])], always: [clock], points: [loginPolicies], reading: [loginPolicies] },
      ),
    )
    try {
      const [entry] = kernel.host('default')?.entries(loginPolicies) ?? []
      const login = { user: { name: user, kind: 'account' as const, facts: {} }, authcid: user, authzid: user, peer }
      expect((await entry?.made.decide?.(login, new AbortController().signal))?.kind).toBe(answer)
    } finally {
      await kernel.stop()
    }
  })

  test('a wrong setting is reported with its place', async () => {
    const start = startKernel(
      kernelOptions(
        { hosts: { default: { auth: { policies: [{ use: 'office-hours', until: 25, form: 8 }] } } } },
        { builtins: [row(officeHours, ['auth.policies', 'office-hours'])], always: [os], points: [loginPolicies], reading: [loginPolicies] },
      ),
    )
    const problems = await problemsOf(start)
    expect(problems).toEqual([
      expect.stringMatching(/^CFG_SETTING hosts\.default\.auth\.policies\[0\]\.until: /),
      'CFG_UNKNOWN_KEY hosts.default.auth.policies[0].form: unknown setting of policy "office-hours"',
    ])
  })
})

describe('the pages of the guide', () => {
  test('TypeScript that they show stands in the examples, word for word', async () => {
    const examples = await readdir(`${guide}/examples`)
    const code = (await Promise.all(examples.map((name) => readFile(`${guide}/examples/${name}`, 'utf8')))).join('\n')
    const wrong: string[] = []
    for (const name of (await readdir(guide)).filter((file) => file.startsWith('write-a-'))) {
      const text = await readFile(`${guide}/${name}`, 'utf8')
      for (const [, block = ''] of text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)) if (!code.includes(block)) wrong.push(`${name}: ${block.split('\n', 1)[0] ?? ''}`)
    }
    expect(wrong).toEqual([])
  })
})
