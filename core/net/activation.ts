/** The first descriptor that systemd hands over (sd_listen_fds(3)). */
const FIRST_DESCRIPTOR = 3

/** Listening sockets that were inherited, by the name that their unit gives them (`FileDescriptorName=`, else the unit's own name). */
export type InheritedSockets = ReadonlyMap<string, readonly number[]>

/**
 * The sockets of a socket-activated start; empty without one. The variables are taken out of `env`, so that no child
 * process believes they are meant for it.
 */
export function takeInheritedSockets(env: NodeJS.ProcessEnv, pid: number): InheritedSockets {
  const { LISTEN_PID: forPid, LISTEN_FDS: count, LISTEN_FDNAMES: names } = env
  delete env['LISTEN_PID']
  delete env['LISTEN_FDS']
  delete env['LISTEN_FDNAMES']
  const found = new Map<string, number[]>()
  if (Number(forPid) !== pid) return found
  const labels = (names ?? '').split(':')
  const total = Number(count)
  for (let i = 0; i < total; i++) {
    const name = labels[i] ?? ''
    const descriptors = found.get(name) ?? []
    descriptors.push(FIRST_DESCRIPTOR + i)
    found.set(name, descriptors)
  }
  return found
}
