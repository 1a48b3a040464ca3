import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { importPlugin } from '../../../core/kernel/loader/module.js'
import { wire } from '../../../core/kernel/lifecycle/wire.js'
import { kernelOptions, plugin, row } from '../../support/kernel.js'

let site: string
beforeAll(async () => {
  site = await mkdtemp(join(tmpdir(), 'loader-'))
  const put = async (path: string, text: string): Promise<void> => {
    await mkdir(dirname(join(site, path)), { recursive: true })
    await writeFile(join(site, path), text)
  }
  const good = (id: string, api = '1.0'): string => `export default { [Symbol.for('mailwright.plugin')]: true, id: '${id}', api: '${api}', summary: '', setup() {} }\n`
  // Running it would be seen: each refused package writes to the global when its code runs.
  const ran = (id: string): string => `globalThis.ran = [...(globalThis.ran ?? []), '${id}']\n${good(id)}`
  const pack = async (name: string, manifest: unknown, code: string): Promise<void> => {
    await put(`node_modules/${name}/package.json`, JSON.stringify({ name, version: '1.0.0', type: 'module', ...(manifest === undefined ? {} : { mailwright: manifest }) }))
    await put(`node_modules/${name}/index.js`, code)
  }
  await put('package.json', '{"type":"module"}')
  await pack('plain', undefined, ran('plain'))
  await pack('half', { api: '1.0' }, ran('half'))
  await pack('outside', { api: '1.0', entry: '../plain/index.js' }, ran('outside'))
  await pack('newer', { api: '1.9', entry: './index.js' }, ran('newer'))
  await pack('next', { api: '2.0', entry: './index.js' }, ran('next'))
  await pack('older', { api: '0.9', entry: './index.js' }, ran('older'))
  await pack('vague', { api: 'one', entry: './index.js' }, ran('vague'))
  await pack('unbuilt', { api: '1.0', entry: './dist/index.js' }, '')
  await pack('two-in-one', { api: '1.0', entry: ['./index.js', './second.js'] }, good('two-a'))
  await put('node_modules/two-in-one/second.js', good('two-b'))
  await put('node_modules/broken-json/package.json', '{')
  await put('local/good.js', good('local-good'))
  await put('local/again.js', good('local-good'))
  await put('local/unbranded.js', `export default { id: 'x', api: '1.0', setup() {} }\n`)
  await put('local/nothing.js', 'export const x = 1\n')
  await put('local/old-api.js', good('local-old', '0.1'))
  await put('local/throws.js', 'throw new Error("at load")\n')
  await put('local/lacks.js', `import 'left-pad-absent'\n${good('local-lacks')}`)
  await put('local/setup.js', good('local-setup').replace('setup() {}', 'setup() { throw new Error("in setup") }'))
  await put('local/typed.ts', good('local-typed'))
})
afterAll(() => rm(site, { recursive: true }))

const load = async (...plugins: readonly unknown[]): Promise<{ problems: string[]; loaded: string[] }> => {
  const { problems, plugins: loaded } = await wire(kernelOptions({ plugins }, { folder: site }))
  return { problems: problems.map((p) => `${p.severity} ${p.code} ${p.path}: ${p.message.replaceAll(site, 'SITE')}`), loaded: loaded.map((p) => `${p.from} ${p.id}`) }
}

