import { parentPort, workerData } from 'node:worker_threads'
import type { FileTask } from '../api/files.js'
import { systemClock, systemRandom } from './clock.js'
import { failureOf } from './crossing.js'
import { SystemFiles } from './files.js'
import { immediateCalls } from './immediate.js'
import type { Answer, Order } from './lane.js'
import { nativeLocks } from './native-locks.js'

// A thread of the lane: one task after the other, with calls that are done when they return.
const tools = { files: new SystemFiles(await nativeLocks(), immediateCalls()), clock: systemClock, random: systemRandom }

type Runner = Pick<FileTask<unknown, unknown>, 'run'>
/** Modules by their address: even of one that is loaded, an import works out again what the address means. */
const known = new Map<string, Runner>()

async function answer(module: string, args: unknown): Promise<Answer> {
  try {
    let found = known.get(module)
    // What a FileTask names exports its `run`.
    if (found === undefined) known.set(module, (found = (await import(module)) as Runner))
    return { value: await found.run(tools, args) }
  } catch (error) {
    return { failure: failureOf(error) }
  }
}
function say(what: Answer | 'ready'): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- that is for windows of browsers
  parentPort?.postMessage(what)
}
/** A result that is no value (structured clone) is a failure of the task. */
function tell(what: Answer): void {
  try {
    say(what)
  } catch (error) {
    say({ failure: failureOf(error) })
  }
}
/** What the thread is started for. Whether it can be loaded is told by the task that needs it. */
const loading = import(workerData as string).catch(() => undefined)
let work: Promise<void> = loading
parentPort?.on('message', (order: Order) => {
  // That is the end of the thread alone, whatever a task left.
  if (order === 'end') void work.then(() => process.exit())
  else work = answer(order.module, order.args).then(tell)
})
await loading
say('ready')
