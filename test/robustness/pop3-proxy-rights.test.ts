import { readFile, readdir, readlink } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { RawPop3 } from '../support/raw-pop3.js'
import { startServer, type RunningServer } from '../support/running-server.js'
import { SAMPLE_MAILBOX } from '../support/sample-mailbox.js'

interface Rights {
  readonly uids: readonly string[]
  readonly groups: string
  readonly capabilities: readonly string[]
}
/** Rights of the processes that have a connection to this port of the loopback, among a process and its children. */
async function rightsOfClients(parent: number, port: number): Promise<readonly Rights[]> {
  const hex = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const rows = (await readFile('/proc/net/tcp', 'latin1')).split('\n').map((line) => line.trim().split(/\s+/))
  // Remote address, state (established), inode.
  const inodes = new Set(rows.filter((row) => row[2] === hex && row[3] === '01').map((row) => `socket:[${row[9]}]`))
  const found: Rights[] = []
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const status = await readFile(`/proc/${pid}/status`, 'latin1').catch(() => '')
    const field = (name: string): string => new RegExp(`^${name}:[ \\t]*(.*)$`, 'm').exec(status)?.[1] ?? ''
    if (pid !== String(parent) && field('PPid') !== String(parent)) continue
    const links = await Promise.all((await readdir(`/proc/${pid}/fd`).catch(() => [])).map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')))
    if (links.some((link) => inodes.has(link))) found.push({ uids: [...new Set(field('Uid').split(/\s+/))], groups: field('Groups').trim(), capabilities: ['CapInh', 'CapPrm', 'CapEff', 'CapAmb'].map(field) })
  }
  return found
}

describe.skipIf(process.getuid?.() !== 0)('the IMAP proxy of POP3 with one process per user (needs root)', () => {
  let far: RunningServer
  let near: RunningServer
  beforeAll(async () => {
    far = await startServer({ files: { 'mail/alice/INBOX': SAMPLE_MAILBOX } })
    near = await startServer({
      top: 'processes: { model: per-user }',
      users: '[ system ]',
      host: `pop3:
  extensions:
    - uidl
    - resp-codes
    - { use: imap-proxy, trust: ${far.certificate}, allowedHosts: [ { host: localhost, port: ${far.ports.imap} } ] }`,
    })
  })
  afterAll(async () => {
    await near?.remove()
    await far?.remove()
  })

  test('who speaks with the other server has no rights: neither those of root nor those of an account', async () => {
    const client = await RawPop3.open(near.ports.pop3)
    expect(await client.enter('localhost:alice')).toBe('+OK Mailbox open, 3 messages')
    expect(await client.subjects()).toEqual(['Minutes of Monday', 'Plans with a picture', 'Short'])
    const rights = await rightsOfClients(near.process.pid ?? 0, far.ports.imap)
    expect(rights).toEqual([{ uids: [expect.stringMatching(/^[1-9]\d*$/)], groups: '', capabilities: Array.from({ length: 4 }, () => '0000000000000000') }])
    await client.do('DELE 2')
    expect(await client.quit()).toBe('+OK Sayonara')
    const again = await RawPop3.login(far.ports.pop3, 'alice')
    expect(await again.subjects()).toEqual(['Minutes of Monday', 'Short'])
    await again.quit()
  })
  test('a host that is not on the list is a name of this server that nobody has', async () => {
    for (const user of ['127.0.0.1:alice', 'example.org:alice', ':alice', 'localhost:']) {
      const client = await RawPop3.open(near.ports.pop3)
      expect([user, await client.enter(user)]).toEqual([user, '-ERR Bad login'])
      client.drop()
    }
    expect(await rightsOfClients(near.process.pid ?? 0, far.ports.imap)).toEqual([])
  })
})
