/** One check of a password against the KDC. */
export interface KerberosQuestion {
  /** Principal without its realm. */
  readonly principal: string
  /** Undefined: the default one. */
  readonly realm: string | undefined
  readonly password: Uint8Array
  /** Whose key proves that the KDC is the right one. */
  readonly service: string
  readonly host: string
}
/** Where the check ended; `code` is Kerberos's own, 0 for a proof. */
export interface KerberosAnswer {
  readonly step: 'name' | 'password' | 'kdc' | 'done'
  readonly code: number
  readonly words: string
  /** The principal as the KDC spells it, without its realm. */
  readonly principal: string
  /** It is of the realm that was asked. */
  readonly isOfRealm: boolean
}
/** What the child of this backend is asked. */
export type KerberosCalls = {
  readonly check: (question: KerberosQuestion) => KerberosAnswer
}
