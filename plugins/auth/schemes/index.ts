import { definePlugin, noSettings, passwordSchemes, type PasswordScheme } from 'mailwright/api'
import { z } from 'zod'
import { loadArgon2 } from './argon2-engine.js'
import { argon2Scheme } from './argon2.js'
import { bcryptScheme } from './bcrypt.js'
import { cryptScheme, desScheme, MD5_CRYPT, STRONG_CRYPT } from './crypt.js'
import { digestScheme, SALTED, WEAK } from './digests.js'
import { systemCrypt } from './native.js'
import { pbkdf2Scheme } from './pbkdf2.js'
import { plainScheme } from './plain.js'
import { scramScheme } from './scram.js'
import { scryptScheme } from './scrypt.js'
import { SHA256_CRYPT, SHA512_CRYPT, shaCryptScheme } from './sha-crypt.js'

/** Stored forms of passwords. New hashes are made by the first scheme that can: argon2id, else scrypt. */
export default definePlugin({
  id: 'auth-schemes',
  api: '1.0',
  summary: 'Password hashes: argon2id, scrypt, bcrypt, PBKDF2, SCRAM keys, those of crypt(3) and of LDAP; weak ones only where a setting allows them',
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
    schemes.contribute({ name: 'pbkdf2', settings: noSettings, create: () => pbkdf2Scheme })
    schemes.contribute({ name: 'scram', settings: noSettings, create: () => scramScheme })
    schemes.contribute({ name: 'crypt', settings: noSettings, create: async () => cryptScheme(await systemCrypt(), STRONG_CRYPT) })
    schemes.contribute({ name: 'salted-sha', settings: noSettings, create: () => digestScheme(SALTED, undefined) })
    for (const { name, what, make } of WEAK_ONES) {
      schemes.contribute({
        name,
        settings: z.strictObject({ allow: z.boolean().default(false).describe(`Accept ${what}.`) }),
        async create(s, _needs, site) {
          if (s.allow) site.warn(`weak stored passwords are accepted: ${what}`)
          return await make(s.allow ? undefined : `${what} are too weak; auth.schemes: [{ use: ${name}, allow: true }] takes them`)
        },
      })
    }
  },
})

/** Off unless allowed: whoever gets the file has the passwords, or soon will. */
const WEAK_ONES: readonly { readonly name: string; readonly what: string; readonly make: (refused: string | undefined) => PasswordScheme | Promise<PasswordScheme> }[] = [
  { name: 'plain', what: 'passwords stored in clear', make: (refused) => plainScheme(refused === undefined) },
  { name: 'weak-digests', what: 'unsalted digests and those of MD5', make: (refused) => digestScheme(WEAK, refused) },
  { name: 'md5-crypt', what: 'hashes of MD5 crypt', make: async (refused) => cryptScheme(await systemCrypt(), MD5_CRYPT, refused) },
  { name: 'des-crypt', what: 'hashes of DES crypt', make: async (refused) => desScheme(await systemCrypt(), refused) },
]
