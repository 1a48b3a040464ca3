import { createServer, type Server } from 'node:http'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { spawn, spawnSync } from 'node:child_process'
import * as ldapts from 'ldapts'
import { PASSWORD, SCRAM_SHA_1, SCRAM_SHA_256, type BackendAbout, type Clock, type Files, type OtpChain, type PasswordBackend, type Plugin, type PluginSetup, type UserDirectory } from 'mailwright/api'
import { describePasswordBackend, describeUserDirectory, type BackendUnderTest } from 'mailwright/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../core/os/clock.js'
import { SystemFiles } from '../../core/os/files.js'
import { CommandBackend } from '../../plugins/auth/passwords/command/backend.js'
import { FileBackend } from '../../plugins/auth/passwords/file/file-backend.js'
import { GssBackend } from '../../plugins/auth/passwords/gss/backend.js'
import { HttpBackend } from '../../plugins/auth/passwords/http/backend.js'
import { LdapBackend } from '../../plugins/auth/passwords/ldap/backend.js'
import { Md5Database } from '../../plugins/auth/passwords/md5-database/backend.js'
import { DatabaseWatch } from '../../plugins/auth/passwords/md5-database/watch.js'
import { OtpBackend } from '../../plugins/auth/passwords/otp/backend.js'
import { PamBackend } from '../../plugins/auth/passwords/pam/backend.js'
import { SqlBackend, type SqlBackendSettings } from '../../plugins/auth/passwords/sql/backend.js'
import { SystemBackend } from '../../plugins/auth/passwords/system/backend.js'
import { systemCrypt } from '../../plugins/auth/schemes/native.js'
import { cryptScheme, STRONG_CRYPT } from '../../plugins/auth/schemes/crypt.js'
import { SALTED, digestScheme } from '../../plugins/auth/schemes/digests.js'
import { plainScheme } from '../../plugins/auth/schemes/plain.js'
import { scramScheme } from '../../plugins/auth/schemes/scram.js'
import { scryptScheme } from '../../plugins/auth/schemes/scrypt.js'
import { SHA512_CRYPT, shaCryptScheme } from '../../plugins/auth/schemes/sha-crypt.js'
import { Hashing } from '../../plugins/auth/shared/hashing.js'
import { kerberosEnvironment } from '../../plugins/auth/shared/kerberos.js'
import { LdapDirectory } from '../../plugins/auth/shared/ldap/directory.js'
import { formatOtpChain } from '../../plugins/auth/shared/otp-chain.js'
import { PasswordFile } from '../../plugins/auth/shared/password-file.js'
import { mysqlEngine } from '../../plugins/auth/shared/sql/mysql.js'
import { postgresEngine } from '../../plugins/auth/shared/sql/postgres.js'
import { prepare, textOf, type Engine, type SqlEngine } from '../../plugins/auth/shared/sql/query.js'
import { SQLITE_LIBRARIES, SqliteEngine } from '../../plugins/auth/shared/sql/sqlite.js'
import { nameService, type NameService } from '../../plugins/auth/shared/system-accounts.js'
import { withCache } from '../../plugins/auth/shared/verdict-cache.js'
import { PasswdFile } from '../../plugins/auth/users/file/passwd-file.js'
import usersLdap from '../../plugins/auth/users/ldap/index.js'
import usersSql from '../../plugins/auth/users/sql/index.js'
import { SystemUsers } from '../../plugins/auth/users/system/directory.js'
import { createVirtualDirectory } from '../../plugins/auth/users/virtual/index.js'
import { HeldClock, LoggedLines, never, peers, words } from '../support/auth.js'
import { certificateIn, checkpasswordProgram, hasMariadb, hasPostgres, hasSlapd, silentPort, startMariadb, startPostgres, startSlapd } from '../support/auth-services.js'
import { hasKdc, startKdc } from '../support/kdc.js'
import { ANY_ACCOUNT, hasPam, pamSleep, pamTable } from '../support/pam.js'
import { freePort } from '../support/ports.js'

const users = [{ name: 'alice', password: 'correct horse' }, { name: 'bob', password: 'battery-staple' }] as const
const schemes = [scryptScheme({ ln: 10, r: 8, p: 1 }), plainScheme(true), scramScheme, digestScheme(SALTED, undefined), shaCryptScheme(SHA512_CRYPT), cryptScheme(await systemCrypt(), STRONG_CRYPT)]
const hashing = (): Hashing => new Hashing(schemes, 2)
const files: Files = new SystemFiles(undefined)
const passwords: BackendAbout = { verifies: ['password'], holds: [], changes: false }
const limits = { timeoutMs: 800, parallel: 8, fallthrough: false }
const patientLimits = { ...limits, timeoutMs: 60_000 }
let folder = ''
const closing: (() => PromiseLike<unknown>)[] = []
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mailwright-backends-'))
})
afterAll(async () => {
  for (const close of closing.toReversed()) await close()
  await rm(folder, { recursive: true, force: true })
})
/** Made once per suite, closed at the end. */
function once_<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => (made ??= make())
}
const kept = <T extends Partial<AsyncDisposable>>(thing: T): T => {
  closing.push(async () => thing[Symbol.asyncDispose]?.())
  return thing
}

