import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../support/attack.js'
import { has } from '../support/programs.js'
import { RawClient } from '../support/raw-client.js'
import { startServer, type RunningServer } from '../support/running-server.js'
import { nameLockPath } from '../../plugins/formats/shared/locks/name-lock.js'

const HOLDER = fileURLToPath(new URL('../support/lock-holder.mjs', import.meta.url))
const MAILBOX = ['first', 'second', 'third'].map((s) => `From a@example.org Mon Jan  5 09:08:07 2026\nFrom: a@example.org\nSubject: ${s}\n\nText.\n\n`).join('')

describe.skipIf(!has('alpine') || !has('tmux') || process.platform !== 'linux')('alpine and the server want to write to one mailbox', () => {
  let server: RunningServer
  let own: string
  let tmux: string
  beforeAll(async () => {
    server = await startServer()
    own = await mkdtemp(join(tmpdir(), 'mailwright-alpine-'))
    tmux = join(own, 'tmux')
    await mkdir(join(own, 'mail'))
    await writeFile(join(own, '.pinerc'), 'user-domain=example.org\nfeature-list=quell-folder-internal-msg\nlast-version-used=6.26\n')
  })
  const onTerminal = (...args: readonly string[]): string => execFileSync('tmux', ['-S', tmux, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  const screen = (): string => onTerminal('capture-pane', '-p')
  const openInAlpine = (path: string): void => void onTerminal('new-session', '-d', '-x', '120', '-y', '30', `env HOME=${own} TERM=screen alpine -p ${join(own, '.pinerc')} -i -f ${path}`)
  const endTerminal = (): void => {
    try {
      onTerminal('kill-server')
    } catch {
      // The test ended before it had one.
    }
  }
  afterEach(endTerminal)
  afterAll(async () => {
    await server.remove()
    await rm(own, { recursive: true, force: true })
  })
  async function mailbox(name: string): Promise<{ readonly path: string; readonly lock: string }> {
    const path = join(server.home('alice'), name)
    await writeFile(path, MAILBOX, { mode: 0o600 })
    const { dev, ino } = statSync(path)
    return { path, lock: nameLockPath('/tmp', { device: dev, inode: ino }) }
  }
  const ownerOf = (lock: string): string => (existsSync(lock) ? readFileSync(lock, 'latin1') : '')

  test('alpine has it open: it is asked, goes on read-only, and the flags of our session are written', async () => {
    const { path, lock } = await mailbox('theirs')
    openInAlpine(path)
    await eventually('alpine owns the mailbox', () => /^\d+$/.test(ownerOf(lock)))
    const pid = ownerOf(lock)
    await eventually('alpine shows it', () => screen().includes('third'))
    const client = await RawClient.login(server.ports.imap, 'alice')
    const opened = await client.do('SELECT theirs')
    expect(opened.status, opened.text).toBe('OK')
    const stored = await client.do('STORE 2 +FLAGS (\\Flagged)')
    const checked = await client.do('CHECK')
    expect([stored.status, checked.status]).toEqual(['OK', 'OK'])
    expect(server.log()).toContain(`another program was asked to give up a mailbox pid=${pid}`)
    expect(server.log()).toContain(`another program gave up a mailbox pid=${pid}`)
    expect(await readFile(path, 'latin1')).toMatch(/Subject: second\nStatus: \w*\nX-Status: F\n/)
    // ^L makes it look at the mailbox.
    onTerminal('send-keys', 'C-l')
    await eventually('alpine says that it may not write', () => /read-?only/i.test(screen()))
    await client.logout()
  }, 120_000)

  test('the server is at work on it: alpine asks the server, which bears it, tries again and may write', async () => {
    const { path, lock } = await mailbox('ours')
    // Whatever SIGUSR2 does by default to a process, it does not to a server.
    process.kill(server.process.pid ?? 0, 'SIGUSR2')
    // An operation of a server that takes long.
    await writeFile(lock, '', { mode: 0o666 })
    const holder = spawn(process.execPath, [HOLDER, 'flock', lock, encodeURIComponent('pid:mail.example.org\0mailwright flock 1\n')], { stdio: ['pipe', 'pipe', 'inherit'] })
    let heard = ''
    holder.stdout.on('data', (d: Buffer) => (heard += d.toString()))
    await eventually('the lock is held', () => heard.includes('locked'))
    openInAlpine(path)
    await eventually('the server is asked', () => heard.includes('asked'))
    holder.stdin.end()
    await once(holder, 'exit')
    await eventually('alpine owns the mailbox', () => /^\d+$/.test(ownerOf(lock)))
    await eventually('alpine shows it', () => screen().includes('third'))
    expect(screen()).not.toMatch(/read-?only/i)
    const client = await RawClient.login(server.ports.imap, 'alice')
    expect((await client.do('NOOP')).status).toBe('OK')
    await client.logout()
  }, 120_000)
})
