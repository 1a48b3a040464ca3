import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { uids, type FilePlace, type MailUser } from '../../../core/api/index.js'
import { SystemFiles } from '../../../core/os/files.js'
import { Box } from '../../../core/testing/box.js'
import { PhileFormat } from '../../../plugins/formats/phile/index.js'

const user: MailUser = { name: 'alice', kind: 'account', facts: {} }

describe('phile: files that are no mailboxes', () => {
  let folder = ''
  beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'mailwright-phile-'))))
  afterEach(() => rm(folder, { recursive: true, force: true }))
  const format = new PhileFormat({ files: new SystemFiles(undefined), serverName: 'mail.example.org' })
  const at = (name: string, more: Partial<FilePlace> = {}): FilePlace => ({ path: join(folder, name), user, fileMode: 0o600, directoryMode: 0o700, ...more })
  async function message(name: string, content: string | Uint8Array): Promise<string> {
    await writeFile(join(folder, name), content)
    await utimes(join(folder, name), 1_420_445_287, 1_420_445_287)
    const box = new Box(name, await format.open(at(name)))
    await box.refresh()
    const [m] = await box.messages()
    expect([m?.uid, m?.size, m?.bytes.length, box.table.uidValidity]).toEqual([1, m?.size, m?.size, 1_420_445_287])
    await box.close()
    return Buffer.from(m?.bytes ?? []).toString('latin1')
  }
  const fields = (text: string): readonly string[] => text.slice(0, text.indexOf('\r\n\r\n')).split('\r\n')
  const body = (text: string): string => text.slice(text.indexOf('\r\n\r\n') + 4)

  const kinds = [
    { name: 'text', content: 'hello\nworld\n', says: ['Content-Type: TEXT/PLAIN; charset=US-ASCII'], body: 'hello\r\nworld\r\n' },
    { name: 'text with CR stays as it is', content: 'hello\r\nwor\rld\n', says: ['Content-Type: TEXT/PLAIN; charset=US-ASCII'], body: 'hello\r\nwor\rld\n' },
    { name: 'text of eight bits', content: Buffer.from('caf\xe9\n', 'latin1'), says: ['Content-Type: TEXT/PLAIN; charset=X-UNKNOWN', 'Content-Transfer-Encoding: 8BIT'], body: 'caf\xe9\r\n' },
    { name: 'Japanese', content: '\x1b$B%F%9%H\x1b(B\n', says: ['Content-Type: TEXT/PLAIN; charset=ISO-2022-JP'], body: '\x1b$B%F%9%H\x1b(B\r\n' },
    { name: 'Korean', content: '\x1b$)C\n', says: ['Content-Type: TEXT/PLAIN; charset=ISO-2022-KR'], body: '\x1b$)C\r\n' },
    { name: 'Chinese', content: '\x1b$*H\n', says: ['Content-Type: TEXT/PLAIN; charset=ISO-2022-CN'], body: '\x1b$*H\r\n' },
    { name: 'anything else', content: Buffer.from([0, 1, 2]), says: ['Content-Type: APPLICATION/OCTET-STREAM; name=file', 'Content-Transfer-Encoding: BASE64'], body: 'AAEC\r\n' },
  ]
  test.each(kinds)('$name', async ({ content, says, body: wanted }) => {
    const text = await message('file', content)
    expect(fields(text).slice(0, 4)).toEqual([expect.stringMatching(/^Date: Mon, 5 Jan 2015 \d\d:08:07 [+-]\d{4}$/), 'From: alice@mail.example.org', 'Subject: file', 'MIME-Version: 1.0'])
    expect(fields(text).slice(4)).toEqual(says)
    expect(body(text)).toBe(wanted)
  })

  test('large files are the same read in pieces: text, and BASE64 in lines of 60', async () => {
    const lines = Array.from({ length: 20_000 }, (_, n) => `line ${n}`).join('\n')
    expect(body(await message('text', lines))).toBe(lines.replaceAll('\n', '\r\n'))
    const octets = Buffer.from(Uint8Array.from({ length: 200_001 }, (_, n) => (n * 7) % 256))
    const encoded = body(await message('binary', octets))
    expect(Buffer.from(encoded, 'base64')).toEqual(octets)
    expect(new Set(encoded.split('\r\n').slice(0, -2).map((l) => l.length))).toEqual(new Set([60]))
    const box = new Box('binary', await format.open(at('binary')))
    await box.refresh()
    for await (const batch of box.source.read(uids.all, { bytes: 'whole', sections: [], facts: [] }, box.table.generation, new AbortController().signal)) {
      const [m] = batch
      const from = (m?.headerSize ?? 0) + 100_000
      const into = new Uint8Array(777)
      await m?.bytes.read(from, into, new AbortController().signal)
      expect(Buffer.from(into).toString('latin1')).toBe(encoded.slice(100_000, 100_777))
    }
  })

  test('names that are not plain are quoted and encoded; no path is told', async () => {
    expect(fields(await message('a "b".bin', Buffer.from([0])))).toEqual(expect.arrayContaining(['Subject: a "b".bin', 'Content-Type: APPLICATION/OCTET-STREAM; name="a \\"b\\".bin"']))
    expect(fields(await message('Gr\u00fc\u00dfe', 'x\n'))).toContain('Subject: =?UTF-8?B?R3LDvMOfZQ==?=')
  })

  test('takes files with content, no INBOX, no empty ones, no folders; nothing is changed or added', async () => {
    await writeFile(join(folder, 'some'), 'x')
    await writeFile(join(folder, 'empty'), '')
    expect(await Promise.all([format.recognise(at('some')), format.recognise(at('some', { isInbox: true })), format.recognise(at('empty')), format.recognise({ ...at(''), path: folder }), format.recognise(at('none'))])).toEqual([
      'mine', 'not-mine', 'not-mine', 'not-mine', 'not-mine',
    ])
    const source = await format.open(at('some'))
    expect(source.traits.writable).toBe(false)
    await expect(format.append(at('some'))).rejects.toThrow("Can't append - not in valid mailbox format")
    await expect(format.create(at('new'))).rejects.toThrow("Can't create mailbox")
  })

  test('a file that changed is another mailbox', async () => {
    await writeFile(join(folder, 'file'), 'one\n')
    await utimes(join(folder, 'file'), 1_420_445_287, 1_420_445_287)
    const box = new Box('file', await format.open(at('file')))
    await box.refresh()
    await writeFile(join(folder, 'file'), 'other\n')
    await box.refresh()
    expect(box.table.uidValidity).toBeGreaterThan(1_420_445_287)
    expect(body(Buffer.from((await box.messages())[0]?.bytes ?? []).toString())).toBe('other\r\n')
    await rm(join(folder, 'file'))
    await expect(box.refresh()).rejects.toThrow('is gone')
  })
})
