import type { DiskOp, Inode } from './disk-op.js'

const ROOT: Inode = 2

/** A file or directory; times are milliseconds. */
export interface Node {
  readonly inode: Inode
  readonly kind: 'file' | 'directory'
  mode: number
  /** Longer than `size`. */
  data: Uint8Array
  size: number
  readonly names: Map<string, Inode>
  atimeMs: number
  mtimeMs: number
  ctimeMs: number
}

/** What is on a disk at one moment: only changed by `apply`, so that a log of changes makes it again. */
export class InodeTable {
  readonly root: Inode = ROOT
  readonly #nodes = new Map<Inode, Node>()
  #tick: number

  /** @param from milliseconds; each change is a microsecond later than the one before */
  constructor(from: number) {
    this.#tick = from
    this.#add(ROOT, 'directory', 0o755)
  }

  get now(): number {
    return this.#tick
  }
  /** Time passes. */
  moveTo(ms: number): void {
    if (ms > this.#tick) this.#tick = ms
  }
  node(inode: Inode): Node | undefined {
    return this.#nodes.get(inode)
  }
  get largest(): Inode {
    return Math.max(...this.#nodes.keys())
  }
  /** Names of an inode, for the number of links. */
  links(inode: Inode): number {
    let count = 0
    for (const node of this.#nodes.values()) for (const other of node.names.values()) if (other === inode) count++
    return count
  }

  /** Changes that cannot be (a name that is gone, after a crash that lost others) are left out. */
  apply(op: DiskOp): void {
    this.#tick = Math.round(this.#tick * 1000 + 1) / 1000
    switch (op.op) {
      case 'create':
        if (this.#nodes.get(op.inode) === undefined) this.#add(op.inode, op.kind, op.mode)
        return this.#name(op.dir, op.name, op.inode)
      case 'link':
        return this.#name(op.dir, op.name, op.inode)
      case 'rename':
        this.#unname(op.fromDir, op.from, op.inode)
        return this.#name(op.dir, op.name, op.inode)
      case 'unlink':
        return this.#unname(op.dir, op.name, op.inode)
      case 'write':
        return this.#write(op.inode, op.at, op.bytes)
      case 'truncate':
        return this.#truncate(op.inode, op.size)
      case 'chmod':
      case 'times':
        return this.#meta(op)
      case 'sync':
      case 'sync-directory':
        return
    }
  }

  clone(): InodeTable {
    const copy = new InodeTable(this.#tick)
    copy.#nodes.clear()
    for (const [inode, node] of this.#nodes) copy.#nodes.set(inode, { ...node, data: node.data.slice(0, node.size), names: new Map(node.names) })
    return copy
  }

  #add(inode: Inode, kind: Node['kind'], mode: number): void {
    const now = this.#tick
    this.#nodes.set(inode, { inode, kind, mode, data: new Uint8Array(0), size: 0, names: new Map(), atimeMs: now, mtimeMs: now, ctimeMs: now })
  }
  #name(dir: Inode, name: string, inode: Inode): void {
    const node = this.#nodes.get(dir)
    if (node === undefined || node.kind !== 'directory' || this.#nodes.get(inode) === undefined) return
    node.names.set(name, inode)
    this.#touch(node)
    this.#changed(inode)
  }
  #unname(dir: Inode, name: string, inode: Inode): void {
    const node = this.#nodes.get(dir)
    if (node === undefined || node.names.get(name) !== inode) return
    node.names.delete(name)
    this.#touch(node)
    this.#changed(inode)
  }
  #write(inode: Inode, at: number, bytes: Uint8Array): void {
    const node = this.#nodes.get(inode)
    if (node === undefined) return
    this.#reserve(node, at + bytes.length)
    node.data.set(bytes, at)
    node.size = Math.max(node.size, at + bytes.length)
    this.#touch(node)
  }
  #truncate(inode: Inode, size: number): void {
    const node = this.#nodes.get(inode)
    if (node === undefined) return
    this.#reserve(node, size)
    if (size < node.size) node.data.fill(0, size, node.size)
    node.size = size
    this.#touch(node)
  }
  #meta(op: Extract<DiskOp, { op: 'chmod' | 'times' }>): void {
    const node = this.#nodes.get(op.inode)
    if (node === undefined) return
    if (op.op === 'chmod') node.mode = op.mode
    else {
      node.atimeMs = op.atimeMs
      node.mtimeMs = op.mtimeMs
    }
    node.ctimeMs = this.#tick
  }
  #reserve(node: Node, size: number): void {
    if (size <= node.data.length) return
    const grown = new Uint8Array(Math.max(size, node.data.length * 2))
    grown.set(node.data.subarray(0, node.size))
    node.data = grown
  }
  #touch(node: Node): void {
    node.mtimeMs = this.#tick
    node.ctimeMs = this.#tick
  }
  #changed(inode: Inode): void {
    const node = this.#nodes.get(inode)
    if (node !== undefined) node.ctimeMs = this.#tick
  }
}
