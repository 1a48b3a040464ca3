import { mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { StartFailure } from '../../../core/api/index.js'
import { findConfig, readConfig } from '../../../core/config/config.js'
import { corePoints } from '../../../core/config/points.js'
import type { ConfigPlan } from '../../../core/config/plan/types.js'

const points = corePoints.map((p) => p.point)
let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'config-'))
})
afterEach(() => rm(folder, { recursive: true }))

const put = async (path: string, text: string): Promise<string> => {
  const file = join(folder, path)
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, text)
  return file
}
const failure = async (reading: Promise<unknown>): Promise<string[]> => {
  const cause: unknown = await reading.catch((e: unknown) => e)
  if (!(cause instanceof StartFailure)) throw new Error('it was read')
  return cause.problems.map((p) => `${p.code} ${p.file?.replace(folder, '') ?? ''}:${p.line ?? ''} ${p.message.replaceAll(folder, '')}`)
}
const name = (plan: ConfigPlan): string => plan.server.name

describe('finding', () => {
  test('a folder without one has none; of several the first in order counts', async () => {
    expect(await findConfig(folder)).toBeUndefined()
    await put('package.json', '{ "mailwright": { "server": { "name": "package" } } }')
    await put('.mailwrightrc', 'server: { name: rc }')
    expect(await findConfig(folder)).toBeUndefined()
    await put('mailwright.config.js', 'export default { server: { name: "js" } }')
    expect(name((await findConfig(folder))!.plan(points))).toBe('js')
    await put('mailwright.config.json', '{ "server": { "name": "json" } }')
    expect(name((await findConfig(folder))!.plan(points))).toBe('json')
    await put('mailwright.config.yaml', 'server: { name: yaml }')
    expect(name((await findConfig(folder))!.plan(points))).toBe('yaml')
  })

  test('nothing in the working directory is run', async () => {
    await put('.config/config.js', 'globalThis.ranFromWorkingDirectory = true; module.exports = { searchPlaces: ["evil.js"] }')
    await put('.config/config.cjs', 'globalThis.ranFromWorkingDirectory = true; module.exports = {}')
    const before = process.cwd()
    process.chdir(folder)
    try {
      expect(await findConfig(folder)).toBeUndefined()
      expect(process.cwd()).toBe(folder)
    } finally {
      process.chdir(before)
    }
    expect(Reflect.get(globalThis, 'ranFromWorkingDirectory')).toBeUndefined()
  })

  test('a named file may have any name; one that is missing says so', async () => {
    expect(name((await readConfig(await put('site.conf.yml', 'server: { name: named }'))).plan(points))).toBe('named')
    expect(await failure(readConfig(join(folder, 'absent.yaml')))).toEqual(['CFG_NOT_FOUND /absent.yaml: there is no configuration file /absent.yaml'])
  })

  test('an empty file is a configuration that says nothing', async () => {
    await put('mailwright.config.yaml', '# nothing yet\n')
    expect((await findConfig(folder))?.plan(points).problems).toEqual([])
    await put('mailwright.config.yaml', '')
    expect((await findConfig(folder))?.plan(points).problems).toEqual([])
  })
})

