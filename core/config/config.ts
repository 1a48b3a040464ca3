import { hostname } from 'node:os'
import { dirname, resolve } from 'node:path'
import { StartFailure, type Problem } from '../api/problem.js'
import { machineName } from './machine-name.js'
import { makePlan } from './plan/plan.js'
import { pluginRequests } from './plan/plugins.js'
import type { ConfigSource, SlotPoint } from './plan/types.js'
import { readFile, searchFile, type ReadFile } from './load/file.js'
import { merged, nodeOf, type ConfigNode, type MapNode } from './tree.js'

/**
 * The configuration of a folder (`mailwright.config.yaml` and its relatives); undefined when it has none.
 * @throws StartFailure with every error of syntax, also in imported files.
 */
export async function findConfig(folder: string): Promise<ConfigSource | undefined> {
  const first = await searchFile(folder)
  return first === undefined ? undefined : complete(first)
}

/**
 * The configuration in a named file, whatever its folder.
 * @param machine its name, where it is known already.
 * @throws StartFailure
 */
export async function readConfig(file: string, machine?: string): Promise<ConfigSource> {
  return complete(await readFile(file), machine)
}

/** A configuration that a program gives; relative paths and packages are looked for from `folder`. The machine is called `machine` where it says nothing else. */
export function configOf(value: object, folder: string, machine: string = hostname()): ConfigSource {
  const root = nodeOf(value, { file: undefined, line: undefined, folder })
  return sourceOf(root.kind === 'map' ? root : emptyMap(root), undefined, { files: [], folder, machine })
}

async function complete(first: ReadFile, machine?: string): Promise<ConfigSource> {
  const files: string[] = []
  const problems: Problem[] = []
  const root = await withImports(first, [], files, problems)
  if (problems.length > 0) throw new StartFailure(problems)
  return sourceOf(root, first.file, { files, folder: dirname(first.file), machine: machine ?? (namesMachine(root) ? hostname() : await machineName()) })
}

/** What `$import` names lies under what the file itself says; of several imports the later ones lie on top. */
async function withImports(read: ReadFile, stack: readonly string[], files: string[], problems: Problem[]): Promise<MapNode> {
  files.push(read.file)
  problems.push(...read.problems)
  if (read.root.kind !== 'map') {
    if (read.problems.length === 0) problems.push({ code: 'CFG_SYNTAX', severity: 'error', path: '', message: 'expected a mapping of sections', file: read.file, line: read.root.at.line })
    return emptyMap(read.root)
  }
  const { $import: imports, rest } = takeImport(read.root)
  let base: ConfigNode | undefined
  for (const node of imports) {
    const bad = (code: string, message: string): void => {
      problems.push({ code, severity: 'error', path: node.at.path, message, file: node.at.file, line: node.at.line })
    }
    if (node.kind !== 'scalar' || typeof node.value !== 'string') {
      bad('CFG_BAD_IMPORT', 'expected the path of a file')
      continue
    }
    const file = resolve(node.at.folder, node.value)
    if (file === read.file || stack.includes(file)) {
      bad('CFG_IMPORT_CYCLE', `${file} imports itself`)
      continue
    }
    try {
      base = merged(base, await withImports(await readFile(file), [...stack, read.file], files, problems))
    } catch (cause) {
      if (!(cause instanceof StartFailure)) throw cause
      problems.push(...cause.problems.map((p) => (p.code === 'CFG_NOT_FOUND' ? { ...p, path: node.at.path, file: node.at.file, line: node.at.line } : p)))
    }
  }
  const all = merged(base, rest)
  return all?.kind === 'map' ? all : rest
}

function takeImport(root: MapNode): { $import: readonly ConfigNode[]; rest: MapNode } {
  const said = root.entries.get('$import')
  const entries = new Map(root.entries)
  entries.delete('$import')
  return { $import: said === undefined ? [] : said.kind === 'list' ? said.items : [said], rest: { ...root, entries } }
}

/** Whether it says how the machine is called, so that nobody has to be asked. */
function namesMachine(root: MapNode): boolean {
  const server = root.entries.get('server')
  return server?.kind === 'map' && server.entries.has('name')
}

function sourceOf(root: MapNode, file: string | undefined, { files, folder, machine }: { readonly files: readonly string[]; readonly folder: string; readonly machine: string }): ConfigSource {
  const { requests, problems } = pluginRequests(root)
  return Object.freeze({ file, files, folder, plugins: requests, plan: (points: readonly SlotPoint[]) => makePlan(root, points, { problems, folder, machine }) })
}

const emptyMap = (node: ConfigNode): MapNode => ({ kind: 'map', at: node.at, entries: new Map() })
