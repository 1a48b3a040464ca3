import { readFile, realpath } from 'node:fs/promises'
import { dirname, join, resolve, sep } from 'node:path'
import { PluginRefusal } from './refusal.js'
import { apiProblem } from './api-version.js'

/** What a package says of itself; nothing of it has run. */
export interface PackageFacts {
  readonly name: string
  readonly version: string | undefined
  readonly folder: string
  /** Absolute. */
  readonly entries: readonly string[]
}

/**
 * Finds an npm package from a folder upwards, as Node does, and reads the `mailwright` field of its package.json:
 * `{ "api": "1.0", "entry": "./plugin.js" }`, where `entry` may be a list.
 * @throws PluginRefusal
 */
export async function readManifest(name: string, from: string): Promise<PackageFacts> {
  const found = await findPackage(name, from)
  if (found === undefined) {
    throw new PluginRefusal('PLG_NOT_FOUND', `package ${name} is not installed (looked in node_modules from ${from} upwards)`, `install it there: npm install ${name}`)
  }
  const { folder, text } = found
  const refuse = (message: string): PluginRefusal =>
    new PluginRefusal('PLG_NO_MANIFEST', `${name}: ${message} (${join(folder, 'package.json')})`, 'a plugin package carries "mailwright": { "api": "1.0", "entry": "./plugin.js" }')
  const json = parse(text)
  if (json === undefined) throw refuse('package.json is no JSON object')
  const manifest = json['mailwright']
  if (!isRecord(manifest)) throw refuse('package.json has no "mailwright" field')
  const { api, entry } = manifest
  if (typeof api !== 'string') throw refuse('the "mailwright" field has no "api"')
  const problem = apiProblem(name, api)
  if (problem !== undefined) throw new PluginRefusal(problem.code, problem.message, problem.hint)
  const entries = (Array.isArray(entry) ? entry : [entry]).map((e: unknown) => {
    if (typeof e !== 'string' || e === '') throw refuse('the "mailwright" field has no "entry"')
    const path = resolve(folder, e)
    if (!path.startsWith(folder + sep)) throw refuse(`the entry "${e}" lies outside the package`)
    return path
  })
  if (entries.length === 0) throw refuse('the "mailwright" field has no "entry"')
  return { name, version: typeof json['version'] === 'string' ? json['version'] : undefined, folder, entries }
}

async function findPackage(name: string, from: string): Promise<{ folder: string; text: string } | undefined> {
  for (let at = resolve(from); ; at = dirname(at)) {
    const folder = join(at, 'node_modules', name)
    try {
      const text = await readFile(join(folder, 'package.json'), 'utf8')
      return { folder: await realpath(folder), text }
    } catch (cause) {
      if (!isAbsent(cause)) throw new PluginRefusal('PLG_NOT_FOUND', `package ${name} cannot be read: ${String(cause)}`, `mend ${folder}`, { cause })
    }
    if (dirname(at) === at) return undefined
  }
}

const isAbsent = (cause: unknown): boolean => isRecord(cause) && (cause['code'] === 'ENOENT' || cause['code'] === 'ENOTDIR')
const isRecord = (v: unknown): v is Record<string, unknown> => typeof v === 'object' && v !== null && !Array.isArray(v)

function parse(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isRecord(value) ? value : undefined
  } catch {
    return undefined
  }
}
