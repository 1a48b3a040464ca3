// A process that has a lock made by a lock program and keeps it: node lent-lock.mjs PROGRAM MAILBOX; says "locked" when it has it.
import { MlockLocker } from '../../dist/plugins/lockers/mlock/mlock.js'

const [program = '', mailbox = ''] = process.argv.slice(2)
const clock = {
  now: () => Date.now(),
  steady: () => performance.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms)
    return { [Symbol.dispose]: () => clearTimeout(timer) }
  },
}
const lock = await new MlockLocker({ programs: [program], timeoutMs: 60_000, clock, logger: { warn: (text) => void process.stderr.write(text) } }).lock(mailbox, new AbortController().signal)
process.stdout.write(lock === undefined ? 'not locked\n' : 'locked\n')
setInterval(() => undefined, 60_000)
