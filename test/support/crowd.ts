import { writeFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join } from 'node:path'
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
  /** Subjects that must be in the mailbox afterwards, besides those before: each once. */
  readonly subjects: readonly string[]
  /** Those of them that were flagged. */
  readonly flagged: readonly string[]
  /** How many messages mailutil appended. */
  readonly theirs: number
  readonly complaints: readonly string[]
}
interface Played {
  readonly delivered: readonly string[]
  readonly flagged: readonly string[]
  readonly expunged: readonly string[]
}
const THEIRS = 'theirs'
/** Lines of the message with this subject, `WHO-NUMBER`. */
function linesOf(subject: string): string {
  const number = Number(/-(\d+)$/.exec(subject)?.[1])
  return `text of ${subject}\r\n`.repeat(1 + (number % 40))
}
/**
 * Three processes of ours deliver to the mailbox `box` of a home, flag and expunge there, and mailutil appends messages meanwhile.
 * `excused` is given what mailutil says, and answers what of it is a complaint: nothing when its message arrived, undefined when it must not have.
 */
export async function crowdOn({ home, format, path, rounds, excused }: { readonly home: string; readonly format: string; readonly path: string; readonly rounds: number; excused(said: string): string | undefined }): Promise<Crowd> {
  const players = ['a', 'b', 'c'].map((who) => asOwner(home, process.execPath, [PLAYER, format, path, who, String(rounds)]))
  const stop = { now: false }
  const complaints: string[] = []
  const theirs: string[] = []
  const appending = (async () => {
    for (let n = 0; !stop.now; n++) {
      const subject = `${THEIRS}-${n}`
      await writeFile(join(home, 'one'), `From bob@example.org Mon Jan  5 09:08:07 2015\nSubject: ${subject}\n\n${linesOf(subject).replaceAll('\r\n', '\n')}`)
      const complaint = excused((await asOwner(home, 'mailutil', ['append', 'one', 'box'])).stderr)
      if (complaint === '') theirs.push(subject)
      else if (complaint !== undefined) complaints.push(complaint)
    }
  })()
  const told = await Promise.all(players)
  stop.now = true
  await appending
  for (const { code, stderr } of told) if (code !== 0) throw new Error(`a player ended with ${code}: ${stderr}`)
  complaints.push(...told.map((t) => t.stderr).filter((text) => text !== ''))
  // Written by the player as one line of this shape.
  const records = told.map((t) => JSON.parse(t.stdout) as Played)
  const stays = ({ expunged }: Played) => (subject: string): boolean => !expunged.includes(subject)
  return {
    subjects: [...records.flatMap((r) => r.delivered.filter(stays(r))), ...theirs],
    flagged: records.flatMap((r) => r.flagged.filter(stays(r))),
    theirs: theirs.length,
    complaints,
  }
}
/** Whether a message of the crowd has the octets that it was delivered with; `theirEnd`: what mailutil puts behind its own. */
export function isWhole(m: BoxMessage, theirEnd = ''): boolean {
  const own = subjectOf(m)
  const end = own.startsWith(THEIRS) ? theirEnd : ''
  return Buffer.from(m.bytes).toString('latin1') === `Subject: ${own}\r\n\r\n${linesOf(own)}${end}`
}
/**
 * Checks every message of the mailbox against what the crowd did: there once, octet for octet, and with its flag, where programs leave the flags of each
 * other. Answers what is wrong.
 */
export function accountOf(crowd: Crowd, messages: readonly BoxMessage[], { flags, theirEnd = '' }: { readonly flags: boolean; readonly theirEnd?: string }): readonly string[] {
  const wrong: string[] = []
  const left = new Set(crowd.subjects)
  const flagged = new Set(crowd.flagged)
  for (const m of messages) {
    const subject = subjectOf(m)
    if (!left.delete(subject)) wrong.push(`${subject} is there, and should not be, or is there twice`)
    if (!isWhole(m, theirEnd)) wrong.push(`${subject} is not what was delivered`)
    if (flags && m.flags.includes('flagged') !== flagged.has(subject)) wrong.push(`${subject} has the flags ${m.flags}`)
  }
  return [...wrong, ...[...left].map((subject) => `${subject} is missing`)]
}
