import type * as koffiModule from 'koffi'

/** A rename that replaces nothing. Paths are octets with a zero behind them. False: it was not done, for whatever reason. */
export interface NativeRename {
  /** Waits on a thread of the pool. */
  unlessTaken(from: Uint8Array, to: Uint8Array): Promise<boolean>
  /** Waits where it is. */
  unlessTakenNow(from: Uint8Array, to: Uint8Array): boolean
}

/** renameat2, without a wrapper in older C libraries (glibc before 2.28, musl before 1.2.6). */
const SYS_RENAMEAT2: Partial<Record<NodeJS.Architecture, number>> = { x64: 316, arm64: 276 }
const AT_FDCWD = -100
const RENAME_NOREPLACE = 1

type Arguments = readonly [call: number, fromFolder: number, from: Uint8Array, toFolder: number, to: Uint8Array, flags: number]

/** Undefined on machines that have no such call. */
export function nativeRename(c: ReturnType<typeof koffiModule.default.load>): NativeRename | undefined {
  const number = SYS_RENAMEAT2[process.arch]
  if (process.platform !== 'linux' || number === undefined) return undefined
  // koffi calls are untyped; the prototype says what it takes and returns.
  const renameat2 = c.func('int64 syscall(int64, int, void *, int, void *, uint)') as ((...args: Arguments) => number) & {
    async(...args: [...Arguments, done: (error: Error | null, result: number) => void]): void
  }
  return {
    unlessTaken: (from, to) =>
      new Promise((resolve, reject) => {
        renameat2.async(number, AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE, (error, result) => (error ? reject(error) : resolve(result === 0)))
      }),
    unlessTakenNow: (from, to) => renameat2(number, AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) === 0,
  }
}
