import { expect, test } from 'vitest'
import { ByteLink } from '../../../core/net/byte-link.js'
import type { Transport, TransportEvents } from '../../../core/net/transport.js'

/** A link over a transport that the test plays. */
function playedLink(): { readonly link: ByteLink; readonly recycled: string[]; arrives(text: string): void; goes(): void } {
  const recycled: string[] = []
  let hear: TransportEvents | undefined
  const transport: Transport = {
    start: (events) => (hear = events),
    send: () => undefined,
    pending: () => 0,
    pause: () => undefined,
    resume: () => undefined,
    recycle: (chunk) => recycled.push(Buffer.from(chunk).toString()),
    finish: () => Promise.resolve(),
    destroy: () => undefined,
  }
  const link = new ByteLink(transport, { session: 's1', address: '192.0.2.1', localAddress: '192.0.2.2', localPort: 143, service: 'imap' })
  return { link, recycled, arrives: (text) => void hear?.data(Buffer.from(text)), goes: () => hear?.lost(undefined) }
}

test('each chunk goes back to the transport once: with the next read, or when the link closes', async () => {
  const { link, recycled, arrives } = playedLink()
  arrives('one')
  await link.read()
  arrives('two')
  expect(recycled).toEqual([])
  await link.read()
  expect(recycled).toEqual(['one'])
  arrives('three')
  await link.close()
  await link.close()
  expect(recycled).toEqual(['one', 'two', 'three'])
})
test('a chunk that was read stays its reader\'s when the other end goes, until the link is closed', async () => {
  const { link, recycled, arrives, goes } = playedLink()
  arrives('one')
  await link.read()
  goes()
  expect(recycled).toEqual([])
  await link.close()
  expect(recycled).toEqual(['one'])
})
