import { definePlugin, noSettings, passwordSchemes } from 'mailwright/api'
import { z } from 'zod'
import { loadArgon2 } from './argon2-engine.js'
import { argon2Scheme } from './argon2.js'
import { bcryptScheme } from './bcrypt.js'
import { plainScheme } from './plain.js'
import { scryptScheme } from './scrypt.js'
import { SHA256_CRYPT, SHA512_CRYPT, shaCryptScheme } from './sha-crypt.js'

/** Stored forms of passwords. New hashes are made by the first scheme that can: argon2id, else scrypt. */
export default definePlugin({
  id: 'auth-schemes',
  api: '1.0',
  summary: 'Password hashes: argon2id, scrypt, bcrypt, sha512-crypt, sha256-crypt',
  setup(p) {
    const schemes = p.to(passwordSchemes)
    schemes.contribute({
      name: 'argon2id',
      settings: z.strictObject({
        memory: z.int().min(8).max(1024 * 1024).default(65_536).describe('Memory of one new hash in KiB.'),
        passes: z.int().min(1).max(100).default(3).describe('Passes over that memory.'),
        lanes: z.int().min(1).max(8).default(1).describe('Threads of one new hash.'),
      }),
      create: async (s) => argon2Scheme(await loadArgon2(), { memoryKib: s.memory, passes: s.passes, lanes: s.lanes }),
    })
    schemes.contribute({
      name: 'scrypt',
      settings: z.strictObject({
        ln: z.int().min(10).max(20).default(16).describe('Cost of one new hash as a power of two.'),
        r: z.int().min(1).max(16).default(8).describe('Block size.'),
        p: z.int().min(1).max(16).default(1).describe('Parallelism.'),
      }),
      create: (s) => scryptScheme(s),
    })
    schemes.contribute({
      name: 'bcrypt',
      settings: noSettings,
      async create() {
        const { compare } = await import('bcryptjs')
        return bcryptScheme((password, stored) => compare(password, stored))
      },
    })
    schemes.contribute({ name: 'sha512-crypt', settings: noSettings, create: () => shaCryptScheme(SHA512_CRYPT) })
    schemes.contribute({ name: 'sha256-crypt', settings: noSettings, create: () => shaCryptScheme(SHA256_CRYPT) })
    schemes.contribute({
      name: 'plain',
      settings: z.strictObject({
        allow: z.boolean().default(false).describe('Accept {PLAIN} entries, which hold the password itself; for tests only.'),
      }),
      create(s, _needs, site) {
        if (s.allow) site.warn('passwords stored in clear are accepted')
        return plainScheme(s.allow)
      },
    })
  },
})
