import { parentPort } from 'node:worker_threads'
import { MailError } from '../api/mail/error.js'
import type { FileTask } from '../api/files.js'
import { systemClock, systemRandom } from './clock.js'
import { SystemFiles } from './files.js'
import { immediateCalls } from './immediate.js'
import type { Answer, Failure } from './lane.js'
import { nativeLocks } from './native-locks.js'

// A thread of the lane: one task after the other, with calls that are done when they return.
const tools = { files: new SystemFiles(await nativeLocks(), immediateCalls()), clock: systemClock, random: systemRandom }

async function answer(module: string, args: unknown): Promise<Answer> {
  try {
    // What a FileTask names exports its `run`.
    const { run } = (await import(module)) as Pick<FileTask<unknown, unknown>, 'run'>
    return { value: await run(tools, args) }
  } catch (error) {
    return { failure: failureOf(error) }
  }
}
function failureOf(error: unknown): Failure {
  if (error instanceof MailError) return { kind: error.kind, message: error.message }
  if (!(error instanceof Error)) return { message: String(error) }
  return { message: error.message, ...('code' in error && typeof error.code === 'string' ? { code: error.code } : {}) }
}
function say(what: Answer | 'ready'): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- that is for windows of browsers
  parentPort?.postMessage(what)
}
parentPort?.on('message', ({ module, args }: { readonly module: string; readonly args: unknown }) => {
  void answer(module, args).then(say)
})
say('ready')
