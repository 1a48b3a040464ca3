import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MailError, PASSWORD, SCRAM_SHA_1, SCRAM_SHA_256, type PasswordScheme } from 'mailwright/api'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../../core/os/clock.js'
import { SystemFiles } from '../../../core/os/files.js'
import { FileBackend } from '../../../plugins/auth/passwords/file/file-backend.js'
import type { FurtherForm } from '../../../plugins/auth/shared/forms.js'
import { cryptScheme, desScheme, MD5_CRYPT, STRONG_CRYPT } from '../../../plugins/auth/schemes/crypt.js'
import { digestScheme, SALTED, WEAK } from '../../../plugins/auth/schemes/digests.js'
import { systemCrypt } from '../../../plugins/auth/schemes/native.js'
import { pbkdf2Scheme } from '../../../plugins/auth/schemes/pbkdf2.js'
import { plainScheme } from '../../../plugins/auth/schemes/plain.js'
import { scramScheme } from '../../../plugins/auth/schemes/scram.js'
import { scryptScheme } from '../../../plugins/auth/schemes/scrypt.js'
import { Hashing } from '../../../plugins/auth/shared/hashing.js'
import { PasswordFile } from '../../../plugins/auth/shared/password-file.js'
import { LoggedLines, never, peers, words } from '../../support/auth.js'

const crypt = await systemCrypt()
const schemes = (refused: string | undefined): readonly PasswordScheme[] => [
  scryptScheme({ ln: 10, r: 8, p: 1 }), pbkdf2Scheme, scramScheme, cryptScheme(crypt, STRONG_CRYPT), digestScheme(SALTED, undefined),
  plainScheme(refused === undefined), digestScheme(WEAK, refused), cryptScheme(crypt, MD5_CRYPT, refused), desScheme(crypt, refused),
]
/** Made by doveadm pw, python's crypt (libxcrypt), passlib's and OpenLDAP's forms; all of the password `secret word` of alice@example.org. */
const forms = [
  { stored: '$y$j9T$saltsaltsalt$s4a79u69vro3.mFBzIQzuG/oQ0mZY..xpKZxJvpKuW9', weak: false },
  { stored: '{CRYPT}$y$j9T$saltsaltsalt$s4a79u69vro3.mFBzIQzuG/oQ0mZY..xpKZxJvpKuW9', weak: false },
  { stored: '$gy$j9T$saltsaltsalt$Da/Ors2rSocFqWZDB6zTDRb8EFNGzvVygSoTCZdb7M/', weak: false },
  { stored: '$7$CU..../....saltsalt$oaK9Jz/LJEi4UABPfmO/sg51qXY8XYAzy4Z9Z.ezqu1', weak: false },
  { stored: '$sha1$4000$saltsalt$D2RR1UemuR24IOZMDUtctdxEpJ4H', weak: false },
  { stored: '{PBKDF2}$1$o/VezeuPuUMYrO2Z$5000$71c595c6aff644c5810304d58a3b0a543cdffb91', weak: false },
  { stored: '{SCRAM-SHA-1}4096,5YQpthJcQm+rDRA2dpxuOA==,4eUVjSm1bdN/Tntv3OFoZDgK/rU=,wKq1PXOxtfjvlu1s59Zu1ngeCwk=', weak: false },
  { stored: '{SCRAM-SHA-256}4096,jCmpKGeGe0Pn6/M2pwN/9Q==,6U7HVi/hQRvv1cbiSCwiPeAy2Gnjr7QlHrsily0qmeY=,vgDfvoi2psLpcYwo1CKqJ/MPY5XY+Hiun9DfV48VvkA=', weak: false },
  { stored: '{SSHA}0qUvb15Bu3rvLvNNuaMkw8H7RvU6RCgH', weak: false },
  { stored: '{ssha}0qUvb15Bu3rvLvNNuaMkw8H7RvU6RCgH', weak: false },
  { stored: '{SSHA.HEX}f7a7ae048e79495381d7562648ccdc8198a45f8899386912', weak: false },
  { stored: '{SSHA256}zEXLWj2TvOszxdELTY1Y/uUgnOlzmdwb1iStTOugwtRGNTCk', weak: false },
  { stored: '{SSHA512}quVP1vQFPYkp7oez7cRJvdhRkL4uKq4jC5nhCUBH3/uPtegJO4drg32JylOcex0LTE1iLxIw3zu5Z1GhOw4kIlzCnOU=', weak: false },
  { stored: '{SHA}PDUC6jG3V40qqE4XqHRFLkyoMVM=', weak: true },
  { stored: '{SHA1}PDUC6jG3V40qqE4XqHRFLkyoMVM=', weak: true },
  { stored: '{SHA256}IayyjA3gWZZbR1sHRtCwKExgzKYGpItNvBowIpWLrRY=', weak: true },
  { stored: '{SHA256.HEX}21acb28c0de059965b475b0746d0b0284c60cca606a48b4dbc1a3022958bad16', weak: true },
  { stored: '{SHA512}fOXiyQ05YN/eMu5/hCegoO0CDda5pBYuEaN9EuqV1ZbWIQdXvnQnyj+5FCqAQGUGeGjr7aZ9mJtfWlX0sA11kA==', weak: true },
  { stored: '{PLAIN-MD5}74a11ef33c5252edfa87c4eb8b566c2a', weak: true },
  { stored: '{MD5}dKEe8zxSUu36h8Tri1ZsKg==', weak: true },
  { stored: '{LDAP-MD5}dKEe8zxSUu36h8Tri1ZsKg==', weak: true },
  { stored: '{SMD5}w0P9IGxghwv1il2/rbMOFIx7YKM=', weak: true },
  { stored: '{CRAM-MD5}118e3daefda758fc5ba3bc52873914a7908a4818ff5e5545c543ef98290b15a4', weak: true },
  { stored: '{HMAC-MD5}118e3daefda758fc5ba3bc52873914a7908a4818ff5e5545c543ef98290b15a4', weak: true },
  { stored: '{DIGEST-MD5}b96e8fa2b59cdf7162cfec851ef0999d', weak: true },
  { stored: '{MD5-CRYPT}$1$DFq/KoZX$I6Tefhz5ag5KGbYQxVagx0', weak: true },
  { stored: '{MD5}$1$4T7lgfxv$MNeQjlluVf2EiDUf9izBb0', weak: true },
  { stored: '$1$saltsalt$dKvKQdMKQstBDuhsjfeqR1', weak: true },
  { stored: '_J9..saltBYhO5rDRI9c', weak: true },
  { stored: 'sa3G/pPowJCbw', weak: true },
  { stored: '{DES-CRYPT}7uUTuYB0iOrog', weak: true },
  { stored: '{PLAIN}secret word', weak: true },
  { stored: '{PLAIN.B64}c2VjcmV0IHdvcmQ=', weak: true },
  { stored: '{CLEAR.HEX}73656372657420776f7264', weak: true },
]

