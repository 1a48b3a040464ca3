import { extensionPoint } from './kernel.js'
import type { Codec, Secret } from './kernel.js'
import type { MailDelivery } from './delivery.js'
import type { LayerSpec, LoginGate, LoginOutcome, PeerFacts } from './auth.js'
import type { SessionHops } from './observe.js'
import type { Tweaks } from './workaround.js'
import type { MailAccess } from './session.js'

/** A byte pipe with a reversible place for layers; TLS is always the lowest and stays in `front`. */
export interface Link {
  readonly peer: PeerFacts
  /** Aborted when the link is gone: nothing can be said any more. */
  readonly signal: AbortSignal
  /** Aborted when the server wants to stop: finish the command in hand, say goodbye, close. After a while `signal` follows. */
  readonly stopping?: AbortSignal | undefined
  /** Next octets that have arrived; `undefined` at end of file. The view is valid until the next call. */
  read(): Promise<Uint8Array | undefined>
  /**
   * Something was begun and its end has not come: a client that sends it in two pieces may keep the second until it knows that the first has arrived, which
   * Linux tells up to 40 ms late. Tells it now, where that can be.
   */
  acknowledge?(): void
  /** Queued; one system call per turn. True: keep going, false: await `drained`. */
  write(chunk: Uint8Array): boolean
  drained(): Promise<void>
  /** True: every chunk that was written is with the system, and its memory is the writer's again. Absent: a chunk is the link's for good. */
  readonly settled?: boolean
  /** Flushes, proves that no unread input is left (plaintext slipped in before a layer ends the link), then switches both directions. */
  wrap(layer: LayerSpec | { readonly use: 'tls' }): Promise<void>
  /** Limits that a workaround found out after the login; `front` obeys. */
  tune(limits: { readonly maxWriteOctets?: number }): void
  close(): Promise<void>
  /** Who watches this session; absent when nobody does. */
  readonly hops?: SessionHops | undefined
}
/** COMPRESS, SASL protection, transcripts. Byte-wise and synchronous; made again from `state` in whichever process runs the session. */
export interface TransportLayer {
  inbound(chunk: Uint8Array, emit: (plain: Uint8Array) => void): void
  outbound(chunk: Uint8Array, emit: (wrapped: Uint8Array) => void): void
  /** End of a turn: a compressor flushes, a tap forwards. */
  flush(emit: (wrapped: Uint8Array) => void): void
  close(): void
}
/** Reopens from state. */
export interface TransportLayerKind {
  open(state: Uint8Array): TransportLayer
}
/** `deflate`, `gss-wrap`, `digest-md5`. */
export const transportLayers = extensionPoint<TransportLayerKind, { readonly use: string }>('net.layers').in({ scope: 'process', pick: 'all', roles: ['front', 'mail'], slot: 'layers' })

/** What crosses from `front` to the process that plays `mail`: values only. */
export interface Handover {
  readonly sessionId: string
  readonly host: string
  readonly plan: string
  readonly login: Extract<LoginOutcome, { kind: 'in' }>
  readonly peer: PeerFacts
  readonly client: ClientFacts
  /** Octets that were read but belong to commands after the login. */
  readonly unread: Uint8Array
  readonly slots: ReadonlyMap<string, Uint8Array>
}
/** What workarounds may look at. */
export interface ClientFacts {
  readonly address: string
  readonly id: ReadonlyMap<string, string>
  readonly commands: readonly string[]
}

/** State of one plugin in one session. */
export interface Slot<T> {
  readonly id: string
  readonly until: 'logout' | 'unselect' | 'unauthenticate'
  readonly initial: () => T
  readonly crosses?: Codec<T>
}
/** Without a codec a slot does not cross the login. */
export function createSlot<T>(id: string, until: Slot<T>['until'], initial: () => T, crosses?: Codec<T>): Slot<T> {
  return Object.freeze({ id, until, initial, ...(crosses === undefined ? {} : { crosses }) })
}

/** A protocol in two halves, because they may run in two processes. In `single` core calls one after the other. */
export interface Protocol {
  /** Greeting up to a login; undefined: the client left. `delivery` is for protocols whose `about` says `delivers`. */
  greet(link: Link, gate: LoginGate, tweaks: Tweaks, delivery: MailDelivery): Promise<Omit<Handover, 'sessionId' | 'host' | 'plan'> | undefined>
  /** After the login; `unauthenticated` sends the link back to `greet` (RFC 8437). Absent: there is no login, and `greet` is all. */
  serve?(link: Link, from: Handover, mail: MailAccess, tweaks: Tweaks): Promise<'ended' | 'unauthenticated'>
}
/** Service name for PAM and Kerberos, default ports. */
export interface ProtocolAbout {
  readonly service: string
  readonly ports: { readonly plain: number; readonly tls?: number }
  /** Whoever connects may hand over mail for everybody, without a login. */
  readonly delivers?: true
}
/** imap4, pop3, pop2, a third party's managesieve. */
export const protocols = extensionPoint<Protocol, ProtocolAbout>('net.protocols').in({ scope: 'host', pick: 'all', roles: ['front', 'mail'], slot: 'hosts.*.protocols' })

/** A certificate as a server shows it. */
export interface ServedCertificate {
  /** PEM, the own certificate first. */
  readonly chain: string
  readonly key: Secret
  /** DER of an OCSP response (RFC 6960 §4.2.1) for clients that ask for one (RFC 6066 §8); undefined: there is none that holds now. */
  readonly status?: () => Promise<Uint8Array | undefined>
}
/** Where certificates come from; `changed` lets a renewal take effect without a reload. */
export interface CertificateSource {
  /**
   * The same object as long as nothing changed. `also`: certificates of other key types beside the first, such as RSA beside EC; what a client
   * can decides which it is shown.
   */
  find(serverName: string | undefined, localAddress: string): Promise<(ServedCertificate & { readonly also?: readonly ServedCertificate[] }) | undefined>
  changed?(f: () => void): Disposable
}
/** Files, ACME. */
export const certificateSources = extensionPoint<CertificateSource>('net.certificates').in({ scope: 'host', pick: 'ordered', roles: ['front'], slot: 'hosts.*.tls.certificates' })
