import { createHash } from 'node:crypto'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { PASSWORD, secret } from '../../../core/api/index.js'
import type { PasswordBackend } from '../../../core/api/index.js'
import { apop } from '../../../plugins/auth/mechanisms/apop/apop.js'
import { french } from '../../../plugins/pop3/lang/french.js'
import { german } from '../../../plugins/pop3/lang/german.js'
import { phrases } from '../../../plugins/pop3/lang/phrases.js'
import { spanish } from '../../../plugins/pop3/lang/spanish.js'
import { formats, isTemplate } from '../../../plugins/pop3/uidl/formats.js'
import { entry, gateFor } from '../../support/auth.js'
import { settle } from '../../support/imap-client.js'
import { Pop3Fixture } from '../../support/pop3.js'

const project = new URL('../../..', import.meta.url).pathname

describe('UIDL (RFC 1939 §7)', () => {
  const rows = [
    { form: 'uw', id: '6b039db900000001' },
    { form: 'dovecot', id: '000000016b039db9' },
    { form: 'cyrus', id: '1795399097.1' },
    { form: 'cyrus-2.0', id: '1' },
    { form: 'courier', id: 'UID1-1795399097' },
    { form: 'courier-dash', id: '1795399097-1' },
  ] as const
  test.each(rows)('the form "$form" of a message is $id', ({ form, id }) => {
    expect(formats[form](0x6b039db9, 1)).toBe(id)
  })

  const templates = [
    { template: '{validity}.{uid}', good: true },
    { template: 'x-{uid:hex}', good: true },
    { template: '{validity}', good: false },
    { template: '{uid} x', good: false },
    { template: '{uid}{name}', good: false },
    { template: `${'x'.repeat(70)}{uid}`, good: false },
    { template: '', good: false },
  ]
  test.each(templates)('the template "$template" is taken: $good', ({ template, good }) => {
    expect(isTemplate(template)).toBe(good)
  })

  test('a template of the settings', async () => {
    await using server = await Pop3Fixture.make({ extensions: { uidl: { format: 'm{uid}' } } })
    await server.deliver('one')
    const client = await server.session()
    await client.play(`
      C: UIDL 1
      S: +OK 1 m1
    `)
  })

  test('left out, neither the command nor the capability is there', async () => {
    await using server = await Pop3Fixture.make({ without: ['uidl'] })
    const client = await server.session()
    await client.play(`
      C: UIDL
      S: -ERR Unknown TRANSACTION state command
    `)
    await client.send('CAPA\r\n')
    expect(await client.unread()).not.toContain('UIDL')
  })
})

describe('EXPIRE (RFC 2449 §6.7)', () => {
  test.each([
    { expire: 'never', lines: ['EXPIRE NEVER'] },
    { expire: 30, lines: ['EXPIRE 30'] },
    { expire: 0, lines: ['EXPIRE 0'] },
    { expire: undefined, lines: [] },
  ] as const)('says what the site does with mail that is left: $expire', async ({ expire, lines }) => {
    await using server = await Pop3Fixture.make({ settings: { expire } })
    for (const client of [server.connect(), await server.session()]) {
      await client.send('CAPA\r\n')
      expect((await client.unread()).split('\r\n').filter((line) => line.startsWith('EXPIRE'))).toEqual(lines)
    }
  })
})

describe('response codes (RFC 2449 §8, RFC 3206)', () => {
  test('without the capability there are none', async () => {
    await using server = await Pop3Fixture.make({ without: ['resp-codes'] })
    await server.connect().play(`
      S: +OK POP3 mail.example.org server ready
      C: USER alice
      S: +OK User name accepted, password please
      C: PASS wrong
      S: -ERR Bad login
    `)
  })

  test('a login that comes too soon is told LOGIN-DELAY where the site wants the delay kept', async () => {
    await using server = await Pop3Fixture.make({ settings: { enforceLoginDelay: true } })
    const first = await server.session()
    await first.send('QUIT\r\n')
    await settle()
    const again = `
      S: +OK POP3 mail.example.org server ready
      C: USER alice
      S: +OK User name accepted, password please
      C: PASS secret
    `
    await server.connect().play(`${again}
      S: -ERR [LOGIN-DELAY] Minimum time between logins has not passed
      S: <end>
    `)
    server.clock.advance(180_000)
    await server.connect().play(`${again}
      S: +OK Mailbox open, 0 messages
    `)
  })
})

describe('APOP (RFC 1939 §7)', () => {
  const database: PasswordBackend = {
    lookup: (user, kind) => Promise.resolve(user === 'alice' && kind.id === PASSWORD.id ? ({ user, value: secret(Buffer.from('tanstaaf')) } as never) : undefined),
  }
  function server(): Promise<Pop3Fixture> {
    const about = { name: 'APOP', exposesPassword: false, hidden: true, verifiesBy: [], worksWith: [PASSWORD], offered: () => true }
    const { gate } = gateFor({ backends: [database], about: { verifies: [], holds: [PASSWORD], changes: false }, mechanisms: [entry('apop', apop, about)], settings: { failureDelayMs: 0 } })
    return Pop3Fixture.make({ gate })
  }
  test('the greeting has a timestamp, and the digest of it and the password logs in', async () => {
    await using host = await server()
    const client = host.connect()
    const greeting = await client.line()
    const stamp = /^\+OK POP3 server ready (<[0-9a-f]+\.[0-9a-f]+@mail\.example\.org>)$/.exec(greeting ?? '')?.[1] ?? ''
    expect(stamp.length).toBeLessThan(128)
    await client.play(`
      C: APOP alice
      S: -ERR Missing APOP argument
      C: APOP alice ${'0'.repeat(32)}
      S: -ERR [AUTH] Bad APOP
      C: APOP alice ${createHash('md5').update(`${stamp}tanstaaf`).digest('hex')}
      S: +OK Mailbox open, 0 messages
    `)
    expect(host.logged.at(-1)).toBe('info APOP user=alice host=[127.0.0.1] session=s1 nmsgs=0/0')
  })
})

