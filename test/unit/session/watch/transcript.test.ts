import type { TranscriptSink } from 'mailwright/api'
import { expect, test } from 'vitest'
import { tapOf } from '../../../../core/session/watch/transcript.js'
import { HeldClock, LoggedLines, entry, octets } from '../../../support/auth.js'

const session = { id: 's1', host: 'default', protocol: 'imap4', address: '192.0.2.1' }

function noting(more: Partial<TranscriptSink> = {}): TranscriptSink & { readonly heard: string[] } {
  const heard: string[] = []
  return {
    heard,
    inbound: (_id, _at, bytes) => void heard.push(`C ${Buffer.from(bytes).toString()}`),
    outbound: (_id, _at, bytes) => void heard.push(`S ${Buffer.from(bytes).toString()}`),
    redacted: (_id, count, from) => void heard.push(`${from} ${count}`),
    login: (_id, user, host) => void heard.push(`login ${user} ${host}`),
    close: () => void heard.push('close'),
    ...more,
  }
}

test('before the login the client is counted, and so are challenges, however they are cut', () => {
  const sink = noting()
  const tap = tapOf([entry('t', sink, undefined)], session, new HeldClock(), new LoggedLines())
  tap?.outbound(octets('* OK hello\r\n+ '))
  tap?.inbound(octets('a LOGIN alice secret\r\n'))
  tap?.outbound(octets('c2VjcmV0\r\na OK in\r\n'))
  tap?.login('alice', 'default')
  tap?.inbound(octets('b NOOP\r\n'))
  tap?.outbound(octets('+ Ready\r\n'))
  tap?.inbound(octets('c LOGIN alice secret\r\n'))
  tap?.logout()
  tap?.inbound(octets('d NOOP\r\n'))
  tap?.close()
  expect(sink.heard).toEqual([
    'S * OK hello\r\n', 'server 2', 'client 22', 'server 10', 'S a OK in\r\n', 'login alice default', 'C b NOOP\r\n', 'S + Ready\r\n', 'client 22', 'client 8', 'close',
  ])
})
test('a recorder that throws is left out, and the log names its plugin', () => {
  const log = new LoggedLines()
  const bad = noting({
    outbound() {
      throw new Error('disk')
    },
  })
  const good = noting()
  const tap = tapOf([entry('bad', bad, undefined), entry('good', good, undefined)], session, new HeldClock(), log)
  tap?.outbound(octets('* OK\r\n'))
  tap?.outbound(octets('* OK\r\n'))
  expect(good.heard).toHaveLength(2)
  expect(log.lines).toEqual(['error transcript failed session=s1 plugin=test-bad use=bad error=Error: disk'])
})
test('a session that nobody wants is not tapped', () => {
  expect(tapOf([entry('no', noting({ wants: () => false }), undefined)], session, new HeldClock(), new LoggedLines())).toBeUndefined()
})
