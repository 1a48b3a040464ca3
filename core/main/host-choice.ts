import { BlockList, isIP } from 'node:net'
import type { HostView } from '../kernel/kernel.js'
import type { HostPlan } from '../config/plan/types.js'

/** What is known when a host is chosen; later facts win over earlier ones. */
export interface HostEvidence {
  readonly localAddress: string
  readonly serverName: string | undefined
  /** Domain of the user name, once somebody logs in. */
  readonly domain: string | undefined
}

/** Finds the virtual host of a connection: by the domain of the user name, else by the TLS server name, else by the local address. */
export class HostChoice {
  readonly #first: string
  readonly #addresses: readonly (readonly [BlockList, string])[]
  readonly #names: ReadonlyMap<string, string>
  readonly #domains: ReadonlyMap<string, string>

  /** @param hosts in the order of the configuration; the first is the default. */
  constructor(hosts: readonly Pick<HostPlan, 'id' | 'match'>[]) {
    this.#first = hosts[0]?.id ?? 'default'
    this.#addresses = hosts.map((h) => [listOf(h.match.addresses), h.id] as const)
    this.#names = index(hosts, (h) => h.match.names)
    this.#domains = index(hosts, (h) => h.match.domains)
  }

  /** Id of the host. */
  choose({ localAddress, serverName, domain }: HostEvidence): string {
    return (
      (domain === undefined ? undefined : lookUp(this.#domains, domain)) ??
      (serverName === undefined ? undefined : lookUp(this.#names, serverName)) ??
      this.#addresses.find(([list]) => isIP(localAddress) !== 0 && list.check(localAddress, isIP(localAddress) === 6 ? 'ipv6' : 'ipv4'))?.[1] ??
      this.#first
    )
  }
}

/** The domain of `alice@example.org`; undefined for a name without one. */
export function domainOf(user: string): string | undefined {
  const at = user.lastIndexOf('@')
  return at < 1 || at === user.length - 1 ? undefined : user.slice(at + 1)
}

/** Host of a set of views, by the choice; the first when a reload has just taken the chosen one away. */
export function hostOf(choice: HostChoice, hosts: ReadonlyMap<string, HostView>, evidence: HostEvidence): HostView {
  const found = hosts.get(choice.choose(evidence)) ?? hosts.values().next().value
  if (found === undefined) throw new Error('there is no host')
  return found
}

function listOf(addresses: readonly string[]): BlockList {
  const list = new BlockList()
  for (const address of addresses) list.addAddress(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
  return list
}

function index(hosts: readonly Pick<HostPlan, 'id' | 'match'>[], names: (host: Pick<HostPlan, 'id' | 'match'>) => readonly string[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  for (const host of hosts) for (const name of names(host)) if (!found.has(name.toLowerCase())) found.set(name.toLowerCase(), host.id)
  return found
}

/** `mail.example.org` is found under itself and under `*.example.org`. */
function lookUp(names: ReadonlyMap<string, string>, wanted: string): string | undefined {
  const name = wanted.toLowerCase().replace(/\.$/, '')
  return names.get(name) ?? names.get(`*${name.slice(name.indexOf('.'))}`)
}
