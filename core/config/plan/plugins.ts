import type { Problem } from '../../api/problem.js'
import { joined, valueOf, type ConfigNode, type MapNode } from '../tree.js'
import type { ConfigSource } from './types.js'

/** The list `plugins`: names of packages and paths, or `{ use: NAME, optional: true }`. */
export function pluginRequests(root: MapNode): { readonly requests: ConfigSource['plugins']; readonly problems: readonly Problem[] } {
  const list = root.entries.get('plugins')
  if (list === undefined) return { requests: [], problems: [] }
  const problems: Problem[] = []
  const bad = (node: ConfigNode, path: string, message: string): undefined => {
    problems.push({ code: 'CFG_BAD_ENTRY', severity: 'error', path, message, file: node.at.file, line: node.at.line })
    return undefined
  }
  if (list.kind !== 'list') {
    bad(list, 'plugins', 'expected a list of packages and paths')
    return { requests: [], problems }
  }
  const requests = list.items.flatMap((item) => {
    const value = valueOf(item)
    const written = { path: item.at.path, folder: item.at.folder }
    if (typeof value === 'string' && value !== '') return [{ module: value, optional: false, ...written }]
    if (typeof value === 'object' && value !== null && 'use' in value && typeof value.use === 'string') {
      const unknown = Object.keys(value).filter((key) => key !== 'use' && key !== 'optional')
      for (const key of unknown) bad(item, joined(item.at.path, key), 'plugins have no settings here; settings stand where the plugin is used')
      return [{ module: value.use, optional: 'optional' in value && value.optional === true, ...written }]
    }
    return bad(item, item.at.path, 'expected the name of a package or the path of a file') ?? []
  })
  return { requests, problems }
}
