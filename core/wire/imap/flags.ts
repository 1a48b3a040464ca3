import { SYSTEM } from '../../api/mail/table.js'

/** Flags of a STORE or an APPEND: bits of `SYSTEM`, and keywords as written, each once. */
export interface FlagList {
  readonly system: number
  readonly keywords: readonly string[]
}

const SYSTEM_FLAGS: Readonly<Record<string, number>> = {
  '\\SEEN': SYSTEM.seen,
  '\\DELETED': SYSTEM.deleted,
  '\\FLAGGED': SYSTEM.flagged,
  '\\ANSWERED': SYSTEM.answered,
  '\\DRAFT': SYSTEM.draft,
}

/** Bit of a system flag in any case, 0 for another name that begins with `\` (`\Recent`, flags of the future): a client cannot set it. */
export function systemFlag(name: string): number {
  return SYSTEM_FLAGS[name.toUpperCase()] ?? 0
}

/** Collects what a list names; keywords that differ in case alone are one (the first spelling stays). */
export class FlagCollector {
  #system = 0
  readonly #keywords = new Map<string, string>()
  add(name: string): void {
    if (name.startsWith('\\')) this.#system |= systemFlag(name)
    else if (!this.#keywords.has(name.toLowerCase())) this.#keywords.set(name.toLowerCase(), name)
  }
  done(): FlagList {
    return { system: this.#system, keywords: [...this.#keywords.values()] }
  }
}
