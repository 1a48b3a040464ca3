import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import * as api from '../../core/api/index.js'
import { knownPoints } from '../../core/main/always.js'
import { builtinPlugins } from '../../plugins/builtin.js'
import { ImapFixture } from '../support/imap.js'
import { project } from './sources.js'

/** Rows of the tables of a page, as cells without their code marks. */
function tables(page: string): string[][][] {
  const found: string[][][] = []
  let open: string[][] | undefined
  for (const line of readFileSync(join(project, page), 'utf8').split('\n')) {
    if (!line.startsWith('| ')) {
      if (open !== undefined && !line.startsWith('|---')) open = undefined
      continue
    }
    if (open === undefined) found.push((open = []))
    open.push(line.slice(2, -2).split(' | ').map((cell) => cell.replaceAll('`', '')))
  }
  return found.map((rows) => rows.slice(1))
}

interface Declared {
  readonly id: string
  readonly scope: string
  readonly roles: readonly string[]
}
function exported<T extends Declared>(is: (value: object) => boolean): [string, T][] {
  return Object.entries(api).flatMap(([name, value]) =>
    // The test beside it says that the value has the members of T.
    typeof value === 'object' && 'id' in value && 'scope' in value && is(value) ? [[name, value as unknown as T] as [string, T]] : [],
  )
}

describe('reference pages', () => {
  test('docs/reference/extension-points.md has every point as it is declared', () => {
    type Point = Declared & { readonly pick: string; readonly slot: string }
    const row = ([name, p]: [string, Point]): string[] => [name, p.id, p.scope, p.pick, p.roles.join(', '), p.slot]
    const points = exported<Point>((v) => 'pick' in v)
    const known = new Set(knownPoints.map((p) => p.id))
    const [first = []] = tables('docs/reference/extension-points.md')
    expect(first.toSorted()).toEqual(points.map(row).toSorted())
    // What the API declares is offered: a contribution to anything else would be PLG_UNKNOWN_POINT.
    expect(points.map(([, p]) => p.id).filter((id) => !known.has(id))).toEqual([])
    const text = readFileSync(join(project, 'docs/reference/extension-points.md'), 'utf8')
    const headings = new Set([...text.matchAll(/^### (.*)$/gm)].flatMap((m) => [...(m[1] ?? '').matchAll(/`([^`]+)`/g)].map((id) => id[1] ?? '')))
    expect(headings).toEqual(known)
  })

  test('docs/reference/tokens.md has every service of the API', () => {
    const [rows = []] = tables('docs/reference/tokens.md')
    const tokens = exported((v) => !('pick' in v)).map(([name, t]) => [name, t.id, t.scope, t.roles.join(', ')])
    expect(rows.map((r) => r.slice(0, 4)).toSorted()).toEqual(tokens.toSorted())
  })

  test('docs/reference/capabilities.md has every capability that a server lists', async () => {
    const [rows = []] = tables('docs/reference/capabilities.md')
    const listed = new Set<string>()
    for (const [tls, without] of [['on', []], ['offered', []], ['on', ['literal-plus']]] as const) {
      await using server = await ImapFixture.make({ plaintext: false, without: [...without] })
      const client = server.connect({ tls })
      await client.line()
      const [line = ''] = await client.command('a1', 'CAPABILITY')
      for (const token of line.split(' ').slice(2)) listed.add(token)
    }
    expect(new Set(rows.map(([name]) => name).filter((name) => name !== 'X-NETSCAPE'))).toEqual(listed)
  })
})

describe('pages about what comes with the server', () => {
  const lists = [
    { page: 'plugins/imap/README.md', point: 'imap.extensions', of: 'imap-' },
    { page: 'plugins/workarounds/README.md', point: 'client.workarounds', of: '' },
    { page: 'docs/guide/logins.md', point: 'auth.mechanisms', of: '' },
    { page: 'docs/guide/logins.md', point: 'auth.passwords', of: '' },
    { page: 'docs/guide/logins.md', point: 'auth.policies', of: '' },
  ]
  test.each(lists)('$page names each of $point', ({ page, point, of }) => {
    const names = builtinPlugins.filter(({ id }) => id.startsWith(of)).flatMap((p) => p.provides.filter((to) => to.point === point).map((to) => to.name))
    const text = readFileSync(join(project, page), 'utf8')
    expect(names).not.toEqual([])
    expect(names.filter((name) => !text.includes(`\`${name}\``))).toEqual([])
  })
  test('every format has a page, which the README links', () => {
    const readme = readFileSync(join(project, 'README.md'), 'utf8')
    const names = builtinPlugins.flatMap((p) => p.provides.filter((to) => to.point === 'mail.formats').map((to) => to.name))
    expect(names.filter((name) => !readme.includes(`(docs/reference/formats/${name}.md)`))).toEqual([])
  })
})

describe('docs/reference/faq-coverage.md', () => {
  const rows = tables('docs/reference/faq-coverage.md').flat()
  const sources = new Map<string, string>()
  const sourceOf = (path: string): string => {
    let text = sources.get(path)
    if (text === undefined) {
      try {
        // Titles as they are, not as they are quoted.
        text = readFileSync(join(project, path), 'utf8').replaceAll(String.raw`\'`, "'")
      } catch {
        text = ''
      }
      sources.set(path, text)
    }
    return text
  }
  const shown = (cell: string): { readonly file: string; readonly title: string }[] =>
    cell.split('<br>').flatMap((part) => {
      const found = /^(test\/\S+\.test\.ts): (.*)$/.exec(part)
      return found === null ? [] : [{ file: found[1] ?? '', title: found[2] ?? '' }]
    })

  test('has a row for each of the 152 questions, once, with a status', () => {
    const questions = rows.map(([question]) => question)
    expect(questions.length).toBe(152)
    expect(new Set(questions).size).toBe(152)
    expect(rows.filter(([, , status]) => !['done', 'documented', 'open', 'n/a'].includes(status ?? ''))).toEqual([])
  })
  test('what is done names a test; what is documented names a page that exists', () => {
    const wrong = rows.filter(([, , status, cell = '']) => {
      if (status === 'done') return shown(cell).length === 0
      return status === 'documented' && sourceOf(/\[([^\]]+\.md)\]/.exec(cell)?.[1] ?? '') === ''
    })
    expect(wrong).toEqual([])
  })
  test('every test that is named exists', () => {
    const missing = rows.flatMap(([question, , , cell = '']) => shown(cell).filter(({ file, title }) => !sourceOf(file).includes(title)).map(({ file, title }) => `${question}: ${file}: ${title}`))
    expect(missing).toEqual([])
  })
})
