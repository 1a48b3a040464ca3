import { mkdtempSync } from 'node:fs'
import { chmod, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { uids, type AppendItem, type AppendResult, type FilePlace, type FlagChange, type MailboxFormat, type MailboxSource, type MailUser } from '../../core/api/index.js'
import { MailTable, type Commit } from '../../core/mail/table/table.js'
import type { Edit } from '../../core/mail/table/edit.js'
import { alice, editOf, never } from './unix.js'

/** A row and its octets, as a client would see them. */
export interface SeenMessage {
  readonly uid: number
  readonly size: number
  readonly header: number
  readonly text: string
  readonly ms: number
  readonly zone: number
  readonly system: number
  readonly keywords: readonly string[]
}
/** An empty folder of a test, and how to be rid of it. */
export function temporaryFolder(name: string): { readonly path: string; [Symbol.asyncDispose](): Promise<void> } {
  const path = mkdtempSync(join(tmpdir(), `mailwright-${name}-`))
  return {
    path,
    async [Symbol.asyncDispose]() {
      await chmod(path, 0o755)
      await rm(path, { recursive: true, force: true })
    },
  }
}
export function placeOf(path: string, user: MailUser = alice): FilePlace {
  return { path, user, fileMode: 0o600, directoryMode: 0o700 }
}
/** A message on its way in. */
export function itemOf(text: string | Uint8Array, change: Partial<AppendItem> = {}): AppendItem {
  const bytes = typeof text === 'string' ? Buffer.from(text, 'latin1') : text
  async function* chunks(): AsyncGenerator<Uint8Array> {
    await undefined
    for (let at = 0; at < bytes.length; at += 17) yield bytes.subarray(at, at + 17)
  }
  return { size: bytes.length, bytes: chunks(), binary: false, system: 0, keywords: [], facts: new Map(), ...change }
}

/** A mailbox of any format with its table, as core holds it: what a process has, without sessions. */
export class OpenBox {
  readonly format: MailboxFormat
  readonly source: MailboxSource
  readonly table: MailTable
  readonly path: string
  readonly notices: { severity: string; text: string }[] = []
  private constructor(format: MailboxFormat, source: MailboxSource, path: string, table: MailTable) {
    this.format = format
    this.source = source
    this.path = path
    this.table = table
  }
  /** With `after`, the rows are those that another one had, as core keeps them over a restart. */
  static async open(format: MailboxFormat, path: string, after?: OpenBox, user = alice): Promise<OpenBox> {
    const table = after?.table ?? new MailTable({ ownModseqs: false, firstModseq: 1 })
    return new OpenBox(format, await format.open(placeOf(path, user), never), path, table)
  }
  edit<T>(work: (edit: Edit) => Promise<T>): Promise<{ value: T; commit: Commit }> {
    return editOf(this, work)
  }
  async refresh(claimRecent = false): Promise<Commit> {
    return (await this.edit((edit) => this.source.refresh(edit, { claimRecent }, never))).commit
  }
  async store(which: readonly number[], change: Partial<FlagChange>): Promise<void> {
    await this.edit((edit) => this.source.store({ uids: uids.from([...which]), how: 'add', system: 0, keywords: [], ...change }, edit, never))
  }
  async expunge(which: readonly number[], always = true): Promise<void> {
    await this.edit((edit) => this.source.expunge(uids.from([...which]), { always }, edit, never))
  }
  async append(items: readonly AppendItem[]): Promise<AppendResult | undefined> {
    const delivery = await this.format.append(placeOf(this.path), never)
    for (const item of items) await delivery.add(item, never)
    return (await this.edit((edit) => delivery.commit({ source: this.source, edit }, never))).value
  }
  get uids(): number[] {
    return [...this.table.generation.uid.subarray(0, this.table.length)]
  }
  async messages(): Promise<SeenMessage[]> {
    const g = this.table.generation
    const out: SeenMessage[] = []
    for await (const batch of this.source.read(uids.from(this.uids), { bytes: 'whole', sections: [], facts: [] }, g, never)) {
      for (const m of batch) {
        const into = new Uint8Array(m.bytes.size)
        let got = 0
        for (let n = -1; n !== 0 && got < into.length; got += n) n = await m.bytes.read(got, into.subarray(got, Math.min(into.length, got + 100_000)), never)
        const row = g.find(m.uid)
        const set = g.flagSets[g.flags[row] ?? 0]
        out.push({
          uid: m.uid, size: g.size[row] ?? 0, header: m.headerSize, text: Buffer.from(into.subarray(0, got)).toString('latin1'), ms: g.date[row] ?? 0, zone: g.zone[row] ?? 0,
          system: set?.system ?? 0, keywords: set?.keywords ?? [],
        })
      }
    }
    return out
  }
}

/** Delivers to a mailbox that this process has not open. */
export async function deliver(format: MailboxFormat, path: string, items: readonly AppendItem[], user = alice): Promise<AppendResult | undefined> {
  const delivery = await format.append(placeOf(path, user), never)
  for (const item of items) await delivery.add(item, never)
  return delivery.commit(undefined, never)
}
