import type { ConfigPlan, ConfigSource } from '../config/plan/types.js'
import type { Kernel, Reloaded } from '../kernel/kernel.js'
import type { AnyPoint } from '../kernel/plan.js'
import type { LogHub } from '../log/log-hub.js'
import type { InheritedSockets } from '../net/activation.js'
import type { ServerAddress } from './bindings.js'
import type { ControlAnswer } from './control.js'
import type { DeliveryRules } from './delivery/local-delivery.js'
import type { ActAs } from './opened-mail.js'
import type { ConfigOrigin } from './processes/messages.js'

/** What a server is started with. */
export interface ServerParts {
  readonly source: ConfigSource
  readonly log: LogHub
  /** Sockets from a service manager; they stand in for the address of the listener of the same name. */
  readonly inherited: InheritedSockets
  /** False: no sockets, for a process that serves one connection or edits accounts. */
  readonly listen: boolean
  /** For a process that serves one session: takes the rights of its user when the login is done. */
  readonly actAs?: ActAs
  /** For a process that takes mail alone. */
  readonly delivery?: DeliveryRules
  /** Points that it does nothing with, for a process that serves one protocol alone. */
  readonly unused?: readonly AnyPoint[]
}

/** A server that runs, in however many processes. */
export interface RunningServer {
  readonly kernel: Kernel<ConfigPlan>
  /** Where clients reach it. */
  readonly addresses: readonly ServerAddress[]
  /** Connections and sessions. */
  readonly open: number
  /**
   * Takes up a new configuration, validated whole; sessions that are open go on as they are.
   * @param origin the same configuration as other processes find it.
   * @throws StartFailure when something is wrong with it; then nothing has changed.
   */
  reload(source: ConfigSource, origin: ConfigOrigin): Promise<Reloaded>
  /** What policies of this server say to `blocks list` and `blocks clear KEY`. */
  blocks(request: `blocks ${string}`): Promise<ControlAnswer>
  /** Closes the listeners, lets sessions end for a while, then closes everything in reverse order. Twice does no harm. */
  stop(): Promise<void>
}
