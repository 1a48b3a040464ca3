import { extensionPoint } from './kernel.js'
import type { LayerSpec, LoginGate, PeerFacts } from './auth.js'
import type { MailAccess, MailboxView, SlotHolder } from './session.js'
import type { MessageBytes } from './mail.js'
import type { Tweaks } from './workaround.js'

/** UPDATE is what QUIT does. */
export type Pop3State = 'authorization' | 'transaction'
/** The same access, rights and layers as IMAP. */
export interface Pop3Session extends SlotHolder {
  readonly state: Pop3State
  readonly peer: PeerFacts
  readonly tweaks: Tweaks
  readonly signal: AbortSignal
  readonly gate: LoginGate
  readonly mail: MailAccess
  /** A maildrop is a view that is synchronised once: numbers are rows, deletions are kept here until QUIT. */
  readonly drop: MailboxView | undefined
  readonly deleted: Set<number>
  readonly out: Pop3Writer
  ask(prompt: Uint8Array): Promise<Uint8Array>
}
/** One write per turn here too. */
export interface Pop3Writer {
  line(text: string): void
  /** Dot-stuffed. */ body(m: MessageBytes, lines: number | undefined, signal: AbortSignal): Promise<void>
  end(): void
}
/** As in IMAP, layers follow the line. */
export type Pop3Completion = {
  readonly kind: 'ok' | 'err'
  readonly code?: string
  readonly text?: string
  readonly then?: { readonly wrap: LayerSpec | { readonly use: 'tls' } } | { readonly login: LayerSpec | undefined } | 'quit'
}
/** POP3 arguments are words. */
export interface Pop3Command {
  readonly name: string
  readonly states: readonly Pop3State[]
  readonly replaces?: string
  run(args: readonly string[], session: Pop3Session): Promise<Pop3Completion>
}
/** Switched as a unit. */
export interface Pop3Extension {
  readonly commands?: readonly Pop3Command[]
}
/** CAPA follows what is there. */
export interface Pop3ExtensionAbout {
  capabilities(v: { readonly state: Pop3State; readonly encrypted: boolean; readonly mechanisms: readonly string[] }): readonly string[]
}
/** apop, uidl, utf8, xtnd. */
export const pop3Extensions = extensionPoint<Pop3Extension, Pop3ExtensionAbout>('pop3.extensions').in({ scope: 'host', pick: 'all', roles: ['mail'], slot: 'hosts.*.pop3.extensions' })
