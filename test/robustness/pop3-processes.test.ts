import { spawn } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { RawPop3 } from '../support/raw-pop3.js'
import { CLI, startServer, type RunningServer } from '../support/running-server.js'
import { messagesIn, SAMPLE_MAILBOX } from '../support/sample-mailbox.js'

describe('POP3 sessions of one maildrop in several processes', () => {
  let one: RunningServer
  let two: RunningServer
  beforeAll(async () => {
    const host = 'pop3: { timeouts: { giveWay: 1s } }'
    one = await startServer({ host })
    two = await startServer({ host, users: `[ { use: virtual, home: ${JSON.stringify(join(one.folder, 'mail', '{user}'))} } ]` })
  })
  afterAll(async () => {
    await two?.remove()
    await one?.remove()
  })
  beforeEach(() => writeFile(one.inbox('alice'), SAMPLE_MAILBOX, { mode: 0o600 }))
  const left = async (): Promise<number> => messagesIn(await readFile(one.inbox('alice'), 'latin1')).length

  test('whoever talks keeps it; whoever is silent is told, ends, and deletes nothing', async () => {
    const first = await RawPop3.login(one.ports.pop3, 'alice')
    await first.do('DELE 1')
    const refused = await RawPop3.open(two.ports.pop3)
    expect(await refused.enter('alice')).toBe("-ERR [IN-USE] Can't get lock.  Mailbox in use")
    expect(await first.do('DELE 2')).toBe('+OK Message deleted')
    await pause(1200)
    const second = await RawPop3.open(two.ports.pop3)
    expect(await second.enter('alice')).toBe('+OK Mailbox open, 3 messages')
    expect(await first.line()).toBe('-ERR Received Kiss of Death')
    expect(await first.line()).toBeUndefined()
    await expect.poll(() => one.log()).toContain('Killed (lost mailbox lock) user=alice')
    await second.do('DELE 3')
    expect(await second.quit()).toBe('+OK Sayonara')
    expect(await left()).toBe(2)
  })

  test('a process for each session, as inetd has it: the same', async () => {
    const inetd = (): { readonly say: (line: string) => void; readonly heard: () => string; readonly ended: Promise<unknown> } => {
      const child = spawn(process.execPath, [CLI, 'pop3d', '--config', two.config], { stdio: ['pipe', 'pipe', 'inherit'] })
      let heard = ''
      child.stdout.on('data', (chunk: Buffer) => (heard += chunk.toString()))
      return { say: (line) => void child.stdin.write(`${line}\r\n`), heard: () => heard, ended: new Promise((resolve) => child.once('exit', resolve)) }
    }
    const first = inetd()
    first.say('USER alice\r\nPASS secret\r\nDELE 1')
    await expect.poll(first.heard, { timeout: 20_000 }).toContain('+OK Message deleted')
    const second = inetd()
    await expect.poll(second.heard, { timeout: 20_000 }).toContain('ready')
    await pause(1200)
    second.say('USER alice\r\nPASS secret\r\nQUIT')
    // Though nobody closes their standard input.
    await second.ended
    expect(second.heard()).toMatch(/\+OK Mailbox open, 3 messages\r\n\+OK Sayonara\r\n$/)
    await first.ended
    expect(first.heard()).toMatch(/-ERR Received Kiss of Death\r\n$/)
    expect(await left()).toBe(3)
  })
})

test('LOGIN-DELAY is kept by every process, and across restarts and kill -9; logins that were refused do not count', async () => {
  const host = 'pop3: { enforceLoginDelay: true, loginDelay: 1h }'
  const one = await startServer({ host })
  const two = await startServer({ host, users: `[ { use: virtual, home: ${JSON.stringify(join(one.folder, 'mail', '{user}'))} } ]` })
  try {
    const TOO_SOON = '-ERR [LOGIN-DELAY] Minimum time between logins has not passed'
    const enter = async (server: RunningServer, user: string, password?: string): Promise<string> => {
      const client = await RawPop3.open(server.ports.pop3)
      const answer = await client.enter(user, password)
      if (answer.startsWith('+OK')) await client.quit()
      else client.drop()
      return answer
    }
    expect(await enter(one, 'alice', 'wrong')).toMatch(/^-ERR \[AUTH\]/)
    expect(await enter(two, 'alice')).toBe('+OK Mailbox open, 0 messages')
    expect(await enter(one, 'alice')).toBe(TOO_SOON)
    await two.kill()
    await two.again()
    await one.stop()
    await one.again()
    expect([await enter(one, 'alice'), await enter(two, 'alice')]).toEqual([TOO_SOON, TOO_SOON])
    expect(await enter(one, 'bob')).toBe('+OK Mailbox open, 0 messages')
  } finally {
    await two.remove()
    await one.remove()
  }
})
