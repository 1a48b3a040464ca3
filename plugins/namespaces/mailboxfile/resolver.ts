import type { MailboxName, MailUser, Mount, NamespaceResolver, Purpose, Resolution } from 'mailwright/api'
import { placeOf, type MailboxfileSettings, type MailPlace } from './mail-place.js'
import { hasTricks, isInboxName, onlyDots, parentSteps, tidied } from './names.js'

const UNKNOWN: Resolution = { kind: 'unknown' }
const denied = (why: string): Resolution => ({ kind: 'denied', why })

/** What `resolve` is asked. */
interface Ask {
  readonly name: MailboxName
  readonly purpose: Purpose
  readonly user: MailUser
}

/**
 * Names as a traditional mail system has them: files below the mailbox directory, `~/x`, `~user/x` and `/x`. What stands behind it in the
 * chain may refuse names and bring mounts of its own.
 *
 * Invariant: for a confined user nothing but the mailbox directory and the INBOX has a name.
 */
export class MailboxfileResolver implements NamespaceResolver {
  readonly #settings: MailboxfileSettings
  readonly #places = new WeakMap<MailUser, MailPlace>()
  constructor(settings: MailboxfileSettings) {
    this.#settings = settings
  }

  mounts(user: MailUser): readonly Mount[] {
    return this.#place(user).mounts
  }
  #place(user: MailUser): MailPlace {
    let place = this.#places.get(user)
    if (place === undefined) this.#places.set(user, (place = placeOf(user, this.#settings)))
    return place
  }

  resolve(ask: Ask, next: (name: MailboxName) => Resolution): Resolution {
    const { name, purpose, user } = ask
    const place = this.#place(user)
    if (name.includes('\0')) return denied('invalid name')
    const special = name.startsWith('#')
    if ((place.confined || special) && hasTricks(name)) return denied('invalid name')
    if (special && name.slice(0, DRIVER.length).toLowerCase() === DRIVER) return this.#forced(ask, next)
    const later = next(name)
    // A row without files is no answer: it stands for names that lead elsewhere.
    if (later.kind === 'at' ? later.location.mount.root !== '' && !place.mounts.includes(later.location.mount) : later.kind !== 'unknown') return later
    if (special) return UNKNOWN
    if (name.startsWith('/')) return absolute(name, place, purpose)
    if (name.startsWith('~/')) return this.#ofHome(name.slice(2).replace(/^\/+/, ''), place, purpose)
    if (name.startsWith('~')) return ofOther(name, place)
    return inside(name, place, purpose)
  }
  /** `~/INBOX` is a file of that name where INBOX is kept elsewhere and the user reaches files by their paths. */
  #ofHome(path: string, place: MailPlace, purpose: Purpose): Resolution {
    if (place.directory === undefined) return UNKNOWN
    if (!place.mounts.some((m) => m.prefix === '~/')) return denied('names of homes are not for anonymous users')
    if (place.root !== undefined && isInboxName(tidied(path))) return absolute(`${place.directory}/${tidied(path)}`, place, purpose)
    return isInboxName(tidied(path)) ? { kind: 'inbox' } : inside(path, place, purpose)
  }
  /** `#driver.unix/name`: in this format, for CREATE and APPEND only. */
  #forced(ask: Ask, next: (name: MailboxName) => Resolution): Resolution {
    const slash = ask.name.indexOf('/')
    const format = ask.name.slice(DRIVER.length, slash < 0 ? undefined : slash).toLowerCase()
    const rest = slash < 0 ? '' : ask.name.slice(slash + 1)
    if (format === '' || rest === '' || rest.startsWith('#') || (ask.purpose !== 'create' && ask.purpose !== 'append')) return UNKNOWN
    // A part of a name is a name.
    const to = this.resolve({ ...ask, name: rest as MailboxName }, next)
    if (to.kind === 'at') return { kind: 'at', location: { ...to.location, format } }
    return to.kind === 'inbox' ? { kind: 'inbox', format } : to.kind === 'of-user' ? UNKNOWN : to
  }
}
const DRIVER = '#driver.'

/** A path below the mailbox directory. */
function inside(given: string, place: MailPlace, purpose: Purpose): Resolution {
  const path = tidied(given)
  if (place.directory === undefined) return UNKNOWN
  // `./INBOX` is INBOX where the user has no other name for the file.
  if (isInboxName(path) && place.root === undefined) return { kind: 'inbox' }
  if (parentSteps(path) || (isInboxName(path) && path !== given)) {
    return place.root === undefined ? denied('invalid name') : absolute(`${place.directory}/${path}`, place, purpose)
  }
  if (isState(`${place.directory}/${path}`, place)) return denied('the name is reserved')
  if (onlyDots(path) && purpose !== 'list') return UNKNOWN
  return { kind: 'at', location: { mount: place.home, path } }
}
/** A path of the machine; what is the user's own is found where the short names find it, so that it has one state. */
function absolute(given: string, place: MailPlace, purpose: Purpose): Resolution {
  const path = tidied(given)
  if (path === place.inbox) return { kind: 'inbox' }
  if (place.root === undefined) return denied('the place is outside the mailbox directory')
  if (isState(path, place)) return denied('the name is reserved')
  const below = path.slice(1)
  if (onlyDots(below) && purpose !== 'list') return UNKNOWN
  if (!parentSteps(path) && place.directory !== undefined && path.startsWith(`${place.directory}/`)) {
    const own = path.slice(place.directory.length + 1)
    if (own !== '' && !isInboxName(own)) return { kind: 'at', location: { mount: place.home, path: own } }
  }
  return { kind: 'at', location: { mount: place.root, path: below } }
}
/** `~bob/x`; core looks the account up. What follows is always below that user's directory. */
function ofOther(name: string, place: MailPlace): Resolution {
  if (place.root === undefined) return denied('names of other users are not for this user')
  const slash = name.indexOf('/')
  const user = name.slice(1, slash < 0 ? undefined : slash)
  const rest = slash < 0 ? '' : name.slice(slash + 1).replace(/^\/+/, '')
  if (user === '' || rest === '') return UNKNOWN
  if (user === '.' || user === '..') return denied('invalid name')
  // The next round must not read it as a name of a third user or of another namespace.
  return { kind: 'of-user', user, name: (/^[~#]/.test(rest) ? `./${rest}` : rest) as MailboxName }
}
function isState(path: string, { state }: MailPlace): boolean {
  return state !== undefined && (path === state || path === `${state}/` || path.startsWith(`${state}/`))
}
