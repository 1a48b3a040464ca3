import { MailError } from 'mailwright/api'
import { describe, expect, test } from 'vitest'
import { argon2Scheme } from '../../../plugins/auth/schemes/argon2.js'
import { loadArgon2 } from '../../../plugins/auth/schemes/argon2-engine.js'
import { bcryptScheme } from '../../../plugins/auth/schemes/bcrypt.js'
import { formatPhc, parsePhc } from '../../../plugins/auth/schemes/phc.js'
import { plainScheme } from '../../../plugins/auth/schemes/plain.js'
import { scryptScheme } from '../../../plugins/auth/schemes/scrypt.js'
import { SHA256_CRYPT, SHA512_CRYPT, shaCryptScheme } from '../../../plugins/auth/schemes/sha-crypt.js'
import { words } from '../../support/auth.js'

/** The examples of the SHA-crypt specification, salts as they are stored. */
const shaCrypt = [
  { password: 'Hello world!', stored: '$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1' },
  { password: 'Hello world!', stored: '$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5' },
  { password: 'Hello world!', stored: '$6$rounds=10000$saltstringsaltst$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v.' },
  { password: 'Hello world!', stored: '$5$rounds=10000$saltstringsaltst$3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA' },
  { password: 'This is just a test', stored: '$6$rounds=5000$toolongsaltstrin$lQ8jolhgVRVhY4b5pZKaysCLi0QBxGoNeKQzQ3glMhwllF7oGDZxUhx1yxdYcz/e1JSbq3y6JMxxl8audkUEm0' },
  { password: 'This is just a test', stored: '$5$rounds=5000$toolongsaltstrin$Un/5jzAHMgOGZ5.mWJpuVolil07guHPvOW8mGRcvxa5' },
  { password: 'a very much longer text to encrypt.  This one even stretches over morethan one line.', stored: '$6$rounds=1400$anotherlongsalts$POfYwTEok97VWcjxIiSOjiykti.o/pQs.wPvMxQ6Fm7I6IoYN3CmLs66x9t0oSwbtEW7o7UmJEiDwGqd8p4ur1' },
  { password: 'a very much longer text to encrypt.  This one even stretches over morethan one line.', stored: '$5$rounds=1400$anotherlongsalts$Rx.j8H.h8HjEDGomFU8bDkXm3XIUnzyxf12oP84Bnq1' },
  { password: 'we have a short salt string but not a short password', stored: '$6$rounds=77777$short$WuQyW2YR.hBNpjjRhpYD/ifIw05xdfeEyQoMxIXbkvr0gge1a1x3yRULJ5CCaUeOxFmtlcGZelFl5CxtgfiAc0' },
  { password: 'we have a short salt string but not a short password', stored: '$5$rounds=77777$short$JiO1O3ZpDAxGJeaDIuqCoEFysAe1mZNJRs3pw0KQRd/' },
  { password: 'a short string', stored: '$6$rounds=123456$asaltof16chars..$BtCwjqMJGx5hrJhZywWvt0RLE8uZ4oPwcelCjmw2kSYu.Ec6ycULevoBK25fs2xXgMNrCzIMVcgEJAstJeonj1' },
  { password: 'a short string', stored: '$5$rounds=123456$asaltof16chars..$gP3VQ/6X7UUEW3HkBn2w1/Ptq2jxPyzV/cZKmF/wJvD' },
  { password: 'the minimum number is still observed', stored: '$6$rounds=1000$roundstoolow$kUMsbe306n21p9R.FRkW3IGn.S9NPN0x50YhH1xhLsPuWGsUSklZt58jaTfF4ZEQpyUNGc0dqbpBYYBaHHrsX.' },
  { password: 'the minimum number is still observed', stored: '$5$rounds=1000$roundstoolow$yfvwcWrQ8l/K0DAWyuPMDNHpIVlTQebY9l/gL972bIC' },
  { password: 'x', stored: '$6$$KvRrc0bxRLyTUhO8OJOmRczh7oCol5BACiR8rmdfVzvuGgm8JmLDumsL/ah.jFtT.DswxoP9Nv3ByfU4j5hm/0' },
  { password: 'x', stored: '$5$$0Uor7kq6CTPY0DtjOiw.I2DuJSUfiZxCqkrafMVjNc8' },
  { password: 'p'.repeat(64), stored: '$6$s$Yr8OMaGjPX6I68ZpauPaKzmWkctZE3niZKCLqHcKLNJ7wzWu7bd29esNokeLW0l17/8.ZYB0Mf93xMOHR/cQ9/' },
  { password: 'p'.repeat(64), stored: '$5$s$CRnKeX5vOgN9PAKnri6zOCRiC8quaHgnDmyE9Oy35bD' },
  { password: 'p'.repeat(65), stored: '$6$s$5VdfvjC9Xz8qz0u3RdtcNXSli5VvDSs6sx.ZapKhVGtwCfDHDuhcNCJ9yqtVYZ4IeyKfWJJQKManEr.PK8t471' },
  { password: 'p'.repeat(65), stored: '$5$s$17Ets26.mZmv7hyCBRYAS4bO/owMmB3g/krll5NAohC' },
  { password: 'p'.repeat(200), stored: '$6$s$9CreRdtUeEKiZRwZDNejKvruyUo6kNwqPaHDKxQPPLO5WYgSyWO.HHwHfbHzGs0gDoi48g17LC3BCEAmOcNpU0' },
  { password: 'p'.repeat(200), stored: '$5$s$u4TllWrMpiHqQPhResa84Z3jgLbujOZ12UMbzQXrgF9' },
]

