/** Something wrong with the configuration, a plugin or the machine, found before anybody logs in. Values only. */
export interface Problem {
  /** `AREA_WHAT`, explained in docs/reference/errors.md; never changes its meaning. */
  readonly code: string
  readonly severity: 'error' | 'warning'
  /** Place in the configuration, such as `hosts.default.auth.passwords[0].service`; empty when it has none. */
  readonly path: string
  /** Names the thing, the value and the fact; lower case, no full stop needed. */
  readonly message: string
  /** The way out. */
  readonly hint?: string | undefined
  readonly file?: string | undefined
  /** From 1. */
  readonly line?: number | undefined
}

/** A server that cannot start, or a reload that was refused: every problem at once. */
export class StartFailure extends Error {
  override readonly name = 'StartFailure'
  readonly problems: readonly Problem[]
  constructor(problems: readonly Problem[]) {
    super(problems.map((p) => `${p.code} ${p.path === '' ? '' : `${p.path}: `}${p.message}`).join('\n'))
    this.problems = problems
  }
}
