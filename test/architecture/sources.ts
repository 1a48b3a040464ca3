import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder of the project. */
export const project: string = fileURLToPath(new URL('../..', import.meta.url))

/** One import of a file. */
export interface Import {
  /** Path of the file below the project, or the name of a package. */
  readonly target: string
  readonly kind: 'file' | 'package' | 'node'
  /** Nothing of it is left when the program runs. */
  readonly typeOnly: boolean
  readonly dynamic: boolean
}
/** A TypeScript file of the project. */
export interface Source {
  readonly path: string
  readonly text: string
  readonly imports: readonly Import[]
}

const ENTRIES: Readonly<Record<string, string>> = {
  'mailwright/api': 'core/api/index.ts',
  'mailwright/toolkit': 'core/wire/toolkit.ts',
  'mailwright/testing': 'core/testing/index.ts',
  mailwright: 'core/main/index.ts',
}

/** All TypeScript files below these folders that exist; packages of their own (contrib) are none of the project's. */
export function sourcesIn(...folders: readonly string[]): Source[] {
  return folders.flatMap((folder) => files(join(project, folder))).map((file) => {
    const path = relative(project, file).split(sep).join('/')
    const text = readFileSync(file, 'utf8')
    return { path, text, imports: importsOf(path, text) }
  })
}

/** Paths of all files with these endings. */
export function files(folder: string, ending = /\.ts$/): string[] {
  let names
  try {
    names = readdirSync(folder, { withFileTypes: true })
  } catch {
    return []
  }
  return names.flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return entry.name === 'node_modules' || entry.name === 'contrib' || entry.name === 'fixtures' ? [] : files(path, ending)
    return ending.test(entry.name) ? [path] : []
  })
}

/** Static, re-exporting and dynamic imports with a literal name. */
export function importsOf(path: string, text: string): Import[] {
  const bare = text.replaceAll(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm, '')
  const found: Import[] = []
  const add = (name: string, typeOnly: boolean, dynamic: boolean): void => {
    found.push({ ...targetOf(path, name), typeOnly, dynamic })
  }
  for (const [, type, clause, name] of bare.matchAll(/^\s*(?:import|export)\s+(type\s+)?([\w*${}\s,]*?)\s*from\s*'([^']+)'/gm)) {
    const named = /^\{([\s\S]*)\}$/.exec(clause?.trim() ?? '')?.[1]
    const allTypes = named !== undefined && named.split(',').every((part) => part.trim() === '' || part.trim().startsWith('type '))
    add(name ?? '', type !== undefined || allTypes, false)
  }
  for (const [, name] of bare.matchAll(/^\s*import\s+'([^']+)'/gm)) add(name ?? '', false, false)
  for (const [, name] of bare.matchAll(/\bimport\(\s*'([^']+)'\s*\)/g)) add(name ?? '', false, true)
  return found
}

function targetOf(from: string, name: string): Pick<Import, 'target' | 'kind'> {
  if (name.startsWith('.')) return { target: join(dirname(from), name).split(sep).join('/').replace(/\.js$/, '.ts'), kind: 'file' }
  if (name.startsWith('node:')) return { target: name, kind: 'node' }
  const entry = ENTRIES[name]
  if (entry !== undefined) return { target: entry, kind: 'file' }
  return { target: name.split('/').slice(0, name.startsWith('@') ? 2 : 1).join('/'), kind: 'package' }
}
