import { stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, isAbsolute, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { StartFailure, type Problem } from '../../api/problem.js'
import { nodeOf, type ConfigNode } from '../tree.js'
import { parseYaml } from './yaml.js'

// Required, not imported, as all CommonJS packages that a start needs (docs/design/0023).
const { cosmiconfig } = createRequire(import.meta.url)('cosmiconfig') as typeof import('cosmiconfig')

/** In this order; the first that exists is the configuration. */
const SEARCH_PLACES: readonly string[] = ['yaml', 'yml', 'json', 'ts', 'js'].map((ending) => `mailwright.config.${ending}`)

/** A file as read, without what it imports. A class of its own, so that cosmiconfig's `$import`, which forgets files and lines, does not see the keys. */
export class ReadFile {
  readonly file: string
  readonly root: ConfigNode
  readonly problems: readonly Problem[]
  constructor(file: string, root: ConfigNode, problems: readonly Problem[]) {
    this.file = file
    this.root = root
    this.problems = problems
  }
}

const yamlLoader = (file: string, text: string): ReadFile => {
  const { root, problems } = parseYaml(file, text)
  return new ReadFile(file, root, problems)
}

async function moduleLoader(file: string): Promise<ReadFile> {
  const typescript = 'typescript' in process.features && Boolean(process.features.typescript)
  if (file.endsWith('.ts') && !typescript) {
    throw failure('CFG_NO_TYPESCRIPT', `${file} is TypeScript, which Node ${process.versions.node} does not run`, file, 'use Node 22.18 or newer, or write the configuration as YAML or JSON')
  }
  try {
    // Imported anew when the file has changed, so that a reload sees the change.
    const { mtimeMs } = await stat(file)
    const module: unknown = await import(/* @vite-ignore */ `${pathToFileURL(file).href}?${mtimeMs}`)
    const value = typeof module === 'object' && module !== null && 'default' in module ? module.default : undefined
    if (typeof value === 'object' && value !== null) return new ReadFile(file, nodeOf(value, { file, line: undefined, folder: dirname(file) }), [])
  } catch (cause) {
    throw failure('CFG_SYNTAX', `cannot be imported: ${cause instanceof Error ? cause.message : String(cause)}`, file)
  }
  throw failure('CFG_SYNTAX', 'has no object as its default export', file, 'write "export default { ... }"')
}

function explorer(): ReturnType<typeof cosmiconfig> {
  // While it is made, cosmiconfig looks for settings of its own in the working directory and runs `.config/config.js`
  // there. A daemon must not run what lies where it happened to be started, so it is shown a folder that has none.
  const { cwd } = process
  process.cwd = () => dirname(fileURLToPath(import.meta.url))
  try {
    return cosmiconfig('mailwright', {
      searchPlaces: [...SEARCH_PLACES],
      searchStrategy: 'none',
      ignoreEmptySearchPlaces: false,
      cache: false,
      loaders: { '.yaml': yamlLoader, '.yml': yamlLoader, '.json': yamlLoader, '.ts': moduleLoader, '.js': moduleLoader, noExt: yamlLoader },
    })
  } finally {
    process.cwd = cwd
  }
}

/** The configuration file of a folder; undefined when it has none. */
export async function searchFile(folder: string): Promise<ReadFile | undefined> {
  const found = await explorer().search(resolve(folder))
  // cosmiconfig passes by what it may not read; a configuration that is not obeyed is worse than an error.
  const first = (await Promise.all(SEARCH_PLACES.map((place) => exists(resolve(folder, place))))).indexOf(true)
  const place = SEARCH_PLACES[first]
  if (place !== undefined && found?.filepath !== resolve(folder, place)) return readFile(resolve(folder, place))
  return found === null ? undefined : contents(found.config, found.filepath)
}

/**
 * One file.
 * @throws StartFailure when it is not there or cannot be read.
 */
export async function readFile(file: string): Promise<ReadFile> {
  const path = isAbsolute(file) ? file : resolve(file)
  try {
    const found = await explorer().load(path)
    return contents(found?.config, path)
  } catch (cause) {
    if (cause instanceof StartFailure) throw cause
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
    if (code === 'ENOENT') throw failure('CFG_NOT_FOUND', `there is no configuration file ${path}`, path)
    if (code === 'EISDIR') throw failure('CFG_NOT_FOUND', `${path} is a folder, not a configuration file`, path)
    if (code === 'EACCES') throw failure('CFG_NOT_FOUND', `the configuration file ${path} may not be read by this account`, path)
    throw failure('CFG_NOT_FOUND', `the configuration file ${path} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, path)
  }
}

function contents(config: unknown, file: string): ReadFile {
  if (config instanceof ReadFile) return config
  // cosmiconfig does not ask the loader about an empty file.
  return new ReadFile(file, nodeOf({}, { file, line: 1, folder: dirname(file) }), [])
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch {
    return false
  }
}

function failure(code: string, message: string, file: string, hint?: string): StartFailure {
  return new StartFailure([{ code, severity: 'error', path: '', message, hint, file }])
}