describePasswordBackend('file', once_(async (): Promise<BackendUnderTest> => {
  const settings = { fallthrough: false, rehash: false, keep: ['scram-sha-256', 'scram-sha-1', 'clear'] as const }
  const of = (path: string): FileBackend => new FileBackend(new PasswordFile(path, files, systemClock, new LoggedLines()), hashing(), new LoggedLines(), settings)
  const backend = of(join(folder, 'users'))
  for (const { name, password } of users) await backend.accounts.add(name, words(password), never)
  return { about: { verifies: ['password'], holds: [SCRAM_SHA_1, SCRAM_SHA_256, PASSWORD], changes: true }, users, backend, broken: of(join(folder, 'missing')) }
}))

describePasswordBackend('md5-database', once_(async (): Promise<BackendUnderTest> => {
  const path = join(folder, 'cram-md5.pwd')
  await writeFile(path, users.map((u) => `${u.name}\t${u.password}\n`).join(''), { mode: 0o400 })
  await writeFile(join(folder, 'open.pwd'), '', { mode: 0o644 })
  const of = (p: string): Md5Database => new Md5Database(files, { path: p, requirePrivate: true, useForPlaintext: true, clearAllowed: false }, new DatabaseWatch(p, new LoggedLines()))
  return { about: { verifies: ['password'], holds: [PASSWORD], changes: false }, users, backend: answeringUnknown(of(path)), broken: of(join(folder, 'open.pwd')) }
}))
/** While it exists the database ends the chain, which is its own rule and tested there. */
function answeringUnknown(backend: Md5Database): PasswordBackend {
  return {
    serves: () => backend.serves(),
    lookup: (user, kind) => backend.lookup(user, kind),
    verify: async (claim) => {
      const verdict = await backend.verify(claim)
      return verdict.kind === 'unknown-user' ? { kind: 'unknown-user' } : verdict
    },
  }
}

describePasswordBackend('otp', once_(async (): Promise<BackendUnderTest> => {
  const chain: OtpChain = { algorithm: 'sha1', sequence: 99, seed: 'ab12', last: new Uint8Array(8).fill(3) }
  await writeFile(join(folder, 'otp'), users.map((u) => `${u.name}:${formatOtpChain(chain)}\n`).join(''), { mode: 0o600 })
  const backend = new OtpBackend(new PasswordFile(join(folder, 'otp'), files, systemClock, new LoggedLines()), (n) => new Uint8Array(n), { length: 100, warnBelow: 5, renew: true })
  return { about: { verifies: ['one-time'], holds: [(await import('mailwright/api')).OTP_CHAIN], changes: false }, users, backend }
}))

describePasswordBackend('command', once_(async (): Promise<BackendUnderTest> => {
  const program = await checkpasswordProgram(folder, users)
  const stalled = join(folder, 'stalled')
  await writeFile(stalled, '#!/bin/sh\nsleep 600\n', { mode: 0o755 })
  return {
    about: passwords,
    users,
    backend: new CommandBackend({ program: [program], ...patientLimits }),
    broken: new CommandBackend({ program: [join(folder, 'no-such-program')], ...limits }),
    stalled: new CommandBackend({ program: [stalled], ...limits }),
  }
}))

describe.skipIf(!hasPam)('the PAM of this machine', () => {
  describePasswordBackend('pam', once_(async (): Promise<BackendUnderTest> => {
    const rules = join(folder, 'pam.d')
    await mkdir(rules)
    await writeFile(join(rules, 'imap'), `${await pamTable(join(folder, 'pam'), 'imap', users)}${ANY_ACCOUNT}`)
    await writeFile(join(rules, 'sleep'), await pamSleep(join(folder, 'pam'), 600))
    const of = (service: string | undefined, more: { readonly timeoutMs: number; readonly parallel: number; readonly fallthrough: boolean }): PamBackend =>
      kept(new PamBackend({ service, folder: rules, credentials: true, ...more }, { logger: new LoggedLines(), clock: systemClock }, new URL('../../dist/plugins/auth/passwords/pam/child.js', import.meta.url)))
    return { about: passwords, users, backend: of(undefined, patientLimits), broken: of('missing', limits), stalled: of('sleep', limits) }
  }))
})

