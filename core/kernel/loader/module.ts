import { stat } from 'node:fs/promises'
import { pathToFileURL } from 'node:url'
import { PLUGIN_BRAND, type Plugin } from '../../api/kernel.js'
import { apiProblem } from './api-version.js'
import { missingPackage, PluginRefusal, wordsOf } from './refusal.js'

/** Whether this Node runs `.ts` files by itself (22.18 and newer). */
const runsTypeScript: boolean = 'typescript' in process.features && Boolean(process.features.typescript)

/**
 * Imports one file and checks that its default export is a plugin for this API.
 * @throws PluginRefusal
 */
export async function importPlugin(file: string, typescript: boolean = runsTypeScript): Promise<Plugin> {
  if (/\.[cm]?ts$/.test(file) && !typescript) {
    throw new PluginRefusal('PLG_NO_TYPESCRIPT', `${file} is TypeScript, which Node ${process.versions.node} does not run`, 'use Node 22.18 or newer, or compile the file to .js')
  }
  if (!(await isFile(file))) throw new PluginRefusal('PLG_NOT_FOUND', `there is no file ${file}`, 'correct the path, or build the plugin first')
  let module: unknown
  try {
    module = await import(/* @vite-ignore */ pathToFileURL(file).href)
  } catch (cause) {
    throw importRefusal(file, cause)
  }
  return pluginOf(module, file)
}

/** The plugin that a module exports by default, checked. */
export function pluginOf(module: unknown, origin: string): Plugin {
  const exported = typeof module === 'object' && module !== null && 'default' in module ? module.default : undefined
  if (!isPlugin(exported)) {
    throw new PluginRefusal('PLG_NOT_A_PLUGIN', `${origin} has no plugin as its default export`, 'write "export default definePlugin({ ... })"')
  }
  const problem = apiProblem(`plugin ${exported.id}`, exported.api)
  if (problem !== undefined) throw new PluginRefusal(problem.code, problem.message, problem.hint)
  return exported
}

/** What a failed import means. */
export function importRefusal(origin: string, cause: unknown): PluginRefusal {
  const missing = missingPackage(cause)
  return missing === undefined
    ? new PluginRefusal('PLG_IMPORT_FAILED', `${origin} cannot be imported: ${wordsOf(cause)}`, 'the cause is in the plugin', { cause })
    : new PluginRefusal('PLG_MISSING_DEPENDENCY', `${origin} needs the package ${missing}`, `install it: npm install ${missing}`, { cause })
}

function isPlugin(value: unknown): value is Plugin {
  return (
    typeof value === 'object' &&
    value !== null &&
    PLUGIN_BRAND in value &&
    'id' in value &&
    typeof value.id === 'string' &&
    'api' in value &&
    typeof value.api === 'string' &&
    'setup' in value &&
    typeof value.setup === 'function'
  )
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile()
  } catch {
    return false
  }
}
