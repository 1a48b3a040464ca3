import { X509Certificate } from 'node:crypto'
import { access, constants, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname, isAbsolute, resolve } from 'node:path'
import { AUTH_SETTINGS, LOCK_SETTINGS, mailboxFormats, passwordBackends, protocols, saslMechanisms } from '../api/index.js'
import type { Problem, Token } from '../api/index.js'
import type { ConfigPlan, HostPlan } from '../config/plan/types.js'
import type { Wired } from '../kernel/lifecycle/wire.js'
import { LogHub } from '../log/log-hub.js'
import { Bindings } from './bindings.js'
import { askServer } from './control.js'
import { certificateNames, ownCertificates } from './host-tls.js'
import { protocolFaults } from './listener-protocols.js'
import { runDirectory } from './run-directory.js'
import { SelfSignedCertificate } from '../net/tls/self-signed.js'

const DAY_MS = 86_400_000
const WARN_BEFORE_DAYS = 14
const STICKY_FOR_ALL = 0o1777
const OTHERS = 0o077

/** What a configuration that is right in itself meets on this machine. Nothing is made or changed. */
export async function checkMachine(wired: Pick<Wired<ConfigPlan>, 'plan' | 'slots'>, env: NodeJS.ProcessEnv): Promise<readonly Problem[]> {
  const { plan } = wired
  const found: Problem[] = []
  for (const host of plan.hosts) {
    found.push(...(await certificates(host, plan)), ...names(host), ...logins(host, wired), ...(await lockDirectory(host)), ...(await spool(host)), ...(await passwordFiles(host)))
  }
  const served = wired.slots.filter((s) => s.point === protocols.id).flatMap((s) => s.entries.map((e) => e.name))
  found.push(...protocolFaults(plan.listeners, served), ...(await ports(plan, env)))
  return found.map((p) => ({ ...p, ...plan.where(p.path) }))
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
    const pair = await source.find(undefined, '127.0.0.1')
    return pair === undefined ? [] : certificateFaults(new X509Certificate(pair.chain), host, path)
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    return [{ code: 'NET_BAD_CERTIFICATE', severity: 'error', path, message: `the certificate cannot be used: ${text}`, hint: fileHint(host) }]
  }
}

function fileHint({ tls }: Pick<HostPlan, 'tls'>): string | undefined {
  const [first] = tls.certificates
  return first === undefined ? undefined : `it is ${first.certificate}; it has to be a certificate chain in PEM form (-----BEGIN CERTIFICATE-----)`
}

/** A certificate against the names clients will ask for, and against the calendar. */
export function certificateFaults(certificate: X509Certificate, host: Pick<HostPlan, 'serverName' | 'match' | 'tls'>, path: string): readonly Problem[] {
  const found: Problem[] = []
  const asked = host.tls.selfSigned === undefined ? (host.match.names.length > 0 ? host.match.names : [host.serverName]) : certificateNames(host).slice(0, 1)
  for (const name of asked) {
    if (certificate.checkHost(name.replace(/^\*/, 'any')) === undefined) {
      const covers = certificate.subjectAltName ?? certificate.subject
      found.push(warning('NET_CERTIFICATE_NAME', path, `the certificate is not for "${name}", so clients will complain`, `it is for ${covers.replaceAll('\n', ', ')}`))
    }
  }
  const days = Math.floor((new Date(certificate.validTo).getTime() - Date.now()) / DAY_MS)
  if (days < 0) found.push({ code: 'NET_CERTIFICATE_EXPIRED', severity: 'error', path, message: `the certificate ended on ${certificate.validTo}` })
  else if (days < WARN_BEFORE_DAYS) found.push(warning('NET_CERTIFICATE_EXPIRES', path, `the certificate ends on ${certificate.validTo}`))
  return found
}

function names(host: HostPlan): readonly Problem[] {
  if (host.serverName.includes('.') || host.tls.selfSigned !== undefined) return []
  const hint = host.serverName === hostname() ? 'set server.name to the full name of this machine' : undefined
  return [warning('HOST_NAME_UNQUALIFIED', `hosts.${host.id}`, `the host name "${host.serverName}" has no domain; it stands in greetings and message ids`, hint)]
}

function logins(host: HostPlan, { slots }: Pick<Wired<ConfigPlan>, 'slots'>): readonly Problem[] {
  const path = `hosts.${host.id}.auth`
  const count = (point: string): number => slots.find((s) => s.host === host.id && s.point === point)?.entries.length ?? 0
  const found: Problem[] = []
  const settings = given(host, AUTH_SETTINGS)
  if (count(passwordBackends.id) === 0) found.push(warning('AUTH_NO_LOGIN', path, 'there is no password backend, so nobody can log in'))
  else if (settings?.plaintext === 'never' && count(saslMechanisms.id) === 0) found.push(warning('AUTH_NO_LOGIN', path, 'passwords are refused and there is no other mechanism, so nobody can log in'))
  if (settings?.plaintext === 'always') found.push(warning('AUTH_PLAINTEXT', `${path}.plaintext`, 'passwords may cross the network in clear', 'use encrypted-only'))
  return found
}

async function lockDirectory(host: HostPlan): Promise<readonly Problem[]> {
  const settings = given(host, LOCK_SETTINGS)
  if (settings === undefined) return []
  return stickyFault(settings.lockDirectory, 'FILES_LOCK_DIRECTORY', `hosts.${host.id}.files.lockDirectory`, 'other programs cannot see our locks there')
}

/** Spool directories stand in templates such as `/var/mail/{user}`. */
async function spool(host: HostPlan): Promise<readonly Problem[]> {
  const found: Problem[] = []
  for (const slot of host.slots) {
    if (slot.point !== mailboxFormats.id && slot.path.endsWith('.namespaces') === false) continue
    for (const entry of slot.entries ?? []) {
      const template = Object.values(entry.settings).find((v): v is string => typeof v === 'string' && isAbsolute(v) && v.endsWith('/{user}'))
      if (template !== undefined) found.push(...(await stickyFault(dirname(template), 'FILES_SPOOL', entry.path, 'lock files cannot be made there')))
    }
  }
  return found
}

async function stickyFault(folder: string, code: string, path: string, meaning: string): Promise<readonly Problem[]> {
  const there = await stat(folder).catch(() => undefined)
  if (there === undefined) return [warning(code, path, `${folder} does not exist`)]
  const mode = there.mode & 0o7777
  return mode === STICKY_FOR_ALL ? [] : [warning(code, path, `${folder} has the permissions ${mode.toString(8)}, so ${meaning}`, `chmod 1777 ${folder}`)]
}

async function passwordFiles(host: HostPlan): Promise<readonly Problem[]> {
  const found: Problem[] = []
  for (const slot of host.slots.filter((s) => s.point === passwordBackends.id)) {
    for (const entry of slot.entries ?? []) {
      const said = entry.settings['path']
      if (typeof said !== 'string') continue
      const file = resolve(entry.folder, said)
      const there = await stat(file).catch(() => undefined)
      if (there !== undefined && (there.mode & OTHERS) !== 0) found.push(warning('AUTH_FILE_READABLE', entry.path, `${file} can be read by others`, `chmod 600 ${file}`))
    }
  }
  return found
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
  const prepared = await bindings.prepare(plan.listeners)
  await prepared.discard()
  return prepared.problems
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
