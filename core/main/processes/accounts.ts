import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Identity } from '../../processes/privileges.js'

const run = promisify(execFile)

/** Ids of a system account without its supplementary groups, through the name service; undefined when there is none. */
export async function accountIdentity(name: string): Promise<Identity | undefined> {
  if (!/^[\w.][\w.-]*$/.test(name)) return undefined
  try {
    const [uid, gid] = await Promise.all([run('id', ['-u', name]), run('id', ['-g', name])])
    return { uid: Number(uid.stdout), gid: Number(gid.stdout), groups: [] }
  } catch {
    return undefined
  }
}

/** Id of a group, through the name service; undefined when there is none. */
export async function groupId(name: string): Promise<number | undefined> {
  if (/^\d+$/.test(name)) return Number(name)
  try {
    const { stdout } = await run('getent', ['group', '--', name])
    const gid = Number(stdout.split(':')[2])
    return Number.isInteger(gid) ? gid : undefined
  } catch {
    return undefined
  }
}
