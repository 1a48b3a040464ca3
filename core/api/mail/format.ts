import type { FileStat } from '../files.js'
import { extensionPoint } from '../kernel.js'
import type { Delivery } from './delivery.js'
import type { Examined } from './examination.js'
import type { MailUser } from './names.js'
import type { MailboxSource } from './source.js'
import type { DriverAbout, GivenNumbers } from './store.js'
import type { TellWait } from './table.js'

/** Where a mailbox of the `files` store is, whose it is, and the modes of what is made there. */
export interface FilePlace {
  readonly path: string
  readonly user: MailUser
  readonly fileMode: number
  readonly directoryMode: number
  /** It is the user's INBOX. */
  readonly isInbox?: boolean
}
/** A file format inside the `files` store, which owns names, LIST, subscriptions, modes and locations for all of them: all a maildir author writes. */
export interface MailboxFormat {
  /** `seen`: what the caller has just found at the place, links followed; a format may spare itself the same question. */
  recognise(at: FilePlace, signal: AbortSignal, seen?: FileStat): Promise<'mine' | 'empty' | 'not-mine'>
  create(at: FilePlace, numbers?: GivenNumbers): Promise<void>
  open(at: FilePlace, signal: AbortSignal): Promise<MailboxSource>
  append(at: FilePlace, signal: AbortSignal): Promise<Delivery>
  /** LIST saw this directory: a mailbox, a part of one, or nothing of ours. No file is opened. */
  claims?(directory: { readonly path: string; readonly names: readonly string[] }): 'mailbox' | 'inside' | undefined
  /** Whether a file of this name, in a folder that it claims as a mailbox, is a part of that; without it all files are. Others may be mailboxes below it. */
  owns?(fileName: string): boolean
  /** Folder of a user's mailboxes of this format, for formats that have a place of their own (`#mh/`); undefined: the user has none. */
  root?(user: MailUser, signal: AbortSignal): Promise<string | undefined>
  /** Its mailboxes are files without a format yet: one that gets content is another mailbox, and who has it open begins anew. */
  readonly placeholder?: true
  /** Takes INBOX over when its place exists (`~/mbox`, `~/INBOX`); list order decides. `delivered`: the file to which mail is delivered. */
  inbox?(user: MailUser, signal: AbortSignal, delivered: string | undefined): Promise<FilePlace | undefined>
  /** Name in a user's home of the INBOX that is made in this format (`#driver.mtx/INBOX`); `INBOX` without it. `inbox` must find it there, also when it is empty. */
  readonly inboxName?: string
  /** Name of the format that its files are in, where that has one of its own: INBOX in `~/mbox` is a `unix` mailbox, under whatever name it is opened. */
  readonly writtenAs?: string
  remove?(at: FilePlace, waits?: TellWait): Promise<void>
  rename?(from: FilePlace, to: FilePlace, waits?: TellWait): Promise<void>
  /**
   * Everything that can be read of a file or folder in whatever state, also of one that `recognise` does not take, and everything that is wrong
   * with it: damage never ends it, and neither does a place of the disk that cannot be read. Nothing is found in what could not be a mailbox of the
   * format, a folder where those are files. Nothing is written (`mailwright fsck`).
   */
  examine?(at: FilePlace, signal: AbortSignal): AsyncIterable<Examined>
}
/** List order is probing order. */
export const mailboxFormats = extensionPoint<MailboxFormat, DriverAbout>('mail.formats').in({ scope: 'host', pick: 'ordered', roles: ['mail'], slot: 'hosts.*.drivers.use' })