describe('syntax', () => {
  test('every error of a YAML file is reported with its line', async () => {
    const file = await put('a.yaml', 'server:\n  name: a\n  name: b\nhosts: { default: { auth: [ }\nlog: "unended\n')
    const problems = await failure(readConfig(file))
    expect(problems.length).toBeGreaterThan(1)
    expect(problems[0]).toBe('CFG_SYNTAX /a.yaml:3 Map keys must be unique')
    expect(problems.every((p) => p.startsWith('CFG_SYNTAX /a.yaml:'))).toBe(true)
  })

  test('JSON has lines too', async () => {
    const file = await put('a.json', '{\n  "server": {\n    "nam": "x"\n  }\n}\n')
    expect((await readConfig(file)).plan(points).problems).toEqual([{ code: 'CFG_UNKNOWN_KEY', severity: 'error', path: 'server.nam', message: 'unknown setting', hint: 'did you mean "name"?', file, line: 3 }])
  })

  test('permission bits are octal however they are written, and a decimal number is refused', async () => {
    const modes = async (text: string): Promise<unknown> => {
      const plan = (await readConfig(await put('a.yaml', `hosts: { default: { mailbox: { fileMode: ${text} } } }`))).plan(points)
      return plan.problems[0]?.message ?? Reflect.get(plan.hosts[0]?.given.find((g) => g.token.id === 'settings.mailbox')?.value ?? {}, 'fileMode')
    }
    expect([await modes('0640'), await modes('0o640'), await modes("'640'"), await modes('640')]).toEqual([0o640, 0o640, 0o640, 'expected permission bits in octal, such as "0600"'])
  })

  test('a file of aliases to aliases is refused', async () => {
    const levels = Array.from({ length: 9 }, (_, i) => `l${i}: &l${i} [${Array.from({ length: 9 }, () => (i === 0 ? 'x' : `*l${i - 1}`)).join(', ')}]`)
    expect(await failure(readConfig(await put('a.yaml', `${levels.join('\n')}\n`)))).toEqual(['CFG_SYNTAX /a.yaml:1 more than 100000 values'])
  })

  test('a key with nothing behind it says nothing, but a host is there', async () => {
    const plan = (await readConfig(await put('a.yaml', 'server:\nlog:\nhosts:\n  default:\n    auth:\n      # plaintext: always\n  other:\n'))).plan(points)
    expect(plan.problems).toEqual([])
    expect(plan.hosts.map((h) => h.id)).toEqual(['default', 'other'])
    expect(plan.process.slots.find((s) => s.point === 'process.log')?.entries?.map((e) => e.use)).toEqual(['stderr'])
  })

  test('the name of a key with nothing behind it is looked at, so that no other file passes as a configuration', async () => {
    const { problems } = (await readConfig(await put('a.yaml', 'severs:\nroot:\n'))).plan(points)
    expect(problems.map((p) => `${p.code} ${p.path}:${p.line ?? ''}`)).toEqual(['CFG_UNKNOWN_KEY severs:1', 'CFG_UNKNOWN_KEY root:2'])
    const accounts = (await readConfig(await put('b.yaml', 'root:*:19000:0:99999:7:::\ndaemon:*:19000:0:99999:7:::\n'))).plan(points)
    expect(accounts.problems.map((p) => p.code)).toEqual(['CFG_UNKNOWN_KEY', 'CFG_UNKNOWN_KEY'])
  })

  test('a list at the top is no configuration', async () => {
    expect(await failure(readConfig(await put('a.yaml', '- a\n')))).toEqual(['CFG_SYNTAX /a.yaml:1 expected a mapping of sections'])
  })
})

describe('$import', () => {
  test('what is imported lies under what the file says, each with its own file, line and folder', async () => {
    const base = await put('parts/base.yaml', 'server:\n  name: base\n  runDirectory: run\nhosts:\n  default:\n    mailbox: { poll: never }\n')
    const file = await put('main.yaml', '$import: [parts/base.yaml, parts/more.yaml]\nserver:\n  name: main\n')
    await put('parts/more.yaml', 'hosts: { default: { imap: { shutdownFile: down } } }\n')
    const source = await readConfig(file)
    expect(source.files).toEqual([file, base, join(folder, 'parts/more.yaml')])
    const plan = source.plan(points)
    expect(plan.server).toMatchObject({ name: 'main', runDirectory: join(folder, 'parts/run') })
    expect(plan.problems.map((p) => [p.path, p.file, p.line])).toEqual([['hosts.default.mailbox.poll', base, 6]])
    expect(plan.hosts[0]?.given.find((g) => g.token.id === 'settings.imap')?.value).toMatchObject({ shutdownFile: join(folder, 'parts/down') })
  })

  test('circles, missing files and wrong values are all reported', async () => {
    await put('b.yaml', '$import: a.yaml\n')
    expect(await failure(readConfig(await put('a.yaml', '$import:\n  - b.yaml\n  - absent.yaml\n  - 7\n')))).toEqual([
      'CFG_IMPORT_CYCLE /b.yaml:1 /a.yaml imports itself',
      'CFG_NOT_FOUND /a.yaml:3 there is no configuration file /absent.yaml',
      'CFG_BAD_IMPORT /a.yaml:4 expected the path of a file',
    ])
  })
})

describe('modules', () => {
  test('are read anew when they change', async () => {
    const file = await put('a.js', 'export default { server: { name: "one" } }')
    expect(name((await readConfig(file)).plan(points))).toBe('one')
    await put('a.js', 'export default { server: { name: "two" } }')
    await utimes(file, 1, 1)
    expect(name((await readConfig(file)).plan(points))).toBe('two')
  })

  test('without a default export, or with an error inside, say so', async () => {
    expect(await failure(readConfig(await put('a.js', 'export const config = {}')))).toEqual(['CFG_SYNTAX /a.js: has no object as its default export'])
    expect(await failure(readConfig(await put('b.js', 'throw new Error("inside")')))).toEqual(['CFG_SYNTAX /b.js: cannot be imported: inside'])
  })

  const runsTypeScript = 'typescript' in process.features && Boolean(process.features.typescript)
  test('TypeScript is read by a Node that runs it; another one says what to do', async () => {
    const file = await put('a.ts', 'export default { server: { name: "typed" } }')
    const heard = runsTypeScript ? name((await readConfig(file)).plan(points)) : await failure(readConfig(file))
    expect(heard).toEqual(runsTypeScript ? 'typed' : [`CFG_NO_TYPESCRIPT /a.ts: /a.ts is TypeScript, which Node ${process.versions.node} does not run`])
  })
})
