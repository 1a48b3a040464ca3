import type { Files } from 'mailwright/api'
import type { TextDialect } from './dialect.js'
import type { KeptFile } from './kept-file.js'
import type { Layout } from './layout.js'
import type { FileState } from './stamp.js'

/** The mailbox as readers see it. */
export interface Readable {
  readonly dialect: TextDialect
  readonly files: Files
  readonly path: string
  readonly kept: KeptFile
  layout(): Layout
  /** What `layout` describes; undefined while it is being changed. */
  state(): FileState | undefined
  /** Waits until an operation under way has ended. */
  settled(): Promise<void>
  /** Looks at the file anew, since another program rewrote it. */
  relocate(): Promise<Layout>
}
