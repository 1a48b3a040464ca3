import { expect, test } from 'vitest'
import { named, never, note, once } from '../../support/mail.js'
import { Pop3Fixture } from '../../support/pop3.js'
import { LONG } from '../../support/random.js'

/** The long run has them all. */
const MESSAGES = LONG ? 100_000 : 10_000

test('a maildrop of 100 000 messages (10 000 in the short run): STAT, LIST and UIDL read no message', async () => {
  await using server = await Pop3Fixture.make()
  await using mail = await server.access()
  const at = await mail.locate(named('INBOX'), 'append', never)
  const messages = Array.from({ length: MESSAGES }, () => note('one'))
  await mail.append(at, once(...messages), never)
  const client = await server.session()
  const source = await server.openSource()
  let reads = 0
  const read = source.read.bind(source)
  source.read = (...args: Parameters<typeof read>) => {
    reads++
    return read(...args)
  }
  const listing = async (command: string): Promise<readonly string[]> => {
    await client.send(`${command}\r\n`)
    const lines: string[] = []
    for (let line = await client.line(); line !== undefined && line !== '.'; line = await client.line()) lines.push(line)
    return lines
  }
  await client.send('STAT\r\n')
  const [, count, octets] = (await client.line())?.split(' ') ?? []
  const sizes = (await listing('LIST')).slice(1)
  const ids = (await listing('UIDL')).slice(1)
  expect([Number(count), sizes.length, ids.length]).toEqual([MESSAGES, MESSAGES, MESSAGES])
  expect(sizes.reduce((sum, line) => sum + Number(line.split(' ')[1]), 0)).toBe(Number(octets))
  expect(ids[0]).toMatch(/^1 [0-9a-f]{8}00000001$/)
  expect(ids.at(-1)).toMatch(new RegExp(`^${MESSAGES} [0-9a-f]{8}${MESSAGES.toString(16).padStart(8, '0')}$`))
  expect(new Set(ids.map((line) => line.split(' ')[1])).size).toBe(MESSAGES)
  expect(reads).toBe(0)
  await client.send(`RETR ${MESSAGES}\r\n`)
  expect(await client.line()).toMatch(/^\+OK \d+ octets$/)
  expect(reads).toBeGreaterThan(0)
}, 120_000)
