import type { OpenFile } from '../../core/api/index.js'
import { SystemFiles } from '../../core/os/files.js'

/** A file whose octets from one place to another cannot be read, as on a disk with a bad block. */
export function withBadOctets(file: OpenFile, from: number, to: number, asked: (from: number, to: number) => void = () => undefined): OpenFile {
  return new Proxy(file, {
    get(target, key) {
      if (key === 'read') {
        return async (into: Uint8Array, at: number) => {
          asked(at, at + into.length)
          if (at < to && at + into.length > from) throw Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' })
          return target.read(into, at)
        }
      }
      const value: unknown = Reflect.get(target, key)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
/** Makes octets of files of this process unreadable, wherever the file is moved, until it is disposed. `inodes`: which files. */
export function badDisk(inodes: ReadonlySet<number>, from: number, to: number): Disposable {
  const { open } = SystemFiles.prototype
  SystemFiles.prototype.open = async function (...args) {
    const file = await open.apply(this, args)
    return inodes.has((await file.stat()).inode) ? withBadOctets(file, from, to) : file
  }
  return { [Symbol.dispose]: () => void (SystemFiles.prototype.open = open) }
}
/** Makes files of this process such that nobody may open them, whatever the rights of who runs the tests, until it is disposed. */
export function closedFiles(inodes: ReadonlySet<number>): Disposable {
  const { open } = SystemFiles.prototype
  SystemFiles.prototype.open = async function (...args) {
    const file = await open.apply(this, args)
    if (!inodes.has((await file.stat()).inode)) return file
    await file.close()
    throw Object.assign(new Error(`EACCES: permission denied, open '${args[0]}'`), { code: 'EACCES' })
  }
  return { [Symbol.dispose]: () => void (SystemFiles.prototype.open = open) }
}
