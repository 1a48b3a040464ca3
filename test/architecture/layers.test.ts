import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { importsOf, project, sourcesIn, type Import, type Source } from './sources.js'

/** Left may import right; itself goes without saying, and `types` are imports of which nothing is left at run time. */
const LAYERS: Readonly<Record<string, { readonly may: readonly string[]; readonly types?: readonly string[] }>> = {
  'core/api': { may: [] },
  'core/wire': { may: ['core/api', 'core/mime'] },
  'core/mime': { may: ['core/api', 'core/wire'] },
  'core/log': { may: ['core/api'] },
  'core/os': { may: ['core/api'] },
  'core/config': { may: ['core/api', 'core/log', 'core/os'] },
  'core/kernel': { may: ['core/api', 'core/log', 'core/os'] },
  'core/net': { may: ['core/api', 'core/log', 'core/os'] },
  'core/mail': { may: ['core/api', 'core/log', 'core/mime', 'core/os'] },
  'core/processes': { may: ['core/api', 'core/log', 'core/os'], types: ['core/net'] },
  'core/session': { may: ['core/api', 'core/log', 'core/wire', 'core/mime', 'core/mail'], types: ['core/net'] },
  'core/imapd': { may: ['core/api', 'core/log', 'core/wire', 'core/mime', 'core/mail', 'core/session'], types: ['core/net'] },
  'core/pop3d': { may: ['core/api', 'core/log', 'core/wire', 'core/mime', 'core/mail', 'core/session'], types: ['core/net'] },
  'core/main': { may: ['core', 'plugins/builtin.ts'] },
  'core/testing': { may: ['core'] },
  // A program of the build that writes config/default.yaml and the schema: it needs every plugin's settings.
  config: { may: ['core', 'plugins/builtin.ts'] },
}

/** Packages that one folder alone may import, so that each can be replaced by changing that folder. */
const SINGLE_IMPORTERS: Readonly<Record<string, string>> = {
  tsyringe: 'core/kernel/container/',
  'reflect-metadata': 'core/kernel/container/',
  cosmiconfig: 'core/config/load/',
  'node-forge': 'core/net/tls/',
  'iconv-lite': 'core/mime/charset/',
}

const PLUGIN_ENTRIES = ['core/api/index.ts', 'core/wire/toolkit.ts']
const sources = sourcesIn('core', 'plugins', 'config')

