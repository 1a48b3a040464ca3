import { cp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { AppendItem, MailAccess, MailboxName } from '../../../core/api/index.js'
import { octetsOf } from '../../../core/mail/access/copying.js'
import { itemOf } from '../../support/open-box.js'
import { toolsSite } from '../../support/tools-site.js'

const { signal } = new AbortController()

async function* one(item: AppendItem): AsyncGenerator<AppendItem> {
  yield item
}
async function append(mail: MailAccess, name: string, subject: string, lines = 1): Promise<void> {
  await mail.append(await mail.locate(name as MailboxName, 'append', signal), one(itemOf(`Subject: ${subject}\r\n\r\n${'text\r\n'.repeat(lines)}`)), signal)
}
async function withView<T>(mail: MailAccess, name: string, work: (subjects: readonly string[]) => Promise<T>): Promise<T> {
  const view = await mail.open(await mail.locate(name as MailboxName, 'open', signal), 'read-write', signal)
  try {
    const subjects: string[] = []
    for await (const batch of view.read(view.resolve({ pairs: Uint32Array.of(1, 0xffffffff) }, 'seq'), { bytes: 'whole', sections: [], facts: [] }, signal)) {
      for (const { bytes } of batch) {
        const chunks: Uint8Array[] = []
        for await (const chunk of octetsOf(bytes, signal)) chunks.push(Buffer.from(chunk))
        subjects.push(/Subject: (\S+)/.exec(Buffer.concat(chunks).toString('latin1'))?.[1] ?? '')
      }
    }
    return await work(subjects)
  } finally {
    await view.close(signal)
  }
}
/** As a program does that restores a mailbox from a copy of other times: the file, or the folder, stays the same one. */
async function rewrite(from: string, to: string): Promise<void> {
  if ((await stat(from)).isFile()) return writeFile(to, await readFile(from))
  for (const name of await readdir(to)) await rm(join(to, name))
  await cp(from, to, { recursive: true })
}

const FILES = ['unix', 'mmdf', 'mbx', 'mtx', 'tenex']
const inPairs = (from: readonly string[], to: readonly string[]) => from.flatMap((was) => to.filter((is) => is !== was).map((is) => ({ was, is })))
const rewritten = [
  ...inPairs(FILES, FILES).map((pair) => ({ ...pair, before: 1000, after: 1, size: 'smaller' })),
  // Formats remember that a file was theirs as long as it only grows.
  ...inPairs(FILES, FILES).map((pair) => ({ ...pair, before: 1, after: 1000, size: 'larger' })),
  ...inPairs(['mix', 'mx'], ['mix', 'mx']).map((pair) => ({ ...pair, before: 1, after: 1, size: 'other' })),
]

test.each(rewritten)('a mailbox of format $was that another program makes a $size one of format $is is that to whoever opens it next', async ({ was, is, before: lines, after }) => {
  await using site = await toolsSite()
  const { mail } = site
  const home = join(site.folder, 'mail/alice')
  for (const [format, name, length] of [[was, 'box', lines], [is, 'other', after]] as const) {
    await mail.create(`#driver.${format}/${name}` as MailboxName, { specialUse: [] }, signal)
    await append(mail, `#driver.${format}/${name}`, name, length)
  }
  await withView(mail, 'box', async (before) => {
    expect(before).toEqual(['box'])
    await rewrite(join(home, 'other'), join(home, 'box'))
    expect(await withView(mail, 'box', async (subjects) => subjects)).toEqual(['other'])
  })
  await append(mail, 'box', 'third')
  expect(await withView(mail, 'box', async (subjects) => subjects)).toEqual(['other', 'third'])
})

test.each([['unix', 'mmdf'], ['unix', 'mbx'], ['mmdf', 'mbx']] as const)('a mailbox of format %s that another program deleted, and whose inode one of format %s has now, is not in the way of it', async (was, is) => {
  await using site = await toolsSite()
  const { mail } = site
  const path = join(site.folder, 'mail/alice/box')
  await mail.create(`#driver.${was}/box` as MailboxName, { specialUse: [] }, signal)
  await append(mail, 'box', 'first')
  // Most file systems give its inode to the next file.
  await rm(path)
  await mail.create(`#driver.${is}/box` as MailboxName, { specialUse: [] }, signal)
  await append(mail, 'box', 'second')
  expect(await withView(mail, 'box', async (subjects) => subjects)).toEqual(['second'])
})
