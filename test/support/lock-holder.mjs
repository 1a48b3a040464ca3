// Takes a kernel lock on a file and holds it until its input ends: `node lock-holder.mjs KIND PATH [CONTENT]`.
// The content is percent-encoded; `pid` in it stands for its own process. It says `asked` when it gets SIGUSR2, and, with YIELDS=1, lets go.
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
if (content !== undefined) writeSync(fd, decodeURIComponent(content).replace('pid', String(process.pid)))
process.on('SIGUSR2', () => {
  process.stdout.write('asked\n')
  if (process.env.YIELDS === '1') process.exit()
})
process.stdout.write(taken === 0 ? 'locked\n' : 'busy\n')
process.stdin.resume()
process.stdin.on('end', () => closeSync(fd))
