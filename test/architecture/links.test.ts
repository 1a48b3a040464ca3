import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, expect, test } from 'vitest'
import { files, project } from './sources.js'

/** All pages of the project, by their paths below it; code blocks are left out. */
const pages = new Map(
  [...['README.md', 'CHANGELOG.md', 'SECURITY.md'].map((name) => join(project, name)), ...['docs', 'plugins', 'plugins/contrib/maildir', 'plugins/contrib/ntlm', 'config', 'test'].flatMap((folder) => files(join(project, folder), /\.md$/))].map((file) => [
    file.slice(project.length).replace(/^\//, ''),
    readFileSync(file, 'utf8').replaceAll(/^ *```[\s\S]*?^ *```$/gm, ''),
  ]),
)
/** Fragments that headings are reached by: lower case, blanks as hyphens, other signs left out. */
function anchorsOf(page: string): string[] {
  return [...(pages.get(page) ?? '').matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase().replaceAll(/[^\p{L}\p{N}\-_ ]/gu, '').replaceAll(' ', '-'),
  )
}
/** What is wrong with the links of a page. */
function deadLinks(page: string, text: string): string[] {
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, link = '']) => {
    if (/^(?:https?|mailto):/.test(link)) return []
    const [path = '', anchor] = link.split('#')
    const target = path === '' ? page : normalize(join(dirname(page), path)).replace(/\/$/, '')
    if (!existsSync(join(project, target))) return [`${page}: ${link}`]
    return anchor === undefined || anchorsOf(target).includes(anchor) ? [] : [`${page}: ${link}: no such heading`]
  })
}

describe('links in the documentation', () => {
  test('every page and heading that is linked exists', () => {
    expect(pages.size).toBeGreaterThan(40)
    expect([...pages].flatMap(([page, text]) => deadLinks(page, text))).toEqual([])
  })
  test('files of the project that pages name exist', () => {
    const named = [...pages].filter(([page]) => page !== 'CHANGELOG.md').flatMap(([page, text]) => [...text.matchAll(/`((?:core|plugins|test|docs|config|\.ci)\/[\w./-]+)`/g)].map(([, path = '']) => ({ page, path })))
    expect(named.length).toBeGreaterThan(10)
    expect(named.filter(({ path }) => !existsSync(join(project, path)))).toEqual([])
  })
  test('the reading of links sees pages, headings and neither', () => {
    const text = '[a](docs/guide/README.md) [b](docs/guide/operate.md#processes) [c](#licence) [d](docs/nowhere.md) [e](docs/guide/operate.md#nothing) [f](https://example.org/x.md)'
    expect(deadLinks('README.md', text)).toEqual(['README.md: docs/nowhere.md', 'README.md: docs/guide/operate.md#nothing: no such heading'])
  })
})
