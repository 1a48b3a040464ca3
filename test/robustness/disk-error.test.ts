import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { RawClient } from '../support/raw-client.js'
import { startServer, type RunningServer } from '../support/running-server.js'
import { SmallDisk, canMount } from '../support/small-disk.js'

const MESSAGES = Array.from({ length: 1000 }, (_, n) => `From bob Fri Jan  2 03:04:05 2026\nSubject: ${n}\n\ntext\n\n`).join('')

describe.skipIf(!canMount())('flags that were acknowledged, while the disk of their mailbox is full', () => {
  let server: RunningServer
  const disks: SmallDisk[] = []
  beforeEach(async () => {
    server = await startServer({
      host: 'mailbox: { poll: 1s, checkpointDelay: 1s }',
      prepare: async (folder) => {
        const home = join(folder, 'mail/alice')
        disks.push(new SmallDisk(home, '2m'))
        await writeFile(join(home, 'box'), MESSAGES)
      },
    })
  })
  afterEach(async () => {
    await server.stop()
    for (const disk of disks.splice(0)) disk[Symbol.dispose]()
    await server.remove()
  })

  test('are tried again until there is room: Retrying after disk error', async () => {
    const [disk] = disks
    if (disk === undefined) throw new Error('there is no disk')
    const retried = (): number => [...server.log().matchAll(/^\S+ \S+ error Retrying after disk error user=alice host=UNKNOWN mbx=box: ENOSPC: .*$/gm)].length
    const client = await RawClient.login(server.ports.imap, 'alice')
    await client.do('SELECT box')
    // Without the room that the last change has left for the next.
    await rm(join(server.home('alice'), '.mailwright/redo'), { recursive: true })
    await disk.fill()
    expect((await client.do(String.raw`STORE 1:* +FLAGS.SILENT (\Answered)`)).status).toBe('OK')
    await expect.poll(retried, { timeout: 20_000 }).toBeGreaterThan(1)
    const stored = await readFile(join(server.home('alice'), 'box'), 'latin1')
    expect(stored).not.toMatch(/^X-Status: .*A/m)
    await disk.room()
    await expect.poll(() => readFile(join(server.home('alice'), 'box'), 'latin1'), { timeout: 20_000 }).toMatch(/^X-Status: A/m)
    const told = retried()
    expect((await client.do('FETCH 1 FLAGS')).untagged).toEqual([expect.stringContaining(String.raw`\Answered`)])
    await client.logout()
    await server.stop()
    expect(retried()).toBe(told)
  })
})
