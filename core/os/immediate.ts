import * as fs from 'node:fs'

/** A look at a name. Nothing may be there: an error, or no answer, which costs less. */
type Look = (path: string | Buffer, done: (error: NodeJS.ErrnoException | null, stats: fs.Stats | undefined) => void) => void
/** The callback calls of node:fs that files are made of. */
export type FileCalls = Pick<
  typeof fs,
  | 'open' | 'close' | 'read' | 'write' | 'writev' | 'ftruncate' | 'fdatasync' | 'fsync' | 'fstat' | 'fchmod' | 'futimes' | 'readdir'
  | 'mkdir' | 'rmdir' | 'unlink' | 'rename' | 'link' | 'chmod' | 'utimes' | 'realpath'
> & { readonly stat: Look; readonly lstat: Look }

/**
 * The same calls, each done when it returns: for threads that have nothing else to do. A call through the pool of threads costs ten times what
 * the call itself does.
 */
export function immediateCalls(): FileCalls {
  const sync: Readonly<Record<string, unknown>> = { ...fs }
  const made: Record<string, unknown> = {}
  for (const name of Object.keys(CALLS)) made[name] = immediate(sync[`${name}Sync`])
  // ENOENT without the cost of an exception: most lock files that are looked for are not there.
  made['stat'] = immediate((path: string | Buffer) => fs.statSync(path, { throwIfNoEntry: false }))
  made['lstat'] = immediate((path: string | Buffer) => fs.lstatSync(path, { throwIfNoEntry: false }))
  made['realpath'] = Object.assign(immediate(fs.realpathSync), { native: immediate(fs.realpathSync.native) })
  // Each takes what its namesake takes, and calls back with what that does: the table has every name of the type.
  return made as unknown as FileCalls
}
function immediate(call: unknown): (...args: unknown[]) => void {
  // Every name has a namesake with `Sync` behind it.
  const now = call as (...args: unknown[]) => unknown
  return (...args) => {
    const done = args.pop() as (error: unknown, value?: unknown) => void
    let value: unknown
    try {
      value = now(...args)
    } catch (error) {
      done(error)
      return
    }
    done(null, value)
  }
}
const CALLS = {
  open: 1, close: 1, read: 1, write: 1, writev: 1, ftruncate: 1, fdatasync: 1, fsync: 1, fstat: 1, fchmod: 1, futimes: 1, stat: 1, lstat: 1, readdir: 1,
  mkdir: 1, rmdir: 1, unlink: 1, rename: 1, link: 1, chmod: 1, utimes: 1, realpath: 1,
} satisfies Record<keyof FileCalls, 1>
