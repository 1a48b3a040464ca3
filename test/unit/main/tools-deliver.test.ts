import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { MailError, type MailProblem } from '../../../core/api/index.js'
import { fileMessage } from '../../../core/main/delivery/deliver.js'
import { deliveryExitCode } from '../../../core/main/delivery/exit-code.js'
import { arriving, EmptyMessage } from '../../../core/main/delivery/message.js'
import { folderFault, recipientOf } from '../../../core/main/delivery/recipient.js'
import { traceLines } from '../../../core/main/delivery/trace.js'
import { CommandFailure, EXIT } from '../../../core/main/exit-codes.js'
import { subjectsIn } from '../../support/sample-mailbox.js'
import { toolsSite } from '../../support/tools-site.js'

async function* inPieces(text: string, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < text.length; at += size) yield Buffer.from(text.slice(at, at + size), 'latin1')
}
async function arrived(text: string, size: number): Promise<string> {
  const out: Uint8Array[] = []
  for await (const chunk of arriving(inPieces(text, size), 'T: t\r\n')) out.push(Buffer.from(chunk))
  return Buffer.concat(out).toString('latin1')
}

describe('the message on standard input', () => {
  const forms = [
    { name: 'lines that end in LF', given: 'A: b\n\ntext\n', stored: 'T: t\r\nA: b\r\n\r\ntext\r\n' },
    { name: 'lines that end in CRLF', given: 'A: b\r\n\r\ntext\r\n', stored: 'T: t\r\nA: b\r\n\r\ntext\r\n' },
    { name: 'both', given: 'A: b\r\n\ntext\n\r\n', stored: 'T: t\r\nA: b\r\n\r\ntext\r\n\r\n' },
    { name: 'a From line in front', given: 'From x Mon Jan  5 09:08:07 2026\nA: b\n\n', stored: 'T: t\r\nA: b\r\n\r\n' },
    { name: 'a From line with CRLF', given: 'From x\r\nA: b\r\n\r\n', stored: 'T: t\r\nA: b\r\n\r\n' },
    { name: 'a From header field', given: 'From: x\n\nFrom y\n', stored: 'T: t\r\nFrom: x\r\n\r\nFrom y\r\n' },
    { name: 'no line end at the end', given: 'A: b\n\ntext', stored: 'T: t\r\nA: b\r\n\r\ntext' },
    { name: 'less than a From line', given: 'Fro', stored: 'T: t\r\nFro' },
    { name: 'CR alone is kept', given: 'A: b\n\na\rb\n', stored: 'T: t\r\nA: b\r\n\r\na\rb\r\n' },
  ]
  test.each(forms)('$name', async ({ given, stored }) => {
    for (const size of [1, 2, 3, 7, 1000]) expect(await arrived(given, size), `in pieces of ${size}`).toBe(stored)
  })
  test.each(['', 'From x Mon Jan  5 09:08:07 2026\n', 'From no end'])('there is none in %j', async (text) => {
    for (const size of [1, 1000]) await expect(arrived(text, size)).rejects.toThrow(EmptyMessage)
  })
})

describe('the recipient', () => {
  const said = [
    { words: ['alice'], account: 'alice', folder: undefined },
    { words: ['alice+lists'], account: 'alice', folder: 'lists' },
    { words: ['alice+lists@example.org'], account: 'alice@example.org', folder: 'lists' },
    { words: ['alice@example.org', '+lists/a b'], account: 'alice@example.org', folder: 'lists/a b' },
    { words: ['alice', '+'], account: 'alice', folder: undefined },
    { words: ['alice+inbox'], account: 'alice', folder: undefined },
    { words: ['+lists'], account: undefined, folder: 'lists' },
    { words: [], account: undefined, folder: undefined },
    { words: ['alice+a+b'], account: 'alice', folder: 'a+b' },
  ]
  test.each(said)('$words', ({ words, account, folder }) => {
    expect(recipientOf(words)).toEqual({ account, folder })
  })
  test.each([[['alice', 'bob']], [['+a', '+b']]])('%j are too many', (words) => {
    expect(() => recipientOf(words)).toThrow(CommandFailure)
  })
  test.each(['%', '*a', '/etc/passwd', '~bob/x', 'a/../b', '..', 'a//b', 'a/~b', '#mh/x', 'x'.repeat(257)])('the folder %j is not taken', (folder) => {
    expect(folderFault(folder, false)).toEqual(expect.any(String))
  })
  test('filters of the account may name namespaces, and nothing else more', () => {
    expect(folderFault('#mh/x', true)).toBeUndefined()
    expect(folderFault('#mh/../x', true)).toEqual(expect.any(String))
    expect(folderFault('lists/a b', false)).toBeUndefined()
  })
})

