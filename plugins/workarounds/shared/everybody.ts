import type { Tweaks, Workaround } from 'mailwright/api'

/** For faults that no client names: it applies to every session and changes tweaks alone. */
export function forEverybody(reason: string, tweaks: Partial<Tweaks>): Workaround {
  return { reason, applies: () => true, tweaks }
}
