import { z } from 'zod'
import { secret } from '../api/index.js'
import type { Handover, LoginOutcome, MailUser, PeerFacts } from '../api/index.js'

/**
 * What crosses between processes, as JSON with octets in base64. The front has fewer rights than the processes that read what it sends,
 * so everything is checked by its schema, and unknown members are refused.
 */
const octets = z.codec(z.base64(), z.instanceof(Uint8Array), { decode: (text) => new Uint8Array(Buffer.from(text, 'base64')), encode: (bytes) => Buffer.from(bytes).toString('base64') })
const text = z.string().max(65_536)
const id = z.int().min(0).max(0xffffffff)

const bindings = z.strictObject({ 'tls-exporter': octets.optional(), 'tls-server-end-point': octets.optional(), 'tls-unique': octets.optional() })
/** Who is at the other end. */
const peerValue = z.strictObject({
  session: text.optional(),
  address: text,
  name: text.optional(),
  localAddress: text,
  localPort: z.int(),
  service: text,
  tls: z.strictObject({ serverName: text.optional(), protocol: text, cipher: text, clientCertificate: octets.optional(), bindings }).optional(),
  startTls: z.boolean().optional(),
  externalIdentity: text.optional(),
})
const userValue = z.strictObject({
  name: text,
  kind: z.enum(['account', 'anonymous']),
  ids: z.strictObject({ uid: id, gid: id, groups: z.array(id) }).optional(),
  home: text.optional(),
  facts: z.record(z.string(), text),
})
const layerValue = z.strictObject({ use: text, state: octets })
const entered = z.strictObject({ kind: z.literal('in'), user: userValue, authcid: text, alerts: z.array(text), layer: layerValue.optional() })
/** The answer to a login. */
const outcomeValue = z.union([entered, z.strictObject({ kind: z.literal('out'), referral: text.optional() })])
/** The tweaks of a client that concern a login. */
export const retriesValue = z.strictObject({ spacedPasswordRetry: z.boolean().optional(), lowerCaseUserRetry: z.boolean().optional() })
/** A password, only ever inside a message to the authenticator. */
export const secretValue = z.codec(z.base64(), z.custom<ReturnType<typeof secret>>(), { decode: (encoded) => secret(Buffer.from(encoded, 'base64')), encode: (value) => Buffer.from(value.reveal()).toString('base64') })

const clientValue = z.strictObject({ address: text, id: z.array(z.tuple([text, text])), commands: z.array(text) })
/** What the front knows of a session; who it belongs to is the authenticator's word. */
export const half = z.strictObject({ peer: peerValue, client: clientValue, unread: octets, slots: z.array(z.tuple([text, octets])) })

type In = Extract<LoginOutcome, { kind: 'in' }>
/** JSON of one of the schemas above. */
export type Wire<S extends z.ZodType> = z.input<S>

export function encodePeer(peer: PeerFacts): Wire<typeof peerValue> {
  const { tls, ...rest } = peer
  return { ...rest, ...(tls === undefined ? {} : { tls: { ...tls, clientCertificate: optional(tls.clientCertificate), bindings: Object.fromEntries(Object.entries(tls.bindings).map(([k, v]) => [k, base64(v)])) } }) }
}
export function decodePeer(wire: unknown): PeerFacts {
  return dense(peerValue.parse(wire)) as PeerFacts
}
export function encodeOutcome(outcome: LoginOutcome): Wire<typeof outcomeValue> {
  if (outcome.kind === 'out') return { kind: 'out', ...(outcome.referral === undefined ? {} : { referral: outcome.referral }) }
  const { layer } = outcome
  return { kind: 'in', user: encodeUser(outcome.user), authcid: outcome.authcid, alerts: [...outcome.alerts], ...(layer === undefined ? {} : { layer: { use: layer.use, state: base64(layer.state) } }) }
}
export function decodeOutcome(wire: unknown): LoginOutcome {
  return dense(outcomeValue.parse(wire)) as LoginOutcome
}
/** What a session is carried on with, less its owner. */
export type SessionHalf = Pick<Handover, 'peer' | 'client' | 'unread' | 'slots'>
export function encodeHalf(from: SessionHalf): Wire<typeof half> {
  return {
    peer: encodePeer(from.peer),
    client: { address: from.client.address, id: [...from.client.id], commands: [...from.client.commands] },
    unread: base64(from.unread),
    slots: [...from.slots].map(([slot, state]): [string, string] => [slot, base64(state)]),
  }
}
/** @throws ZodError for what no front of this program says. */
export function decodeHalf(wire: unknown): SessionHalf {
  const { peer, client, unread, slots } = half.parse(wire)
  return { peer: dense(peer) as PeerFacts, client: { address: client.address, id: new Map(client.id), commands: client.commands }, unread, slots: new Map(slots) }
}
/** @throws when the answer admits nobody. */
export function decodeLogin(wire: unknown): In {
  return dense(entered.parse(wire)) as In
}

function encodeUser(user: MailUser): Wire<typeof userValue> {
  const { ids, home } = user
  return { name: user.name, kind: user.kind, facts: { ...user.facts }, ...(home === undefined ? {} : { home }), ...(ids === undefined ? {} : { ids: { ...ids, groups: [...ids.groups] } }) }
}
/** Members that are undefined are left out: what is absent and what is undefined are two things in the contracts. */
function dense(value: unknown): unknown {
  if (value instanceof Uint8Array || value === null || typeof value !== 'object') return value
  if (Array.isArray(value)) return value.map(dense)
  return Object.fromEntries(Object.entries(value).flatMap(([key, inner]) => (inner === undefined ? [] : [[key, dense(inner)]])))
}
function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64')
}
function optional(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : base64(bytes)
}
