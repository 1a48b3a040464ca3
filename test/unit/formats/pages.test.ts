import { readFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import type { DriverAbout } from '../../../core/api/index.js'
import { declarationsOf } from '../../../core/kernel/registry/registrar.js'
import { builtinPlugins } from '../../../plugins/builtin.js'

const KEYWORDS: Readonly<Record<DriverAbout['keywords'], RegExp>> = { any: /^any\b/, fixed: /^those of the configuration\b/, none: /^none$/ }
const yesOrNo = (is: boolean): RegExp => (is ? /^yes\b/ : /^no\b/)
const rows = builtinPlugins.filter(({ provides }) => provides.some(({ point, name }) => point === 'mail.formats' || name === 'news'))

/** What stands beside the words in the table of a page; pages of formats that are as another refer to it. */
async function declared(name: string): Promise<Readonly<Record<string, string>>> {
  const text = await readFile(new URL(`../../../docs/reference/formats/${name}.md`, import.meta.url), 'utf8')
  const section = /^## Declared\n+(.*?)(?=^## |$(?![^]))/ms.exec(text)?.[1] ?? ''
  const as = /^As \[(\w+)\]/.exec(section)?.[1]
  if (as !== undefined) return declared(as)
  return Object.fromEntries([...section.matchAll(/^\| ([^|]+) \| ([^|]+) \|$/gm)].map(([, word = '', value = '']) => [word, value]))
}

describe('the page of each format declares what its plugin declares', () => {
  test('there is a plugin for each page', () => expect(rows.length).toBe(12))
  test.each(rows)('$id', async ({ load }) => {
    for (const { what } of declarationsOf((await load()).default).contributions) {
      // What these points take.
      const about = what.about as DriverAbout
      const said = await declared(what.name)
      expect(said).toEqual({
        keywords: expect.stringMatching(KEYWORDS[about.keywords]),
        'persistent UIDs': expect.stringMatching(yesOrNo(about.uidsPersist)),
        'mod-sequences': about.modseqs ? 'of its own' : 'numbered by core',
        'several server processes': expect.stringMatching(yesOrNo(about.manyProcesses)),
        'change notices': expect.stringMatching(yesOrNo(about.watches)),
        hierarchy: expect.stringMatching(about.hierarchy ? /^yes\b/ : /^none\b/),
      })
    }
  })
})
