// For `node --import`: appends the address of every module that the process loads to the file LOADED_MODULES.
import { appendFileSync } from 'node:fs'
import { register } from 'node:module'
import { isMainThread } from 'node:worker_threads'

const file = process.env.LOADED_MODULES
if (isMainThread && file !== undefined) register(import.meta.url, { data: file })

let list
/** Runs on the thread of hooks, which loads this module again. */
export function initialize(to) {
  list = to
}
export async function load(url, context, next) {
  if (!url.startsWith('node:')) appendFileSync(list, `${url}\n`)
  return next(url, context)
}
