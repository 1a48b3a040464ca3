/** What of TLS could not be set up, in the log's words. */
export type SetupStep = `load certificate from ${string}` | `load private key from ${string}` | `set cipher list ${string}` | 'create SSL context'

/** TLS cannot be offered; `message` says why, `step` what could not be done. */
export class TlsSetupFailure extends Error {
  override readonly name = 'TlsSetupFailure'
  readonly step: SetupStep
  constructor(step: SetupStep, cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause })
    this.step = step
  }
}

/** Does a step; what it throws becomes its failure, unless a step within it has failed. */
export async function setUp<T>(step: SetupStep, run: () => T | Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (cause) {
    throw cause instanceof TlsSetupFailure ? cause : new TlsSetupFailure(step, cause)
  }
}