describe('stored forms', () => {
  test.each(forms)('$stored', async ({ stored, weak }) => {
    const all = new Hashing(schemes(undefined), 2)
    const compare = (password: string): Promise<unknown> => all.compare([stored], words(password), 'alice@example.org', never)
    expect(await compare('secret word')).toEqual({ kind: 'right' })
    // DES crypt reads eight characters.
    expect(await compare('Secret word')).toEqual({ kind: 'wrong' })
    const careful = await new Hashing(schemes('too weak'), 2).compare([stored], words('secret word'), 'alice@example.org', never)
    if (weak) expect(careful).toMatchObject({ kind: 'unusable' })
    else expect(careful).toEqual({ kind: 'right' })
  })

  test.each(['{SSHA}short', '{SSHA}!!!!', '{SHA}AAAA', '{SHA256.HEX}zz', '$pbkdf2-sha256$29000$salt$x', '{SCRAM-SHA-256}4096,a,b,c', '{SCRAM-SHA-256}99999999,a,b,c', '$y$j9T$', '$1$x', '{PBKDF2}nonsense', '{UNKNOWN}x', ''])('%j cannot be used, and says why', async (stored) => {
    expect(await new Hashing(schemes(undefined), 2).compare([stored], words('x'), 'alice', never)).toMatchObject({ kind: 'unusable', why: expect.stringMatching(/./) })
  })

  test('without koffi, hashes of crypt(3) are an outage that says what to install', async () => {
    await expect(cryptScheme(undefined, ['$y$']).check('$y$j9T$saltsaltsalt$s4a7', words('x'))).rejects.toMatchObject({ kind: 'unavailable', message: expect.stringContaining('npm install koffi') } satisfies Partial<MailError>)
  })

  test('the forms of passlib and Django', async () => {
    const { pbkdf2Sync } = await import('node:crypto')
    const key = (size: number, hash: string): Buffer => pbkdf2Sync('secret word', 'NaCl', 1000, size, hash)
    const ab64 = (octets: Buffer): string => octets.toString('base64').replaceAll('+', '.').replaceAll('=', '')
    const salt = ab64(Buffer.from('NaCl'))
    for (const stored of [`$pbkdf2-sha256$1000$${salt}$${ab64(key(32, 'sha256'))}`, `$pbkdf2-sha512$1000$${salt}$${ab64(key(64, 'sha512'))}`, `$pbkdf2$1000$${salt}$${ab64(key(20, 'sha1'))}`, `{PBKDF2-SHA512}1000$${salt}$${ab64(key(64, 'sha512'))}`, `pbkdf2_sha256$1000$NaCl$${key(32, 'sha256').toString('base64')}`]) {
      expect(await pbkdf2Scheme.check(stored, words('secret word')), stored).toBe(true)
      expect(await pbkdf2Scheme.check(stored, words('other')), stored).toBe(false)
      expect(pbkdf2Scheme.outdated?.(stored)).toBe(true)
    }
  })
})

