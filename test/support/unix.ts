import type { Clock, Files, LockSettings, MailboxSettings, MailboxSource, MailUser, Spool } from '../../core/api/index.js'
import { MailTable, type Commit } from '../../core/mail/table/table.js'
import type { Edit } from '../../core/mail/table/edit.js'
import type { KitServices } from '../../core/testing/index.js'
import { inlineLane } from '../../core/os/lane.js'
import { fileLocks } from '../../plugins/formats/shared/locks/locks.js'
import type { Machine } from '../../plugins/formats/shared/machine.js'
import { Turns } from '../../core/api/index.js'
import { AppendFacts } from '../../plugins/formats/shared/text/append-facts.js'
import { KeptFiles } from '../../plugins/formats/shared/text/kept-file.js'
import { RecognisedFiles } from '../../plugins/formats/shared/recognised.js'
import type { TextContext } from '../../plugins/formats/shared/text/context.js'
import { unixDialect, type TextDialect } from '../../plugins/formats/shared/text/dialect.js'
import { textContext } from '../../plugins/formats/shared/text/plugin.js'
import { TextFormat } from '../../plugins/formats/shared/text/format.js'

/** A clock that stands still until it is moved; waiting moves it. */
export class TestClock implements Clock {
  ms: number
  constructor(ms = Date.UTC(2026, 10, 23, 1, 58, 56)) {
    this.ms = ms
  }
  /** By how much the machine's time was set back since. */
  setBackMs = 0
  now(): number {
    return this.ms - this.setBackMs
  }
  steady(): number {
    return this.ms
  }
  after(ms: number, run: () => void): Disposable {
    const at = this.ms + ms
    const timer = setImmediate(() => {
      this.ms = Math.max(this.ms, at)
      run()
    })
    return { [Symbol.dispose]: () => clearImmediate(timer) }
  }
}
export const lockSettings: LockSettings = {
  dotlock: true, dotlockTimeoutMs: 300_000, dotlockMode: 0o666, lockDirectory: '/tmp', kernelLocks: ['fcntl', 'flock'], warnUnlocked: true, askOwner: true,
}
export function mailboxSettings(stateDirectory: string): MailboxSettings {
  return {
    fileMode: 0o600, directoryMode: 0o700, stateDirectory, defaultKeywords: [], fromQuoting: 'all', checkpointDelayMs: 1000, durability: 'full', pollMs: 1000, invalidInbox: 'empty', makeOnArrival: 'asked',
  }
}
/** Keeps octets in memory. */
export const memorySpool: Spool = {
  async take(item) {
    const chunks: Uint8Array[] = []
    for await (const chunk of item.bytes) chunks.push(new Uint8Array(chunk))
    return {
      size: chunks.reduce((sum, c) => sum + c.length, 0),
      async *chunks() {
        yield* chunks
      },
      [Symbol.asyncDispose]: () => Promise.resolve(),
    }
  },
}
/** A machine on which nobody else runs. */
export const testMachine: Machine = { host: 'mail.example.org', pid: 4711, bornMs: 1, exists: () => false, ask: () => false, bearsAsking: () => true }
export const quiet = { info: (): void => undefined, warn: (): void => undefined }
export const alice: MailUser = { name: 'alice', kind: 'account', facts: {} }

export function unixContext(files: Files, folder: string, change: Partial<TextContext> = {}): TextContext {
  const clock = change.clock ?? new TestClock()
  return {
    dialect: unixDialect,
    files,
    clock,
    locks: fileLocks({ files, clock, random: (n) => new Uint8Array(n).fill(128), settings: { ...lockSettings, lockDirectory: folder }, logger: quiet, watch: false, machine: testMachine }),
    turns: new Turns(),
    spool: memorySpool,
    mailbox: mailboxSettings(`${folder}/state`),
    serverName: 'mail.example.org',
    watch: false,
    facts: new AppendFacts(),
    kept: new KeptFiles(),
    recognised: new RecognisedFiles(),
    lane: inlineLane({ files, clock, random: (n) => new Uint8Array(n).fill(128) }),
    ...change,
  }
}
export const never: globalThis.AbortSignal = new AbortController().signal

