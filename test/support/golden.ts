import { cp, mkdtemp, readdir, readFile, rename, rm, utimes } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseDateTime } from '../../core/wire/imap/dates.js'
import type { BoxRow } from '../../core/testing/box.js'

/** What the reference library says of a golden mailbox. */
export interface GoldenMailbox {
  readonly mailbox: string
  readonly uidvalidity: number | 'time-of-open'
  readonly uidlast: number
  readonly recent: number
  readonly keywords: readonly string[]
  readonly messages: readonly {
    readonly uid: number
    readonly size: number
    readonly header: number
    readonly text: number
    readonly internaldate: string
    readonly flags: readonly string[]
    readonly keywords: readonly string[]
  }[]
}
const fixtures = fileURLToPath(new URL('../fixtures/', import.meta.url))

/** Golden mailboxes of a directory format. */
export async function goldenMailboxes(format: string): Promise<readonly GoldenMailbox[]> {
  // Written together with the samples, in this shape.
  return (JSON.parse(await readFile(`${fixtures}${format}/expected.json`, 'utf8')) as { mailboxes: GoldenMailbox[] }).mailboxes
}
/** A copy of all samples of a format, with their real names and times. To be removed by the caller. */
export async function goldenFolder(format: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), `mailwright-${format}-`))
  await cp(`${fixtures}${format}`, folder, { recursive: true })
  const { mtimes } = JSON.parse(await readFile(join(folder, 'expected.json'), 'utf8')) as { mtimes: Record<string, string> }
  await rm(join(folder, 'expected.json'))
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.name.startsWith('dot.')) await rename(join(entry.parentPath, entry.name), join(entry.parentPath, `.${entry.name.slice(4)}`))
  }
  for (const [name, time] of Object.entries(mtimes)) await utimes(join(folder, name), new Date(time), new Date(time))
  return folder
}
/** Rows as a golden mailbox has them; \Recent is a session's. */
export function rowsOfGolden(golden: GoldenMailbox): readonly BoxRow[] {
  return golden.messages.map((m) => {
    const date = parseDateTime(m.internaldate)
    const words = m.flags.filter((f) => f !== '\\Recent').map((f) => f.slice(1).toLowerCase())
    const system = ['seen', 'deleted', 'flagged', 'answered', 'draft'].filter((f) => words.includes(f))
    return { uid: m.uid, flags: [...system, ...m.keywords.map((k) => k.toLowerCase()).sort()].join(' '), size: m.size, ms: date?.ms ?? 0, zone: date?.zone ?? 0 }
  })
}