describe.skipIf(!hasKdc)('MIT Kerberos', () => {
  describePasswordBackend('gss', once_(async (): Promise<BackendUnderTest> => {
    const kdc = kept(await startKdc(Object.fromEntries(users.map((u) => [u.name, u.password]))))
    const silent = kept(await silentPort())
    const elsewhere = async (name: string, port: number): Promise<string> => {
      const path = join(folder, name)
      await writeFile(path, (await readFile(kdc.config, 'utf8')).replace(/^ {2}kdc = .*/m, `  kdc = 127.0.0.1:${port}`))
      return path
    }
    const of = (configuration: string, more: { readonly timeoutMs: number; readonly parallel: number; readonly fallthrough: boolean }): GssBackend =>
      kept(new GssBackend({ realm: undefined, hostname: 'localhost', serviceInPrincipal: false, ...more }, { logger: new LoggedLines(), clock: systemClock, env: kerberosEnvironment({ keytab: kdc.keytab, configuration }, {}) }, new URL('../../dist/plugins/auth/passwords/gss/child.js', import.meta.url)))
    return { about: passwords, users, backend: of(kdc.config, patientLimits), broken: of(await elsewhere('krb5-closed.conf', await freePort()), patientLimits), stalled: of(await elsewhere('krb5-silent.conf', silent.port), limits) }
  }))
})

