/** What the command says to whoever started it; numbers of sysexits.h. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 64,
  badData: 65,
  noUser: 67,
  unavailable: 69,
  bug: 70,
  cannotCreate: 73,
  temporary: 75,
  noPermission: 77,
  configuration: 78,
} as const

/** Ends a command with a text for the person who typed it. */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure'
  readonly exitCode: number
  constructor(exitCode: number, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.exitCode = exitCode
  }
}
