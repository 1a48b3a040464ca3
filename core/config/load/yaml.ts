import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import type { LineCounter as Lines, Node, ParsedNode } from 'yaml'
import type { Problem } from '../../api/problem.js'
import { joined, type ConfigNode, type Written } from '../tree.js'

// Required, not imported, as all CommonJS packages that a start needs (docs/design/0023).
const { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } = createRequire(import.meta.url)('yaml') as typeof import('yaml')

// A few aliases to aliases to aliases make a short file endless.
const MAX_NODES = 100_000

/** A YAML or JSON text as a tree, with every error of its syntax. */
export function parseYaml(file: string, text: string): { readonly root: ConfigNode; readonly problems: readonly Problem[] } {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true })
  const problems = document.errors.map((error): Problem => ({ code: 'CFG_SYNTAX', severity: 'error', path: '', message: error.message, file, line: lines.linePos(error.pos[0]).line }))
  const folder = dirname(file)
  let count = 0

  const convert = (node: Node | ParsedNode | null | undefined, path: string, from: number | undefined): ConfigNode => {
    const line = from ?? lineOf(node, lines)
    const at: Written = { path, file, line, folder }
    if (++count > MAX_NODES) return { kind: 'scalar', at, value: null }
    if (isAlias(node)) return convert(node.resolve(document), path, line)
    if (isMap(node)) {
      const entries = new Map<string, ConfigNode>()
      const bare = new Map<string, Written>()
      for (const { key, value } of node.items) {
        const name = isScalar(key) ? String(key.value) : String(key)
        const keyLine = isScalar(key) ? lineOf(key, lines) : undefined
        if (value === null || (isScalar(value) && value.value === null)) {
          // A key with nothing behind it says nothing: all that stood below it may be commented out. A host is there all the same.
          bare.set(name, { path: joined(path, name), file, line: keyLine, folder })
          if (path === 'hosts') entries.set(name, { kind: 'map', at: { path: joined(path, name), file, line: keyLine, folder }, entries: new Map() })
          continue
        }
        entries.set(name, convert(value as Node, joined(path, name), keyLine))
      }
      return { kind: 'map', at, entries, bare }
    }
    if (isSeq(node)) return { kind: 'list', at, items: node.items.map((item, i) => convert(item as Node, `${path}[${i}]`, undefined)) }
    return { kind: 'scalar', at, value: scalarValue(node) }
  }

  const root = convert(document.contents, '', 1)
  if (count > MAX_NODES) problems.push({ code: 'CFG_SYNTAX', severity: 'error', path: '', message: `more than ${MAX_NODES} values`, file, line: 1 })
  return { root: root.kind === 'scalar' && root.value === null ? { kind: 'map', at: root.at, entries: new Map() } : root, problems }
}

function scalarValue(node: Node | ParsedNode | null | undefined): unknown {
  if (!isScalar(node)) return null
  // YAML 1.2 reads 0600 as six hundred; people who write it mean permission bits, so it stays as it was written.
  if (typeof node.value === 'number' && node.source !== undefined && /^0o?[0-7]+$/.test(node.source)) return node.source
  return node.value
}

function lineOf(node: Node | ParsedNode | null | undefined, lines: Lines): number | undefined {
  const start = node?.range?.[0]
  return start === undefined ? undefined : lines.linePos(start).line
}
