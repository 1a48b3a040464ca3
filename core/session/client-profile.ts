import { DEFAULT_TWEAKS } from '../api/index.js'
import type { ClientFacts, Tweaks, Workaround } from '../api/index.js'

/** Everything that workarounds say about one client, merged. */
export interface ClientProfile {
  readonly tweaks: Tweaks
  readonly with: ReadonlySet<string>
  readonly without: ReadonlySet<string>
  /** Capabilities listed besides those of extensions. */
  readonly show: readonly string[]
  /** Capabilities in upper case. */
  readonly hide: ReadonlySet<string>
  /** Rewrites message text in place; undefined: nobody does. */
  readonly text: ((chunk: Uint8Array) => void) | undefined
  readonly reasons: readonly string[]
}

/**
 * Merges the workarounds that apply, in list order; later wins. Computed at the greeting and once more after ID, and frozen.
 *
 * @param base tweaks of the host, before any workaround.
 */
export function profileOf(
  list: readonly Workaround[],
  client: ClientFacts,
  user: { readonly name: string } | undefined,
  base: Tweaks = DEFAULT_TWEAKS,
): ClientProfile {
  const applied = list.filter((w) => w.applies(client, user))
  const hooks = applied.flatMap((w) => (w.text === undefined ? [] : [w.text.bind(w)]))
  const [only] = hooks
  return Object.freeze({
    tweaks: Object.freeze(Object.assign({ ...base }, ...applied.map((w) => w.tweaks))) as Tweaks,
    with: new Set(applied.flatMap((w) => w.with ?? [])),
    without: new Set(applied.flatMap((w) => w.without ?? [])),
    show: applied.flatMap((w) => w.show ?? []),
    hide: new Set(applied.flatMap((w) => w.hide ?? []).map((name) => name.toUpperCase())),
    text: hooks.length < 2 ? only : (chunk: Uint8Array) => hooks.forEach((hook) => hook(chunk)),
    reasons: applied.map((w) => w.reason),
  })
}
