import { readFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { sealCommand } from '../../../core/api/index.js'
import type { DriverAbout, ImapExtension, ImapExtensionAbout, MailProblem, Requirement, SealedCommand } from '../../../core/api/index.js'
import { baseEntry, baseExtension } from '../../../core/imapd/base.js'
import { BASE_EXTENSION, ExtensionAssembly } from '../../../core/imapd/extensions/assembly.js'
import type { HostAbilities } from '../../../core/imapd/extensions/requirements.js'
import type { ExtensionEntry } from '../../../core/imapd/extensions/tables.js'
import { failureTable } from '../../../core/imapd/failure.js'
import { greetingDate } from '../../../core/imapd/texts.js'
import { SERVER_VERSION } from '../../../core/session/version.js'
import { FETCH_MACROS } from '../../../core/wire/imap/fetch-items.js'
import { memoryAbout } from '../../support/mail.js'

function command(name: string, uidForm: 'no' | 'also' | 'only' = 'no', replaces?: string): SealedCommand {
  return sealCommand({ name, states: ['authenticated'], uidForm, mayReportExpunge: false, ...(replaces === undefined ? {} : { replaces }), parse: () => undefined, run: async () => ({ kind: 'ok' }) })
}
function extension(name: string, made: ImapExtension, requires: readonly Requirement[] = []): ExtensionEntry {
  const about: ImapExtensionAbout = { requires, capabilities: () => [name.toUpperCase()] }
  return { name, plugin: 'test', about, made }
}
const host: HostAbilities = { drivers: [memoryAbout], sidecars: false, layers: ['deflate'] }
const nobody = { with: new Set<string>(), without: new Set<string>() }
const on = (entries: readonly ExtensionEntry[], abilities = host): readonly string[] => [...new ExtensionAssembly(baseEntry, entries, [], abilities).tables(nobody).extensions]

describe('extension assembly', () => {
  test('the base commands are there, listed or not', () => {
    expect(on([])).toEqual([BASE_EXTENSION])
    expect(on([extension('x', {}), baseEntry])).toEqual([BASE_EXTENSION, 'x'])
  })
  test('requirements: what is missing takes along whatever needs it', () => {
    const wants = (r: Requirement): readonly string[] => on([extension('x', {}, [r]), extension('y', {}, [{ extension: 'x' }])]).slice(1)
    const fixed: DriverAbout = { ...memoryAbout, modseqs: false }
    expect(wants({ driver: { modseqs: true }, or: 'off' })).toEqual(['x', 'y'])
    expect(wants({ driver: { keywords: 'none' }, or: 'off' })).toEqual([])
    expect(wants({ driver: { keywords: 'none' }, or: 'emulated' })).toEqual(['x', 'y'])
    expect(wants({ sidecars: true })).toEqual([])
    expect(wants({ layer: 'deflate' })).toEqual(['x', 'y'])
    expect(wants({ layer: 'gss-wrap' })).toEqual([])
    const assembly = new ExtensionAssembly(baseEntry, [extension('x', {}, [{ driver: { modseqs: true }, or: 'off' }]), extension('y', {}, [{ extension: 'x' }])], [], { ...host, drivers: [fixed] })
    expect([...assembly.off]).toEqual([
      ['x', 'no driver of this host has modseqs'],
      ['y', 'it needs the extension "x"'],
    ])
  })
  test('workarounds switch extensions per session; equal sets share one table', () => {
    const entries = [extension('x', {}), extension('rare', {}), extension('y', {}, [{ extension: 'x' }])]
    const assembly = new ExtensionAssembly(baseEntry, entries, [{ reason: '', applies: () => true, with: ['rare'] }], host)
    expect([...assembly.tables(nobody).extensions]).toEqual([BASE_EXTENSION, 'x', 'y'])
    expect([...assembly.tables({ ...nobody, with: new Set(['rare']) }).extensions]).toEqual([BASE_EXTENSION, 'x', 'rare', 'y'])
    expect([...assembly.tables({ ...nobody, without: new Set(['x', 'base']) }).extensions]).toEqual([BASE_EXTENSION])
    expect(assembly.tables(nobody)).toBe(assembly.tables({ ...nobody, without: new Set(['rare']) }))
  })
  test('a replacement counts wherever it is listed, in the forms it has', () => {
    const plain = command('FETCH', 'also')
    const uidOnly = command('XFETCH', 'only', 'FETCH')
    const { commands } = new ExtensionAssembly(baseEntry, [extension('r', { commands: [uidOnly] }), extension('p', { commands: [plain] })], [], host).tables(nobody)
    expect(commands.get('FETCH')).toBe(plain)
    expect(commands.has('UID FETCH')).toBe(false)
    expect(commands.get('UID XFETCH')).toBe(uidOnly)
  })
  test('every command of RFC 3501 is a base command, and every item of the macros a base item', () => {
    const names = (baseExtension.commands ?? []).map((c) => c.name).sort()
    expect(names).toEqual(
      'APPEND AUTHENTICATE CAPABILITY CHECK CLOSE COPY CREATE DELETE EXAMINE EXPUNGE FETCH LIST LOGIN LOGOUT LSUB NOOP RENAME SEARCH SELECT STARTTLS STATUS STORE SUBSCRIBE UID UNSUBSCRIBE'.split(' '),
    )
    const items = new Set((baseExtension.fetchItems ?? []).map((i) => i.name))
    expect(Object.values(FETCH_MACROS).flat().filter((name) => !items.has(name))).toEqual([])
  })
})

describe('texts', () => {
  test('the table of failures has harmless words for every kind', () => {
    const kinds = Object.keys(failureTable) as MailProblem[]
    for (const kind of kinds) expect(failureTable[kind].text).toMatch(/^[a-z][a-z ,-]+$/)
    expect(kinds).toHaveLength(12)
  })
  test('the greeting is dated as mail is', () => {
    expect(greetingDate(Date.UTC(2026, 0, 5, 9, 8, 7))).toBe('Mon, 5 Jan 2026 09:08:07 +0000 (UTC)')
  })
  test('the version is that of the package', async () => {
    const text = await readFile(new URL('../../../package.json', import.meta.url), 'utf8')
    expect((JSON.parse(text) as { readonly version: string }).version).toBe(SERVER_VERSION)
  })
})
