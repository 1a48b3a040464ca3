import type { Files, FileStat } from 'mailwright/api'
import type { TextDialect } from './dialect.js'
import type { KeptFile } from './kept-file.js'
import type { Layout } from './layout.js'
import { compare, type FileState } from './stamp.js'

/** The mailbox as readers see it. */
export interface Readable {
  readonly dialect: TextDialect
  readonly files: Files
  readonly path: string
  readonly kept: KeptFile
  layout(): Layout
  /** What `layout` describes; undefined while it is being changed. */
  state(): FileState | undefined
  /** Of a file that has grown: what `layout` describes has not moved, so that something was only added behind it. */
  unmoved(): Promise<boolean>
  /** Waits until an operation under way has ended. */
  settled(): Promise<void>
  /** Looks at the file anew, since another program rewrote it. */
  relocate(): Promise<Layout>
}

/** Whether the file is in a state in which its messages are where `layout` says. */
export async function agrees(box: Readable, now: FileStat | undefined): Promise<boolean> {
  const state = box.state()
  if (state === undefined) return false
  const difference = compare(state, now)
  return difference === 'same' || (difference === 'grown' && (await box.unmoved()))
}