const refusals = [
  { name: 'a package that is not installed', module: '@acme/absent', answer: 'PLG_NOT_FOUND plugins[0]: package @acme/absent is not installed (looked in node_modules from SITE upwards)' },
  { name: 'a package without the field', module: 'plain', answer: 'PLG_NO_MANIFEST plugins[0]: plain: package.json has no "mailwright" field (SITE/node_modules/plain/package.json)' },
  { name: 'a field without entry', module: 'half', answer: 'PLG_NO_MANIFEST plugins[0]: half: the "mailwright" field has no "entry" (SITE/node_modules/half/package.json)' },
  { name: 'an entry outside the package', module: 'outside', answer: 'PLG_NO_MANIFEST plugins[0]: outside: the entry "../plain/index.js" lies outside the package (SITE/node_modules/outside/package.json)' },
  { name: 'a package.json that is none', module: 'broken-json', answer: 'PLG_NO_MANIFEST plugins[0]: broken-json: package.json is no JSON object (SITE/node_modules/broken-json/package.json)' },
  { name: 'a version that is none', module: 'vague', answer: 'PLG_NO_MANIFEST plugins[0]: vague states the plugin API as "one"' },
  { name: 'a newer minor version', module: 'newer', answer: 'PLG_API_TOO_NEW plugins[0]: newer needs plugin API 1.9, this server offers 1.0' },
  { name: 'a newer major version', module: 'next', answer: 'PLG_API_TOO_NEW plugins[0]: next needs plugin API 2.0, this server offers 1.0' },
  { name: 'an older major version', module: 'older', answer: 'PLG_API_TOO_OLD plugins[0]: older was made for plugin API 0.9, this server offers 1.0' },
  { name: 'a package that was not built', module: 'unbuilt', answer: 'PLG_NOT_FOUND plugins[0]: there is no file SITE/node_modules/unbuilt/dist/index.js' },
  { name: 'a path that leads nowhere', module: './local/absent.js', answer: 'PLG_NOT_FOUND plugins[0]: there is no file SITE/local/absent.js' },
  { name: 'a default export without brand', module: './local/unbranded.js', answer: 'PLG_NOT_A_PLUGIN plugins[0]: SITE/local/unbranded.js has no plugin as its default export' },
  { name: 'no default export', module: './local/nothing.js', answer: 'PLG_NOT_A_PLUGIN plugins[0]: SITE/local/nothing.js has no plugin as its default export' },
  { name: 'a local plugin of an old API', module: './local/old-api.js', answer: 'PLG_API_TOO_OLD plugins[0]: plugin local-old was made for plugin API 0.1, this server offers 1.0' },
  { name: 'a module that throws', module: './local/throws.js', answer: 'PLG_IMPORT_FAILED plugins[0]: SITE/local/throws.js cannot be imported: at load' },
  { name: 'a setup that throws', module: './local/setup.js', answer: 'PLG_SETUP_FAILED plugins[0]: plugin local-setup: setup failed: in setup' },
]

describe('loader', () => {
  test.each(refusals)('refuses $name', async ({ module, answer }) => {
    expect(await load(module)).toEqual({ problems: [`error ${answer}`], loaded: [] })
  })

  test('no code of a package runs before its manifest fits', async () => {
    await load('plain', 'half', 'outside', 'vague', 'newer', 'next', 'older')
    expect(Reflect.get(globalThis, 'ran')).toBeUndefined()
  })

  test('a module that a plugin needs and that is not there is named', async () => {
    const { problems } = await load('./local/lacks.js')
    expect(problems).toEqual(['error PLG_MISSING_DEPENDENCY plugins[0]: SITE/local/lacks.js needs the package left-pad-absent'])
  })

  test('all refusals come together; an optional plugin only warns', async () => {
    expect(await load('@acme/absent', './local/good.js', { use: 'newer', optional: true }, './local/again.js', 'two-in-one')).toEqual({
      problems: [
        'error PLG_NOT_FOUND plugins[0]: package @acme/absent is not installed (looked in node_modules from SITE upwards)',
        'warning PLG_API_TOO_NEW plugins[2]: newer needs plugin API 1.9, this server offers 1.0',
        'error PLG_DUPLICATE_ID plugins[3]: plugin local-good: another plugin with this id is loaded',
      ],
      loaded: ['file local-good', 'package two-a', 'package two-b'],
    })
  })

  test('TypeScript is loaded where Node can, and refused with the way out where it cannot', async () => {
    await expect(importPlugin(join(site, 'local/typed.ts'), false)).rejects.toMatchObject({ code: 'PLG_NO_TYPESCRIPT', hint: 'use Node 22.18 or newer, or compile the file to .js' })
    expect((await importPlugin(join(site, 'local/typed.ts'), true)).id).toBe('local-typed')
  })

  test('a built-in plugin that cannot be imported is a problem, not a crash', async () => {
    const points = [{ id: 'test.shapes', scope: 'host', pick: 'ordered', roles: ['mail'], slot: 'hosts.*.shapes' } as const]
    const lacking = { ...row(plugin('shape-x', () => undefined), ['test.shapes', 'x']), load: async () => import(/* @vite-ignore */ ['left', 'pad', 'absent'].join('-')) }
    const { problems } = await wire(kernelOptions({ hosts: { default: { shapes: ['x'] } } }, { points, reading: points, builtins: [lacking] }))
    expect(problems.map((p) => `${p.code} ${p.message}`)).toEqual(['PLG_MISSING_DEPENDENCY built-in plugin shape-x needs the package left-pad-absent'])
  })
})