describe('LANG (RFC 6856 §3)', () => {
  test('lists languages in themselves, changes the language, and keeps it over the login', async () => {
    await using server = await Pop3Fixture.make()
    const client = server.connect()
    await client.play(`
      S: +OK POP3 mail.example.org server ready
      C: LANG
      S: +OK Language listing follows:
      S: de Deutsch
      S: en English
      S: es ${Buffer.from('Español').toString('latin1')}
      S: fr ${Buffer.from('Français').toString('latin1')}
      S: .
      C: LANG tlh
      S: -ERR Unknown language tlh
      C: LANG de-AT
      S: +OK de Sprache gewechselt
      C: LANG tlh
      S: -ERR Unbekannte Sprache tlh
      C: USER alice
      S: +OK Benutzername angenommen, bitte das Passwort
      C: PASS secret
      S: +OK Postfach offen, 0 Nachrichten
      C: STAT
      S: +OK 0 0
      C: RETR 1
      S: -ERR Keine solche Nachricht
      C: LANG *
      S: +OK en Language changed
      C: QUIT
      S: +OK Sayonara
      S: <end>
    `)
  })

  const languages = [
    { tag: 'de', texts: german.texts },
    { tag: 'es', texts: spanish.texts },
    { tag: 'fr', texts: french.texts },
  ]
  test.each(languages)('$tag keeps the values of every phrase', ({ texts }) => {
    for (const phrase of phrases) expect({ phrase, values: texts[phrase].match(/%\d/g) }).toEqual({ phrase, values: phrase.match(/%\d/g) })
  })

  test('everything that is said to people is among the phrases', () => {
    const files = ['core/pop3d', 'core/pop3d/commands', ...['apop', 'lang', 'uidl', 'utf8', 'capabilities'].map((name) => `plugins/pop3/${name}`)].flatMap((folder) =>
      readdirSync(join(project, folder)).filter((name) => name.endsWith('.ts') && !['phrases.ts', 'german.ts', 'french.ts', 'spanish.ts'].includes(name)).map((name) => join(project, folder, name)),
    )
    const said = files.flatMap((file) => {
      const text = readFileSync(file, 'utf8')
      return [...text.matchAll(/(?:text: \[?|bye: |Refused\(\[?|\.ok\(\[?|'err', |ProtocolAbort\(|(?:BAD|IN_USE) = )(?:'((?:[^'\\]|\\.)*)'|"([^"]*)")/g)].map((m) => m[1] ?? m[2] ?? '')
    })
    expect(said.length).toBeGreaterThan(50)
    expect([...new Set(said)].filter((text) => !(phrases as readonly string[]).includes(text)).toSorted()).toEqual(['no mailbox'])
  })
})

describe('UTF8 (RFC 6856 §2)', () => {
  test('the command takes no argument and is there before the login alone', async () => {
    await using server = await Pop3Fixture.make()
    await server.connect().play(`
      S: +OK POP3 mail.example.org server ready
      C: UTF8 USER
      S: -ERR UTF8 takes no argument
      C: UTF8
      S: +OK UTF8 enabled
      C: USER alice
      S: +OK User name accepted, password please
      C: PASS secret
      S: +OK Mailbox open, 0 messages
      C: UTF8
      S: -ERR Unknown TRANSACTION state command
    `)
  })

  const names = [
    { name: 'a composed name', user: 'jörg', password: 'grün', answer: '+OK Mailbox open, 0 messages' },
    { name: 'the same, decomposed', user: 'jörg'.normalize('NFD'), password: 'grün'.normalize('NFD'), answer: '+OK Mailbox open, 0 messages' },
    { name: 'a password in another encoding', user: 'jörg', password: Buffer.from('grün', 'latin1'), answer: '-ERR [AUTH] Bad login' },
    { name: 'a name in another encoding', user: Buffer.from('jörg', 'latin1'), password: 'grün', answer: '-ERR [AUTH] Bad login' },
  ]
  test.each(names)('$name is answered $answer', async ({ user, password, answer }) => {
    const { gate } = gateFor({ backends: [{ verify: (claim) => Promise.resolve(claim.kind === 'password' && claim.user === 'jörg' && Buffer.from(claim.password.reveal()).toString() === 'grün' ? { kind: 'accepted', user: 'jörg', alerts: [] } : { kind: 'wrong-password' }) }], settings: { plaintext: 'always', failureDelayMs: 0 } })
    await using server = await Pop3Fixture.make({ gate })
    const latin = (text: string | Buffer): string => Buffer.from(text as string).toString('latin1')
    await server.connect().play(`
      S: +OK POP3 mail.example.org server ready
      C: USER ${latin(user)}
      S: +OK User name accepted, password please
      C: PASS ${latin(password)}
      S: ${answer}
    `)
  })
})
