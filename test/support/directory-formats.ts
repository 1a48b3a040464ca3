import { chmod, chown, mkdtemp, readdir } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import type { Clock, FilePlace, Files, MailboxFormat } from '../../core/api/index.js'
import { Box, never } from '../../core/testing/box.js'
import { memorySpool } from '../../core/testing/kit-spool.js'
import { itemOf, type SampleMessage } from '../../core/testing/messages.js'
import { Turns } from '../../core/api/index.js'
import { run, type Ran } from './programs.js'
import { alice, lockSettings, mailboxSettings, quiet, TestClock } from './unix.js'
import { toldLocks } from '../../plugins/formats/shared/locks/wait-lines.js'

/** What formats that are folders are made of, on real files. */
export function directoryContext(files: Files, clock: Clock = new TestClock(Date.now())) {
  const random = (n: number): Uint8Array => Uint8Array.from({ length: n }, () => Math.floor(256 * Math.random()))
  return {
    files, clock, random, turns: new Turns(), spool: memorySpool, mailbox: mailboxSettings('/nowhere'),
    locks: toldLocks({ files, clock, random, settings: lockSettings, logger: quiet, machine: { host: 'mail.example.org', pid: process.pid } }),
  }
}
export function placeAt(path: string): FilePlace {
  return { path, user: alice, fileMode: 0o600, directoryMode: 0o700 }
}
export async function openBox(format: MailboxFormat, path: string): Promise<Box> {
  return new Box(path, await format.open(placeAt(path), never))
}
/** Delivers messages in one go, into the open mailbox when there is one. */
export async function deliverTo(format: MailboxFormat, path: string, messages: readonly SampleMessage[], open?: Box): Promise<void> {
  const delivery = await format.append(placeAt(path), never)
  for (const message of messages) await delivery.add(itemOf(message), never)
  if (open === undefined) await delivery.commit(undefined, never)
  else await open.edit((edit) => delivery.commit({ source: open.source, edit }, never))
}

const NOBODY = 65534
/** A home for programs of the c-client family, which refuse to work for root. */
export async function familyHome(): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), 'mailwright-family-'))
  await chmod(home, 0o755)
  return home
}
/** Runs `mailutil` as the owner of a home. */
export async function mailutil(home: string, ...args: readonly string[]): Promise<Ran> {
  const env = { HOME: home, TZ: 'UTC' }
  if (userInfo().uid !== 0) return run('mailutil', args, { cwd: home, env })
  await giveTo(home, NOBODY)
  return run('setpriv', [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', 'mailutil', ...args], { cwd: home, env })
}
async function giveTo(path: string, uid: number): Promise<void> {
  await chown(path, uid, uid)
  for (const entry of await readdir(path, { recursive: true, withFileTypes: true })) {
    // Other processes are at work: a file may have gone meanwhile.
    await chown(join(entry.parentPath, entry.name), uid, uid).catch((error: unknown) => {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
    })
  }
}
