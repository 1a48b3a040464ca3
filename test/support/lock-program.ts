import { writeFile } from 'node:fs/promises'

/** What a lock program does: as it should, or wrong in one way. */
export type LockProgramKind = 'right' | 'refuses' | 'misused' | 'silent' | 'dead'

/**
 * Writes a program that follows the protocol of the UW toolkit's `mlock`: two arguments, descriptor and path of one regular file; one octet of
 * answer; the lock goes when standard input says anything or ends. What it did stands in FILE.log, a line for each step.
 */
export async function writeLockProgram(file: string, kind: LockProgramKind = 'right'): Promise<string> {
  await writeFile(
    file,
    `#!${process.execPath}
const fs = require('node:fs')
const log = (line) => fs.appendFileSync(${JSON.stringify(`${file}.log`)}, line + '\\n')
const [fd, path] = process.argv.slice(2)
const end = (answer) => { log('answers ' + answer); fs.writeSync(1, answer); process.exit(0) }
if (${JSON.stringify(kind)} === 'dead') process.exit(3)
const [open, named] = [fs.fstatSync(Number(fd)), fs.lstatSync(path)]
if (process.argv.length !== 4 || !path.startsWith('/') || !open.isFile() || !named.isFile() || open.ino !== named.ino || open.dev !== named.dev) end('?')
if (${JSON.stringify(kind)} === 'misused') end('?')
if (${JSON.stringify(kind)} === 'refuses') end('-')
const lock = path + '.lock'
const byEnd = () => process.stdin.on('data', () => undefined).on('data', gone).on('end', gone)
let held = false
function gone() {
  if (held) { held = false; fs.unlinkSync(lock); log('unlocks') }
  process.exit(0)
}
if (${JSON.stringify(kind)} === 'silent') byEnd()
else {
  try {
    fs.closeSync(fs.openSync(lock, 'wx', 0o664))
  } catch {
    end('-')
  }
  held = true
  log('locks')
  byEnd()
  fs.writeSync(1, '+')
}
`,
    { mode: 0o755 },
  )
  return file
}
