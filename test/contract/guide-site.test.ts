import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { packedSite, type PackedSite } from '../support/packed-site.js'
import { run } from '../support/programs.js'

const project = fileURLToPath(new URL('../..', import.meta.url))
const guide = join(project, 'docs/guide')
const PAGES_IN = ['docs', 'plugins'].map((folder) => join(project, folder))

interface Block {
  readonly name: string
  readonly text: string
}
/** Blocks of code of one language in a page, without the indentation of the list they stand in. */
async function blocksOf(file: string, language: string): Promise<Block[]> {
  const page = await readFile(file, 'utf8')
  return [...page.matchAll(new RegExp(`^( *)\`\`\`${language}\\n([\\s\\S]*?)^ *\`\`\`$`, 'gm'))].map(({ 1: indent = '', 2: text = '', index }) => ({
    name: `${file.slice(project.length)}:${page.slice(0, index).split('\n').length}`,
    text: text.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
  }))
}
async function pages(): Promise<string[]> {
  const found = await Promise.all(
    PAGES_IN.map(async (folder) => (await readdir(folder, { recursive: true })).filter((path) => path.endsWith('.md') && !path.includes('node_modules')).map((path) => join(folder, path))),
  )
  return [join(project, 'README.md'), ...found.flat().toSorted()]
}
const configurations = (await Promise.all((await pages()).map((page) => blocksOf(page, 'yaml')))).flat()

/** `mailwright check` for many files in one process; prints what each is told, by its name. */
const CHECK_ALL = `
import { PassThrough } from 'node:stream'
import { run } from './node_modules/mailwright/dist/core/main/commands/check.js'
const told = {}
for (const file of process.argv.slice(2)) {
  const out = new PassThrough()
  await run({ args: ['--config', file], terminal: { out, err: process.stderr, colours: false }, env: process.env })
  told[file] = String(out.read())
}
console.log(JSON.stringify(told))
`
/** Errors in what the file says; what the machine of the reader should have (certificates, folders) this one has not. */
const WRONG = /^(?:CFG|PLG)_\w+ {2}.*$/gm

describe('a site of somebody else who follows the guide', () => {
  let site: PackedSite
  beforeAll(async () => {
    site = await packedSite('maildir', 'ntlm')
    for (const name of await readdir(join(guide, 'examples'))) await cp(join(guide, 'examples', name), join(site.folder, name))
    const [options] = await blocksOf(join(guide, 'write-a-plugin.md'), 'json')
    await writeFile(join(site.folder, 'tsconfig.json'), options?.text ?? '')
    await writeFile(join(site.folder, 'package.json'), '{ "type": "module" }')
  }, 120_000)
  afterAll(() => site?.[Symbol.asyncDispose]())

  test('the examples compile with the options that the guide names, against the packed types', async () => {
    const { code, stdout } = await run(process.execPath, [join(site.modules, 'typescript/bin/tsc')], { cwd: site.folder })
    expect([code, stdout]).toEqual([0, ''])
  }, 60_000)

  test('the kit of the package runs as the guide says', async () => {
    const [kit] = await blocksOf(join(guide, 'write-a-driver.md'), 'js')
    await writeFile(join(site.folder, 'folder-format.test.js'), kit?.text ?? '')
    const { code, stdout, stderr } = await run(process.execPath, [join(site.modules, 'vitest/vitest.mjs'), 'run', '-t', 'flags'], { cwd: site.folder, env: { NO_COLOR: '1' } })
    expect(code, stdout + stderr).toBe(0)
    expect(stdout).toMatch(/Tests +\d+ passed/)
  }, 120_000)

  test('every configuration that a page shows loads', async () => {
    // Plugins that the pages have built, where they take them from.
    const acme = join(site.modules, '@acme/mailwright-office-hours')
    for (const [name, to] of [['folder-format.js', join(site.folder, 'local')], ['office-hours.js', acme]] as const) {
      await mkdir(to, { recursive: true })
      await cp(join(site.folder, name), join(to, name))
    }
    const manifest = (await blocksOf(join(guide, 'write-a-plugin.md'), 'json')).find((block) => block.text.includes('"entry"'))
    await writeFile(join(acme, 'package.json'), manifest?.text ?? '')
    for (const name of ['listeners.yaml', 'hosts/example.yaml']) {
      await mkdir(dirname(join(site.folder, name)), { recursive: true })
      await writeFile(join(site.folder, name), '{}\n')
    }
    await writeFile(join(site.folder, 'check-all.mjs'), CHECK_ALL)
    for (const [i, { text }] of configurations.entries()) await writeFile(join(site.folder, `${i}.yaml`), text)
    await writeFile(join(site.folder, 'wrong.yaml'), 'hosts: { default: { workarounds: [nowhere] } }\n')
    const { code, stdout, stderr } = await run(process.execPath, ['check-all.mjs', ...configurations.map((_, i) => `${i}.yaml`), 'wrong.yaml'], { cwd: site.folder })
    expect(code, stderr).toBe(0)
    const told = JSON.parse(stdout) as Record<string, string>
    expect(Object.fromEntries(configurations.map(({ name }, i) => [name, told[`${i}.yaml`]?.match(WRONG) ?? []]).filter(([, wrong]) => wrong?.length !== 0))).toEqual({})
    expect(told['wrong.yaml']?.match(WRONG)).toEqual([expect.stringMatching(/^CFG_UNKNOWN_NAME .*"nowhere"/)])
    expect(configurations.length).toBeGreaterThan(20)
  }, 120_000)
})
