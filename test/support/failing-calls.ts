import type { Files, OpenFile } from '../../core/api/index.js'

const OF_FILES: ReadonlySet<unknown> = new Set(['stat', 'lstat', 'list', 'unlink', 'rename', 'link', 'syncDirectory', 'setTimes'])
const OF_OPEN: ReadonlySet<unknown> = new Set(['read', 'write', 'truncate', 'sync', 'stat', 'setTimes'])

/** One call of many that fails, before it has done anything. */
export class FailingCall {
  #calls = 0
  #at = Number.POSITIVE_INFINITY
  /** The call that failed. */
  failed: string | undefined

  /** From now on: so many calls succeed, and then one does not. */
  after(calls: number): void {
    this.#calls = 0
    this.#at = calls
  }
  #made(name: string, path: string): void {
    if (this.#calls++ !== this.#at) return
    this.failed = `${name} ${path}`
    throw Object.assign(new Error(`EIO: i/o error, ${this.failed}`), { code: 'EIO' })
  }
  /** The same files, as one process has them. */
  of(files: Files): Files {
    const made = (name: string, path: string): void => this.#made(name, path)
    return watched(files, OF_FILES, made, (path) => path, {
      open: async (...args) => {
        made('open', args[0])
        const file: OpenFile = await files.open(...args)
        return watched(file, OF_OPEN, made, () => file.path, {})
      },
    })
  }
}
/** Calls of these names are told, with the path that `pathOf` makes of the first argument, and made. */
function watched<T extends object>(whole: T, names: ReadonlySet<unknown>, made: (name: string, path: string) => void, pathOf: (first: string) => string, change: Partial<T>): T {
  return new Proxy(whole, {
    get(target, key) {
      const changed: unknown = Reflect.get(change, key)
      if (changed !== undefined) return changed
      const value: unknown = Reflect.get(target, key)
      if (typeof value !== 'function') return value
      if (!names.has(key)) return value.bind(target) as unknown
      return async (first: string, ...more: readonly unknown[]): Promise<unknown> => {
        made(String(key), pathOf(first))
        return value.call(target, first, ...more) as unknown
      }
    },
  })
}
