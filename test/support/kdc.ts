import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort, listens } from './ports.js'
import { run, type Ran } from './programs.js'

const [KDC, KADMIN, UTIL] = ['/usr/sbin/krb5kdc', '/usr/sbin/kadmin.local', '/usr/sbin/kdb5_util']
export const hasKdc = [KDC, KADMIN, UTIL].every((program) => existsSync(program))
/** The realm of the tests. */
const REALM = 'EXAMPLE.TEST'

/** MIT's KDC from Debian, with a realm of its own. */
export interface Kdc extends AsyncDisposable {
  readonly folder: string
  /** For KRB5_CONFIG. */
  readonly config: string
  /** Keys of the services. */
  readonly keytab: string
  /** Gets a ticket with a password, into a cache of its own; its file. */
  ticket(principal: string, password: string, options?: readonly string[]): Promise<string>
  /** The environment of a client with the tickets of a cache. */
  environment(cache?: string): Readonly<Record<string, string>>
  /** A command of kadmin.local. */
  admin(command: string): Promise<Ran>
  stop(): Promise<void>
}

/** Starts one for these principals, with keys for these services of `localhost`. */
export async function startKdc(users: Readonly<Record<string, string>>, services: readonly string[] = ['imap/localhost', 'pop/localhost']): Promise<Kdc> {
  const folder = await mkdtemp(join(tmpdir(), 'mailwright-kdc-'))
  // Processes of other accounts read the configuration; keys and tickets have modes of their own.
  await chmod(folder, 0o711)
  const port = await freePort()
  const at = (name: string): string => join(folder, name)
  await writeFile(at('krb5.conf'), `[libdefaults]
 default_realm = ${REALM}
 dns_lookup_kdc = false
 dns_lookup_realm = false
 dns_canonicalize_hostname = false
 rdns = false
 udp_preference_limit = 1
[realms]
 ${REALM} = {
  kdc = 127.0.0.1:${port}
 }
[domain_realm]
 localhost = ${REALM}
`)
  await writeFile(at('kdc.conf'), `[kdcdefaults]
 kdc_listen = 127.0.0.1:${port}
 kdc_tcp_listen = 127.0.0.1:${port}
[realms]
 ${REALM} = {
  database_name = ${at('principal')}
  key_stash_file = ${at('stash')}
  acl_file = ${at('acl')}
  admin_keytab = FILE:${at('admin.keytab')}
  supported_enctypes = aes256-cts-hmac-sha1-96:normal
 }
`)
  const own = { KRB5_CONFIG: at('krb5.conf'), KRB5_KDC_PROFILE: at('kdc.conf') }
  const made = await run(UTIL, ['create', '-s', '-r', REALM, '-P', 'master secret'], { env: own })
  if (made.code !== 0) throw new Error(`kdb5_util: ${made.stderr}`)
  const admin = (command: string): Promise<Ran> => run(KADMIN, ['-r', REALM, '-q', command], { env: own })
  for (const [name, password] of Object.entries(users)) await admin(`addprinc -pw "${password}" ${name}`)
  for (const service of services) {
    await admin(`addprinc -randkey ${service}`)
    await admin(`ktadd -k ${at('keytab')} ${service}`)
  }
  const child = spawn(KDC, ['-n', '-r', REALM, '-P', at('pid')], { env: { ...process.env, ...own }, stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
  while (!(await listens(port))) {
    if (child.exitCode !== null) throw new Error(`krb5kdc did not start:\n${said}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGTERM')
    await once(child, 'exit')
  }
  let caches = 0
  return {
    folder,
    config: at('krb5.conf'),
    keytab: at('keytab'),
    admin,
    async ticket(principal, password, options = []) {
      const cache = at(`cache-${++caches}`)
      const { code, stderr } = await run('kinit', [...options, '-c', `FILE:${cache}`, principal], { input: `${password}\n`, env: own })
      if (code !== 0) throw new Error(`kinit: ${stderr}`)
      return cache
    },
    environment: (cache) => ({ KRB5_CONFIG: at('krb5.conf'), ...(cache === undefined ? {} : { KRB5CCNAME: `FILE:${cache}` }) }),
    stop,
    async [Symbol.asyncDispose]() {
      await stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
