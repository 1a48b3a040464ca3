import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { existsSync, readdirSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort, listens } from './ports.js'
import { run } from './programs.js'

/** A program that was started for tests. */
export interface TestService extends AsyncDisposable {
  readonly port: number
  /** Has `server.pem`, the certificate of a service that offers TLS. */
  readonly folder: string
}

async function started(program: string, args: readonly string[], port: number, folder: string, end: NodeJS.Signals): Promise<TestService> {
  const child = spawn(program, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()))
  while (!(await listens(port))) {
    if (child.exitCode !== null) throw new Error(`${program} did not start:\n${said}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return {
    port,
    folder,
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null) {
        child.kill(end)
        await once(child, 'exit')
      }
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** A certificate for `localhost` and 127.0.0.1 that is its own authority: `server.pem` and `server.key` in the folder. */
export async function certificateIn(folder: string, owner?: { readonly uid: number; readonly gid: number }): Promise<{ readonly certificate: string; readonly key: string }> {
  const [certificate, key] = [join(folder, 'server.pem'), join(folder, 'server.key')]
  const made = await run('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-days', '2', '-keyout', key, '-out', certificate])
  if (made.code !== 0) throw new Error(`openssl: ${made.stderr}`)
  await chmod(key, 0o600)
  if (owner !== undefined) for (const path of [certificate, key]) await chown(path, owner.uid, owner.gid)
  return { certificate, key }
}

const POSTGRES = existsSync('/usr/lib/postgresql') ? join('/usr/lib/postgresql', readdirSync('/usr/lib/postgresql').at(-1) ?? '', 'bin') : ''
export const hasPostgres = existsSync(join(POSTGRES, 'postgres'))
/** PostgreSQL from Debian with a database `mail`, the account `mail` (password `database secret`), and what the SQL makes. */
export async function startPostgres(sql: string): Promise<TestService> {
  const folder = await mkdtemp(join(tmpdir(), 'mailwright-postgres-'))
  const port = await freePort()
  const isRoot = process.getuid?.() === 0
  // The server refuses to run as root.
  const idOf = (kind: '-u' | '-g'): number => Number(spawnSync('id', [kind, 'postgres']).stdout.toString())
  const owner = isRoot ? { uid: idOf('-u'), gid: idOf('-g') } : undefined
  if (owner !== undefined) await chown(folder, owner.uid, owner.gid)
  const { certificate, key } = await certificateIn(folder, owner)
  const as = (program: string, args: readonly string[]): [string, string[]] => (isRoot ? ['runuser', ['-u', 'postgres', '--', program, ...args]] : [program, [...args]])
  const data = join(folder, 'data')
  const made = await run(...as(join(POSTGRES, 'initdb'), ['-D', data, '-U', 'admin', '--auth-local=trust', '--auth-host=scram-sha-256', '--no-sync']))
  if (made.code !== 0) throw new Error(`initdb: ${made.stderr}`)
  const service = await started(...as(join(POSTGRES, 'postgres'), ['-D', data, '-p', String(port), '-k', folder, '-c', 'listen_addresses=127.0.0.1', '-c', 'ssl=on', '-c', `ssl_cert_file=${certificate}`, '-c', `ssl_key_file=${key}`, '-c', 'fsync=off']), port, folder, 'SIGTERM')
  const feed = async (database: string, text: string): Promise<void> => {
    const fed = await run('psql', ['-h', folder, '-p', String(port), '-U', 'admin', '-d', database, '-v', 'ON_ERROR_STOP=1', '-q'], { input: text })
    if (fed.code !== 0) throw new Error(`psql: ${fed.stderr}`)
  }
  await feed('postgres', `CREATE ROLE mail LOGIN PASSWORD 'database secret'; CREATE DATABASE mail OWNER mail;`)
  await feed('mail', `${sql}\nGRANT ALL ON ALL TABLES IN SCHEMA public TO mail;`)
  return service
}

/** The package with the server alone has nothing that starts it. */
export const hasMariadb = ['/usr/sbin/mariadbd', '/usr/bin/mariadb-install-db', '/usr/bin/my_print_defaults'].every((path) => existsSync(path))
/** MariaDB from Debian with a database `mail`, the account `mail` (password `database secret`), and what the SQL makes. */
export async function startMariadb(sql: string): Promise<TestService> {
  const folder = await mkdtemp(join(tmpdir(), 'mailwright-mariadb-'))
  const port = await freePort()
  const data = join(folder, 'data')
  const user = process.getuid?.() === 0 ? ['--user=root'] : []
  const { certificate, key } = await certificateIn(folder)
  const made = await run('mariadb-install-db', ['--no-defaults', ...user, `--datadir=${data}`, '--auth-root-authentication-method=normal', '--skip-test-db'])
  if (made.code !== 0) throw new Error(`mariadb-install-db: ${made.stderr}`)
  const first = join(folder, 'first.sql')
  const [create, ...rows] = sql.split(';\n')
  await writeFile(first, ["CREATE DATABASE mail CHARACTER SET utf8mb4", 'USE mail', create, ...rows.map((row) => row.replaceAll(/\s*\n\s*/g, ' ')), "CREATE USER mail@'127.0.0.1' IDENTIFIED BY 'database secret'", "GRANT ALL ON mail.* TO mail@'127.0.0.1'"].map((line) => `${(line ?? '').replace(/;$/, '')};\n`).join(''))
  return started(
    '/usr/sbin/mariadbd',
    ['--no-defaults', ...user, `--datadir=${data}`, `--port=${port}`, '--bind-address=127.0.0.1', `--socket=${folder}/socket`, `--pid-file=${folder}/pid`, `--init-file=${first}`, `--ssl-cert=${certificate}`, `--ssl-key=${key}`, '--skip-name-resolve', '--innodb-flush-method=nosync', '--innodb-buffer-pool-size=8M'],
    port,
    folder,
    'SIGTERM',
  )
}

export const hasSlapd = existsSync('/usr/sbin/slapd')
/** OpenLDAP's slapd from Debian, on 127.0.0.1 and 127.0.0.2, which its certificate does not name; with TLS from the first octet at `tlsPort`. It holds `dc=example,dc=org` with these entries; `cn=reader` (password `reader secret`) may search. */
export async function startSlapd(ldif: string): Promise<TestService & { readonly tlsPort: number }> {
  const folder = await mkdtemp(join(tmpdir(), 'mailwright-slapd-'))
  const [port, tlsPort] = [await freePort(), await freePort()]
  const config = join(folder, 'slapd.conf')
  const { certificate, key } = await certificateIn(folder)
  await writeFile(
    config,
    `include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/nis.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile ${folder}/slapd.pid
TLSCertificateFile ${certificate}
TLSCertificateKeyFile ${key}
database mdb
suffix "dc=example,dc=org"
rootdn "cn=admin,dc=example,dc=org"
directory ${folder}
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="cn=reader,dc=example,dc=org" read by anonymous auth
`,
  )
  const entries = `dn: dc=example,dc=org
objectClass: dcObject
objectClass: organization
o: Example
dc: example

dn: ou=people,dc=example,dc=org
objectClass: organizationalUnit
ou: people

dn: cn=reader,dc=example,dc=org
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: reader
userPassword: reader secret

${ldif}`
  const fed = await run('/usr/sbin/slapadd', ['-f', config], { input: entries })
  if (fed.code !== 0) throw new Error(`slapadd: ${fed.stderr}`)
  const urls = ['127.0.0.1', '127.0.0.2'].flatMap((address) => [`ldap://${address}:${port}/`, `ldaps://${address}:${tlsPort}/`])
  return { ...(await started('/usr/sbin/slapd', ['-f', config, '-h', urls.join(' '), '-d', '0'], port, folder, 'SIGTERM')), tlsPort }
}

/** A port on which connections are taken and nothing is ever said. */
export async function silentPort(): Promise<TestService> {
  const sockets = new Set<{ destroy(): unknown }>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return {
    port: address === null || typeof address === 'string' ? 0 : address.port,
    folder: '',
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

/** A program with the checkpassword interface for users of a table: `user:password` lines in a file beside it. */
export async function checkpasswordProgram(folder: string, users: readonly { readonly name: string; readonly password: string }[]): Promise<string> {
  const program = join(folder, 'checkpassword')
  await writeFile(join(folder, 'table.json'), JSON.stringify(Object.fromEntries(users.map((u) => [u.name, u.password]))))
  await writeFile(
    program,
    `#!/usr/bin/python3
import json, os, sys
given = os.fdopen(3, 'rb').read().split(b'\\0')
table = json.load(open(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'table.json')))
try:
    user = given[0].decode()
    password = given[1].decode()
except UnicodeDecodeError:
    sys.exit(1)
if user not in table: sys.exit(3)
if table[user] != password: sys.exit(1)
os.environ['USER'] = user
os.execvp(sys.argv[1], sys.argv[1:])
`,
  )
  await chmod(program, 0o755)
  return program
}
