import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { secret, type Logger, type Role, type Secret, type Site } from '../../api/kernel.js'
import type { SecretSource } from '../../api/settings.js'
import { PluginRefusal, wordsOf } from '../loader/refusal.js'
import type { EntryNode } from './node.js'

/** What a contribution learns of the place where it stands. */
export function siteOf(node: EntryNode, host: string | undefined, roles: readonly Role[], signal: AbortSignal, logger: Logger): Site {
  const role = node.roles.find((r) => roles.includes(r))
  if (role === undefined) throw new Error(`${node.label} is created in no role of this process`)
  return Object.freeze({
    path: node.path,
    label: node.label,
    host,
    role,
    signal,
    warn: (message: string) => logger.warn('plugin.warning', { plugin: node.plugin, at: node.path, message }),
    resolve: (path: string) => resolve(node.entry.folder, path),
    secret: (from: SecretSource) => readSecret(from, node.entry.folder),
  })
}

/** Octets of a file, less one line end at its end, or of an environment variable. */
async function readSecret(from: SecretSource, folder: string): Promise<Secret> {
  if ('env' in from) {
    const value = process.env[from.env]
    if (value === undefined) throw new PluginRefusal('CFG_SECRET', `the environment variable ${from.env} is not set`, 'set it where the server is started')
    return secret(Buffer.from(value, 'utf8'))
  }
  const path = resolve(folder, from.file)
  try {
    const octets = await readFile(path)
    const end = octets.at(-1) === 0x0a ? (octets.at(-2) === 0x0d ? -2 : -1) : undefined
    return secret(octets.subarray(0, end))
  } catch (cause) {
    throw new PluginRefusal('CFG_SECRET', `the secret file ${path} cannot be read: ${wordsOf(cause)}`, 'make it readable for the server, and for nobody else', { cause })
  }
}
