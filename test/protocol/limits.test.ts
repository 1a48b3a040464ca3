import { describe, expect, test } from 'vitest'
import { ImapFixture } from '../support/imap.js'

describe('bounds of input: at the bound and one past it', () => {
  test('command line', async () => {
    await using server = await ImapFixture.make()
    const client = await server.session()
    const fits = `a1 SELECT "${'x'.repeat(65_536 - 14)}"`
    expect(fits.length + 2).toBe(65_536)
    await client.send(`${fits}\r\n`)
    expect(await client.line()).toMatch(/^a1 NO /)
    await client.send(`${fits.replace('"x', '"xx').replace('a1', 'a2')}\r\na3 NOOP\r\n`)
    expect([await client.line(), await client.line()]).toEqual(['a2 BAD Command line too long', 'a3 OK NOOP completed'])
  })
  test('literal', async () => {
    await using server = await ImapFixture.make()
    const client = await server.session()
    await client.send('a1 SELECT {10000}\r\n')
    expect(await client.line()).toBe('+ Ready for argument')
    await client.send(`${'x'.repeat(10_000)}\r\n`)
    expect(await client.line()).toMatch(/^a1 NO /)
    await client.play(`
      C: a2 SELECT {10001}
      S: * BAD Absurdly long client literal
      S: a2 BAD Missing or invalid argument to SELECT
      C: a3 NOOP
      S: a3 OK NOOP completed
    `)
    await client.send(`a4 SELECT {10001+}\r\n${'x'.repeat(10_001)}\r\na5 NOOP\r\n`)
    expect([await client.line(), await client.line(), await client.line()]).toEqual([
      '* BAD Absurdly long client literal',
      'a4 BAD Missing or invalid argument to SELECT',
      'a5 OK NOOP completed',
    ])
    expect(server.logged.filter((line) => line.includes('Overlong'))).toHaveLength(2)
  })
  test('literals of one command', async () => {
    await using server = await ImapFixture.make()
    const client = await server.session()
    await client.command('s', 'SELECT INBOX')
    const keys = (n: number): string => Array.from({ length: n }, () => 'SUBJECT {1+}\r\nx').join(' ')
    expect((await client.command('a1', `SEARCH ${keys(20)}`)).at(-1)).toBe('a1 OK SEARCH completed')
    expect(await client.command('a2', `SEARCH ${keys(21)}`)).toEqual(['* BAD Too many literals in command', 'a2 BAD Missing or invalid argument to SEARCH'])
    expect(await client.command('a3', 'NOOP')).toEqual(['a3 OK NOOP completed'])
  })
  test('items of a FETCH', async () => {
    await using server = await ImapFixture.make()
    const client = await server.session()
    await client.command('s', 'SELECT INBOX')
    await client.command('p', 'APPEND INBOX {7+}\r\nA: b\r\n\r')
    const items = (n: number): string => Array.from({ length: n }, () => 'UID').join(' ')
    expect((await client.command('a1', `FETCH 1 (${items(100)})`)).at(-1)).toBe('a1 OK FETCH completed')
    expect(await client.command('a2', `FETCH 1 (${items(101)})`)).toEqual(['a2 BAD Excessively complex FETCH attribute list'])
  })
  test('bad commands, where a site counts them', async () => {
    await using server = await ImapFixture.make({ settings: { maxBadCommands: 2 } })
    const client = server.connect()
    await client.play(`
      S: * OK <any>
      C: a1 X
      S: a1 BAD Command unrecognized: X
      C: a2 X
      S: a2 BAD Command unrecognized: X
      C: a3 X
      S: a3 BAD Command unrecognized: X
      S: * BYE Too many bad commands
      S: <end>
    `)
  })
})
