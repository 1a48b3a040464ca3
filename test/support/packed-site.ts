import { mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { run } from './programs.js'

const project = fileURLToPath(new URL('../..', import.meta.url))

/** A site of somebody else: this server and one of its own packages as npm packs and installs them. */
export interface PackedSite extends AsyncDisposable {
  readonly folder: string
  /** Its `node_modules`. */
  readonly modules: string
}
/** `source`: the package's folder in this tree; `name`: what it is called in `@mailwright`. */
export async function packedSite(source: string, name: string): Promise<PackedSite> {
  const folder = await mkdtemp(join(tmpdir(), 'mailwright-site-'))
  const modules = join(folder, 'node_modules')
  await mkdir(join(modules, '@mailwright'), { recursive: true })
  // What npm would install beside them.
  for (const other of await readdir(join(project, 'node_modules'))) if (!other.startsWith('.') && other !== '@mailwright') await symlink(join(project, 'node_modules', other), join(modules, other))
  for (const [from, into] of [[project, 'mailwright'], [source, `@mailwright/${name}`]] as const) {
    const packed = await run('npm', ['pack', '--silent', '--offline', '--ignore-scripts', '--pack-destination', folder], { cwd: from })
    const tarball = packed.stdout.trim().split('\n').at(-1) ?? ''
    await mkdir(join(modules, into), { recursive: true })
    const out = await run('tar', ['-xzf', join(folder, tarball), '--strip-components=1', '-C', join(modules, into)])
    if (packed.code !== 0 || out.code !== 0) throw new Error(packed.stderr + out.stderr)
  }
  return { folder, modules, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) }
}
