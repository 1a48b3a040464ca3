import { MailError } from '../../api/index.js'
import type { MailLocation, MailStore, MailUser, MailboxName, Mount, SubscriptionStore } from '../../api/index.js'
import { guardLocation } from './mounts.js'

/** Where the subscriptions of a login are. */
export interface SubscribingParts {
  readonly user: MailUser
  readonly mounts: readonly Mount[]
  /** Of all names that no store keeps. */
  readonly list: SubscriptionStore
  /** Names of stores that keep the subscriptions of their own. */
  readonly keepers: ReadonlySet<string>
  readonly store: (mount: Mount) => Promise<MailStore>
}

/** Every subscribed name once: those of the host's list, then those that stores keep. */
export async function subscribedNames({ user, mounts, list, keepers, store }: SubscribingParts): Promise<readonly MailboxName[]> {
  const names = new Set(await list.list(user))
  for (const mount of mounts.filter((one) => keepers.has(one.store))) {
    // Names are made of prefixes and paths.
    for (const path of (await (await store(mount)).subscriptions?.list()) ?? []) names.add((mount.prefix + path) as MailboxName)
  }
  return [...names]
}

/**
 * Subscribes to a name, or takes it off the list, where its place keeps that; `at` is the place, if the name leads to any.
 * @throws MailError `not-found` where the list does not have what is to be taken off.
 */
export async function setSubscription({ user, mounts, list, keepers, store }: SubscribingParts, name: MailboxName, on: boolean, at: MailLocation | undefined): Promise<void> {
  const keeper = at === undefined || !keepers.has(at.mount.store) ? undefined : (await store(at.mount)).subscriptions
  if (at === undefined || keeper === undefined) return await list.set(user, name, on)
  // It may stand in the host's list from before the store kept it.
  const wasListed = !on && (await list.list(user)).includes(name)
  if (wasListed) await list.set(user, name, false)
  try {
    await keeper.set(guardLocation(at, mounts).path, on)
  } catch (error) {
    if (!wasListed || !(error instanceof MailError) || error.kind !== 'not-found') throw error
  }
}
