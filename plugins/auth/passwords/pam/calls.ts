/** One check of a password. */
export interface PamQuestion {
  /** Names the file of rules: `imap`, `pop`. */
  readonly service: string
  /** Folder of such files instead of the system's. */
  readonly folder: string | undefined
  readonly user: string
  readonly password: Uint8Array
  /** Address of the client. */
  readonly remoteHost: string
  /** Establish credentials too, and keep the handle that deletes them. */
  readonly credentials: boolean
}
/** Where in the sequence PAM stopped, with which of its codes, and what modules said to the user. */
export interface PamAnswer {
  readonly step: 'start' | 'authenticate' | 'account' | 'credentials' | 'done'
  readonly code: number
  /** PAM's words for the code. */
  readonly words: string
  readonly messages: readonly string[]
  /** The name as the modules left it. */
  readonly user: string
  /** For `release`; only where credentials were established. */
  readonly handle: number | undefined
}
/** What the child of this backend is asked. */
export type PamCalls = {
  readonly check: (question: PamQuestion) => PamAnswer
  /** Deletes credentials and ends the handle. */
  readonly release: (handle: number) => void
}
