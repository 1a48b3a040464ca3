import type { Role } from '../../api/index.js'

/** Belongs to the first process alone: sockets and notices of the service manager, and a switch under which ids cannot be changed. */
const NEVER = ['NOTIFY_SOCKET', 'LISTEN_FDS', 'LISTEN_PID', 'LISTEN_FDNAMES', 'UV_USE_IO_URING', 'NODE_CHANNEL_FD']

/** Sections of a host whose secrets one role alone may know. */
const OWNERS: Readonly<Record<string, Role>> = { auth: 'auth', tls: 'front' }

/**
 * The environment of a process: without the variables in which secrets of other processes stand.
 *
 * @param said what the configuration says about the process and its hosts, as plain values.
 */
export function environmentFor(role: Role, said: readonly unknown[], env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const hidden = new Set<string>(NEVER)
  const kept = new Set<string>()
  for (const value of said) {
    for (const { name, owner } of variables(value, undefined)) (owner === undefined || owner === role ? kept : hidden).add(name)
  }
  return Object.fromEntries(Object.entries(env).filter(([name]) => !hidden.has(name) || (kept.has(name) && !NEVER.includes(name))))
}

function* variables(value: unknown, owner: Role | undefined): Generator<{ readonly name: string; readonly owner: Role | undefined }> {
  if (typeof value !== 'object' || value === null) return
  for (const [key, inner] of Object.entries(value)) {
    if (key === 'env' && typeof inner === 'string') yield { name: inner, owner }
    else yield* variables(inner, owner ?? OWNERS[key])
  }
}
