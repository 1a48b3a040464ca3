/** The ids that a process takes; it cannot go back. */
export interface Identity {
  readonly uid: number
  readonly gid: number
  /** Supplementary groups; empty takes all of them away. */
  readonly groups: readonly number[]
}

/** Thrown when a process kept more rights than it was told to; it must end. */
class PrivilegesKept extends Error {
  override readonly name = 'PrivilegesKept'
}

/**
 * Takes the ids of an account, groups first, and proves that there is no way back. A process that is not root can only stay what it is.
 *
 * Only between starting and the first octet of a stranger: ids belong to the whole process, so this is never done per request.
 * @throws PrivilegesKept when the ids are not those afterwards, or root could be had again.
 */
export function become(identity: Identity): void {
  const { setgroups, setgid, setuid, getuid, geteuid, getgid, getegid, getgroups } = process
  if (setgroups === undefined || setgid === undefined || setuid === undefined || getuid === undefined || geteuid === undefined || getgid === undefined || getegid === undefined || getgroups === undefined) {
    throw new PrivilegesKept('this system has no user ids')
  }
  if (geteuid() === 0) {
    setgroups([...identity.groups])
    setgid(identity.gid)
    setuid(identity.uid)
  }
  if (getuid() !== identity.uid || geteuid() !== identity.uid || getgid() !== identity.gid || getegid() !== identity.gid) {
    throw new PrivilegesKept(`wanted uid ${identity.uid} gid ${identity.gid}, have uid ${getuid()}/${geteuid()} gid ${getgid()}/${getegid()}`)
  }
  if (identity.uid !== 0) {
    const more = getgroups().filter((group) => group !== identity.gid && !identity.groups.includes(group))
    if (more.length > 0) throw new PrivilegesKept(`groups ${more.join(', ')} were kept`)
    if (canBecomeRoot(setuid)) throw new PrivilegesKept('root could be had again')
  }
}

function canBecomeRoot(setuid: (id: number) => void): boolean {
  try {
    setuid(0)
    return true
  } catch {
    return false
  }
}
