import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { LIMITS, limitRows } from '../../../core/wire/limits.js'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const sources = ['core', 'plugins'].flatMap((folder) =>
  readdirSync(`${root}/${folder}`, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.endsWith('wire/limits.ts'))
    .map((file) => readFileSync(`${root}/${folder}/${file}`, 'utf8')),
)
/** Bounds that layers apply which may not import the table: the text that must stand there. */
const elsewhere: Readonly<Record<string, string>> = { mailboxName: `MAX_NAME = ${LIMITS.mailboxName}`, userName: `MAX_LOCAL_OCTETS = ${LIMITS.userName}` }

test.each(Object.keys(limitRows))('the bound %s is used by somebody', (name) => {
  const sign = elsewhere[name] ?? `LIMITS.${name}`
  expect(sources.some((text) => text.includes(sign))).toBe(true)
})
test('bounds are those of the rows', () => {
  expect(Object.entries(LIMITS)).toEqual(Object.entries(limitRows).map(([name, row]) => [name, row.bound]))
})
