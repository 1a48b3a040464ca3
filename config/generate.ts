import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { defaultYaml } from '../core/config/schema/default-yaml.js'
import { jsonSchema } from '../core/config/schema/json-schema.js'
import { catalogue } from '../core/kernel/lifecycle/catalogue.js'
import { alwaysOn, knownPoints } from '../core/main/always.js'
import { builtinPlugins } from '../plugins/builtin.js'
import { configPage, limitsPage } from './reference.js'

/** The generated files by their path below the project. */
export async function generated(): Promise<ReadonlyMap<string, string>> {
  const choices = await catalogue({ builtins: builtinPlugins, always: alwaysOn, points: knownPoints })
  return new Map([
    ['config/default.yaml', defaultYaml(choices)],
    ['config/schema/mailwright.schema.json', `${JSON.stringify(jsonSchema(choices), undefined, 2)}\n`],
    ['docs/reference/config.md', configPage(choices)],
    ['docs/reference/limits.md', limitsPage()],
  ])
}

/** Writes what has changed; the answer names it. */
export async function writeGenerated(project: string): Promise<string[]> {
  const changed: string[] = []
  for (const [path, text] of await generated()) {
    const before = await readFile(join(project, path), 'utf8').catch(() => undefined)
    if (before === text) continue
    await writeFile(join(project, path), text)
    changed.push(path)
  }
  return changed
}

// Run as a program, from dist/config after a build.
if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await writeGenerated(fileURLToPath(new URL('../..', import.meta.url)))
}
