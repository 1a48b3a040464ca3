import { faultsOf } from '../../api/issues.js'
import type { Problem } from '../../api/problem.js'
import { wordsOf } from '../loader/refusal.js'
import { isChosen, nodesOf, type EntryNode, type WiredPart } from './node.js'

/** Checks every entry's settings against its own schema; the values are kept in the nodes, what is wrong goes to `problems`. */
export async function validateEntries(part: WiredPart, problems: Problem[]): Promise<void> {
  for (const node of nodesOf(part)) {
    if (node.kind !== 'entry') continue
    const found = await validateEntry(node)
    node.broken = found.length > 0
    problems.push(...found)
  }
}

async function validateEntry(node: EntryNode): Promise<Problem[]> {
  const severity = node.optional ? 'warning' : 'error'
  const where = `${describe(node.point.id)} "${node.name}"`
  try {
    const checked = await node.what.settings['~standard'].validate(node.entry.settings)
    if (checked.issues === undefined) {
      node.settings = checked.value
      return []
    }
    const nestedKeys = Object.entries(node.needs).flatMap(([key, need]) => (isChosen(need) && need.from === 'own-settings' ? [key] : []))
    return faultsOf(node.what.settings, checked.issues, [...nestedKeys, 'optional']).map((fault) => ({
      code: fault.kind === 'unknown-key' ? 'CFG_UNKNOWN_KEY' : 'CFG_SETTING',
      severity,
      path: `${node.path}${fault.path}`,
      message: fault.kind === 'unknown-key' ? `unknown setting of ${where}` : fault.message,
      hint: fault.hint,
    }))
  } catch (cause) {
    return [{ code: 'PLG_SETTINGS_FAILED', severity, path: node.path, message: `plugin ${node.plugin} failed while it checked its settings: ${wordsOf(cause)}`, hint: 'the cause is in the plugin' }]
  }
}

/** Ends of plurals and of their singulars; the first that fits counts. */
const SINGULARS: readonly (readonly [plural: RegExp, singular: string])[] = [[/ies$/, 'y'], [/xes$/, 'x'], [/s$/, '']]
/** `mail.formats` → `format`, for messages. */
function describe(point: string): string {
  const word = point.slice(point.lastIndexOf('.') + 1)
  const [plural, singular] = SINGULARS.find(([end]) => end.test(word)) ?? [/$/, '']
  return word.replace(plural, singular)
}
