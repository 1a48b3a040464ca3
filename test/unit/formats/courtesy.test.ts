import { describe, expect, test } from 'vitest'
import { Courtesy } from '../../../plugins/formats/shared/locks/courtesy.js'
import { never, TestClock, testMachine } from '../../support/unix.js'

/** A server that uses one mailbox; `watches` are the folders that it has under watch, and whom it tells of their files. */
function serverAt(watch: boolean): { clock: TestClock; watches: Map<string, (name?: string) => void>; use(heldMs: number, gapMs: number): Promise<number> } {
  const clock = new TestClock()
  const watches = new Map<string, (name?: string) => void>()
  const files = {
    watch(path: string, changed: (name?: string) => void): Disposable {
      watches.set(path, changed)
      return { [Symbol.dispose]: () => void watches.delete(path) }
    },
  }
  const courtesy = new Courtesy(clock, files, testMachine, watch)
  return {
    clock,
    watches,
    /** One use of the lock some time after the last; how long the server waited before it. */
    async use(heldMs, gapMs) {
      clock.ms += gapMs
      const before = clock.ms
      await courtesy.rest('/var/mail/alice', never)
      const waited = clock.ms - before
      clock.ms += heldMs
      courtesy.freed('/var/mail/alice', heldMs)
      return waited
    },
  }
}
type Server = ReturnType<typeof serverAt>
async function useOften(server: Server, times = 20): Promise<number[]> {
  const waits: number[] = []
  for (let n = 0; n < times; n++) waits.push(await server.use(20, 1))
  return waits
}

describe('room for other programs at a mailbox that is used without a pause', () => {
  test('nobody waits: the server goes on, and watches the folder', async () => {
    const server = serverAt(true)
    expect(new Set(await useOften(server))).toEqual(new Set([0]))
    expect([...server.watches.keys()]).toEqual(['/var/mail'])
  })

  test('somebody tried: the lock is left free nine times as long as it was held, until the next try must have come', async () => {
    const server = serverAt(true)
    await useOften(server)
    server.watches.get('/var/mail')?.('_uJH%Ie2BrB.mail')
    expect([await server.use(20, 1), await server.use(500, 1), await server.use(20, 1)]).toEqual([179, 179, 1999])
    server.clock.ms += 10_000
    await server.use(20, 1)
    expect(new Set(await useOften(server))).toEqual(new Set([0]))
  })

  const ours = ['alice', 'alice.lock', 'bob.lock', '.alice.mailwright-redo', 'alice.lock.1795650277.4711.mail.example.org', 'letter.txt']
  test.each(ours)('%s is nobody who waits', async (name) => {
    const server = serverAt(true)
    await useOften(server)
    server.watches.get('/var/mail')?.(name)
    expect(await server.use(20, 1)).toBe(0)
  })
  test.each(['_uJH%Ie2BrB.mail', '30955.0.mail.example.org', 'alice.lock.1795650277.4712.mail.example.org', '.lk4712mail.example.org'])('%s is a program that waits', async (name) => {
    const server = serverAt(true)
    await useOften(server)
    server.watches.get('/var/mail')?.(name)
    expect(await server.use(20, 1)).toBe(179)
  })

  test('now and then is not without a pause: nothing is watched, and the watch ends with the rush', async () => {
    const server = serverAt(true)
    for (let n = 0; n < 30; n++) await server.use(20, 2000)
    expect(server.watches.size).toBe(0)
    await useOften(server)
    expect(server.watches.size).toBe(1)
    await server.use(20, 5000)
    expect(server.watches.size).toBe(0)
  })

  test('a mailbox that is not used any more is not watched for ever', async () => {
    const server = serverAt(true)
    await useOften(server)
    server.clock.ms += 61_000
    server.watches.get('/var/mail')?.('_uJH%Ie2BrB.mail')
    expect(server.watches.size).toBe(0)
  })

  test('where nobody can be seen the lock is left free as long as it was held', async () => {
    const server = serverAt(false)
    const waits = await useOften(server)
    expect([waits[0], waits.at(-1), server.watches.size]).toEqual([0, 19, 0])
  })
})
