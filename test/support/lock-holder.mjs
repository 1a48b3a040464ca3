// Takes a kernel lock on a file and holds it until its input ends: `node lock-holder.mjs KIND PATH [CONTENT]`.
import { closeSync, openSync, writeSync } from 'node:fs'
import koffi from 'koffi'

const [kind, path, content] = process.argv.slice(2)
const c = koffi.load(null)
const fd = openSync(path, 'r+')
let taken
if (kind === 'flock') taken = c.func('int flock(int, int)')(fd, 2 | 4)
else {
  koffi.struct('lock', { type: 'int16', whence: 'int16', start: 'int64', len: 'int64', pid: 'int32' })
  taken = c.func('int fcntl(int, int, ...)')(fd, 6, 'lock *', { type: 1, whence: 0, start: 0, len: 0, pid: 0 })
}
if (content !== undefined) writeSync(fd, content)
process.stdout.write(taken === 0 ? 'locked\n' : 'busy\n')
process.stdin.resume()
process.stdin.on('end', () => closeSync(fd))