describe('SHA-crypt', () => {
  const of = (stored: string): ReturnType<typeof shaCryptScheme> => shaCryptScheme(stored.startsWith('$6$') ? SHA512_CRYPT : SHA256_CRYPT)
  test.each(shaCrypt)('$stored', async ({ password, stored }) => {
    expect(await of(stored).check(stored, words(password))).toBe(true)
    expect(await of(stored).check(stored, words(`${password}x`))).toBe(false)
  })

  test('takes the label that other servers write', async () => {
    const { password, stored } = shaCrypt[0] ?? { password: '', stored: '' }
    expect(await of(stored).check(`{SHA512-CRYPT}${stored}`, words(password))).toBe(true)
  })

  test('gives the loop back between rounds', async () => {
    let turns = 0
    let running = true
    const count = (): void => {
      turns++
      if (running) setImmediate(count)
    }
    setImmediate(count)
    await of('$6$').check('$6$rounds=20000$salt$x', words('secret'))
    running = false
    expect(turns).toBeGreaterThan(20)
  })

  test.each(['$6$salt', '$6$rounds=99999999$salt$x', '$6$salt$', '$1$salt$x', '$6$sa:lt$x'])('%s is damaged', async (stored) => {
    await expect(shaCryptScheme(SHA512_CRYPT).check(stored, words('x'))).rejects.toMatchObject({ kind: 'corrupt' })
  })

  test.each([
    { stored: '$6$salt$x', outdated: false },
    { stored: '$6$rounds=5000$salt$x', outdated: false },
    { stored: '$6$rounds=4999$salt$x', outdated: true },
  ])('$stored outdated: $outdated', ({ stored, outdated }) => {
    expect(shaCryptScheme(SHA512_CRYPT).outdated?.(stored)).toBe(outdated)
  })
})

describe('bcrypt', async () => {
  const { compare } = await import('bcryptjs')
  const scheme = bcryptScheme((password, stored) => compare(password, stored))
  test.each([
    { password: 'U*U', stored: '$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW' },
    { password: 'grüße', stored: '$2y$04$abcdefghijklmnopqrstuuukcFUuF1uD2.SsVXl2Kxf7oTFxL3IEq' },
    { password: 'grüße', stored: '{BLF-CRYPT}$2y$04$abcdefghijklmnopqrstuuukcFUuF1uD2.SsVXl2Kxf7oTFxL3IEq' },
  ])('$stored', async ({ password, stored }) => {
    expect(await scheme.check(stored, words(password))).toBe(true)
    expect(await scheme.check(stored, words(`${password}x`))).toBe(false)
    expect(scheme.outdated?.(stored)).toBe(true)
  })
  test.each(['$2b$10$short', '$2b$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW', '$2b$', ''])('"%s" is damaged', async (stored) => {
    await expect(scheme.check(stored, words('x'))).rejects.toMatchObject({ kind: 'corrupt' })
  })
})

