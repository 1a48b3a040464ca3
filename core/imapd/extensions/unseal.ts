import type {
  FetchItem,
  ImapCommand,
  ImapSession,
  ImapState,
  Modifier,
  SealedCommand,
  SealedFetchItem,
  SealedModifier,
  SealedStoreTarget,
  StoreTarget,
  StreamingCommand,
} from '../../api/index.js'

/*
 * Sealing hides the type of a request, so that commands of many types stand in one table; here the seal is taken off again. What `parse` or
 * `receive` gives goes to the same command's `run` and nowhere else, and the dispatcher checks the states before it calls either.
 */

type Runnable<C> = Omit<C, 'parse' | 'run' | 'receive'>
/** A command whose arguments are read from a buffer. */
export interface BufferedRun extends Runnable<ImapCommand<unknown, ImapState>> {
  parse: ImapCommand<unknown, ImapState>['parse']
  run(request: unknown, session: ImapSession): ReturnType<ImapCommand<unknown, ImapState>['run']>
}
/** A command that takes literals as they come. */
export interface StreamingRun extends Runnable<StreamingCommand<unknown, ImapState>> {
  receive: StreamingCommand<unknown, ImapState>['receive']
  run(request: unknown, session: ImapSession): ReturnType<ImapCommand<unknown, ImapState>['run']>
}

/** A sealed command is always one of the two kinds that the sealing functions take. */
export function unsealCommand(c: SealedCommand): BufferedRun | StreamingRun {
  return c as unknown as BufferedRun | StreamingRun
}
/** Whether its literals are handed over as they come. */
export function isStreaming(c: BufferedRun | StreamingRun): c is StreamingRun {
  return 'receive' in c
}
/** A sealed modifier is a modifier of that plan. */
export function unsealModifier<Plan>(m: SealedModifier<Plan>): Modifier<Plan, unknown> {
  return m as unknown as Modifier<Plan, unknown>
}
/** A sealed item is an item, or one that `boundItem` made. */
export function unsealItem(i: SealedFetchItem): FetchItem<unknown> {
  return i as unknown as FetchItem<unknown>
}
/** A sealed target is a target. */
export function unsealTarget(t: SealedStoreTarget): StoreTarget<unknown> {
  return t as unknown as StoreTarget<unknown>
}
