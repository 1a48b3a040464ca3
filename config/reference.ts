import { stringify } from 'yaml'
import { corePoints, type CorePoint } from '../core/config/points.js'
import { objectSchema, type Choice } from '../core/config/schema/choice.js'
import { fieldsOf, type Field } from '../core/config/schema/fields.js'
import { listenerSection } from '../core/config/schema/listeners.js'
import { hostSections, processSections, sectionHelp, type SectionSchema } from '../core/config/schema/sections.js'
import { limitRows, type LimitRow } from '../core/wire/limits.js'

const NOTE = '<!-- Generated from the schemas by config/generate.ts; UPDATE_GENERATED=1 writes it again. -->'

/** The page `docs/reference/config.md`: every setting by its place in the file. */
export function configPage(choices: readonly Choice[]): string {
  const host = corePoints.filter(({ point }) => point.slot.startsWith('hosts.*.'))
  const own = (key: string): readonly CorePoint[] => host.filter(({ point }) => point.slot.startsWith(`hosts.*.${key}.`))
  const out = [
    '# Settings',
    NOTE,
    'Every setting by its place in the file; `docs/guide/configure.md` explains the file itself. Durations are written `30s`, `5m` or `1h30m`, sizes `10MiB`, permission bits `"0600"`, secrets `{ file: PATH }` or `{ env: NAME }`. Relative paths are relative to the file that says them. A setting without a default may be left out unless it is marked as required.',
    '## The file',
    table([
      ['`version`', '`1`', 'Version of the format of the configuration; there is no other.'],
      ['`$import`', '', 'A file, or a list of files, that lie under this one: what this one says wins.'],
      ['`plugins`', '`[]`', 'Plugins beyond the built-in ones: packages and paths, from the folder of this file.'],
    ]),
    ...Object.entries(processSections).flatMap(([key, schema]) => section(key, key, schema)),
    '## `listeners.NAME`',
    'Where clients connect. The name is of your choice; a socket unit of systemd names the same.',
    table(settingRows('', fieldsOf(listenerSection))),
    ...corePoints.filter(({ point }) => !point.slot.startsWith('hosts.*.')).flatMap((point) => slot(2, point, choices)),
    '## `hosts.NAME`',
    'Virtual hosts. `default` serves what belongs to no other, and gives every host the settings that it does not state itself: mappings merge, lists replace.',
    ...Object.entries(hostSections).flatMap(([key, schema]) => [...section(`hosts.*.${key}`, key, schema), ...own(key).flatMap((point) => slot(3, point, choices))]),
    ...host.filter(({ point }) => point.slot.split('.').length === 3).flatMap((point) => slot(2, point, choices)),
  ]
  return page(out)
}

/** The page `docs/reference/limits.md`: every fixed bound of the wire. */
export function limitsPage(): string {
  const rows = Object.entries(limitRows as Readonly<Record<string, LimitRow>>)
  return page([
    '# Limits',
    '<!-- Generated from core/wire/limits.ts by config/generate.ts; UPDATE_GENERATED=1 writes it again. -->',
    'What one client may send. The bound is the largest value that is accepted; the last column says what one past it leads to. These are fixed; what a site may change is a setting (`config.md`: `imap.timeouts`, `imap.limits`, `auth.maxAttempts`).',
    table(
      rows.map(([name, row]) => [`\`${name}\``, `${row.bound.toLocaleString('en-GB').replaceAll(',', ' ')} ${row.unit}`, row.reaction]),
      ['Name', 'Bound', 'Beyond it'],
    ),
  ])
}

function section(path: string, key: string, schema: SectionSchema): string[] {
  return [`## \`${path}\``, sectionHelp[key as keyof typeof sectionHelp], table(settingRows('', fieldsOf(schema)))]
}

function slot(depth: number, { point, fallback, help }: CorePoint, choices: readonly Choice[]): string[] {
  const here = choices.filter((c) => c.point.id === point.id)
  const all = point.pick === 'all'
  const shape = point.pick === 'one' ? 'One entry' : all ? 'A list; without it everything that is loaded' : 'A list, in order'
  const by = fallback === undefined ? (all ? '' : 'Default: none.') : `Default: ${fallback.map((name) => `\`${name}\``).join(', ')}.`
  return [
    `${'#'.repeat(depth)} \`${point.slot}\``,
    [help, `${shape}.`, by, `Extension point \`${point.id}\`.`].filter((s) => s !== '').join(' '),
    ...(point.id === 'imap.extensions' ? ['`hosts.*.imap.without` is a list of names that are left out of all that are loaded.'] : []),
    ...(here.length === 0 ? [] : [table(here.flatMap((c) => choiceRows(c)), ['Entry', 'Default', 'Meaning'])]),
  ]
}

function choiceRows(choice: Choice): string[][] {
  const schema = objectSchema(choice.settings)
  return [[`**\`${choice.name}\`**`, '', `${choice.summary}.`], ...settingRows(`${choice.name}: `, schema === undefined ? [] : fieldsOf(schema))]
}

function settingRows(prefix: string, fields: readonly Field[], above = ''): string[][] {
  return fields.flatMap((field) => {
    const name = `${above}${field.key}`
    const row = [`${prefix}\`${name}\``, fallback(field), field.description ?? '']
    return field.fields.length > 0 ? settingRows(prefix, field.fields, `${name}.`) : [row]
  })
}

function fallback(field: Field): string {
  if (field.fallback !== undefined) return `\`${stringify(field.fallback, { collectionStyle: 'flow', lineWidth: 0 }).trim()}\``
  return field.required ? 'required' : ''
}

function table(rows: readonly (readonly string[])[], head: readonly string[] = ['Setting', 'Default', 'Meaning']): string {
  const line = (cells: readonly string[]): string => `| ${cells.map((c) => c.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), `|${head.map(() => '---|').join('')}`, ...rows.map(line)].join('\n')
}

function page(parts: readonly string[]): string {
  return `${parts.join('\n\n')}\n`
}
