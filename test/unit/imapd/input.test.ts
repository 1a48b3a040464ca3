import { expect, test } from 'vitest'
import type { Link } from '../../../core/api/index.js'
import { ImapInput } from '../../../core/imapd/input.js'
import { ImapFramer } from '../../../core/wire/imap/framer.js'
import { TestClock } from '../../support/unix.js'

test('a client that may hold back the end of a command is told that its beginning came; between commands, and in a literal, it is not', async () => {
  const pieces = ['a APPEND x {5+}\r\n', 'ab', 'cde', '\r\n', 'b NO', 'OP\r\n']
  const acknowledged: string[] = []
  let read = ''
  const link: Pick<Link, 'read' | 'acknowledge'> = {
    read() {
      read = pieces.shift() ?? ''
      return Promise.resolve(read === '' ? undefined : Buffer.from(read))
    },
    acknowledge: () => void acknowledged.push(read),
  }
  // The rest of a link is not asked for.
  using input = new ImapInput(link as Link, new ImapFramer(), new TestClock(0), { waitMs: () => 60_000, bye: '' }, () => undefined)
  expect((await input.next()).kind).toBe('literal')
  input.framer.stream()
  for (const last of [false, true]) expect(await input.next()).toMatchObject({ kind: 'octets', last })
  expect(acknowledged).toEqual([])
  expect((await input.next()).kind).toBe('command')
  expect(acknowledged).toEqual(['cde'])
  expect(await input.next()).toMatchObject({ kind: 'command', name: 'NOOP' })
  expect(acknowledged).toEqual(['cde', 'b NO'])
})