describe('one password set for several mechanisms', () => {
  let folder = ''
  let path = ''
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mailwright-forms-'))
    path = join(folder, 'users')
  })
  afterEach(() => rm(folder, { recursive: true }))
  const backend = (keep: readonly FurtherForm[], log = new LoggedLines()): FileBackend =>
    new FileBackend(new PasswordFile(path, new SystemFiles(undefined), systemClock, log), new Hashing(schemes('too weak'), 2), log, { fallthrough: false, rehash: true, keep })
  const verify = (b: FileBackend, password: string): Promise<unknown> => b.verify({ kind: 'password', user: 'alice', password: words(password) }, peers.clear, never)

  test('a new password is kept in the forms that are asked for, and each serves', async () => {
    const b = backend(['scram-sha-256', 'scram-sha-1', 'clear'])
    await b.accounts.add('alice', words('secret word'), never)
    expect((await readFile(path, 'utf8')).replaceAll(/[^ {}:$]{20,}/g, '...')).toMatch(/^alice:\$scrypt\$\S+ \{SCRAM-SHA-256\}\S+ \{SCRAM-SHA-1\}\S+ \{CLEAR\.B64\}\S+\n$/)
    expect(await verify(b, 'secret word')).toMatchObject({ kind: 'accepted' })
    expect(await verify(b, 'x')).toEqual({ kind: 'wrong-password' })
    expect((await b.serves()).holds).toEqual([SCRAM_SHA_1, SCRAM_SHA_256, PASSWORD])
    expect(Buffer.from((await b.lookup('alice', PASSWORD))?.value.reveal() ?? []).toString()).toBe('secret word')
    expect((await b.lookup('alice', SCRAM_SHA_1))?.value.storedKey).toHaveLength(20)
    expect((await b.lookup('alice', SCRAM_SHA_256))?.value.storedKey).toHaveLength(32)
    expect(await b.lookup('bob', PASSWORD)).toBeUndefined()
    expect((await b.accounts.list(never))[0]?.scheme).toBe('scrypt {SCRAM-SHA-256} {SCRAM-SHA-1} {CLEAR.B64}')
  })
  test('a password in clear is handed out only where the operator asked for that', async () => {
    await writeFile(path, 'alice:{PLAIN}secret {SSHA} word\n', { mode: 0o600 })
    expect((await backend([]).serves()).holds).toEqual([])
    expect(await backend([]).lookup('alice', PASSWORD)).toBeUndefined()
    expect(Buffer.from((await backend(['clear']).lookup('alice', PASSWORD))?.value.reveal() ?? []).toString()).toBe('secret {SSHA} word')
  })
  test('a locked account hands out nothing', async () => {
    const b = backend(['clear'])
    await b.accounts.add('alice', words('secret word'), never)
    await writeFile(path, (await readFile(path, 'utf8')).replace(':', ':!'), { mode: 0o600 })
    expect([await b.lookup('alice', PASSWORD), (await b.serves()).holds]).toEqual([undefined, []])
  })
  test('a login adds the forms that are missing, the next one changes nothing', async () => {
    await backend([]).accounts.add('alice', words('secret word'), never)
    const b = backend(['scram-sha-256'])
    expect((await b.serves()).holds).toEqual([])
    await b.learn('alice', words('wrong'), never)
    expect((await b.serves()).holds).toEqual([])
    await b.learn('alice', words('secret word'), never)
    expect((await b.serves()).holds).toEqual([SCRAM_SHA_256])
    const text = await readFile(path, 'utf8')
    await b.learn('alice', words('secret word'), never)
    expect(await readFile(path, 'utf8')).toBe(text)
  })
  test('a weak form is refused with the reason in the log', async () => {
    await writeFile(path, 'alice:{SHA}PDUC6jG3V40qqE4XqHRFLkyoMVM=\n', { mode: 0o600 })
    const log = new LoggedLines()
    expect(await verify(backend([], log), 'secret word')).toEqual({ kind: 'disabled' })
    expect(log.lines).toEqual(['warn stored password cannot be checked user=alice why=too weak'])
  })
  test('SCRAM keys alone also check a password', async () => {
    await writeFile(path, `alice:${forms[7]?.stored ?? ''}\n`, { mode: 0o600 })
    expect([await verify(backend([]), 'secret word'), await verify(backend([]), 'x')]).toEqual([{ kind: 'accepted', user: 'alice', alerts: [] }, { kind: 'wrong-password' }])
  })
})
