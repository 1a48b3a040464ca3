import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Problem } from '../api/index.js'

const SET_GROUP_ID = 0o2000
const RUNNABLE = 0o111

/** The entry of a lock program in the configuration. */
interface LockProgramEntry {
  readonly path: string
  readonly folder: string
  readonly settings: Readonly<Record<string, unknown>>
}

/** Lock programs (FAQ 7.10): one that is missing, or has no more rights than whoever runs it, makes no lock files. */
export async function lockProgramFaults(entries: readonly LockProgramEntry[]): Promise<readonly Problem[]> {
  const found: Problem[] = []
  for (const { path, folder, settings } of entries) {
    const { programs } = settings
    if (!Array.isArray(programs)) continue
    const fault = await faultOf(programs.filter((p) => typeof p === 'string').map((program) => resolve(folder, program)))
    if (fault !== undefined) found.push({ code: 'FILES_LOCK_PROGRAM', severity: 'warning', path, ...fault })
  }
  return found
}
async function faultOf(programs: readonly string[]): Promise<Pick<Problem, 'message' | 'hint'> | undefined> {
  for (const program of programs) {
    const there = await stat(program).catch(() => undefined)
    if (there === undefined || (there.mode & RUNNABLE) === 0) continue
    if ((there.mode & SET_GROUP_ID) !== 0) return undefined
    return { message: `${program} is not set-group-id, so it may make no more lock files than the user himself`, hint: `chgrp mail ${program} && chmod 2755 ${program}` }
  }
  const [first = ''] = programs
  return { message: `there is no lock program: ${programs.join(', ')}`, hint: `install mlock (Debian's package of that name), or set programs to where it is; ${first} is tried first` }
}