/** A format for the kit, on a machine of its own. */
export function textFormat(dialect: TextDialect, { files, clock, random, locks, mailbox, host, spool, logger }: KitServices): TextFormat {
  const services = { files, clock, random, locks, mailbox, host, spool, logger, lane: inlineLane({ files, clock, random }) }
  return new TextFormat({ ...textContext(dialect, services, { watch: true }), locks: fileLocks({ files, clock, random, settings: locks, logger, watch: false, machine: testMachine }) })
}
/** Text as a mailbox of MMDF keeps it: a fourth octet 0x01 in a row could make a delimiter. */
export function withoutDelimiters(text: string): string {
  return text.includes('\x01\x01\x01\x01') ? withoutDelimiters(text.replaceAll('\x01\x01\x01\x01', '\x01\x01\x01')) : text
}
/** One edit as core makes it: committed when the work is done, dropped when it throws; notices are kept. */
export async function editOf<T>(box: { readonly table: MailTable; readonly notices: { severity: string; text: string }[] }, work: (edit: Edit) => Promise<T>): Promise<{ value: T; commit: Commit }> {
  const edit = box.table.begin()
  const notice = edit.notice.bind(edit)
  edit.notice = (severity, text) => {
    box.notices.push({ severity, text })
    notice(severity, text)
  }
  try {
    const value = await work(edit)
    return { value, commit: edit.commit() }
  } catch (error) {
    edit.drop()
    throw error
  }
}
/** A mailbox of text ends a header that has no end. */
function ended(text: string): string {
  return text.startsWith('\r\n') || text.includes('\r\n\r\n') ? text : `${text}\r\n`
}
/** Octets of a message as they come back from a mailbox of the dialect. */
export function storedIn({ delimiter }: TextDialect): (octets: Uint8Array) => Uint8Array {
  // Where only From lines begin a message others are quoted.
  const kept = (text: string): string => (delimiter === '' ? text.replaceAll('\nFrom ', '\n>From ') : withoutDelimiters(text))
  return (octets) => Buffer.from(ended(kept(Buffer.from(octets).toString('latin1'))), 'latin1')
}
/** A mailbox with its table, as core holds it. */
export class OpenUnix {
  readonly format: TextFormat
  readonly source: MailboxSource
  readonly table: MailTable
  readonly path: string
  readonly notices: { severity: string; text: string }[] = []
  private constructor(format: TextFormat, source: MailboxSource, path: string) {
    this.format = format
    this.source = source
    this.path = path
    this.table = new MailTable({ ownModseqs: false, firstModseq: 1 })
  }
  static async open(ctx: TextContext, path: string): Promise<OpenUnix> {
    const format = new TextFormat(ctx)
    return new OpenUnix(format, await format.open({ path, user: alice, fileMode: 0o600, directoryMode: 0o700 }), path)
  }
  edit<T>(work: (edit: Edit) => Promise<T>): Promise<{ value: T; commit: Commit }> {
    return editOf(this, work)
  }
  refresh(claimRecent: boolean): Promise<{ commit: Commit }> {
    return this.edit((edit) => this.source.refresh(edit, { claimRecent }, never))
  }
  get uids(): number[] {
    return [...this.table.generation.uid.subarray(0, this.table.length)]
  }
  get sizes(): number[] {
    return [...this.table.generation.size.subarray(0, this.table.length)]
  }
  flags(row: number): { system: number; keywords: readonly string[] } {
    const g = this.table.generation
    const set = g.flagSets[g.flags[row] ?? 0]
    return { system: set?.system ?? 0, keywords: set?.keywords ?? [] }
  }
  /** Whole messages by uid. */
  async messages(which = this.uids): Promise<Map<number, string>> {
    const { uids } = await import('../../core/api/index.js')
    const out = new Map<number, string>()
    for await (const batch of this.source.read(uids.from(which), { bytes: 'whole', sections: [], facts: [] }, this.table.generation, never)) {
      for (const m of batch) {
        const into = new Uint8Array(m.bytes.size + 10)
        let got = 0
        for (;;) {
          const n = await m.bytes.read(got, into.subarray(got, Math.min(into.length, got + 100_000)), never)
          if (n === 0) break
          got += n
        }
        out.set(m.uid, Buffer.from(into.subarray(0, got)).toString('latin1'))
      }
    }
    return out
  }
}