describe('what the transport is told', () => {
  const told: readonly (readonly [MailProblem, number])[] = [
    ['in-use', EXIT.temporary],
    ['unavailable', EXIT.temporary],
    ['corrupt', EXIT.temporary],
    ['cancelled', EXIT.temporary],
    ['denied', EXIT.temporary],
    ['read-only', EXIT.temporary],
    ['not-found', EXIT.temporary],
    ['exists', EXIT.temporary],
    ['over-quota', EXIT.cannotCreate],
    ['limit', EXIT.cannotCreate],
  ]
  test.each(told)('%s is %i', (kind, code) => {
    expect(deliveryExitCode(new MailError(kind, 'x'))).toBe(code)
  })
  test('mistakes of the site keep the message in the queue; an unknown account does not', () => {
    for (const code of [EXIT.usage, EXIT.configuration, EXIT.bug]) expect(deliveryExitCode(new CommandFailure(code, 'x'))).toBe(EXIT.temporary)
    expect(deliveryExitCode(new Error('x'))).toBe(EXIT.temporary)
    expect(deliveryExitCode(new CommandFailure(EXIT.noUser, 'x'))).toBe(EXIT.noUser)
    expect(deliveryExitCode(new EmptyMessage('x'))).toBe(EXIT.badData)
  })
})

describe('trace lines', () => {
  const trace = { serverName: 'mail.example.org', recipient: 'alice', ms: Date.UTC(2026, 0, 5, 9, 8, 7) }
  test('name the server, the recipient and the time, and the sender when it is told (RFC 5321 §4.4)', () => {
    const received = 'Received: by mail.example.org (Mailwright)\r\n\tfor alice; Mon, 5 Jan 2026 09:08:07 +0000\r\n'
    expect(traceLines({ ...trace, sender: undefined })).toBe(received)
    expect(traceLines({ ...trace, sender: '' })).toBe(`Return-Path: <>\r\n${received}`)
    expect(traceLines({ ...trace, sender: '<bob@example.net>' })).toBe(`Return-Path: <bob@example.net>\r\n${received}`)
  })
  test('an address cannot bring lines of its own', () => {
    expect(() => traceLines({ ...trace, sender: 'a\nBcc: b' })).toThrow(CommandFailure)
  })
})

describe('the folder', () => {
  test('that can take no more messages is no reason to lose one', async () => {
    await using site = await toolsSite()
    const home = join(site.folder, 'mail/alice')
    await mkdir(join(home, 'mh/full'))
    await writeFile(join(home, 'mh/full/4294967295'), 'Subject: last\n\nText.\n')
    const octets = Buffer.from('Subject: one too many\r\n\r\nText.\r\n')
    const message = { size: octets.length, chunks: () => inPieces(octets.toString(), 1000), [Symbol.asyncDispose]: () => Promise.resolve() }
    const said: unknown[] = []
    const logger = { debug: () => undefined, info: () => undefined, warn: (_event: string, facts?: unknown) => void said.push(facts), error: () => undefined }
    const filing = { message, folder: '#mh/full', create: false, system: 0, keywords: [], ms: 0 }
    expect(await fileMessage(site.mail, filing, logger, new AbortController().signal)).toMatchObject({ mailbox: 'INBOX' })
    expect(said).toEqual([expect.objectContaining({ reason: 'the mailbox has no more message numbers' })])
    expect(subjectsIn(await readFile(join(home, 'INBOX'), 'latin1'))).toEqual(['one too many'])
  })
})
