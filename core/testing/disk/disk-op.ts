/** Number of an inode. */
export type Inode = number

/** A change of a disk, or a sync, in the order in which they happened. */
export type DiskOp =
  | { readonly op: 'create'; readonly dir: Inode; readonly name: string; readonly inode: Inode; readonly kind: 'file' | 'directory'; readonly mode: number }
  | { readonly op: 'unlink'; readonly dir: Inode; readonly name: string; readonly inode: Inode }
  | { readonly op: 'rename'; readonly fromDir: Inode; readonly from: string; readonly dir: Inode; readonly name: string; readonly inode: Inode }
  | { readonly op: 'link'; readonly dir: Inode; readonly name: string; readonly inode: Inode }
  | { readonly op: 'write'; readonly inode: Inode; readonly at: number; readonly bytes: Uint8Array }
  | { readonly op: 'truncate'; readonly inode: Inode; readonly size: number }
  | { readonly op: 'chmod'; readonly inode: Inode; readonly mode: number }
  | { readonly op: 'times'; readonly inode: Inode; readonly atimeMs: number; readonly mtimeMs: number }
  | { readonly op: 'sync'; readonly inode: Inode }
  | { readonly op: 'sync-directory'; readonly inode: Inode }

export type NameOp = Extract<DiskOp, { op: 'create' | 'unlink' | 'rename' | 'link' }>
export type DataOp = Extract<DiskOp, { op: 'write' | 'truncate' | 'chmod' | 'times' }>

/** Whether it changes names (durable by `syncDirectory`) and not what is in a file (durable by `sync`). */
export function isNameOp(op: DiskOp): op is NameOp {
  return op.op === 'create' || op.op === 'unlink' || op.op === 'rename' || op.op === 'link'
}
export function isDataOp(op: DiskOp): op is DataOp {
  return op.op === 'write' || op.op === 'truncate' || op.op === 'chmod' || op.op === 'times'
}

/** For messages: `write inode 12 at 4096, 310 octets`. */
export function describeOp(op: DiskOp): string {
  switch (op.op) {
    case 'create':
      return `create ${op.kind} "${op.name}" (inode ${op.inode})`
    case 'unlink':
      return `unlink "${op.name}" (inode ${op.inode})`
    case 'rename':
      return `rename "${op.from}" to "${op.name}" (inode ${op.inode})`
    case 'link':
      return `link "${op.name}" (inode ${op.inode})`
    case 'write':
      return `write inode ${op.inode} at ${op.at}, ${op.bytes.length} octets`
    case 'truncate':
      return `truncate inode ${op.inode} to ${op.size}`
    case 'chmod':
      return `chmod inode ${op.inode} to ${op.mode.toString(8)}`
    case 'times':
      return `set times of inode ${op.inode}`
    case 'sync':
      return `sync inode ${op.inode}`
    case 'sync-directory':
      return `sync directory inode ${op.inode}`
  }
}
