import type { Hop, HopOutcome, MailAccess, MailboxView, SessionHops } from '../api/index.js'
import { measured } from '../session/watch/hops.js'

type Measure = (target: object, name: string, args: readonly unknown[]) => unknown

/**
 * The mail of a session with its calls measured: names that are looked up (`resolve`), and what waits for mailboxes (`store`). Without
 * observers it is the mail itself.
 */
export function watchedMail<Mail extends MailAccess>(mail: Mail, hops: SessionHops | undefined): Mail {
  if (hops === undefined) return mail
  const view = (opened: MailboxView): MailboxView => withMeasured(opened, { ...calls(hops, ['checkpoint', 'sync', 'fill', 'store', 'expunge', 'copy', 'search', 'sort', 'vanished']), ...runs(hops, ['read']) })
  return withMeasured(mail, {
    ...calls(hops, ['create', 'remove', 'rename', 'append', 'subscribe', 'holds']),
    ...runs(hops, ['list', 'figures']),
    locate: (target, _name, args) => measured(hops, 'resolve', String(args[1]), () => call<Promise<unknown>>(target, 'locate', args)),
    open: async (target, _name, args) => view(await measured(hops, 'store', 'open', () => call<Promise<MailboxView>>(target, 'open', args))),
  })
}

/** The same object with some of its methods behind a measure; the rest, private parts included, works on the object itself. */
function withMeasured<T extends object>(target: T, methods: Readonly<Record<string, Measure>>): T {
  const bound = new Map<PropertyKey, unknown>()
  return new Proxy(target, {
    get(inner, key) {
      const known = bound.get(key)
      if (known !== undefined) return known
      const value: unknown = Reflect.get(inner, key, inner)
      if (typeof value !== 'function') return value
      const measure = typeof key === 'string' && Object.hasOwn(methods, key) ? methods[key] : undefined
      const made = measure === undefined ? (value as (...args: readonly unknown[]) => unknown).bind(inner) : (...args: readonly unknown[]) => measure(inner, String(key), args)
      bound.set(key, made)
      return made
    },
    set: (inner, key, value) => Reflect.set(inner, key, value, inner),
  })
}

/** The method of that name, which the contract has; what it gives is what the contract says. */
function call<R>(target: object, name: string, args: readonly unknown[]): R {
  return (Reflect.get(target, name) as (...args: readonly unknown[]) => R).call(target, ...args)
}
function calls(hops: SessionHops, names: readonly string[]): Readonly<Record<string, Measure>> {
  return Object.fromEntries(names.map((name): [string, Measure] => [name, (target, _, args) => measured(hops, 'store', name, () => call<Promise<unknown>>(target, name, args))]))
}
/** For what comes in batches: from the first to the last. */
function runs(hops: SessionHops, names: readonly string[]): Readonly<Record<string, Measure>> {
  const hop: Hop = 'store'
  async function* measuredRun(name: string, batches: AsyncIterable<unknown>): AsyncGenerator<unknown, void, undefined> {
    const mark = hops.begin(hop, name)
    // Whoever takes no more than the first is content.
    let outcome: HopOutcome = 'ok'
    try {
      yield* batches
    } catch (error) {
      outcome = 'error'
      throw error
    } finally {
      hops.end(hop, mark, outcome, 0)
    }
  }
  return Object.fromEntries(names.map((name): [string, Measure] => [name, (target, _, args) => measuredRun(name, call<AsyncIterable<unknown>>(target, name, args))]))
}
