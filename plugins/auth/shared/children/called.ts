/** What a child can be asked, by name. Arguments and answers are structured clones, so octets stay octets. */
export type Calls = Readonly<Record<string, (argument: never) => unknown>>

/** A question to a child. */
export interface Call {
  readonly id: number
  readonly name: string
  readonly argument: unknown
}
/** What a child says: an answer, why a call failed, or why there can be none at all. */
export type Reply = { readonly id: number; readonly value: unknown } | { readonly id: number; readonly failure: string } | { readonly unusable: string }

/**
 * The main program of a child: loads what it is asked for (a library of the system) and answers one call after the other. It may block, and
 * what it does by mistake ends this process alone. Ends when nobody is left who could ask.
 */
export function answerCalls(load: () => Promise<Calls>): void {
  const say = (reply: Reply, then?: () => void): void => void process.send?.(reply, undefined, {}, then)
  // Whoever started this process decides when it ends; a key pressed at a terminal does not.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined)
  process.on('disconnect', () => process.exit(0))
  let turn = load().catch((error: unknown): never => {
    say({ unusable: reasonOf(error) }, () => process.exit(1))
    // Calls that wait are never answered: the process ends.
    throw error
  })
  turn.catch(() => undefined)
  process.on('message', ({ id, name, argument }: Call) => {
    turn = turn.then(async (calls) => {
      say(await answerTo(calls, id, name, argument))
      return calls
    })
    turn.catch(() => undefined)
  })
}

async function answerTo(calls: Calls, id: number, name: string, argument: unknown): Promise<Reply> {
  try {
    if (!Object.hasOwn(calls, name)) throw new Error(`there is no call "${name}"`)
    // Both ends have the same table as their type.
    const call = calls[name] as (argument: unknown) => unknown
    return { id, value: await call(argument) }
  } catch (error) {
    return { id, failure: reasonOf(error) }
  }
}
function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