describe('http', () => {
  let server: Server
  let port = 0
  const seen: { readonly body: Record<string, unknown>; readonly authorization: string | undefined }[] = []
  let reply: ((body: Record<string, unknown>) => { readonly status: number; readonly text: string }) | undefined
  beforeAll(async () => {
    server = createServer((request, response) => {
      let text = ''
      request.on('data', (chunk: Buffer) => (text += chunk.toString()))
      request.on('end', () => {
        const body = JSON.parse(text) as Record<string, unknown>
        seen.push({ body, authorization: request.headers.authorization })
        const known = users.find((u) => u.name === body['user'])
        const verdict = known === undefined ? { result: 'unknown-user' } : known.password === body['password'] ? { result: 'accepted', user: known.name } : { result: 'wrong-password' }
        const { status, text: answer } = reply?.(body) ?? { status: 200, text: JSON.stringify(verdict) }
        response.writeHead(status, { 'content-type': 'application/json', location: '/elsewhere' }).end(answer)
      })
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    port = typeof address === 'object' && address !== null ? address.port : 0
  })
  afterAll(async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  })
  const of = (at: number, more: Partial<typeof limits> = {}): HttpBackend => new HttpBackend({ url: `http://127.0.0.1:${at}/check`, authorization: words('Bearer service'), claims: ['password'], ...patientLimits, ...more })
  describePasswordBackend('http', once_(async () => {
    const silent = kept(await silentPort())
    return { about: { ...passwords, verifies: ['password', 'token'] }, users, backend: of(port), broken: of(await freePort()), stalled: of(silent.port, limits) }
  }))
  test('is asked with everything that a site may decide by, and told who asks', async () => {
    seen.length = 0
    await of(port).verify({ kind: 'password', user: 'alice', password: words('correct horse') }, peers.encrypted, never)
    expect(seen).toEqual([{ authorization: 'Bearer service', body: { claim: 'password', user: 'alice', password: 'correct horse', service: 'imap', address: '192.0.2.7', localAddress: '192.0.2.1', tls: true } }])
  })
  test.each([
    { name: 'an error of the service', status: 500, text: '{"result":"accepted"}' },
    { name: 'a redirection', status: 302, text: '' },
    { name: 'no JSON', status: 200, text: '<html>' },
    { name: 'no verdict', status: 200, text: '{"result":"maybe"}' },
    { name: 'too much', status: 200, text: JSON.stringify({ result: 'accepted', more: 'x'.repeat(70_000) }) },
    { name: 'an empty user', status: 200, text: '{"result":"accepted","user":""}' },
  ])('$name is an outage', async ({ status, text }) => {
    reply = () => ({ status, text })
    try {
      await expect(of(port).verify({ kind: 'password', user: 'alice', password: words('correct horse') }, peers.encrypted, never)).rejects.toMatchObject({ kind: 'unavailable' })
    } finally {
      reply = undefined
    }
  })
  test('an accepted password is remembered for a while when that is wanted, a refused one never', async () => {
    const clock = new HeldClock()
    const backend = withCache(of(port), { forMs: 60_000, entries: 2 }, clock)
    const ask = (user: string, password: string): Promise<unknown> => backend.verify({ kind: 'password', user, password: words(password) }, peers.encrypted, never)
    seen.length = 0
    for (const [user, password] of [['alice', 'correct horse'], ['alice', 'correct horse'], ['alice', 'x'], ['alice', 'x'], ['alice', 'correct horse']] as const) await ask(user, password)
    expect(seen).toHaveLength(3)
    clock.advance(60_001)
    await ask('alice', 'correct horse')
    expect(seen).toHaveLength(4)
  })
})

const database = (engine: Engine, more: Partial<SqlBackendSettings> = {}): SqlBackendSettings => ({
  engine, passwordQuery: 'SELECT name, password, enabled FROM users WHERE name = {user}', updateQuery: 'UPDATE users SET password = {password} WHERE name = {user}',
  keep: [], offers: ['scram-sha-256'], ...patientLimits, ...more,
})
const sqlAbout: BackendAbout = { verifies: ['password'], holds: [SCRAM_SHA_1, SCRAM_SHA_256, PASSWORD], changes: true }
const tables = `CREATE TABLE users (name varchar(80) PRIMARY KEY, password text, enabled integer DEFAULT 1, home text, uid integer, gid integer, quota text);
INSERT INTO users VALUES ('alice', '{SCRAM-SHA-256}4096,jCmpKGeGe0Pn6/M2pwN/9Q==,6U7HVi/hQRvv1cbiSCwiPeAy2Gnjr7QlHrsily0qmeY=,vgDfvoi2psLpcYwo1CKqJ/MPY5XY+Hiun9DfV48VvkA=', 1, '/srv/alice', 1001, 1001, '1G'),
  ('bob', '{PLAIN}battery-staple', 1, '/srv/bob', NULL, NULL, NULL), ('locked', '{PLAIN}x', 0, NULL, NULL, NULL, NULL);`
// The keys above are those of this password.
const sqlUsers = [{ name: 'alice', password: 'secret word' }, { name: 'bob', password: 'battery-staple' }] as const

/** Node's own engine is there from 22.13 on. */
const sqliteLibraries = SQLITE_LIBRARIES.filter((library) => library !== 'node:sqlite' || process.getBuiltinModule('node:sqlite') !== undefined)
for (const library of sqliteLibraries) describePasswordBackend(`sql on SQLite through ${library}`, once_(async () => {
  const path = join(folder, `${library.replace(':', '-')}.sqlite`)
  const made = spawnSync('python3', ['-c', 'import sqlite3,sys; sqlite3.connect(sys.argv[1]).executescript(sys.stdin.read())', path], { input: tables })
  if (made.status !== 0) throw new Error(made.stderr.toString())
  const of = (p: string): SqlBackend => kept(new SqlBackend(new SqliteEngine(p, 1000, async () => (await files.stat(p)) !== undefined, [library]), hashing(), new LoggedLines(), database('sqlite')))
  return { about: sqlAbout, users: sqlUsers, backend: of(path), broken: of(join(folder, 'missing.sqlite')) }
}))

test.each(sqliteLibraries)('SQLite through %s: what is not there, is no database, or is locked is an outage, and values are never text of the query', async (library) => {
  const path = join(folder, `more-${library.replace(':', '-')}.sqlite`)
  const python = (script: string): ReturnType<typeof spawnSync> => spawnSync('python3', ['-c', `import sqlite3,sys\n${script}`, path])
  expect(python(`sqlite3.connect(sys.argv[1]).executescript("CREATE TABLE users (name text, size integer, secret blob, none text); INSERT INTO users VALUES ('alice', 7, x'6162', NULL), ('a'' OR 1', 8, x'63', 'x')")`).status).toBe(0)
  const engine = kept(new SqliteEngine(path, 100, async () => (await files.stat(path)) !== undefined, [library]))
  const rows = await engine.query('SELECT * FROM users WHERE name = ?', ["a' OR 1"])
  expect(rows.map((row) => ['name', 'size', 'secret', 'none'].map((column) => textOf(row, column)))).toEqual([["a' OR 1", '8', 'c', 'x']])
  expect(textOf((await engine.query('SELECT none FROM users WHERE name = ?', ['alice']))[0] ?? {}, 'none')).toBeUndefined()
  await expect(engine.query('SELECT * FROM nowhere', [])).rejects.toThrow('no such table')
  // The thread goes on after a failure, and side by side.
  const sizes = await Promise.all(Array.from({ length: 20 }, (_, n) => engine.query('SELECT size FROM users WHERE name = ?', [n % 2 === 0 ? 'alice' : "a' OR 1"])))
  expect(sizes.map(([row]) => Number(row?.['size']))).toEqual(Array.from({ length: 20 }, (_, n) => 7 + (n % 2)))
  const none = kept(new SqliteEngine(join(folder, 'otp'), 100, () => Promise.resolve(true), [library]))
  await expect(none.query('SELECT 1 FROM users', [])).rejects.toThrow(/database .*otp: /)
  await engine.query('UPDATE users SET size = 9 WHERE name = ?', ['alice'])
  expect(await engine.query('SELECT name FROM users WHERE name = ?', [''])).toEqual([])
  // Somebody else has it for themselves.
  const holder = spawn('python3', ['-c', `import sqlite3,sys\nd = sqlite3.connect(sys.argv[1], isolation_level=None)\nd.execute('BEGIN EXCLUSIVE')\nprint('held', flush=True)\nsys.stdin.read()\nd.execute('COMMIT')\nd.close()`, path])
  await once(holder.stdout, 'data')
  await expect(engine.query('SELECT name FROM users', [])).rejects.toThrow(/locked/)
  holder.stdin.end()
  await once(holder, 'exit')
  expect(await engine.query('SELECT name FROM users', [])).toHaveLength(2)
  expect(python("sqlite3.connect(sys.argv[1]).execute('PRAGMA journal_mode=WAL')").status).toBe(0)
  const again = kept(new SqliteEngine(path, 100, () => Promise.resolve(true), [library]))
  expect(await again.query('SELECT size FROM users WHERE name = ?', ['alice'])).toEqual([{ size: 9 }])
})
test('SQLite without an engine is an outage that says what to install', async () => {
  const engine = kept(new SqliteEngine(join(folder, 'any.sqlite'), 100, () => Promise.resolve(true), []))
  await expect(engine.query('SELECT 1', [])).rejects.toMatchObject({ kind: 'unavailable', message: expect.stringContaining('npm install koffi') })
})

/** A folder with a certificate for the same name, of somebody else. */
const otherCertificate = once_(async (): Promise<string> => {
  const place = await mkdtemp(join(folder, 'other-'))
  await certificateIn(place)
  return place
})

/** The servers of databases, and a comment that would end a text if values were put into it. */
const databaseServers = [
  { name: 'PostgreSQL', engine: 'postgres', there: hasPostgres, start: startPostgres, all: 'SELECT * FROM users WHERE {user} <> $tag$x$tag$' },
  { name: 'MariaDB', engine: 'mysql', there: hasMariadb, start: startMariadb, all: "SELECT * FROM users WHERE {user} <> 'x'" },
] as const
for (const { name, engine: kind, there, start, all } of databaseServers) describe.skipIf(!there)(`${name}, a server`, () => {
  const service = once_(async () => kept(await start(tables)))
  const engine = async (port: number, timeoutMs: number, password = 'database secret'): Promise<SqlEngine> => {
    const server = { host: '127.0.0.1', port, database: 'mail', user: 'mail', password: words(password), tls: 'off', ca: undefined, connections: 4, timeoutMs } as const
    return kind === 'mysql' ? await mysqlEngine(server) : await postgresEngine(server, () => undefined)
  }
  describePasswordBackend(`sql on ${name}`, once_(async () => {
    const { port } = await service()
    const silent = kept(await silentPort())
    const of = async (at: number, more: Partial<SqlBackendSettings> = {}): Promise<SqlBackend> => kept(new SqlBackend(await engine(at, more.timeoutMs ?? 60_000), hashing(), new LoggedLines(), database(kind, more)))
    return { about: sqlAbout, users: sqlUsers, backend: await of(port), broken: await of(await freePort()), stalled: await of(silent.port, limits) }
  }))
  const ofPort = (port: number): Promise<UserDirectory> => createdBy(usersSql, { engine: kind, host: '127.0.0.1', port, password: { env: 'DATABASE' }, userQuery: 'SELECT name, home, uid, gid, quota FROM users WHERE name = {user}' }, { DATABASE: 'database secret' })
  describeUserDirectory('sql', once_(async () => ({ directory: await ofPort((await service()).port), known: ['alice', 'bob'], unknown: ['nobody'], broken: await ofPort(await freePort()) })))
  test('TLS: the server is believed with the right certificate, and with no other', async () => {
    const { port, folder: place } = await service()
    const ask = async (ca: string | undefined): Promise<unknown> => {
      const server = { host: 'localhost', port, database: 'mail', user: 'mail', password: words('database secret'), tls: 'verify', ca, connections: 1, timeoutMs: 60_000 } as const
      const made = kept(kind === 'mysql' ? await mysqlEngine(server) : await postgresEngine(server, () => undefined))
      return made.query(kind === 'mysql' ? "SHOW STATUS LIKE 'Ssl_version'" : 'SELECT version AS value FROM pg_stat_ssl WHERE pid = pg_backend_pid()', [], never)
    }
    expect(await ask(await readFile(join(place, 'server.pem'), 'utf8'))).toEqual([expect.objectContaining({ value: expect.stringMatching(/^TLSv1\.[23]$/) })])
    await expect(ask(undefined)).rejects.toThrow(/self-signed/)
    await expect(ask(await readFile(join(await otherCertificate(), 'server.pem'), 'utf8'))).rejects.toThrow(/self-signed|certificate/)
  })
  test('an account has its ids, and further columns are its facts', async () => {
    const directory = await ofPort((await service()).port)
    expect(await directory.find('alice', never)).toEqual({ name: 'alice', kind: 'account', home: '/srv/alice', ids: { uid: 1001, gid: 1001, groups: [1001] }, facts: { quota: '1G' } })
    expect(await directory.find('bob', never)).toEqual({ name: 'bob', kind: 'account', home: '/srv/bob', facts: {} })
  })
  test('locked rows are disabled, two rows and a wrong database password are outages, a login renews the hash', async () => {
    const { port } = await service()
    const ask = async (more: Partial<SqlBackendSettings>, user: string, password: string, secret?: string): Promise<unknown> => {
      const backend = new SqlBackend(await engine(port, 5000, secret), hashing(), new LoggedLines(), database(kind, more))
      try {
        return await backend.verify({ kind: 'password', user, password: words(password) }, peers.encrypted, never)
      } finally {
        await backend[Symbol.asyncDispose]()
      }
    }
    expect(await ask({}, 'locked', 'x')).toEqual({ kind: 'disabled' })
    await expect(ask({ passwordQuery: all }, 'bob', 'battery-staple')).rejects.toThrow('3 rows for one user')
    await expect(ask({}, 'bob', 'battery-staple', 'wrong')).rejects.toMatchObject({ kind: 'unavailable' })
    const backend = kept(new SqlBackend(await engine(port, 60_000), hashing(), new LoggedLines(), database(kind)))
    await backend.learn('bob', words('battery-staple'), never)
    expect(await backend.verify({ kind: 'password', user: 'bob', password: words('battery-staple') }, peers.encrypted, never)).toMatchObject({ kind: 'accepted' })
    const { text } = prepare('SELECT password FROM users WHERE name = {user}', kind)
    const looking = kept(await engine(port, 60_000))
    const rows = await looking.query(text, ['bob'], never)
    expect(String(rows[0]?.['password'])).toMatch(/^\$scrypt\$/)
  })
})

const person = (name: string, password: string, uid: number): string => `dn: uid=${name},ou=people,dc=example,dc=org
objectClass: inetOrgPerson
objectClass: posixAccount
uid: ${name}
cn: ${name}
sn: ${name}
uidNumber: ${uid}
gidNumber: ${uid}
homeDirectory: /srv/${name}
userPassword: ${password}

`
describe.skipIf(!hasSlapd)('LDAP', () => {
  const service = once_(async () => kept(await startSlapd(users.map((u, i) => person(u.name, u.password, 2000 + i)).join('') + person('twin', 'x', 3000).replace('uid=twin', 'cn=twin') + person('twin', 'x', 3001))))
  const directory = (port: number, timeoutMs = 60_000, more: object = {}): LdapDirectory =>
    kept(new LdapDirectory(ldapts, { url: `ldap://127.0.0.1:${port}`, startTls: false, ca: undefined, bindDn: 'cn=reader,dc=example,dc=org', bindPassword: words('reader secret'), base: 'ou=people,dc=example,dc=org', filter: '(uid={user})', timeoutMs, ...more }))
  const settings = { userDn: undefined, nameAttribute: 'uid', ...patientLimits }
  describePasswordBackend('ldap, searching', once_(async () => {
    const { port } = await service()
    const silent = kept(await silentPort())
    return {
      about: passwords,
      users,
      backend: new LdapBackend(directory(port), settings),
      broken: new LdapBackend(directory(await freePort()), settings),
      stalled: new LdapBackend(directory(silent.port, 400), { ...settings, ...limits }),
    }
  }))
  describePasswordBackend('ldap, by name', once_(async () => {
    const { port } = await service()
    return { about: passwords, users, hidesUsers: true, backend: new LdapBackend(directory(port), { ...settings, userDn: 'uid={user},ou=people,dc=example,dc=org' }) }
  }))
  describeUserDirectory('ldap', once_(async () => {
    const of = (port: number): Promise<UserDirectory> => createdBy(usersLdap, { url: `ldap://127.0.0.1:${port}`, bindDn: 'cn=reader,dc=example,dc=org', bindPassword: { env: 'READER' }, base: 'ou=people,dc=example,dc=org' }, { READER: 'reader secret' })
    return { directory: await of((await service()).port), known: ['alice', 'bob'], unknown: ['nobody'], broken: await of(await freePort()) }
  }))
  test('two entries for one name, and a wrong password of the searching account, are outages', async () => {
    const { port } = await service()
    const ask = (of: LdapDirectory, user: string): Promise<unknown> => new LdapBackend(of, settings).verify({ kind: 'password', user, password: words('x') }, peers.encrypted, never)
    await expect(ask(directory(port), 'twin')).rejects.toMatchObject({ kind: 'unavailable' })
    await expect(ask(directory(port, 60_000, { bindPassword: words('wrong') }), 'alice')).rejects.toMatchObject({ kind: 'unavailable' })
  })
  test.each(['StartTLS', 'ldaps'] as const)('%s: the passwords go encrypted to the server whose certificate is right, and to no other', async (how) => {
    const { port, tlsPort, folder: place } = await service()
    const ca = await readFile(join(place, 'server.pem'), 'utf8')
    const at = (name: string): object => (how === 'ldaps' ? { url: `ldaps://${name}:${tlsPort}` } : { url: `ldap://${name}:${port}`, startTls: true })
    const ask = (more: object, password: string = users[0].password, name = 'localhost'): Promise<unknown> =>
      new LdapBackend(directory(port, 60_000, { ...at(name), ...more }), settings).verify({ kind: 'password', user: 'alice', password: words(password) }, peers.encrypted, never)
    for (const name of ['localhost', '127.0.0.1']) expect(await ask({ ca }, users[0].password, name)).toMatchObject({ kind: 'accepted' })
    expect(await ask({ ca }, 'wrong')).toMatchObject({ kind: 'wrong-password' })
    // A server that is not believed is an outage, whatever the password: without the authority, under another one, and under a name that its certificate does not have.
    for (const password of [users[0].password, 'wrong']) {
      await expect(ask({}, password)).rejects.toMatchObject({ kind: 'unavailable' })
      await expect(ask({ ca: await readFile(join(await otherCertificate(), 'server.pem'), 'utf8') }, password)).rejects.toMatchObject({ kind: 'unavailable' })
      await expect(ask({ ca }, password, '127.0.0.2')).rejects.toMatchObject({ kind: 'unavailable' })
    }
  })
  test('a directory that goes away is an outage, also on a connection that was there before', async () => {
    const own = await startSlapd(person('alice', 'correct horse', 2000))
    const of = directory(own.port)
    const backend = new LdapBackend(of, settings)
    const ask = (): Promise<unknown> => backend.verify({ kind: 'password', user: 'alice', password: words('correct horse') }, peers.encrypted, never)
    expect(await ask()).toMatchObject({ kind: 'accepted' })
    await own[Symbol.asyncDispose]()
    await expect(ask()).rejects.toMatchObject({ kind: 'unavailable' })
  })
})

/** A directory as its plugin makes it of settings; secrets come from a table. */
async function createdBy(plugin: Plugin, settings: object, secrets: Readonly<Record<string, string>>): Promise<UserDirectory> {
  interface What {
    readonly settings: { readonly '~standard': { validate(value: unknown): unknown } }
    create(settings: unknown, needs: object, site: object): Promise<UserDirectory & Partial<AsyncDisposable>>
  }
  const contributed: What[] = []
  // Only what it contributes in `setup` is looked at.
  plugin.setup({ to: () => ({ contribute: (what: What) => void contributed.push(what) }) } as unknown as PluginSetup)
  const [what] = contributed
  const checked = (await what?.settings['~standard'].validate(settings)) as { readonly value?: unknown; readonly issues?: unknown }
  expect(checked.issues).toBeUndefined()
  const site = { resolve: (path: string) => path, warn: () => undefined, secret: ({ env }: { readonly env: string }) => Promise.resolve(words(secrets[env] ?? '')) }
  const made = await what?.create(checked.value, { files, logger: new LoggedLines() }, site)
  if (made === undefined) throw new Error('the plugin contributes nothing')
  return kept(made)
}

const shadowLine = (hash: string): Awaited<ReturnType<NameService['shadow']>> => ({ hash, lastChange: 19_000, maxDays: 99_999, warnDays: 7, expires: -1 })
describePasswordBackend('system, over a name service of a table', once_(async () => {
  const hashes = new Map(users.map((u) => [u.name as string, spawnSync('openssl', ['passwd', '-6', '-salt', 'saltsalt', '-stdin'], { input: u.password }).stdout.toString().trim()]))
  const names: NameService = {
    account: (name) => Promise.resolve(hashes.has(name) ? { name, uid: 1000, gid: 1000, gecos: '', home: `/home/${name}`, shell: '/bin/sh', hash: 'x' } : undefined),
    shadow: (name) => Promise.resolve(shadowLine(hashes.get(name) ?? '*')),
    groupIds: (_name, gid) => Promise.resolve([gid]),
    members: () => Promise.resolve(undefined),
  }
  const of = (n: NameService): SystemBackend => new SystemBackend({ names: n, hashing: hashing(), clock: systemClock, logger: new LoggedLines() }, patientLimits)
  const stalled = new SystemBackend({ names: { ...names, account: () => new Promise(() => undefined) }, hashing: hashing(), clock: systemClock, logger: new LoggedLines() }, limits)
  return { about: passwords, users, backend: of(names), broken: of({ ...names, account: () => Promise.reject(new Error('sssd is out')) }), stalled }
}))

describe('system accounts', () => {
  const day = 20_000
  const clock: Clock = { ...systemClock, now: () => day * 86_400_000 + 43_200_000 + new Date(day * 86_400_000).getTimezoneOffset() * 60_000 }
  const hash = spawnSync('openssl', ['passwd', '-6', '-salt', 'saltsalt', '-stdin'], { input: 'secret' }).stdout.toString().trim()
  test.each([
    { name: 'no limits', entry: {}, expected: { kind: 'accepted', user: 'alice', alerts: [] } },
    { name: 'must change', entry: { lastChange: 0 }, expected: { kind: 'must-change' } },
    { name: 'password expired', entry: { lastChange: day - 91, maxDays: 90 }, expected: { kind: 'expired' } },
    { name: 'password expires today', entry: { lastChange: day - 90, maxDays: 90 }, expected: { kind: 'accepted', user: 'alice', alerts: ['Password expires today!'] } },
    { name: 'password expires soon', entry: { lastChange: day - 83, maxDays: 90 }, expected: { kind: 'accepted', user: 'alice', alerts: ['Password expires in 7 days'] } },
    { name: 'not yet warned of', entry: { lastChange: day - 82, maxDays: 90 }, expected: { kind: 'accepted', user: 'alice', alerts: [] } },
    { name: 'account expired', entry: { expires: day - 1 }, expected: { kind: 'expired' } },
    { name: 'account expires', entry: { expires: day + 1 }, expected: { kind: 'accepted', user: 'alice', alerts: ['Account expires in 1 day'] } },
    { name: 'locked', entry: { hash: `!${hash}` }, expected: { kind: 'disabled' } },
    { name: 'no password', entry: { hash: '' }, expected: { kind: 'disabled' } },
    { name: 'one octet', entry: { hash: 'x' }, expected: { kind: 'disabled' } },
  ])('$name', async ({ entry, expected }) => {
    const names: NameService = {
      account: (name) => Promise.resolve({ name, uid: 1000, gid: 1000, gecos: '', home: '/', shell: '', hash: 'x' }),
      shadow: () => Promise.resolve({ hash, lastChange: day - 10, maxDays: 99_999, warnDays: 7, expires: -1, ...entry }),
      groupIds: () => Promise.resolve([]),
      members: () => Promise.resolve(undefined),
    }
    const backend = new SystemBackend({ names, hashing: hashing(), clock, logger: new LoggedLines() }, patientLimits)
    expect(await backend.verify({ kind: 'password', user: 'alice', password: words('secret') }, peers.encrypted, never)).toEqual(expected)
  })
  test('without the right to read the shadow file it is an outage', async () => {
    const names: NameService = { account: (name) => Promise.resolve({ name, uid: 1, gid: 1, gecos: '', home: '/', shell: '', hash: 'x' }), shadow: () => Promise.resolve(undefined), groupIds: () => Promise.resolve([]), members: () => Promise.resolve(undefined) }
    const backend = new SystemBackend({ names, hashing: hashing(), clock, logger: new LoggedLines() }, patientLimits)
    await expect(backend.verify({ kind: 'password', user: 'alice', password: words('secret') }, peers.encrypted, never)).rejects.toMatchObject({ kind: 'unavailable', message: expect.stringContaining('lacks the rights') })
  })
  test('the name service of this machine', async () => {
    const names = await nameService()
    const line = (await readFile('/etc/passwd', 'utf8')).split('\n').find((l) => l.startsWith('daemon:')) ?? ''
    const [name = '', , uid, gid, gecos, home] = line.split(':')
    expect(await names.account(name)).toMatchObject({ name, uid: Number(uid), gid: Number(gid), gecos, home })
    expect(await names.groupIds(name, Number(gid))).toContain(Number(gid))
    expect([await names.account('nobody-of-this-name'), await names.shadow('nobody-of-this-name'), await names.members('no-such-group')]).toEqual([undefined, undefined, undefined])
  })
})

describeUserDirectory('virtual', once_(async () => ({ directory: createVirtualDirectory({ home: join(folder, '{user}') }), known: ['alice'], unknown: [], homesBelow: folder })))
describeUserDirectory('system', once_(async () => {
  const names = await nameService()
  const of = (n: NameService): SystemUsers => new SystemUsers(n, { timeoutMs: 60_000, minUid: 1 })
  return { directory: of(names), known: ['daemon'], unknown: ['nobody-of-this-name'], broken: of({ ...names, account: () => Promise.reject(new Error('out')) }) }
}))
describeUserDirectory('file', once_(async () => {
  const path = join(folder, 'passwd')
  await writeFile(path, '# remark\nalice:x:1001:1001:Alice:/srv/alice:/bin/sh\nbob:x:::Bob:/srv/bob:\nalice:x:0:0::/root:\nnameonly\n')
  return { directory: new PasswdFile(path, files), known: ['alice', 'bob', 'nameonly'], unknown: ['carol', '# remark'], broken: new PasswdFile(join(folder, 'missing'), files) }
}))
