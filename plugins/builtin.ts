import type { Plugin } from 'mailwright/api'

/**
 * A plugin that comes with the server. `provides` says which short names it gives to which points, so that the loader
 * knows what to import without importing it; it repeats what the plugin's `setup` contributes, and a test compares both.
 */
export interface BuiltinPlugin {
  readonly id: string
  readonly provides: readonly { readonly point: string; readonly name: string }[]
  readonly load: () => Promise<{ readonly default: Plugin }>
}

/** One row per plugin, one line per row, sorted by id; only what the configuration uses is imported. */
export const builtinPlugins: readonly BuiltinPlugin[] = [
  { id: 'auth-file', provides: [{ point: 'auth.passwords', name: 'file' }], load: () => import('./auth/passwords/file/index.js') },
  { id: 'auth-login', provides: [{ point: 'auth.mechanisms', name: 'login' }], load: () => import('./auth/mechanisms/login/index.js') },
  { id: 'auth-plain', provides: [{ point: 'auth.mechanisms', name: 'plain' }], load: () => import('./auth/mechanisms/plain/index.js') },
  { id: 'auth-schemes', provides: ['argon2id', 'scrypt', 'bcrypt', 'sha512-crypt', 'sha256-crypt', 'plain'].map((name) => ({ point: 'auth.schemes', name })), load: () => import('./auth/schemes/index.js') },
  { id: 'drivers-memory', provides: [{ point: 'mail.drivers', name: 'memory' }], load: () => import('./drivers/memory/index.js') },
  { id: 'users-virtual', provides: [{ point: 'auth.users', name: 'virtual' }], load: () => import('./auth/users/virtual/index.js') },
]
