import { describe, expect, test } from 'vitest'
import { parseDuration, parseSize } from '../../../core/api/index.js'
import { nearestName } from '../../../core/api/issues.js'

const durations = [
  { text: '0', ms: 0 },
  { text: '250ms', ms: 250 },
  { text: '30s', ms: 30_000 },
  { text: '1h30m', ms: 5_400_000 },
  { text: '1.5h', ms: 5_400_000 },
  { text: '2d', ms: 172_800_000 },
  { text: '30', ms: undefined },
  { text: '30 s', ms: undefined },
  { text: '-5s', ms: undefined },
  { text: '', ms: undefined },
]
const sizes = [
  { text: '4096', octets: 4096 },
  { text: '512KiB', octets: 524_288 },
  { text: '10 MiB', octets: 10_485_760 },
  { text: '1.5kB', octets: 1500 },
  { text: '10mb', octets: undefined },
  { text: 'MiB', octets: undefined },
]
const names = [
  { given: 'lockTimout', nearest: 'lockTimeout' },
  { given: 'crammd5', nearest: 'cram-md5' },
  { given: 'lpain', nearest: 'plain' },
  { given: 'xoauth2', nearest: undefined },
]

describe('units', () => {
  test.each(durations)('the duration "$text" is $ms ms', ({ text, ms }) => {
    expect(parseDuration(text)).toBe(ms)
  })
  test.each(sizes)('the size "$text" is $octets octets', ({ text, octets }) => {
    expect(parseSize(text)).toBe(octets)
  })
})

test.each(names)('the name nearest to "$given" is $nearest', ({ given, nearest }) => {
  expect(nearestName(given, ['lockTimeout', 'cram-md5', 'plain', 'login', 'gssapi'])).toBe(nearest)
})
