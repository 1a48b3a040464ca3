import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LineKernel } from '../../../core/mime/line-kernel.js'

const octets = fc.array(fc.oneof(fc.constantFrom(10, 13, 13, 10, 120), fc.integer({ min: 0, max: 255 })), { maxLength: 300 }).map((list) => Buffer.from(list))

test('conversion and counts are those of the plain loops, whatever is cut where', () => {
  const kernel = new LineKernel()
  fc.assert(
    fc.property(octets, fc.nat(40), fc.nat(40), (bytes, skip, at) => {
      const start = Math.min(skip, bytes.length)
      kernel.load(bytes)
      const end = kernel.convert(start, bytes.length, at)
      const part = bytes.subarray(start)
      const expected = part.toString('latin1').replaceAll('\r', '').replaceAll('\n', '\r\n')
      expect(kernel.result(at, end).toString('latin1')).toBe(expected)
      for (const octet of [10, 13, 0, 255]) expect(kernel.count(start, bytes.length, octet)).toBe(part.filter((c) => c === octet).length)
    }),
  )
})

test('parts follow one another without gaps', () => {
  const kernel = new LineKernel()
  const text = Buffer.from('one\ntwo\r\nthree and a long line that takes more than a vector\n')
  kernel.load(text)
  let at = 0
  for (const [start, end] of [[0, 4], [4, 9], [9, text.length]] as const) at = kernel.convert(start, end, at)
  expect(kernel.result(0, at).toString()).toBe('one\r\ntwo\r\nthree and a long line that takes more than a vector\r\n')
})
