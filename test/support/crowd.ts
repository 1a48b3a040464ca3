import { userInfo } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { BoxMessage } from '../../core/testing/box.js'
import { run, type Ran } from './programs.js'

const PLAYER = fileURLToPath(new URL('mailbox-player.mjs', import.meta.url))
const NOBODY = 65534

/** Runs a program as the user whose mail it is: processes of a server that serve one user are that user's. */
function asOwner(home: string, program: string, args: readonly string[]): Promise<Ran> {
  const options = { cwd: home, env: { HOME: home, TZ: 'UTC' }, limitMs: 3_600_000 }
  if (userInfo().uid !== 0) return run(program, args, options)
  return run('setpriv', [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', program, ...args], options)
}
/** The subject of a message, as the players and their appends wrote it. */
export function subjectOf(m: BoxMessage): string {
  return /Subject: (.*)\r\n/.exec(Buffer.from(m.bytes).toString('latin1'))?.[1] ?? ''
}

/** What a crowd did. */
export interface Crowd {
  /** Subjects that must be in the mailbox afterwards, besides those before. */
  readonly subjects: readonly string[]
  /** Messages that mailutil appended, all called `theirs`. */
  readonly theirs: number
  readonly complaints: readonly string[]
}
/**
 * Three processes of ours deliver to the mailbox `box` of a home and expunge there, and mailutil appends the file `one` meanwhile.
 * `excused` is given what mailutil says, and answers what of it is a complaint: nothing when its message arrived, undefined when it must not have.
 */
export async function crowdOn({ home, format, path, rounds, excused }: { readonly home: string; readonly format: string; readonly path: string; readonly rounds: number; excused(said: string): string | undefined }): Promise<Crowd> {
  const players = ['a', 'b', 'c'].map((who) => asOwner(home, process.execPath, [PLAYER, format, path, who, String(rounds)]))
  const stop = { now: false }
  const complaints: string[] = []
  let theirs = 0
  const appending = (async () => {
    while (!stop.now) {
      const complaint = excused((await asOwner(home, 'mailutil', ['append', 'one', 'box'])).stderr)
      if (complaint === '') theirs++
      else if (complaint !== undefined) complaints.push(complaint)
    }
  })()
  const told = await Promise.all(players)
  stop.now = true
  await appending
  complaints.push(...told.map((t) => t.stderr).filter((text) => text !== ''))
  // Written by the player as one line of this shape.
  const records = told.map((t) => JSON.parse(t.stdout) as { delivered: string[]; expunged: string[] })
  const subjects = [...records.flatMap((r) => r.delivered.filter((s) => !r.expunged.includes(s))), ...Array.from({ length: theirs }, () => 'theirs')]
  return { subjects, theirs, complaints }
}
/** Whether a message of one of the players has the octets that it was delivered with. */
export function isWhole(m: BoxMessage): boolean {
  const own = subjectOf(m)
  return new RegExp(`^Subject: ${own}\\r\\n\\r\\n(?:text of ${own}\\r\\n)+$`).test(Buffer.from(m.bytes).toString())
}
