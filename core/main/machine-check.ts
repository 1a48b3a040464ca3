import { X509Certificate } from 'node:crypto'
import { access, constants, readdir, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { AUTH_SETTINGS, LOCK_SETTINGS, lockers, namespaceResolvers, passwordBackends, protocols, saslMechanisms, StartFailure, userDirectories } from '../api/index.js'
import type { CertificateSource, MechanismAbout, Problem, Token } from '../api/index.js'
import type { ConfigPlan, HostPlan } from '../config/plan/types.js'
import type { ResolvedSlot } from '../kernel/kernel.js'
import type { Wired } from '../kernel/lifecycle/wire.js'
import { LogHub } from '../log/log-hub.js'
import { Bindings } from './bindings.js'
import { askServer } from './control.js'
import { certificateNames, ownCertificates } from './host-tls.js'
import { lockProgramFaults } from './lock-program-check.js'
import { deliveryFaults } from './listener-protocols.js'
import { accountsNotServed } from './processes/model.js'
import { portsOfProtocols } from './service-ports.js'
import { runDirectory } from './run-directory.js'
import { SelfSignedCertificate } from '../net/tls/self-signed.js'

const DAY_MS = 86_400_000
const WARN_BEFORE_DAYS = 14
const STICKY_FOR_ALL = 0o1777
const OTHERS = 0o077
const MD5_DATABASE = 'md5-database'

/** What is checked: what `wire` has made of the configuration. */
type Checked = Pick<Wired<ConfigPlan>, 'plan' | 'slots' | 'hostParts'>
/** An entry with all its settings, defaults among them. */
interface Settled {
  readonly name: string
  readonly path: string
  readonly folder: string
  readonly settings: Readonly<Record<string, unknown>>
}

/** What a configuration that is right in itself meets on this machine. Nothing is made or changed. */
export async function checkMachine(wired: Checked, env: NodeJS.ProcessEnv): Promise<readonly Problem[]> {
  const { plan } = wired
  const found: Problem[] = []
  for (const host of plan.hosts) {
    found.push(...(await certificates(host, plan)), ...names(host), ...logins(host, wired), ...(await lockDirectory(host)), ...(await spool(host, wired)), ...(await lockProgramFaults(entriesOf(host, wired, lockers.id))), ...openNames(host, wired), ...(await passwordFiles(host, wired)), ...(await md5Databases(host, wired)), ...(await pamServices(host, wired)))
  }
  found.push(...modelFaults(plan))
  found.push(...deliveryFaults(plan.listeners, wired.slots), ...(await portFaults(wired)), ...(await socketFolders(plan)), ...(await ports(plan, env)))
  return found.map((p) => ({ ...p, ...plan.where(p.path) }))
}

/** What the start would refuse, and the logins of whole directories. */
function modelFaults(plan: ConfigPlan): readonly Problem[] {
  try {
    const fault = accountsNotServed(plan, process.getuid?.() === 0)
    return fault === undefined ? [] : [fault]
  } catch (error) {
    if (error instanceof StartFailure) return error.problems
    throw error
  }
}

function warning(code: string, path: string, message: string, hint?: string): Problem {
  return { code, severity: 'warning', path, message, hint }
}

async function certificates(host: HostPlan, plan: ConfigPlan): Promise<readonly Problem[]> {
  const path = `hosts.${host.id}.tls`
  const [source] = ownCertificates(host, new LogHub({ write: () => undefined }))
  const wanted = plan.listeners.some((l) => l.tls !== 'none')
  if (source === undefined) {
    const chosen = host.slots.some((slot) => slot.point === 'net.certificates' && (slot.entries?.length ?? 0) > 0)
    return wanted && !chosen ? [warning('NET_NO_CERTIFICATE', path, 'there is no certificate, so TLS is not offered', 'set certificate and key')] : []
  }
  // One that is made at the first start is right by construction.
  if (source instanceof SelfSignedCertificate && !(await exists(source.path))) return []
  try {
    if (host.tls.byAddress !== undefined) return await byAddress(host, host.tls.byAddress, source, path, wanted)
    const pair = await source.find(undefined, '127.0.0.1')
    if (pair === undefined) return []
    const also = 'also' in pair ? (pair.also ?? []) : []
    return [pair, ...also].flatMap(({ chain }) => certificateFaults(new X509Certificate(chain), host, path))
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    return [{ code: 'NET_BAD_CERTIFICATE', severity: 'error', path, message: `the certificate cannot be used: ${text}`, hint: fileHint(host) }]
  }
}

/** Each certificate of the folder against the calendar, and the one for all other addresses against the names as well: the rest belong to names that nobody has told us. */
async function byAddress(host: HostPlan, from: NonNullable<HostPlan['tls']['byAddress']>, source: CertificateSource, path: string, wanted: boolean): Promise<readonly Problem[]> {
  const files = (await readdir(from.certificates)).filter((file) => file.endsWith('.pem'))
  const found: Problem[] = []
  let usable = 0
  for (const file of files) {
    const address = file === `${from.name}.pem` ? '' : file.startsWith(`${from.name}-`) ? file.slice(from.name.length + 1, -'.pem'.length) : undefined
    if (address === undefined) continue
    const pair = await source.find(undefined, address)
    if (pair === undefined) continue
    usable++
    const certificate = new X509Certificate(pair.chain)
    found.push(...(address === '' ? nameFaults(certificate, host, path) : []), ...calendarFaults(certificate, path, `the certificate ${file}`))
  }
  if (usable > 0 || !wanted) return found
  return [warning('NET_NO_CERTIFICATE', path, `${from.certificates} holds no ${from.name}.pem and no ${from.name}-ADDRESS.pem, so TLS is not offered`)]
}

function fileHint({ tls }: Pick<HostPlan, 'tls'>): string | undefined {
  const [first] = tls.certificates
  return first === undefined ? undefined : `it is ${first.certificate}; it has to be a certificate chain in PEM form (-----BEGIN CERTIFICATE-----)`
}

/** A certificate against the names clients will ask for, and against the calendar. */
function certificateFaults(certificate: X509Certificate, host: Pick<HostPlan, 'serverName' | 'match' | 'tls'>, path: string): readonly Problem[] {
  return [...nameFaults(certificate, host, path), ...calendarFaults(certificate, path, 'the certificate')]
}
function nameFaults(certificate: X509Certificate, host: Pick<HostPlan, 'serverName' | 'match' | 'tls'>, path: string): readonly Problem[] {
  const asked = host.tls.selfSigned === undefined ? (host.match.names.length > 0 ? host.match.names : [host.serverName]) : certificateNames(host).slice(0, 1)
  const covers = certificate.subjectAltName ?? certificate.subject
  return asked
    .filter((name) => certificate.checkHost(name.replace(/^\*/, 'any')) === undefined)
    .map((name) => warning('NET_CERTIFICATE_NAME', path, `the certificate is not for "${name}", so clients will complain`, `it is for ${covers.replaceAll('\n', ', ')}`))
}
function calendarFaults(certificate: X509Certificate, path: string, what: string): readonly Problem[] {
  const days = Math.floor((new Date(certificate.validTo).getTime() - Date.now()) / DAY_MS)
  if (days < 0) return [{ code: 'NET_CERTIFICATE_EXPIRED', severity: 'error', path, message: `${what} ended on ${certificate.validTo}` }]
  return days < WARN_BEFORE_DAYS ? [warning('NET_CERTIFICATE_EXPIRES', path, `${what} ends on ${certificate.validTo}`)] : []
}

function names(host: HostPlan): readonly Problem[] {
  if (host.serverName.includes('.') || host.tls.selfSigned !== undefined) return []
  const hint = host.serverName === hostname() ? 'set server.name to the full name of this machine' : undefined
  return [warning('HOST_NAME_UNQUALIFIED', `hosts.${host.id}`, `the host name "${host.serverName}" has no domain; it stands in greetings and message ids`, hint)]
}

function logins(host: HostPlan, wired: Checked): readonly Problem[] {
  const path = `hosts.${host.id}.auth`
  const plaintext = given(host, AUTH_SETTINGS)?.plaintext
  const nobody = (why: string): Problem => warning('AUTH_NO_LOGIN', path, `${why}, so nobody can log in`)
  const slot = (point: string): ResolvedSlot['entries'] => wired.slots.find((s) => s.host === host.id && s.point === point)?.entries ?? []
  // Those that show the server a password are held to the same rule as LOGIN.
  const others = slot(saslMechanisms.id).filter(({ about }) => !isMechanism(about) || !about.exposesPassword)
  if (slot(passwordBackends.id).length === 0) return [nobody('there is no password backend')]
  if (plaintext === 'always') return [warning('AUTH_PLAINTEXT', `${path}.plaintext`, 'passwords may cross the network in clear', clearHint(slot(passwordBackends.id).map(({ name }) => name)))]
  if (others.length > 0) return []
  if (plaintext === 'never') return [nobody('passwords are refused and there is no other mechanism')]
  // A proxy may have taken the encryption off.
  const { listeners } = wired.plan
  const clear = listeners.length > 0 && listeners.every((l) => l.tls === 'none' && l.proxy.length === 0)
  return plaintext === 'encrypted-only' && clear ? [nobody('passwords are taken under TLS alone, and no listener offers it')] : []
}
/** Where a password is checked is not how it travels. */
function clearHint(backends: readonly string[]): string {
  const kerberos = backends.filter((name) => name === 'pam' || name === 'gss')
  return kerberos.length === 0 ? 'use encrypted-only' : `use encrypted-only; checked by ${kerberos.join(' or ')} they travel no better, also where Kerberos checks them`
}
function isMechanism(about: unknown): about is MechanismAbout {
  return typeof about === 'object' && about !== null && 'exposesPassword' in about
}

async function lockDirectory(host: HostPlan): Promise<readonly Problem[]> {
  const settings = given(host, LOCK_SETTINGS)
  if (settings === undefined) return []
  return stickyFault(settings.lockDirectory, 'FILES_LOCK_DIRECTORY', `hosts.${host.id}.files.lockDirectory`, 'other programs cannot see our locks there')
}

/** Where the INBOX of each user is a file of one directory, other programs make their lock files there; unless somebody makes ours, we must be able to as well. */
async function spool(host: HostPlan, wired: Checked): Promise<readonly Problem[]> {
  if (entriesOf(host, wired, lockers.id).length > 0) return []
  const found: Problem[] = []
  const ofSystem = entriesOf(host, wired, userDirectories.id).some((entry) => entry.name === 'system')
  for (const { settings, path, folder } of entriesOf(host, wired, namespaceResolvers.id)) {
    const [directory, said] = [settings['spool'], settings['inboxPath']]
    if (typeof directory !== 'string') continue
    const template = typeof said === 'string' ? said.replace('{spool}', directory) : ofSystem ? `${directory}/{user}` : undefined
    if (template === undefined || !template.endsWith('/{user}') || template.startsWith('{')) continue
    found.push(...(await stickyFault(resolve(folder, dirname(template)), 'FILES_SPOOL', path, 'lock files of all users cannot be made there')))
  }
  return found
}

/** Names of other users that are refused, and their homes that are not. */
function openNames(host: HostPlan, wired: Checked): readonly Problem[] {
  return entriesOf(host, wired, namespaceResolvers.id)
    .filter(({ settings: { deny } }) => Array.isArray(deny) && deny.includes('other-users') && !deny.includes('root') && !deny.includes('all'))
    .map(({ path }) => warning('NAMES_ROOT_OPEN', path, '"other-users" without "root" leaves the homes of others open by their absolute paths', 'deny: [root, other-users]'))
}

/** The entries of a host at a point; those whose settings are wrong are reported elsewhere. */
function entriesOf(host: HostPlan, { hostParts }: Checked, point: string): readonly Settled[] {
  const entries = hostParts.find((part) => part.host === host.id)?.slots.get(point)?.entries ?? []
  return entries.flatMap(({ name, path, entry, settings }) => (typeof settings === 'object' && settings !== null ? [{ name, path, folder: entry.folder, settings: { ...settings } }] : []))
}

async function stickyFault(folder: string, code: string, path: string, meaning: string): Promise<readonly Problem[]> {
  const there = await stat(folder).catch(() => undefined)
  if (there === undefined) return [warning(code, path, `${folder} does not exist`)]
  const mode = there.mode & 0o7777
  return mode === STICKY_FOR_ALL ? [] : [warning(code, path, `${folder} has the permissions ${mode.toString(8)}, so ${meaning}`, `chmod 1777 ${folder}`)]
}

/** Passwords, or what logs in as well as one (the MD5 database, keys of Kerberos), at the place where the plugin looks by default too. */
async function passwordFiles(host: HostPlan, wired: Checked): Promise<readonly Problem[]> {
  const found: Problem[] = []
  for (const { path, folder, settings } of [...entriesOf(host, wired, saslMechanisms.id), ...entriesOf(host, wired, passwordBackends.id)]) {
    for (const said of [settings['path'], settings['keytab']]) {
      if (typeof said !== 'string') continue
      const file = resolve(folder, said)
      const there = await stat(file).catch(() => undefined)
      if (there !== undefined && (there.mode & OTHERS) !== 0) found.push(warning('AUTH_FILE_READABLE', path, `${file} can be read by others`, `chmod 600 ${file}`))
      if (there === undefined && said === settings['keytab']) found.push(warning('AUTH_KEYTAB', path, `there is no ${file}, so nobody can log in this way`, 'write the keys of the services into it (kadmin: ktadd -k)'))
    }
  }
  return found
}

/**
 * The MD5 database decides about all plaintext logins while it is there (FAQ 1.22, 3.16): who comes before it in the list would answer
 * instead, and a password that crosses the network in clear is one that CRAM-MD5 was to protect.
 */
async function md5Databases(host: HostPlan, wired: Checked): Promise<readonly Problem[]> {
  const found: Problem[] = []
  const entries = entriesOf(host, wired, passwordBackends.id)
  for (const [at, { name, path, folder, settings }] of entries.entries()) {
    const said = settings['path']
    if (name !== MD5_DATABASE || settings['useForPlaintext'] !== true || typeof said !== 'string') continue
    const file = resolve(folder, said)
    if (!(await exists(file))) continue
    if (at > 0) found.push(warning('AUTH_MD5_NOT_FIRST', path, `${entries[at - 1]?.name ?? ''} is asked before ${file}, which is to be the only source of passwords while it exists`, 'put md5-database first in auth.passwords, or say "useForPlaintext: false"'))
    if (given(host, AUTH_SETTINGS)?.plaintext === 'always') found.push(warning('AUTH_MD5_PLAINTEXT', path, `the passwords of ${file} are asked for in clear logins too, and may cross the network in clear`, 'set auth.plaintext to encrypted-only, or say "useForPlaintext: false"'))
  }
  return found
}

/** Where Linux-PAM looks for the rules of a service; the rules `other` hold where it finds none. */
const PAM_FOLDERS = ['/etc/pam.d', '/usr/lib/pam.d', '/usr/etc/pam.d']

/** Each service that a `pam` backend will ask for: the one that is set, or those of the protocols that listen. */
async function pamServices(host: HostPlan, wired: Checked): Promise<readonly Problem[]> {
  const found: Problem[] = []
  for (const { name, path, folder, settings } of entriesOf(host, wired, passwordBackends.id)) {
    if (name !== 'pam') continue
    const [set, own] = [settings['service'], settings['folder']]
    const folders = typeof own === 'string' ? [resolve(folder, own)] : PAM_FOLDERS
    for (const service of typeof set === 'string' ? [set] : servicesOf(host, wired)) {
      const there = await Promise.all(folders.map((at) => exists(join(at, service))))
      const [first = ''] = folders
      if (!there.includes(true)) found.push(warning('AUTH_PAM_SERVICE', path, `there is no ${join(first, service)}, so PAM goes by ${join(first, 'other')}, if that is there`, `write ${join(first, service)}, or set service`))
    }
  }
  return found
}
/** Service names of the protocols that listeners serve. */
function servicesOf(host: HostPlan, { slots, plan }: Checked): readonly string[] {
  const served = slots.filter((slot) => slot.host === host.id && slot.point === protocols.id).flatMap(({ entries }) => entries)
  const about = served.filter(({ name }) => plan.listeners.some(({ protocol }) => protocol === name)).map((entry) => entry.about)
  return [...new Set(about.flatMap((a) => (typeof a === 'object' && a !== null && 'service' in a && typeof a.service === 'string' ? [a.service] : [])))]
}

/** Listeners that do on a well-known port what clients do not expect there: both sides would wait for the other. */
async function portFaults({ plan, slots }: Checked): Promise<readonly Problem[]> {
  const ports = await portsOfProtocols(slots)
  return plan.listeners.flatMap(({ id, protocol, port, tls, proxy, unix, path }): readonly Problem[] => {
    const own = ports.get(protocol)
    // A proxy has a port of its own for clients, and may take the encryption off.
    if (own === undefined || unix !== undefined || proxy.length > 0) return []
    if (port === own.tls && tls !== 'implicit') return [warning('NET_TLS_PORT', `${path}.tls`, `listener "${id}": clients begin TLS at once on port ${port}, and wait for ever when they are greeted in clear`, 'say "tls: implicit"')]
    if (port === own.plain && tls === 'implicit') return [warning('NET_TLS_PORT', `${path}.tls`, `listener "${id}": clients wait for a greeting in clear on port ${port}, which "tls: implicit" does not give`, own.tls === undefined ? 'choose another port' : `listen on port ${own.tls}`)]
    return []
  })
}

/** Whether the ports can be had, unless our own server has them. */
async function ports(plan: ConfigPlan, env: NodeJS.ProcessEnv): Promise<readonly Problem[]> {
  const running = await askServer(runDirectory(plan, env), 'status').catch(() => undefined)
  if (running?.ok === true) return []
  const bindings = new Bindings(
    (socket) => socket.destroy(),
    () => undefined,
    new Map(),
  )
  // Making a socket file would change something.
  const prepared = await bindings.prepare(plan.listeners.filter(({ unix }) => unix === undefined))
  await prepared.discard()
  return prepared.problems
}

/** Folders of socket files, which the server does not make. */
async function socketFolders(plan: ConfigPlan): Promise<readonly Problem[]> {
  const found: Problem[] = []
  for (const { unix, path } of plan.listeners) {
    if (unix === undefined || (await exists(dirname(unix.path)))) continue
    found.push({ code: 'NET_NO_SUCH_ADDRESS', severity: 'error', path, message: `${unix.path} stands in a folder that is not there`, hint: `make ${dirname(unix.path)}, for the server does not` })
  }
  return found
}

function given<T>(host: HostPlan, token: Token<T>): T | undefined {
  // The plan puts a value of the token's own type beside each token.
  return host.given.find((g) => g.token.id === token.id)?.value as T | undefined
}

async function exists(path: string): Promise<boolean> {
  return access(path, constants.F_OK).then(
    () => true,
    () => false,
  )
}
