import { readFile } from 'node:fs/promises'
import { API_VERSION } from '../api/index.js'

/** Version of the package, of the plugin API and of Node. */
export async function versionText(): Promise<string> {
  return `mailwright ${await packageVersion()} (plugin API ${API_VERSION}, Node ${process.versions.node})`
}

/** From the package's own file, two or three folders up: sources and compiled code lie at different depths. */
async function packageVersion(): Promise<string> {
  for (const up of ['../../package.json', '../../../package.json']) {
    const text = await readFile(new URL(up, import.meta.url), 'utf8').catch(() => undefined)
    const found: unknown = text === undefined ? undefined : JSON.parse(text)
    if (typeof found === 'object' && found !== null && 'version' in found && typeof found.version === 'string') return found.version
  }
  return 'of unknown version'
}
