/** Why a plugin is not loaded, for the operator. */
export class PluginRefusal extends Error {
  override readonly name = 'PluginRefusal'
  readonly code: string
  readonly hint: string | undefined
  constructor(code: string, message: string, hint?: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
    this.hint = hint
  }
}

/**
 * The package that an import did not find; undefined when the failure is another one. Plugins import what only they need
 * when they need it, so a missing package is an ordinary answer and says what to install.
 */
export function missingPackage(cause: unknown): string | undefined {
  if (!(cause instanceof Error) || !('code' in cause)) return undefined
  if (cause.code !== 'ERR_MODULE_NOT_FOUND' && cause.code !== 'MODULE_NOT_FOUND') return undefined
  const name = /Cannot find (?:package|module) '([^']+)'/.exec(cause.message)?.[1]
  return name === undefined || /^(?:\.|\/|file:|[A-Za-z]:[\\/])/.test(name) ? undefined : name
}

/** One line of any thrown thing. */
export function wordsOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
