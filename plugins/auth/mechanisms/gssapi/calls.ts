/** The security layers of RFC 4752 §3.3 and their bits. */
export const LAYERS = { none: 1, integrity: 2, confidentiality: 4 } as const
export type LayerName = keyof typeof LAYERS

/** The first token of a client. */
export interface AcceptQuestion {
  /** `service@host`, or `service` for any host that has a key. */
  readonly name: string
  readonly token: Uint8Array
  /** Layers that the host offers. */
  readonly layers: readonly LayerName[]
}
/** `context` is the context as bytes: nothing is kept while the client thinks. */
export type AcceptAnswer =
  | {
      readonly kind: 'accepted'
      readonly principal: string
      readonly local: string | undefined
      readonly reply: Uint8Array
      /** The wrapped four octets of RFC 4752 §3.2, for after the reply. */
      readonly offer: Uint8Array
      readonly offered: number
      readonly context: Uint8Array
    }
  | { readonly kind: 'refused' | 'malformed'; readonly why: string }
  /** The server's own credentials are not to be had, or something else of this machine. */
  | { readonly kind: 'no-credentials' | 'unable'; readonly why: string }

/** The client's choice. */
export interface ChooseQuestion {
  readonly context: Uint8Array
  readonly offered: number
  readonly token: Uint8Array
}
export type ChooseAnswer =
  | { readonly kind: 'chosen'; readonly layer: LayerName; readonly authzid: Uint8Array; readonly mostOctets: number; readonly context: Uint8Array }
  | { readonly kind: 'malformed'; readonly why: string }

/** What the child of this mechanism is asked. */
export type GssCalls = {
  /** Why there are no keys for any service; undefined: there are some. */
  readonly missing: (nothing: undefined) => string | undefined
  readonly accept: (question: AcceptQuestion) => AcceptAnswer
  readonly choose: (question: ChooseQuestion) => ChooseAnswer
}
/** The longest token that the server takes under a layer; fits in three octets. */
export const MOST_RECEIVED_OCTETS = 65_536
