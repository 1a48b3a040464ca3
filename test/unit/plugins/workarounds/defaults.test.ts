import { describe, expect, test } from 'vitest'
import { configOf } from '../../../../core/config/config.js'
import { knownPoints } from '../../../../core/main/always.js'

const workaroundsOf = (config: object): readonly string[] | undefined =>
  configOf({ version: 1, ...config }, '/nowhere').plan(knownPoints).hosts[0]?.slots.find((slot) => slot.path.endsWith('.workarounds'))?.entries?.map((entry) => entry.use)

describe('workarounds that are on unless a site says otherwise', () => {
  test('are those that harm no client: records of 8 KiB, NUL as 0x80, the phantom of the 29th minute (FAQ 6.7, 7.34, 7.37)', () => {
    expect(workaroundsOf({})).toEqual(['tls-8k-records', 'nul-to-0x80', 'outlook-idle'])
  })
  test('a list of a site stands in their place, also an empty one', () => {
    expect(workaroundsOf({ hosts: { default: { workarounds: [] } } })).toEqual([])
    expect(workaroundsOf({ hosts: { default: { workarounds: ['entourage'] } } })).toEqual(['entourage'])
  })
})
