import { stringify } from 'yaml'
import { objectSchema, type Choice } from './choice.js'
import { fieldsOf, type Field } from './fields.js'
import { listenerSection } from './listeners.js'
import { hostSections, processSections, sectionHelp, type SectionSchema } from './sections.js'
import { corePoints, type CorePoint } from '../points.js'

/**
 * The file `config/default.yaml`: every setting with its default and one sentence about it. Loading it is the same as
 * loading nothing; what has no default stands there as a comment.
 */
export function defaultYaml(choices: readonly Choice[]): string {
  const out = new Lines()
  out.comment(0, 'Every setting of the server with its default. Copy what you want to change into mailwright.config.yaml.')
  out.comment(0, 'Durations are written 30s, 5m or 1h30m, sizes 10MiB, permission bits 0600, secrets { file: PATH } or { env: NAME }.')
  out.comment(0, 'Relative paths are relative to the file that says them. "use: NAME" chooses a plugin, the keys beside it are its settings.')
  out.line(0, 'version: 1')
  out.blank()
  out.comment(0, 'Plugins beyond the built-in ones: packages and paths, from the folder of this file.')
  out.line(0, 'plugins: []')
  out.blank()
  for (const [key, schema] of Object.entries(processSections)) section(out, 0, key, schema, [], choices)
  for (const core of corePoints.filter((p) => !p.point.slot.startsWith('hosts.*.'))) slot(out, 0, core, choices)
  out.comment(0, 'Where clients connect: a name of your choice and these settings.')
  out.line(0, '# listeners:')
  out.line(0, '#   imaps:')
  for (const field of fieldsOf(listenerSection)) {
    out.line(0, `#     # ${field.description ?? ''}`)
    const shown = LISTENER_EXAMPLE[field.key] ?? (field.fallback === undefined ? undefined : scalar(field.fallback))
    out.line(0, shown === undefined ? `#     # ${field.key}:` : `#     ${field.key}: ${shown}`)
  }
  out.blank()
  out.comment(0, 'Virtual hosts. Each states only what differs from "default": mappings merge, lists replace.')
  out.line(0, 'hosts:')
  out.line(1, 'default:')
  const host = corePoints.filter((p) => p.point.slot.startsWith('hosts.*.'))
  for (const [key, schema] of Object.entries(hostSections)) section(out, 2, key, schema, host.filter((p) => p.point.slot.startsWith(`hosts.*.${key}.`)), choices)
  for (const core of host.filter((p) => p.point.slot.split('.').length === 3)) slot(out, 2, core, choices)
  return out.text()
}

const LISTENER_EXAMPLE: Readonly<Record<string, string>> = { protocol: 'imap4', address: '192.0.2.10', port: '993', tls: 'implicit' }

function section(out: Lines, depth: number, key: string, schema: SectionSchema, slots: readonly CorePoint[], choices: readonly Choice[]): void {
  out.comment(depth, sectionHelp[key as keyof typeof sectionHelp])
  // A key with only comments below it says nothing, which is what it means.
  out.line(depth, `${key}:`)
  for (const field of fieldsOf(schema)) setting(out, depth + 1, field)
  for (const core of slots) slot(out, depth + 1, core, choices)
  out.blank()
}

function setting(out: Lines, depth: number, field: Field): void {
  if (field.description !== undefined) out.comment(depth, field.description)
  if (field.fields.length > 0) {
    out.line(depth, `${field.key}:`)
    for (const inner of field.fields) setting(out, depth + 1, inner)
  } else out.line(depth, field.fallback === undefined ? `# ${field.key}:` : `${field.key}: ${scalar(field.fallback)}`)
}

function slot(out: Lines, depth: number, { point, fallback, help }: CorePoint, choices: readonly Choice[]): void {
  const here = choices.filter((c) => c.point.id === point.id)
  const key = point.slot.slice(point.slot.lastIndexOf('.') + 1)
  out.comment(depth, help)
  for (const choice of here) describe(out, depth, choice)
  if (fallback === undefined) out.line(depth, `# ${key}: [${here.map((c) => c.name).join(', ')}]`)
  else out.line(depth, point.pick === 'one' ? `${key}: ${fallback.join(', ')}` : `${key}: [${fallback.join(', ')}]`)
  if (point.pick === 'all' && key === 'extensions') {
    out.comment(depth, 'Names that are left out of all that are loaded.')
    out.line(depth, 'without: []')
  }
  if (depth === 0 || point.slot.split('.').length === 3) out.blank()
}

function describe(out: Lines, depth: number, choice: Choice): void {
  out.comment(depth, `  ${choice.name}: ${choice.summary}.`)
  const schema = objectSchema(choice.settings)
  for (const field of schema === undefined ? [] : fieldsOf(schema)) {
    const value = field.fallback === undefined ? (field.required ? ' (required)' : '') : ` [${scalar(field.fallback)}]`
    out.comment(depth, `    ${field.key}${value}${field.description === undefined ? '' : `: ${field.description}`}`)
  }
}

/** On one line. */
function scalar(value: unknown): string {
  return stringify(value, { collectionStyle: 'flow', lineWidth: 0 }).trim()
}

class Lines {
  readonly #lines: string[] = []
  line(depth: number, text: string): void {
    this.#lines.push('  '.repeat(depth) + text)
  }
  comment(depth: number, text: string): void {
    this.line(depth, `# ${text}`)
  }
  blank(): void {
    if (this.#lines.at(-1) !== '') this.#lines.push('')
  }
  text(): string {
    return `${this.#lines.join('\n').trimEnd()}\n`
  }
}
