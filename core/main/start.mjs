// `npm start`: the quickstart of config/examples, on a fresh clone too.
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { makeReady, root } from './ready.mjs'

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(`mailwright: Node 20.19 or newer is needed, this is ${process.versions.node}\n`)
  process.exit(1)
}
makeReady()
const cli = join(root, 'dist', 'core', 'main', 'cli.js')
process.argv = [process.execPath, cli, 'serve', '--config', join(root, 'config', 'examples', 'quickstart.yaml'), '--try', ...process.argv.slice(2)]
await import(pathToFileURL(cli).href)