describe('layers', () => {
  test('every file stands in a folder that has a row', () => {
    expect(sources.filter((s) => layerOf(s.path) === undefined && !s.path.startsWith('plugins/')).map((s) => s.path)).toEqual([])
  })

  test('core folders import only what their row allows', () => {
    const wrong = sources
      .filter((s) => !s.path.startsWith('plugins/'))
      .flatMap((s) => s.imports.filter((i) => i.kind === 'file' && !allowed(s.path, i)).map((i) => `${s.path} imports ${i.target}${i.typeOnly ? ' (types)' : ''}`))
    expect(wrong).toEqual([])
  })

  test('a plugin imports the API, the toolkit, its own folder and what its kind shares', () => {
    const rows = pluginFolders()
    const wrong = sources
      .filter((s) => s.path.startsWith('plugins/') && s.path !== 'plugins/builtin.ts')
      .flatMap((s) => {
        const own = rows.find((folder) => s.path.startsWith(folder)) ?? sharedFolder(s.path)
        if (own === undefined) return [`${s.path} belongs to no row of plugins/builtin.ts`]
        return s.imports.filter((i) => i.kind === 'file' && !i.target.startsWith(own) && !PLUGIN_ENTRIES.includes(i.target) && !isSharedFor(own, i.target)).map((i) => `${s.path} imports ${i.target}`)
      })
    expect(wrong).toEqual([])
  })

  test('a plugin names the entries as a stranger would, not by path', () => {
    const wrong = sources.filter((s) => s.path.startsWith('plugins/')).filter((s) => /from '(?:\.\.\/)+core\//.test(s.text))
    expect(wrong.map((s) => s.path)).toEqual([])
  })

  test('plugins/builtin.ts loads lazily', () => {
    const builtin = sources.find((s) => s.path === 'plugins/builtin.ts')
    expect(builtin?.imports.filter((i) => !i.dynamic && !i.typeOnly)).toEqual([])
  })

  test('packages with a single importer', () => {
    const wrong = sources.flatMap((s) => s.imports.filter((i) => SINGLE_IMPORTERS[i.target] !== undefined && !s.path.startsWith(SINGLE_IMPORTERS[i.target]!)).map((i) => `${s.path} imports ${i.target}`))
    expect(wrong).toEqual([])
  })

  test('every package that is imported is a dependency', () => {
    const manifest = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8')) as Record<string, Record<string, string> | undefined>
    const known = new Set([...Object.keys(manifest['dependencies'] ?? {}), ...Object.keys(manifest['optionalDependencies'] ?? {}), ...Object.keys(manifest['peerDependencies'] ?? {})])
    const wrong = sources.flatMap((s) => s.imports.filter((i) => i.kind === 'package' && !i.typeOnly && !known.has(i.target)).map((i) => `${s.path} imports ${i.target}`))
    expect(wrong).toEqual([])
  })

  test('nothing imports itself in a circle', () => {
    expect(cycles(sources)).toEqual([])
  })
})

describe('the reading of imports', () => {
  test('sees every form', () => {
    const text = `import 'a'
import { type B } from './b.js'
import type C from "x"
import type { C } from './c.js'
import {
  d,
  type D,
} from 'mailwright/api'
export * from '../e.js'
export { f } from '@scope/f/deep'
// import { no } from 'no'
/* import 'no' */
const g = () => import('./g.js')
import * as h from 'node:fs'
`
    expect(importsOf('core/x/y.ts', text).map((i) => `${i.target}${i.typeOnly ? ' type' : ''}${i.dynamic ? ' dynamic' : ''}`)).toEqual([
      'core/x/b.ts type',
      'core/x/c.ts type',
      'core/api/index.ts',
      'core/e.ts',
      '@scope/f',
      'node:fs',
      'a',
      'core/x/g.ts dynamic',
    ])
  })
})

function layerOf(path: string): string | undefined {
  return Object.keys(LAYERS).find((folder) => path.startsWith(`${folder}/`))
}

function allowed(from: string, i: Import): boolean {
  const layer = layerOf(from)
  if (layer === undefined || i.target.startsWith(`${layer}/`)) return true
  const { may, types = [] } = LAYERS[layer]!
  return [...may, ...(i.typeOnly ? types : [])].some((folder) => i.target === folder || i.target.startsWith(`${folder}/`))
}

/** Folders of the plugins in the table, each with its last slash. */
function pluginFolders(): string[] {
  const builtin = sources.find((s) => s.path === 'plugins/builtin.ts')
  return (builtin?.imports ?? []).filter((i) => i.dynamic).map((i) => i.target.slice(0, i.target.lastIndexOf('/') + 1))
}
/** `plugins/formats/shared/` of a path below it. */
function sharedFolder(path: string): string | undefined {
  return /^plugins\/(?:[^/]+\/)+?shared\//.exec(path)?.[0]
}
/** Whether a target is shared by the kind of a plugin: a `shared` folder beside its folder or beside one around it, below `plugins/<kind>/`. */
function isSharedFor(own: string, target: string): boolean {
  const shared = sharedFolder(target)
  return shared !== undefined && shared !== 'plugins/shared/' && own.startsWith(shared.slice(0, -'shared/'.length))
}

function cycles(all: readonly Source[]): string[] {
  const edges = new Map(all.map((s) => [s.path, s.imports.filter((i) => i.kind === 'file' && !i.typeOnly && !i.dynamic).map((i) => i.target)]))
  const state = new Map<string, 'open' | 'done'>()
  const found: string[] = []
  const visit = (path: string, trail: readonly string[]): void => {
    if (state.get(path) === 'done') return
    if (state.get(path) === 'open') {
      found.push([...trail.slice(trail.indexOf(path)), path].join(' -> '))
      return
    }
    state.set(path, 'open')
    for (const next of edges.get(path) ?? []) visit(next, [...trail, path])
    state.set(path, 'done')
  }
  for (const path of edges.keys()) visit(path, [])
  return found
}
