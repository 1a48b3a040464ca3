import { spawnSync } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { RudeClient, eventually } from '../support/attack.js'
import { RawClient } from '../support/raw-client.js'
import { startServer, type RunningServer } from '../support/running-server.js'

let server: RunningServer
beforeEach(async () => {
  server = await startServer({ host: 'imap: { limits: { maxBadCommands: 20 } }' })
})
afterEach(() => server.remove())

const descriptors = async (): Promise<number> => (await readdir(`/proc/${server.process.pid}/fd`)).length
const message = 'From: bob@example.org\r\nSubject: kept\r\n\r\nHello.\r\n'

describe.skipIf(process.platform !== 'linux')('no more descriptors', () => {
  test('connections beyond the limit of the process end at once or wait; sessions that are open go on, and later ones are served', async () => {
    const early = await RawClient.login(server.ports.imap, 'alice')
    expect((await early.append('INBOX', message)).status).toBe('OK')
    const most = (await descriptors()) + 20
    expect(spawnSync('prlimit', ['--pid', String(server.process.pid), `--nofile=${most}:`]).status).toBe(0)
    const crowd = await Promise.all(Array.from({ length: 100 }, () => RudeClient.open(server.ports.imap)))
    await eventually('the limit is reached', async () => (await descriptors()) >= most - 2)
    expect((await early.do('NOOP')).status).toBe('OK')
    // It needs a file now, and there is none: refused, not ended, and nothing is lost.
    const { status, text } = await early.append('INBOX', message)
    expect(`${status} ${text}`).toMatch(/^(?:OK|NO \[UNAVAILABLE\]) /)
    await Promise.all(crowd.map((client) => client[Symbol.asyncDispose]()))
    await eventually('the descriptors are free again', async () => (await descriptors()) < most - 10)
    expect((await early.append('INBOX', message)).status).toBe('OK')
    const late = await RawClient.login(server.ports.imap, 'alice')
    expect((await late.do('SELECT INBOX')).untagged).toContain(`* ${status === 'OK' ? 3 : 2} EXISTS`)
    await late.logout()
    await early.logout()
    // The system ends the connections that cannot be accepted before anybody could log them; what a session misses is in the log.
    if (status === 'NO') expect(server.log()).toMatch(/warn {2}Command refused user=alice host=\[127\.0\.0\.1\].*EMFILE/)
    expect(server.log()).not.toMatch(/ error /)
  }, 60_000)
  test('descriptors, sessions and lock files do not add up', async () => {
    const rounds = async (n: number): Promise<void> => {
      for (let round = 0; round < n; round++) {
        const client = await RawClient.login(server.ports.imap, 'alice')
        await client.append('INBOX', message)
        await client.do('SELECT INBOX')
        await client.do('FETCH 1:* (FLAGS BODY[])')
        if (round % 2 === 0) await client.logout()
        else client.drop()
      }
    }
    await rounds(5)
    const before = await descriptors()
    await rounds(40)
    await eventually('as many descriptors as before', async () => (await descriptors()) <= before + 2)
    expect((await readdir(server.home('alice'))).filter((name) => name.includes('.lock'))).toEqual([])
  }, 60_000)
})

describe('guessing', () => {
  test('a session that guesses passwords is held up, others are not; each failure is in the log with the address', async () => {
    const guesses = await Promise.all(
      Array.from({ length: 50 }, async (_, n) => {
        await using client = await RudeClient.open(server.ports.imap)
        const answers: string[] = []
        for (let guess = 0; guess < 5; guess++) answers.push((await client.command(`g${guess}`, `LOGIN alice wrong${n}`)).at(-1) ?? 'ended')
        // Once the attempts are used up not even the right password helps.
        answers.push((await client.command('r', 'LOGIN alice secret')).at(-1) ?? 'ended')
        return answers
      }),
    )
    for (const answers of guesses) for (const answer of answers) expect(answer).toMatch(/^\S+ NO \[AUTHENTICATIONFAILED\]|^ended$/)
    const next = await RawClient.login(server.ports.imap, 'alice')
    await next.logout()
    expect(server.log().match(/info {2}Login (?:failed|excessive).*host=\[127\.0\.0\.1\]/g)?.length ?? 0).toBeGreaterThanOrEqual(150)
    expect(server.log()).not.toMatch(/wrong\d/)
  })
  test('a failure that waits for its answer holds up nobody', async () => {
    const slow = await startServer({ host: 'imap: { timeouts: { prelogin: 1m } }', failureDelay: '1m' })
    try {
      const guessers = await Promise.all(Array.from({ length: 100 }, () => RudeClient.open(slow.ports.imap)))
      for (const client of guessers) client.send('g LOGIN alice wrong\r\n')
      const client = await RawClient.login(slow.ports.imap, 'alice')
      expect((await client.do('SELECT INBOX')).status).toBe('OK')
      await client.logout()
      expect(guessers.filter((guesser) => guesser.output.includes('g NO'))).toEqual([])
      await Promise.all(guessers.map((guesser) => guesser[Symbol.asyncDispose]()))
    } finally {
      // A stop would let the waiting ones finish.
      await slow.kill()
      await slow.remove()
    }
  })
  test('bad commands end a session where a site counts them', async () => {
    await using client = await RudeClient.open(server.ports.imap)
    client.send('x\r\n'.repeat(30))
    expect(await client.rest()).toMatch(/\* BYE Too many bad commands\r\n$/)
    await eventually('the line in the log', () => /info {2}Ended \(Too many bad commands\) user=\?\?\? host=\[127\.0\.0\.1\]/.test(server.log()))
  })
})

test('a stopping server says goodbye to everybody, whatever they are at', async () => {
  const inside = await RawClient.login(server.ports.imap, 'alice')
  await inside.do('SELECT INBOX')
  const idle = await RudeClient.login(server.ports.imap, 'bob')
  idle.send('i IDLE\r\n')
  await idle.until('+ ')
  const half = await RudeClient.open(server.ports.imap)
  half.send('a1 LOGIN {5')
  const handshake = await RudeClient.open(server.ports.imaps)
  const stopped = server.stop()
  expect(await inside.line()).toMatch(/^\* BYE /)
  expect(await half.rest()).toMatch(/^\* BYE /m)
  await handshake.rest()
  await idle.rest()
  await stopped
  expect(server.process.exitCode).toBe(0)
  expect(server.log()).not.toMatch(/ error /)
}, 60_000)
