/** What a mailbox says of itself in front of its messages. */
export interface FileHeader {
  readonly validity: number
  /** Highest number given out. */
  readonly last: number
  /** In the order of their bits. */
  readonly keywords: readonly string[]
  /** Changes whenever flags do; who wrote it last, for programs of old. */
  readonly token: string
}
/** Reads and writes it. */
export interface HeaderKind {
  readonly length: number
  /** Undefined: this is no mailbox of the format. */
  parse(octets: Buffer): FileHeader | undefined
  write(header: FileHeader): Buffer
}
