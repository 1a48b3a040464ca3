import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createToken, LOGGER, workarounds } from '../../core/api/index.js'
import { readConfig } from '../../core/config/config.js'
import { startKernel } from '../../core/kernel/lifecycle/start.js'
import { keepingLogger } from '../support/kernel.js'

const run = promisify(execFile)
const project = fileURLToPath(new URL('../..', import.meta.url))
const BADGE_BOARD = createToken<{ readonly colours: readonly string[] }>('acme.badge-board').in('host')
let site: string

/** An empty site: a copy of the plugin API as an installation brings it, and the packed plugin. */
beforeAll(async () => {
  site = await mkdtemp(join(tmpdir(), 'site-'))
  const modules = join(site, 'node_modules')
  const api = join(modules, 'mailwright')
  await mkdir(api, { recursive: true })
  const compile = ['core/api/index.ts', '--outDir', api, '--ignoreConfig', '--target', 'es2023', '--module', 'nodenext', '--lib', 'es2023,esnext.disposable', '--types', 'node', '--skipLibCheck']
  await run(process.execPath, [join(project, 'node_modules/typescript/bin/tsc'), ...compile], { cwd: project })
  await writeFile(join(api, 'package.json'), JSON.stringify({ name: 'mailwright', version: '0.1.0', type: 'module', exports: { './api': './index.js' } }))
  await symlink(join(project, 'node_modules/zod'), join(modules, 'zod'))

  const fixture = fileURLToPath(new URL('../fixtures/third-party/tiny', import.meta.url))
  await run('npm', ['pack', '--silent', '--offline', '--pack-destination', site], { cwd: fixture })
  const [tarball] = (await readdir(site)).filter((name) => name.endsWith('.tgz'))
  const folder = join(modules, '@acme/mailwright-tiny')
  await mkdir(folder, { recursive: true })
  await run('tar', ['-xzf', join(site, tarball ?? ''), '--strip-components=1', '-C', folder])
}, 120_000)
afterAll(() => rm(site, { recursive: true, force: true }))

describe('a package by a third party', () => {
  test('is packed, installed into an empty site and loaded by name, with a second copy of the API', async () => {
    const file = join(site, 'mailwright.config.yaml')
    await writeFile(
      file,
      `plugins: ['@acme/mailwright-tiny']
hosts:
  default:
    workarounds: [tiny]
    acme: { badges: [gold, gold] }
`,
    )
    const logger = keepingLogger()
    const kernel = await startKernel({
      source: await readConfig(file),
      builtins: [],
      always: [],
      points: [workarounds],
      reads: [workarounds],
      given: [{ token: LOGGER, value: logger }],
      logger,
      roles: ['front', 'auth', 'mail'],
    })
    try {
      const host = kernel.host('default')
      expect(host?.get(BADGE_BOARD)).toEqual({ colours: ['gold', 'gold'] })
      expect(host?.entries(workarounds).map((e) => [e.name, e.plugin, e.made.applies({ address: '192.0.2.1', id: new Map(), commands: [] }, undefined)])).toEqual([['tiny', 'acme-tiny', true]])
      expect(kernel.wiring.plugins).toEqual([
        {
          id: 'acme-tiny',
          summary: 'A workaround, a point of its own and a service that reads it',
          from: 'package',
          origin: join(site, 'node_modules/@acme/mailwright-tiny'),
          version: '2.3.4',
          fills: [
            { point: 'acme.badges', name: 'gold' },
            { point: 'client.workarounds', name: 'tiny' },
          ],
          provides: ['acme.badge-board'],
          offers: ['acme.badges'],
        },
      ])
    } finally {
      await kernel.stop()
    }
  })
})
