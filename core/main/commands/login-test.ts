import { isIP } from 'node:net'
import { AUTH_SETTINGS, loginPolicies, MailError, passwordBackends, secret, userDirectories } from '../../api/index.js'
import type { MailUser, PeerFacts, Secret, Verdict } from '../../api/index.js'
import type { HostView } from '../../kernel/kernel.js'
import type { ConfigPlan } from '../../config/plan/types.js'
import { refusedUnasked, splitAdministrator } from '../../session/auth/claims.js'
import { accountName } from '../../session/auth/login-names.js'
import { knownPoints } from '../always.js'
import { parseCommandLine } from '../command.js'
import type { CommandContext } from '../command.js'
import { CommandFailure, EXIT } from '../exit-codes.js'
import { domainOf, HostChoice } from '../host-choice.js'
import { startOffline } from '../offline-server.js'
import { readPassword } from '../password-prompt.js'
import { accountIdentity } from '../processes/accounts.js'
import { assignerOf } from '../processes/assignment.js'
import { modelOf, notServedBy } from '../processes/model.js'
import { startConfigured } from '../start-configured.js'
import { say } from '../terminal.js'

const TIMEOUT_MS = 60_000
type Say = (line: string) => void

/** `mailwright login-test USER`: the walk of a login with the true reason, which a client is never told (FAQ 7.4). */
export async function run(context: CommandContext): Promise<number> {
  const { args, terminal } = context
  const { values, positionals } = parseCommandLine(
    args,
    { config: { type: 'string', short: 'c' }, host: { type: 'string' }, from: { type: 'string' }, service: { type: 'string' } },
    { least: 1, most: 1 },
  )
  const [typed = ''] = positionals
  const address = values.from ?? '127.0.0.1'
  if (isIP(address) === 0) throw new CommandFailure(EXIT.usage, `"${address}" is no IP address`)
  const server = await startConfigured(context, values.config, (source, log) => {
    // What the server would refuse to start with.
    modelOf(source.plan(knownPoints), process.getuid?.() === 0)
    return startOffline(source, log)
  })
  if (server === undefined) return EXIT.configuration
  try {
    const { authcid, authzid } = splitAdministrator(typed)
    const id = values.host ?? new HostChoice(server.kernel.plan.hosts).choose({ localAddress: '', serverName: undefined, domain: domainOf(authcid) })
    const host = server.kernel.host(id)
    if (host === undefined) throw new CommandFailure(EXIT.usage, `there is no host "${id}"`)
    const password = secret(await readPassword(authcid))
    const peer: PeerFacts = { address, localAddress: '', localPort: 0, service: values.service ?? 'imap', tls: { protocol: 'TLSv1.3', cipher: 'login-test', bindings: {} } }
    const tell: Say = (line) => say(terminal.out, line)
    const user = await walk(host, { authcid, authzid, password, peer }, tell)
    const isIn = user !== undefined && (await served(server.kernel.plan, user, tell))
    say(terminal.out, isIn ? 'would be let in' : 'would not be let in')
    return isIn ? EXIT.ok : EXIT.failed
  } finally {
    await server.stop()
  }
}

interface Attempt {
  readonly authcid: string
  readonly authzid: string
  readonly password: Secret
  readonly peer: PeerFacts
}

