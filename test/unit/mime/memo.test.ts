import { describe, expect, test } from 'vitest'
import { Memo } from '../../../core/mime/memo.js'

function counting(longest?: number) {
  const made: string[] = []
  const memo = new Memo((text) => {
    made.push(text)
    return text.toUpperCase()
  }, longest)
  return { made, memo }
}

describe('what was made of texts', () => {
  test('is made once', () => {
    const { made, memo } = counting()
    expect(['a', 'b', 'a'].map((text) => memo.of(text))).toEqual(['A', 'B', 'A'])
    expect(made).toEqual(['a', 'b'])
  })
  test('is made each time of a text that is long', () => {
    const { made, memo } = counting(3)
    for (const text of ['abc', 'abc', 'abcd', 'abcd']) expect(memo.of(text)).toBe(text.toUpperCase())
    expect(made).toEqual(['abc', 'abcd', 'abcd'])
  })
  test('goes when many others came, and stays as long as it is asked for', () => {
    const { made, memo } = counting()
    memo.of('once')
    for (let i = 0; i < 5000; i++) {
      memo.of(`${i}`)
      memo.of('often')
    }
    expect(memo.of('once')).toBe('ONCE')
    expect(made.filter((text) => text === 'once')).toHaveLength(2)
    expect(made.filter((text) => text === 'often')).toHaveLength(1)
  })
})
