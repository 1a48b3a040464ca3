import { readFile } from 'node:fs/promises'
import { protocols } from '../api/index.js'
import type { ProtocolAbout } from '../api/index.js'
import type { ResolvedSlot } from '../kernel/kernel.js'

/** Ports of a protocol; without `tls` it has none of its own for TLS from the first octet. */
export type ProtocolPorts = ProtocolAbout['ports']

/** Services database (services(5)); it has the last word about ports. */
export const SERVICES = '/etc/services'
/** Names of the services in it. */
const NAMES: Readonly<Record<string, { readonly plain: string; readonly tls: string }>> = {
  imap4: { plain: 'imap', tls: 'imaps' },
  pop3: { plain: 'pop3', tls: 'pop3s' },
}

/** Ports of all protocols that hosts serve, by the name of the protocol: as the machine's services database has them, else as the protocol says itself. */
export async function portsOfProtocols(slots: readonly ResolvedSlot[], file = SERVICES): Promise<ReadonlyMap<string, ProtocolPorts>> {
  const services = tcpServices(await readFile(file, 'latin1').catch(() => ''))
  const out = new Map<string, ProtocolPorts>()
  for (const { name, about } of slots.filter(({ point }) => point === protocols.id).flatMap(({ entries }) => entries)) {
    if (!isProtocol(about)) continue
    const names = Object.hasOwn(NAMES, name) ? NAMES[name] : undefined
    const [plain, tls] = names === undefined ? [] : [services.get(names.plain), services.get(names.tls)]
    const secure = tls ?? about.ports.tls
    out.set(name, { plain: plain ?? about.ports.plain, ...(secure === undefined ? {} : { tls: secure }) })
  }
  return out
}
function isProtocol(about: unknown): about is ProtocolAbout {
  return typeof about === 'object' && about !== null && 'ports' in about
}

/** Ports of the TCP services in the text of a services database, by names and aliases; the first line of a name counts. */
export function tcpServices(text: string): ReadonlyMap<string, number> {
  const found = new Map<string, number>()
  for (const line of text.split('\n')) {
    const [name = '', place = '', ...aliases] = (line.split('#', 1)[0] ?? '').trim().split(/\s+/)
    const [, port] = /^(\d{1,5})\/tcp$/i.exec(place) ?? []
    if (port === undefined) continue
    for (const one of [name, ...aliases]) if (!found.has(one)) found.set(one, Number(port))
  }
  return found
}