/** The steps in the order of the gate; stops where the gate would. */
async function walk(host: HostView, { authcid, authzid, password, peer }: Attempt, tell: Say): Promise<MailUser | undefined> {
  const signal = AbortSignal.timeout(TIMEOUT_MS)
  const { names, plaintext } = host.get(AUTH_SETTINGS)
  const accountOf = (name: string): string => (names === undefined || name === '' ? name : accountName(name, names))
  const account = accountOf(authcid)
  tell(`host ${host.id}`)
  if (account !== authcid) tell(`name: "${authcid}" means "${account}" here`)
  if (plaintext === 'never') tell('note: this host takes no plaintext passwords (auth.plaintext: never); what follows holds for backends alone')
  for (const { name, made } of host.entries(loginPolicies)) {
    const answer = await made.before?.(account, peer, signal)
    if (answer === undefined || answer.kind === 'allow') continue
    tell(`policy ${name}: ${answer.kind === 'refuse' ? answer.refusal.kind : `refers to ${answer.url}`}`)
    return undefined
  }
  const user = await proved(host, account, password, peer, signal, tell)
  if (user === undefined) return undefined
  const wanted = authzid === '' ? user : accountOf(authzid)
  const found = await directoryEntry(host, wanted, signal, tell)
  if (found === undefined) return undefined
  if (found.ids?.uid === 0) {
    tell(`account "${found.name}" has uid 0, which may never log in`)
    return undefined
  }
  const acting = wanted !== user
  let vouched = false
  for (const { name, made } of host.entries(loginPolicies)) {
    const answer = await made.decide?.({ user: found, authcid: user, authzid: acting ? wanted : '', peer }, signal)
    if (answer === undefined) continue
    if (answer.kind !== 'allow') {
      tell(`policy ${name}: ${answer.kind === 'refuse' ? answer.refusal.kind : `refers to ${answer.url}`}`)
      return undefined
    }
    vouched ||= answer.vouches === true
    tell(`policy ${name}: allows${answer.vouches === true ? `, and vouches for "${user}" to act for "${wanted}"` : ''}`)
  }
  if (acting && !vouched) tell(`no policy lets "${user}" act for "${wanted}"`)
  return !acting || vouched ? found : undefined
}

/** Which process has the mail, as a server that this account starts would divide the work. */
async function served(plan: ConfigPlan, user: MailUser, tell: Say): Promise<boolean> {
  const mine = process.getuid?.()
  const { mailUser } = plan.processes
  const shared = mine !== 0 || mailUser === undefined ? undefined : await accountIdentity(mailUser)
  const by = assignerOf(plan, shared, mine)?.of(user) ?? notServedBy(mine, user) ?? { identity: undefined }
  if (typeof by === 'string') {
    tell(`processes: the mail is not served: ${by}`)
    return false
  }
  const uid = by.identity?.uid ?? mine
  tell(`processes: the mail is served by a process with ${uid === undefined ? 'the rights of the server' : `uid ${uid}`}`)
  return true
}

/** The chain of backends, each answer told; the name of whoever the password is. */
async function proved(host: HostView, user: string, password: Secret, peer: PeerFacts, signal: AbortSignal, tell: Say): Promise<string | undefined> {
  const claim = { kind: 'password', user, password } as const
  const unasked = refusedUnasked(claim)
  if (unasked !== undefined) {
    tell(`no backend is asked: the name or the password is ${unasked.kind === 'malformed' ? 'none that anybody can have' : 'empty'}`)
    return undefined
  }
  for (const { name, about, made } of host.entries(passwordBackends)) {
    if (made.verify === undefined || !about.verifies.includes('password')) {
      tell(`backend ${name}: checks no passwords`)
      continue
    }
    let verdict: Verdict
    try {
      verdict = await made.verify(claim, peer, signal)
    } catch (error) {
      tell(`backend ${name}: cannot answer: ${error instanceof Error ? error.message : String(error)}${error instanceof MailError ? '' : ' (a fault of the plugin)'}`)
      return undefined
    }
    if (verdict.kind === 'accepted') {
      tell(`backend ${name}: accepts, as "${verdict.user}"${verdict.alerts.map((alert) => `; tells: ${alert}`).join('')}`)
      return verdict.user
    }
    const goesOn = verdict.kind === 'unknown-user' ? verdict.final !== true : made.fallthrough === true
    tell(`backend ${name}: ${verdict.kind}${goesOn ? ', the next is asked' : ', which ends it'}`)
    if (!goesOn) return undefined
  }
  tell('no backend knows the user')
  return undefined
}

async function directoryEntry(host: HostView, name: string, signal: AbortSignal, tell: Say): Promise<MailUser | undefined> {
  for (const entry of host.entries(userDirectories)) {
    try {
      const found = await entry.made.find(name, signal)
      tell(`users ${entry.name}: ${found === undefined ? 'no such account' : `account "${found.name}"${found.home === undefined ? '' : `, home ${found.home}`}${found.ids === undefined ? '' : `, uid ${found.ids.uid}`}`}`)
      if (found !== undefined) return found
    } catch (error) {
      tell(`users ${entry.name}: cannot answer: ${error instanceof Error ? error.message : String(error)}`)
      return undefined
    }
  }
  return undefined
}
