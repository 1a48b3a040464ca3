import type { Refusal } from 'mailwright/api'
import type { KerberosAnswer } from './calls.js'

/** MIT numbers its errors from here (krb5.h); the error codes of the protocol follow in order. */
const BASE = -1765328384
/** What a KDC says about a client, by the number of its error; every other one is about the KDC, the network or this machine. */
const REFUSALS: Readonly<Record<number, Refusal>> = {
  1: { kind: 'expired' },
  6: { kind: 'unknown-user' },
  12: { kind: 'not-permitted' },
  18: { kind: 'disabled' },
  20: { kind: 'not-permitted' },
  23: { kind: 'must-change' },
  24: { kind: 'wrong-password' },
  31: { kind: 'wrong-password' },
}

/** What an answer says about the user; undefined: nothing. */
export function refusalOf({ step, code }: Pick<KerberosAnswer, 'step' | 'code'>): Refusal | undefined {
  return step === 'password' ? REFUSALS[code - BASE] : undefined
}
