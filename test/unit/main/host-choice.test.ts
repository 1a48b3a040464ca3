import { expect, test } from 'vitest'
import { domainOf, HostChoice } from '../../../core/main/host-choice.js'

const choice = new HostChoice([
  { id: 'default', match: { addresses: [], names: [], domains: [] } },
  { id: 'org', match: { addresses: ['192.0.2.10', '2001:db8::10'], names: ['mail.example.org'], domains: ['example.org'] } },
  { id: 'net', match: { addresses: [], names: ['*.example.net'], domains: ['*.example.net'] } },
])

const rows = [
  { name: 'nothing matches', localAddress: '198.51.100.1', serverName: undefined, domain: undefined, host: 'default' },
  { name: 'the local address', localAddress: '192.0.2.10', serverName: undefined, domain: undefined, host: 'org' },
  { name: 'another spelling of the address', localAddress: '2001:0db8:0::0010', serverName: undefined, domain: undefined, host: 'org' },
  { name: 'the TLS name, over the address', localAddress: '192.0.2.10', serverName: 'imap.example.net', domain: undefined, host: 'net' },
  { name: 'the TLS name in capitals and with a dot', localAddress: '', serverName: 'MAIL.Example.ORG.', domain: undefined, host: 'org' },
  { name: 'an unknown TLS name leaves the address', localAddress: '192.0.2.10', serverName: 'other.example.com', domain: undefined, host: 'org' },
  { name: 'the domain of the user, over all', localAddress: '192.0.2.10', serverName: 'mail.example.org', domain: 'a.example.net', host: 'net' },
  { name: 'a pattern is one label', localAddress: '', serverName: 'a.b.example.net', domain: undefined, host: 'default' },
]
test.each(rows)('host of a connection: $name', ({ host, ...evidence }) => {
  expect(choice.choose(evidence)).toBe(host)
})

test('the domain of a user name', () => {
  expect(['alice', 'alice@example.org', 'a@b@example.org', '@example.org', 'alice@'].map(domainOf)).toEqual([undefined, 'example.org', 'example.org', undefined, undefined])
})
