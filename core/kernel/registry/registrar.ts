import type { Chosen, Plugin, PluginSetup, Role, Settings, Site, Token } from '../../api/kernel.js'
import type { AnyPoint } from '../plan.js'

/** Needs by the name under which `create` receives them. */
export type NeedTable = Readonly<Record<string, Token<unknown> | Chosen<unknown>>>

/** A contribution with its types forgotten; `create` is called with what its own schema and needs made. */
export interface AnyContribution {
  readonly name: string
  readonly settings: Settings<unknown>
  readonly needs?: NeedTable
  readonly roles?: readonly Role[]
  readonly about?: unknown
  create(settings: unknown, needs: Readonly<Record<string, unknown>>, site: Site): unknown
}
/** A service with its types forgotten. */
export interface AnyProvision {
  readonly needs?: NeedTable
  create(needs: Readonly<Record<string, unknown>>): unknown
}

/** All that one plugin declared, in the order in which it did. */
export interface Declarations {
  readonly plugin: Plugin
  readonly contributions: readonly { readonly point: AnyPoint; readonly what: AnyContribution }[]
  readonly provisions: readonly { readonly token: Token<unknown> & { readonly roles: readonly Role[] }; readonly how: AnyProvision }[]
  readonly points: readonly AnyPoint[]
}

/**
 * Runs a plugin's `setup` and keeps what it declares. A declaration after `setup` has returned is refused.
 * @throws whatever `setup` throws.
 */
export function declarationsOf(plugin: Plugin): Declarations {
  const contributions: Declarations['contributions'][number][] = []
  const provisions: Declarations['provisions'][number][] = []
  const points: AnyPoint[] = []
  let open = true
  const mayDeclare = (): void => {
    if (!open) throw new Error(`plugin ${plugin.id} declares after its setup has ended`)
  }
  const setup: PluginSetup = {
    provide(token, how) {
      mayDeclare()
      // The types of `token`, `needs` and `create` were matched by the signature of `provide`; from here on they travel together.
      provisions.push({ token, how: Object.freeze({ ...how }) as unknown as AnyProvision })
    },
    to(point) {
      return {
        contribute(what) {
          mayDeclare()
          // The same: point, settings, needs and create were matched by the signature of `contribute`.
          contributions.push({ point, what: Object.freeze({ ...what }) as unknown as AnyContribution })
        },
      }
    },
    offer(point) {
      mayDeclare()
      points.push(point)
    },
  }
  // By its type setup returns nothing; plain JavaScript may return a promise all the same.
  const returned: unknown = plugin.setup(setup)
  open = false
  if (returned instanceof Promise) {
    returned.catch(() => undefined)
    throw new Error('setup is asynchronous; it may only declare')
  }
  return Object.freeze({ plugin, contributions: Object.freeze(contributions), provisions: Object.freeze(provisions), points: Object.freeze(points) })
}
