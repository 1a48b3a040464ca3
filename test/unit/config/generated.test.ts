import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'
import { generated, writeGenerated } from '../../../config/generate.js'
import { configOf, readConfig } from '../../../core/config/config.js'
import type { ConfigPlan } from '../../../core/config/plan/types.js'
import { declarationsOf } from '../../../core/kernel/registry/registrar.js'
import { rowMismatch } from '../../../core/kernel/lifecycle/wire.js'
import { knownPoints } from '../../../core/main/always.js'
import { builtinPlugins } from '../../../plugins/builtin.js'

const project = fileURLToPath(new URL('../../..', import.meta.url))

/** With UPDATE_GENERATED=1 the files are written first. */
beforeAll(async () => {
  if (process.env['UPDATE_GENERATED'] === '1') await writeGenerated(project)
})

describe('generated files', () => {
  test.each(['config/default.yaml', 'config/schema/mailwright.schema.json', 'docs/reference/config.md', 'docs/reference/limits.md'])('%s is what the schemas say (UPDATE_GENERATED=1 writes it)', async (path) => {
    expect(await readFile(join(project, path), 'utf8')).toBe((await generated()).get(path))
  })

  test('config/default.yaml says what holds without a configuration', async () => {
    const essence = (plan: ConfigPlan): unknown => ({
      problems: plan.problems,
      server: plan.server,
      settings: plan.settings.map((s) => [s.path, s.value]),
      slots: [plan.process, ...plan.hosts].flatMap((part) => part.slots.map((s) => [s.path, s.entries?.map((e) => e.use)])),
      given: plan.hosts.flatMap((host) => host.given.map((g) => [g.token.id, g.value])),
    })
    const written = (await readConfig(join(project, 'config/default.yaml'))).plan(knownPoints)
    expect(essence(written)).toEqual(essence(configOf({}, join(project, 'config')).plan(knownPoints)))
  })

  test('every setting has one sentence of help', async () => {
    const text = (await generated()).get('config/default.yaml') ?? ''
    const lines = text.split('\n')
    const bare = lines.filter((line, i) => /^\s*[A-Za-z]+:/.test(line) && !/^\s*#|default:$|hosts:$/.test(lines[i - 1] ?? '') && !/^(?:version|hosts):|^ {2}default:/.test(line))
    expect(bare).toEqual([])
  })
})

describe('the table of built-in plugins', () => {
  test('is sorted, and each row says what its plugin contributes', async () => {
    expect(builtinPlugins.map((row) => row.id)).toEqual(builtinPlugins.map((row) => row.id).toSorted())
    const wrong: string[] = []
    for (const row of builtinPlugins) {
      const { plugin, contributions } = declarationsOf((await row.load()).default)
      if (plugin.id !== row.id) wrong.push(`${row.id} is called ${plugin.id}`)
      wrong.push(...(rowMismatch(row, contributions.map((c) => ({ point: c.point.id, name: c.what.name }))) ?? []))
    }
    expect(wrong).toEqual([])
  })
})
