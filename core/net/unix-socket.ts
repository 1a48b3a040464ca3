import { chmod, chown, lstat, stat, unlink } from 'node:fs/promises'
import { connect } from 'node:net'
import type { Server } from 'node:net'
import { dirname } from 'node:path'

/** A socket file to listen on. */
export interface UnixPlace {
  readonly path: string
  /** Permission bits. */
  readonly mode: number
  /** Undefined: those of this process. */
  readonly uid: number | undefined
  readonly gid: number | undefined
}

/** Somebody listens on the socket file, or something else is there; `code` as the system's error for a port has it. */
export class PlaceTaken extends Error {
  readonly code = 'EADDRINUSE'
}

/**
 * Listens on a socket file, which nobody but its owner can open before it has its mode. One that a server left behind that was killed is
 * replaced; anything else at the path stays.
 * @throws PlaceTaken, and the system's errors; nothing listens then.
 */
export async function listenOnFile(server: Server, { path, mode, uid, gid }: UnixPlace, backlog: number): Promise<void> {
  await removeStale(path)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    // The file is made within `listen`; between making it and `chmod` others must not get in.
    const before = process.umask(0o177)
    try {
      server.listen({ path, backlog }, () => {
        server.off('error', reject)
        resolve()
      })
    } finally {
      process.umask(before)
    }
  })
  try {
    if (uid !== undefined || gid !== undefined) await chown(path, uid ?? -1, gid ?? -1)
    await chmod(path, mode)
  } catch (error) {
    server.close()
    throw error
  }
}

async function removeStale(path: string): Promise<void> {
  const there = await lstat(path).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  })
  if (there === undefined) {
    // `listen` would say EACCES of a folder that is not there.
    await stat(dirname(path))
    return
  }
  if (!there.isSocket()) throw new PlaceTaken(`${path} is there, and is no socket`)
  if (await answers(path)) throw new PlaceTaken(`another program listens on ${path}`)
  await unlink(path)
}
/** Only a refused connection says that nobody is there. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'ECONNREFUSED'))
  })
}
