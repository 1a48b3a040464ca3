import { mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { run } from './programs.js'

const project = fileURLToPath(new URL('../..', import.meta.url))

/** A site of somebody else: this server and packages of `plugins/contrib` as npm packs and installs them. */
export interface PackedSite extends AsyncDisposable {
  readonly folder: string
  /** Its `node_modules`. */
  readonly modules: string
}
/** `contrib`: folders in `plugins/contrib`, which are also the names in `@mailwright`. */
export function packedSite(...contrib: readonly string[]): Promise<PackedSite> {
  return packedSiteWithout([], ...contrib)
}
/** `without`: packages that are not installed. */
export async function packedSiteWithout(without: readonly string[], ...contrib: readonly string[]): Promise<PackedSite> {
  const folder = await mkdtemp(join(tmpdir(), 'mailwright-site-'))
  const modules = join(folder, 'node_modules')
  await mkdir(join(modules, '@mailwright'), { recursive: true })
  // What npm would install beside them.
  for (const other of await readdir(join(project, 'node_modules'))) if (!other.startsWith('.') && other !== '@mailwright' && !without.includes(other)) await symlink(join(project, 'node_modules', other), join(modules, other))
  const packages = [[project, 'mailwright'], ...contrib.map((name) => [join(project, 'plugins/contrib', name), `@mailwright/${name}`])] as const
  for (const [from = '', into = ''] of packages) {
    const packed = await run('npm', ['pack', '--silent', '--offline', '--ignore-scripts', '--pack-destination', folder], { cwd: from })
    const tarball = packed.stdout.trim().split('\n').at(-1) ?? ''
    await mkdir(join(modules, into), { recursive: true })
    const out = await run('tar', ['-xzf', join(folder, tarball), '--strip-components=1', '-C', join(modules, into)])
    if (packed.code !== 0 || out.code !== 0) throw new Error(packed.stderr + out.stderr)
  }
  return { folder, modules, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) }
}
