import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { bodyOf } from '../../../core/mime/body.js'
import { writeBody, writeBodystructure } from '../../../core/mime/bodystructure.js'
import { writeEnvelope } from '../../../core/mime/envelope.js'
import { headerEnd } from '../../../core/mime/header.js'
import { latin1 } from '../../../core/mime/octets.js'
import type { MimePart } from '../../../core/mime/part.js'
import { MimeScanner, scanOctets } from '../../../core/mime/scanner.js'
import { valueEnd } from '../../../core/mime/wire-list.js'

/** The messages with which Python tests its own email package, where Python is installed with them. */
function samples(): string | undefined {
  const asked = spawnSync('python3', ['-c', 'import os, test; print(os.path.dirname(test.__file__))'], { encoding: 'utf8' })
  const folder = asked.status === 0 ? join(asked.stdout.trim(), 'test_email', 'data') : ''
  return folder !== '' && existsSync(folder) ? folder : undefined
}
const folder = samples()
const names = folder === undefined ? [] : readdirSync(folder).filter((name) => name.endsWith('.txt')).toSorted()

/** Types of all parts as Python's walk() gives them. */
function walk(part: MimePart): string[] {
  return [`${part.content.type}/${part.content.subtype}`.toLowerCase(), ...part.children.flatMap(walk)]
}
/** Python takes reports and external bodies apart too, and shows a multipart without parts bare; RFC 3501 knows neither. */
const PYTHON = `
import email, sys, json
def walk(p):
    kind = p.get_content_type()
    inner = p.get_payload() if p.is_multipart() else []
    if kind.startswith("multipart/"):
        return [kind] + ([t for q in inner for t in walk(q)] or ["text/plain"])
    return [kind] + ([t for q in inner for t in walk(q)] if kind == "message/rfc822" else [])
print(json.dumps([walk(email.message_from_binary_file(open(f, "rb"))) for f in sys.argv[1:]]))
`
/** Samples that Python reads in a way of its own: delimiters in a row as one, and multiparts that have their parent's boundary. */
const DIFFERENT = new Set(['msg_15.txt', 'msg_37.txt', 'msg_39.txt'])

describe.skipIf(folder === undefined)(`Python's email samples${folder === undefined ? ' (not installed here)' : ''}`, () => {
  test.each(names)('%s', (name) => {
    const message = Buffer.from(readFileSync(join(folder!, name), 'latin1').replace(/\r?\n/g, '\r\n'), 'latin1')
    const root = scanOctets(message, { envelopes: true })
    const structure = writeBodystructure(root)
    // Well-formed: one list, to the last octet; BODY can be made from it.
    expect(valueEnd(structure, 0)).toBe(structure.length)
    expect(latin1(bodyOf(structure))).toBe(latin1(writeBody(root)))
    const envelope = writeEnvelope(message, 0, headerEnd(message))
    expect(valueEnd(envelope, 0)).toBe(envelope.length)
    const scanner = new MimeScanner({ envelopes: true })
    for (let at = 0; at < message.length; at += 7) scanner.push(message.subarray(at, at + 7))
    expect(scanner.end()).toEqual(root)
  })

  test('parts are the ones that Python finds', () => {
    const same = names.filter((name) => !DIFFERENT.has(name))
    const python = spawnSync('python3', ['-c', PYTHON, ...same.map((name) => join(folder!, name))], { encoding: 'utf8' })
    const theirs = JSON.parse(python.stdout) as string[][]
    const mine = same.map((name) => walk(scanOctets(Buffer.from(readFileSync(join(folder!, name), 'latin1').replace(/\r?\n/g, '\r\n'), 'latin1'))))
    expect(same.map((name, i) => [name, mine[i]])).toEqual(same.map((name, i) => [name, theirs[i]]))
  })
})
