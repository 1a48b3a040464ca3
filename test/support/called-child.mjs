// A child of the pool of calls, for its tests: each call does something that a library could do.
import { spawn } from 'node:child_process'
import { answerCalls } from '../../dist/plugins/auth/shared/children/called.js'

/** Blocks this thread, as a library does. */
const block = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)

answerCalls(async () => {
  if (process.env.MISSING !== undefined) throw new Error(`there is no ${process.env.MISSING}`)
  let kept = 0
  return {
    echo: (value) => value,
    environment: () => ({ ...process.env, cwd: process.cwd() }),
    pid: () => process.pid,
    block(ms) {
      block(ms)
      return process.pid
    },
    crash: () => process.kill(process.pid, 'SIGSEGV'),
    fail(why) {
      throw new Error(why)
    },
    keep: () => ({ pid: process.pid, kept: ++kept }),
    drop: () => ({ pid: process.pid, kept: --kept }),
    async start() {
      const child = spawn('sleep', ['600'])
      return child.pid
    },
  }
})
