import { homedir } from 'node:os'
import { join } from 'node:path'
import { configOf, findConfig, readConfig } from '../config/config.js'
import { machineName } from '../config/machine-name.js'
import type { ConfigSource } from '../config/plan/types.js'
import { quickstartConfig } from './quickstart.js'

/** Where the machine's configuration is looked for when the working directory has none. */
const SYSTEM_FOLDER = '/etc/mailwright'

/** A configuration and how it came about. */
export interface LocatedConfig {
  readonly source: ConfigSource
  /** Reads the same again, for a reload. */
  readonly again: () => Promise<ConfigSource>
  /** There is no file: the quickstart, with its data in this folder. */
  readonly quickstart: string | undefined
}

/**
 * The named file; else the one of the working directory; else the one in /etc/mailwright; else the quickstart.
 * @throws StartFailure
 */
export async function locateConfig(file: string | undefined, env: NodeJS.ProcessEnv = process.env): Promise<LocatedConfig> {
  if (file !== undefined) {
    const again = (): Promise<ConfigSource> => readConfig(file)
    return { source: await again(), again, quickstart: undefined }
  }
  for (const folder of [process.cwd(), SYSTEM_FOLDER]) {
    const source = await findConfig(folder)
    if (source !== undefined) return { source, again: async () => (await findConfig(folder)) ?? source, quickstart: undefined }
  }
  const data = stateFolder(env)
  const again = async (): Promise<ConfigSource> => configOf(quickstartConfig(), data, await machineName())
  return { source: await again(), again, quickstart: data }
}

/** XDG Base Directory Specification: data of the server that is started without a configuration. */
export function stateFolder(env: NodeJS.ProcessEnv): string {
  const base = env['XDG_STATE_HOME']
  return join(base !== undefined && base.startsWith('/') ? base : join(homedir(), '.local', 'state'), 'mailwright')
}
