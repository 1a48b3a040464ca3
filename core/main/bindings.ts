import type { Socket } from 'node:net'
import type { Problem } from '../api/index.js'
import type { ListenerPlan } from '../config/plan/types.js'
import type { InheritedSockets } from '../net/activation.js'
import { Listener } from '../net/listener.js'
import type { UnixPlace } from '../net/unix-socket.js'
import type { Place } from './connections.js'
import { accountIdentity, groupId } from './processes/accounts.js'

/** A place where the server can be reached. */
export interface ServerAddress {
  /** Name in the configuration. */
  readonly listener: string
  readonly protocol: string
  readonly tls: ListenerPlan['tls']
  /** Or the path of a socket file, whose port is 0. */
  readonly address: string
  readonly port: number
}

interface Advice {
  readonly code: string
  readonly what: string
  readonly hint: string
}
interface Binding {
  readonly key: string
  place: Place
  readonly listener: Listener
}

/** What to do with a change of listeners that is prepared: new sockets listen already, old ones still do. */
export interface PreparedBindings {
  readonly problems: readonly Problem[]
  /** Old places go, new ones count. */
  commit(): Promise<void>
  /** The new sockets close again. */
  discard(): Promise<void>
}

/** What the system's errors mean for a port. */
const ADVICE: Readonly<Record<string, Advice>> = {
  EADDRINUSE: { code: 'NET_ADDRESS_IN_USE', what: 'is taken by another program', hint: 'stop the other program ("ss -ltnp" names it) or choose another port' },
  EACCES: { code: 'NET_NOT_PERMITTED', what: 'may not be used by this account', hint: 'start as root, use socket activation, or choose a port above 1023' },
  EADDRNOTAVAIL: { code: 'NET_NO_SUCH_ADDRESS', what: 'is not an address of this machine', hint: 'name an address that "ip address" shows' },
}

/** The same for a socket file. */
const FILE_ADVICE: Readonly<Record<string, Advice>> = {
  EADDRINUSE: { code: 'NET_ADDRESS_IN_USE', what: 'is taken by another program, or is no socket', hint: 'stop the other program ("ss -lxp" names it), take the file away or choose another path' },
  EACCES: { code: 'NET_NOT_PERMITTED', what: 'cannot be made by this account', hint: 'start as root, or choose a folder that this account may write to' },
  EPERM: { code: 'NET_NOT_PERMITTED', what: 'cannot be given to that owner or group by this account', hint: 'start as root, or leave "owner" out and name a "group" that this account is in' },
  ENOENT: { code: 'NET_NO_SUCH_ADDRESS', what: 'stands in a folder that is not there', hint: 'make the folder, for the server does not' },
}
/** The listening sockets of the server; a socket whose address and port stay the same survives a reload. */
export class Bindings {
  #bindings: readonly Binding[] = []
  readonly #accept: (socket: Socket, place: Place) => void
  readonly #dropped: (place: Place, peer: string) => void
  readonly #inherited: InheritedSockets

  constructor(accept: (socket: Socket, place: Place) => void, dropped: (place: Place, peer: string) => void, inherited: InheritedSockets) {
    this.#accept = accept
    this.#dropped = dropped
    this.#inherited = inherited
  }

  get addresses(): readonly ServerAddress[] {
    return this.#bindings.flatMap(({ place, listener }) =>
      listener.bound.map(({ address, port }) => ({ listener: place.id, protocol: place.protocol, tls: place.tls, address, port })),
    )
  }

  /** Opens what is new in `plans`; nothing of what is open changes before `commit`. */
  async prepare(plans: readonly ListenerPlan[]): Promise<PreparedBindings> {
    const problems: Problem[] = []
    const kept: { readonly binding: Binding; readonly place: Place }[] = []
    const fresh: Binding[] = []
    const next: Binding[] = []
    for (const plan of plans) {
      const place: Place = { id: plan.id, protocol: plan.protocol, tls: plan.tls, proxy: plan.proxy, rate: plan.rate }
      const key = keyOf(plan)
      const old = this.#bindings.find((b) => b.key === key)
      if (old !== undefined) {
        kept.push({ binding: old, place })
        next.push(old)
        continue
      }
      const opened = await this.#open(plan, key, place, problems)
      if (opened === undefined) continue
      fresh.push(opened)
      next.push(opened)
    }
    return {
      problems,
      commit: async () => {
        const gone = this.#bindings.filter((b) => !next.includes(b))
        this.#bindings = next
        for (const { binding, place } of kept) binding.place = place
        for (const { listener } of gone) await listener.close()
      },
      discard: async () => {
        for (const { listener } of fresh) await listener.close()
      },
    }
  }

  async close(): Promise<void> {
    const all = this.#bindings
    this.#bindings = []
    for (const { listener } of all) await listener.close()
  }

  async #open(plan: ListenerPlan, key: string, place: Place, problems: Problem[]): Promise<Binding | undefined> {
    let binding: Binding | undefined
    const here = (): Place => binding?.place ?? place
    try {
      const inherited = this.#inherited.get(plan.id) ?? []
      const unix = plan.unix === undefined ? undefined : await unixPlace(plan.unix)
      const listener = await Listener.open(
        { address: plan.address, port: plan.port, unix, inherited, maxConnections: undefined },
        (socket) => this.#accept(socket, here()),
        (peer) => this.#dropped(here(), peer),
      )
      binding = { key, place, listener }
      return binding
    } catch (error) {
      problems.push(problemOf(plan, error))
      return undefined
    }
  }
}

/** @throws Error when there is no such account or group */
async function unixPlace({ path, mode, owner, group }: NonNullable<ListenerPlan['unix']>): Promise<UnixPlace> {
  const account = owner === undefined ? undefined : await accountIdentity(owner)
  if (owner !== undefined && account === undefined) throw new Error(`there is no account "${owner}" on this machine`)
  const gid = group === undefined ? account?.gid : await groupId(group)
  if (group !== undefined && gid === undefined) throw new Error(`there is no group "${group}" on this machine`)
  return { path, mode, uid: account?.uid, gid }
}

function keyOf({ address, port, unix, id }: ListenerPlan): string {
  if (unix !== undefined) return JSON.stringify(unix)
  // A port of the system's choice belongs to its listener alone.
  return `${address?.join(' ') ?? '*'} ${port}${port === 0 ? ` ${id}` : ''}`
}

function problemOf(plan: ListenerPlan, error: unknown): Problem {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  const known = (plan.unix === undefined ? ADVICE : FILE_ADVICE)[code]
  const where = plan.unix?.path ?? `${plan.address?.join(', ') ?? 'every address'} port ${plan.port}`
  if (known === undefined) {
    const text = error instanceof Error ? error.message : String(error)
    return { code: 'NET_CANNOT_LISTEN', severity: 'error', path: plan.path, message: `cannot listen on ${where}: ${text}` }
  }
  return { code: known.code, severity: 'error', path: plan.path, message: `${where} ${known.what}`, hint: known.hint }
}
