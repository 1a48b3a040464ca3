import PostalMime from 'postal-mime'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { decodeText } from '../../core/mime/charset/decode.js'
import { decodeHeaderText } from '../../core/mime/encoded-word.js'
import { readEnvelope } from '../../core/mime/envelope.js'
import { parameterOf } from '../../core/mime/part.js'
import type { MimePart } from '../../core/mime/part.js'
import { scanOctets } from '../../core/mime/scanner.js'
import { decodeTransfer } from '../../core/mime/transfer.js'
import { mailSamples, type MailSample } from '../support/mail-samples.js'
import { RawClient } from '../support/raw-client.js'
import { startServer, type RunningServer } from '../support/running-server.js'

const samples = await mailSamples()

/** Leaves of a message with their section numbers (RFC 3501 §6.4.5). */
function leaves(part: MimePart, number = ''): { number: string; part: MimePart }[] {
  if (part.kind === 'leaf') return [{ number: number === '' ? '1' : number, part }]
  if (part.kind === 'multipart') return part.children.flatMap((child, i) => leaves(child, number === '' ? `${i + 1}` : `${number}.${i + 1}`))
  return part.children.flatMap((child) => leaves(child, child.kind === 'multipart' ? number || '1' : `${number || '1'}.1`))
}
function textOf({ octets }: MailSample, part: MimePart): string {
  const body = octets.subarray(part.bodyAt, part.bodyAt + part.bodySize)
  return decodeText(decodeTransfer(body, part.content.encoding) ?? body, parameterOf(part.content.parameters, 'CHARSET'))
}
/** A mailbox file has its own fields for flags and uids; what a message brings of them gets another name. */
function asStored(octets: Buffer): string {
  const text = octets.toString('latin1')
  // A header that does not end, ends with the message.
  if (!text.includes('\r\n\r\n') && !text.startsWith('\r\n')) return `${text}\r\n`
  const end = text.startsWith('\r\n') ? 0 : text.indexOf('\r\n\r\n') + 2
  return text.slice(0, end).replaceAll(/^((?:X-)?(?:Status|Keywords|UID|IMAP|IMAPbase)):/gim, 'X-Original-$1:') + text.slice(end)
}
/** Without a subtype a text is plain here, as RFC 2045 §5.2 has it for what cannot be understood; the other parser finds nothing then. */
const NO_SUBTYPE = /^Content-Type: *text *[;\r]/im
const isAttached = (part: MimePart): boolean => part.content.disposition?.type === 'ATTACHMENT'
const hasMessageWithin = (part: MimePart): boolean => part.kind === 'message' || part.children.some(hasMessageWithin)
const squeezed = (text: string): string => text.replace(/\s+/g, ' ').trim()
const literalOf = (line: string): string => {
  const from = line.indexOf('}\r\n')
  return line.slice(from + 3, from + 3 + Number(/\{(\d+)$/.exec(line.slice(0, from))?.[1]))
}

describe.skipIf(samples.length === 0)('samples of mail', () => {
  let server: RunningServer
  let client: RawClient
  beforeAll(async () => {
    server = await startServer()
    client = await RawClient.login(server.ports.imap, 'alice')
    for (const { octets, from } of samples) {
      const reply = await client.do(`APPEND INBOX {${octets.length}}`, octets)
      if (reply.status !== 'OK') throw new Error(`${from}: ${reply.text}`)
    }
    await client.do('SELECT INBOX')
  }, 300_000)
  afterAll(async () => {
    client.drop()
    await server.remove()
  })

  test('come back octet for octet', { timeout: 300_000 }, async () => {
    expect((await client.do('STATUS INBOX (MESSAGES)')).untagged).toContain(`* STATUS INBOX (MESSAGES ${samples.length})`)
    for (const [i, { from, octets }] of samples.entries()) {
      const { untagged } = await client.do(`FETCH ${i + 1} BODY.PEEK[]`)
      expect(literalOf(untagged[0] ?? ''), from).toBe(asStored(octets))
    }
  })

  test('every part is where BODYSTRUCTURE says, and has its octets', { timeout: 300_000 }, async () => {
    for (const [i, { from, octets }] of samples.entries()) {
      const structure = (await client.do(`FETCH ${i + 1} (BODYSTRUCTURE ENVELOPE)`)).untagged
      expect(structure, from).toHaveLength(1)
      for (const { number, part } of leaves(scanOctets(octets))) {
        const got = (await client.do(`FETCH ${i + 1} BODY.PEEK[${number}]`)).untagged[0] ?? ''
        const expected = octets.toString('latin1', part.bodyAt, part.bodyAt + part.bodySize)
        const heard = got.includes('}\r\n') ? literalOf(got) : (/BODY\[[^\]]*\] "(.*)"\)$/s.exec(got)?.[1] ?? '').replaceAll(/\\(.)/g, '$1')
        expect(heard, `${from} part ${number}`).toBe(expected)
        if (part.content.type !== 'MULTIPART') expect(structure[0], `${from} part ${number}`).toContain(`"${part.content.type}" "${part.content.subtype}"`)
      }
    }
  })

  test('are found by words of their text and of their subject, as another parser reads them', { timeout: 300_000 }, async () => {
    const missed: string[] = []
    for (const [i, { from, octets }] of samples.entries()) {
      const theirs = await PostalMime.parse(octets)
      // The other parser writes the headers of messages within into the text, where BODY does not look.
      const key = hasMessageWithin(scanOctets(octets)) ? 'TEXT' : 'BODY'
      for (const [where, text] of [[key, theirs.text ?? ''], ['SUBJECT', theirs.subject ?? '']] as const) {
        const word = /[A-Za-z]{5,}/.exec(squeezed(text))?.[0]
        if (word === undefined) continue
        const { untagged } = await client.do(`SEARCH ${i + 1} ${where} ${word}`)
        if (untagged[0] !== `* SEARCH ${i + 1}`) missed.push(`${from}: ${where} ${word}`)
      }
    }
    expect(missed).toEqual([])
  })

  test('subjects are those of another parser', async () => {
    const differences: unknown[] = []
    for (const { from, octets } of samples) {
      const theirs = await PostalMime.parse(octets)
      const mine = readEnvelope(octets)
      const raw = mine.texts.get('subject') ?? ''
      // Octets that are not ASCII, against the rules: the other parser takes them for UTF-8.
      const subject = /^[\0-\x7f]*$/.test(raw) ? decodeHeaderText(raw) : Buffer.from(raw, 'latin1').toString('utf8')
      if (squeezed(subject) !== squeezed(theirs.subject ?? '')) differences.push({ from, subject, theirs: theirs.subject })
    }
    expect(differences).toEqual([])
  })

  test('texts of parts are those of another parser', async () => {
    const differences: unknown[] = []
    for (const sample of samples) {
      const theirs = squeezed((await PostalMime.parse(sample.octets)).text ?? '')
      const root = scanOctets(sample.octets)
      const first = root.children.some(isAttached) ? undefined : leaves(root).find(({ part }) => part.content.type === 'TEXT' && part.content.subtype === 'PLAIN' && !isAttached(part))
      if (first === undefined || NO_SUBTYPE.test(sample.octets.toString('latin1'))) continue
      const mine = squeezed(textOf(sample, first.part))
      if (!theirs.includes(mine)) differences.push({ from: sample.from, mine: mine.slice(0, 200), theirs: theirs.slice(0, 200) })
    }
    expect(differences).toEqual([])
  })
})