describe('scrypt', () => {
  const scheme = scryptScheme({ ln: 10, r: 8, p: 1 })
  test('checks RFC 7914 §12 in the form of passlib', async () => {
    // N=1024, r=8, p=16, salt "NaCl"
    const hash = 'fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640'
    const stored = formatPhc({ id: 'scrypt', version: undefined, parameters: new Map([['ln', 10], ['r', 8], ['p', 16]]), salt: Buffer.from('NaCl'), hash: Buffer.from(hash, 'hex') })
    expect(await scheme.check(stored, words('password'))).toBe(true)
    expect(await scheme.check(stored, words('Password'))).toBe(false)
  })
  test('makes what it checks, with a new salt each time', async () => {
    const [one = '', two = ''] = await Promise.all([scheme.make?.(words('secret')), scheme.make?.(words('secret'))])
    expect(one).toMatch(/^\$scrypt\$ln=10,r=8,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/)
    expect(one).not.toBe(two)
    expect(await scheme.check(one, words('secret'))).toBe(true)
    expect([scheme.outdated?.(one), scryptScheme({ ln: 16, r: 8, p: 1 }).outdated?.(one)]).toEqual([false, true])
  })
  test.each(['$scrypt$ln=40,r=8,p=1$c2FsdA$c2FsdHNhbHRzYWx0c2FsdA', '$scrypt$ln=10,r=8$c2FsdA$c2FsdHNhbHRzYWx0c2FsdA', '$scrypt$', '$scrypt$ln=10,r=8,p=1$c2FsdA$eA'])('%s is damaged', async (stored) => {
    await expect(scheme.check(stored, words('x'))).rejects.toMatchObject({ kind: 'corrupt' })
  })
})

describe('argon2', async () => {
  const cost = { memoryKib: 64, passes: 2, lanes: 1 }
  const engine = await loadArgon2()
  const scheme = argon2Scheme(engine, cost)
  // Of the reference implementation's own tests: password "password", salt "somesalt", m=256, t=2, p=1.
  test.skipIf(engine === undefined).each([
    { stored: '$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4' },
    { stored: '$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8' },
    { stored: '{ARGON2ID}$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4' },
  ])('$stored', async ({ stored }) => {
    expect(await scheme.check(stored, words('password'))).toBe(true)
    expect(await scheme.check(stored, words('passwort'))).toBe(false)
  })
  test.skipIf(engine === undefined)('makes what it checks', async () => {
    const made = (await scheme.make?.(words('secret'))) ?? ''
    expect(made).toMatch(/^\$argon2id\$v=19\$m=64,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/)
    expect(await scheme.check(made, words('secret'))).toBe(true)
    expect([scheme.outdated?.(made), argon2Scheme(engine, { ...cost, memoryKib: 65 }).outdated?.(made)]).toEqual([false, true])
  })
  test('without an engine it makes nothing, and what is stored is an outage', async () => {
    const without = argon2Scheme(undefined, cost)
    expect(without.make).toBeUndefined()
    await expect(without.check('$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR', words('x'))).rejects.toMatchObject({ kind: 'unavailable' })
  })
  test.each([
    '$argon2id$v=19$m=999999999,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR',
    '$argon2id$v=16$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR',
    '$argon2id$v=19$m=256,t=0,p=1$c29tZXNhbHQ$nf65EOgLrQMR',
    '$argon2d$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR',
    '$argon2id$',
  ])('%s is damaged', async (stored) => {
    await expect(scheme.check(stored, words('x'))).rejects.toBeInstanceOf(MailError)
  })
})

test('a password in clear is refused unless it is allowed', async () => {
  expect([plainScheme(false).refused, plainScheme(true).refused]).toEqual([expect.stringContaining('allow: true'), undefined])
  const scheme = plainScheme(true)
  expect(await scheme.check('{PLAIN}sec:ret', words('sec:ret'))).toBe(true)
  expect(await scheme.check('{PLAIN}secret', words('Secret'))).toBe(false)
  expect(await scheme.check('{PLAIN}', words(''))).toBe(true)
})

test.each(['', '$', '$x$', '$x$a=1$salt', '$x$a=1$salt$', '$x$a=$salt$hash', '$X$a=1$salt$hash', '$x$a=1$sa lt$hash'])('"%s" is no PHC string', (text) => {
  expect(parsePhc(text)).toBeUndefined()
})
