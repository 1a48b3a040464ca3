/** Plugins whose code threw an error, for the log. Errors are forgotten with the objects that they are. */
const thrown = new WeakMap<object, string>()

/** Id of the plugin that threw it; undefined: none that was asked by this table. */
export function blameOf(error: unknown): string | undefined {
  return typeof error === 'object' && error !== null ? thrown.get(error) : undefined
}

/** The same part; what its functions throw, or reject with, is known as the plugin's. Core's own parts are left as they are. */
export function blaming<T extends object>(part: T, plugin: string): T {
  if (plugin === 'core-imapd') return part
  const watched: T = Object.create(part) as T
  for (let owner: object | null = part; owner !== null && owner !== Object.prototype; owner = Object.getPrototypeOf(owner) as object | null) {
    for (const key of Object.getOwnPropertyNames(owner)) {
      if (key === 'constructor' || Object.hasOwn(watched, key)) continue
      const value: unknown = Reflect.get(part, key)
      if (typeof value === 'function') Object.defineProperty(watched, key, { value: watching(part, value as (...args: readonly unknown[]) => unknown, plugin) })
    }
  }
  return watched
}

function watching(part: object, call: (...args: readonly unknown[]) => unknown, plugin: string): (...args: readonly unknown[]) => unknown {
  const note = (error: unknown): never => {
    if (typeof error === 'object' && error !== null && !thrown.has(error)) thrown.set(error, plugin)
    throw error
  }
  return (...args) => {
    try {
      const result = call.call(part, ...args)
      return result instanceof Promise ? result.catch(note) : result
    } catch (error) {
      return note(error)
    }
  }
}
