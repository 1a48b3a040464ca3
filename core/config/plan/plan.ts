import { resolve } from 'node:path'
import type { z } from 'zod'
import { didYouMean } from '../../api/issues.js'
import type { Problem } from '../../api/problem.js'
import { hostSections, processSections, versionField } from '../schema/sections.js'
import { joined, keysOf, merged, nearest, valueOf, type MapNode } from '../tree.js'
import { Faults } from './faults.js'
import { fallbackOf, readHost, type ReadHost } from './host.js'
import { readListeners, spokenIn } from './listeners.js'
import { keysAt, placesOf } from './places.js'
import { settingSources } from './sources.js'
import type { ConfigPlan, SlotPoint } from './types.js'
import { walk } from './walk.js'

const HOST_PREFIX = 'hosts.*.'
const ROOT_KEYS = ['version', 'plugins', 'listeners', 'hosts'] as const

/** Turns a tree into a plan, against the points there are. Never throws: all that is wrong is in `problems`. */
export function makePlan(root: MapNode, points: readonly SlotPoint[], from: { readonly problems: readonly Problem[]; readonly folder: string; readonly machine: string }): ConfigPlan {
  const faults = new Faults()
  const ofHost = points.filter((p) => p.slot.startsWith(HOST_PREFIX))
  const ofProcess = points.filter((p) => !p.slot.startsWith(HOST_PREFIX))
  const top = placesOf(processSections, ofProcess, '')
  checkRoot(root, keysAt(top), faults)
  const below: MapNode = { ...root, entries: new Map([...root.entries].filter(([key]) => top.children.has(key))) }
  const walked = walk(top, below, '', fallbackOf, from.folder, faults)
  const section = <K extends keyof typeof processSections>(key: K): z.output<(typeof processSections)[K]> =>
    // walk() put the output of exactly this schema under this key.
    walked.sections.get(key)?.value as z.output<(typeof processSections)[K]>
  const server = section('server')
  const name = server.name ?? from.machine
  const runFolder = nearest(root, ['server', 'runDirectory']).node.at.folder
  const hosts = readHosts(root, placesOf(hostSections, ofHost, HOST_PREFIX), { name, folder: from.folder }, faults)
  checkMatches(hosts, faults)

  return Object.freeze({
    server: {
      name,
      runDirectory: server.runDirectory === undefined ? undefined : resolve(runFolder, server.runDirectory),
      startTimeoutMs: server.startTimeout,
      stopTimeoutMs: server.stopTimeout,
      drainTimeoutMs: server.drainTimeout,
    },
    processes: processesOf(section('processes')),
    listeners: readListeners(root.entries.get('listeners'), faults),
    spoken: spokenIn(root.entries.get('listeners')),
    process: { id: '', slots: walked.slots, given: [], said: saidOfProcess(below) },
    hosts: hosts.map((host) => host.plan),
    // For people who ask.
    get settings() {
      return settingSources(walked, hosts)
    },
    problems: [...from.problems, ...faults.problems],
    where(path: string) {
      const { file, line } = nearest(root, keysOf(path)).node.at
      return file === undefined ? undefined : { file, line }
    },
  })
}

function processesOf({ model, workers, frontUser, authUser, mailUser, spare, idle }: z.output<(typeof processSections)['processes']>): ConfigPlan['processes'] {
  return { model, workers, frontUser, authUser, mailUser, spare, idleMs: idle }
}

/** What only a restart can change: the server's name is given to the hosts, and the time to drain is asked for when it is needed. */
function saidOfProcess(below: MapNode): unknown {
  const server = below.entries.get('server')
  if (server?.kind !== 'map') return valueOf(below)
  const { name: _name, drainTimeout: _drain, ...rest } = Object.fromEntries(server.entries)
  const kept: MapNode = { ...server, entries: new Map(Object.entries(rest)) }
  return valueOf({ ...below, entries: new Map([...below.entries, ['server', kept]]) })
}

function checkRoot(root: MapNode, known: readonly string[], faults: Faults): void {
  const all = [...ROOT_KEYS, ...known]
  for (const [key, node] of root.entries) {
    if (!all.includes(key)) faults.at({ at: { ...node.at, path: key } }, 'CFG_UNKNOWN_KEY', 'unknown setting', didYouMean(key, all))
  }
  for (const [key, at] of root.bare ?? []) if (!all.includes(key)) faults.at({ at }, 'CFG_UNKNOWN_KEY', 'unknown setting', didYouMean(key, all))
  const version = root.entries.get('version')
  if (version === undefined) return
  const result = versionField.safeParse(valueOf(version))
  if (!result.success) faults.at(version, 'CFG_VERSION', result.error.issues[0]?.message ?? 'unknown version')
}

/** `default` first; the others are merged over it, except what they match. */
function readHosts(root: MapNode, places: ReturnType<typeof placesOf>, machine: { readonly name: string; readonly folder: string }, faults: Faults): ReadHost[] {
  const said = root.entries.get('hosts')
  if (said !== undefined && said.kind !== 'map') faults.at(said, 'CFG_SETTING', 'expected a mapping of names to hosts')
  const entries = said?.kind === 'map' ? said.entries : new Map<string, never>()
  const base = entries.get('default')
  const inherited = base?.kind === 'map' ? { ...base, entries: new Map([...base.entries].filter(([key]) => key !== 'match')) } : undefined
  const hosts = [readHost('default', base?.kind === 'map' ? base : undefined, places, machine, faults)]
  for (const [id, node] of entries) {
    if (!/^[A-Za-z0-9_-]+$/.test(id)) faults.at({ at: { ...node.at, path: joined('hosts', id) } }, 'CFG_BAD_HOST', `"${id}" is no name of a host`, 'use letters, digits and hyphens; domains stand under "match"')
    else if (node.kind !== 'map') faults.at(node, 'CFG_SETTING', 'expected a mapping')
    else if (id !== 'default') {
      const whole = merged(inherited, node)
      if (whole?.kind === 'map') hosts.push(readHost(id, whole, places, machine, faults))
    }
  }
  return hosts
}

/** A connection must belong to one host. */
function checkMatches(hosts: readonly ReadHost[], faults: Faults): void {
  const taken = new Map<string, string>()
  for (const { plan, walked } of hosts) {
    for (const kind of ['addresses', 'names', 'domains'] as const) {
      plan.match[kind].forEach((value, i) => {
        const other = taken.get(`${kind} ${value}`)
        const node = walked.sections.get('match')?.node
        if (other !== undefined && node !== undefined) faults.below(node, `.${kind}[${i}]`, 'CFG_DUPLICATE_MATCH', `"${value}" belongs to host "${other}" already`)
        taken.set(`${kind} ${value}`, plan.id)
      })
    }
  }
}
