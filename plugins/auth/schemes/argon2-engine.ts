import * as crypto from 'node:crypto'

/** What Argon2 is computed from (RFC 9106 §3.1); memory in KiB. */
export interface Argon2Input {
  readonly variant: 'argon2i' | 'argon2id'
  readonly password: Uint8Array
  readonly salt: Uint8Array
  readonly memoryKib: number
  readonly passes: number
  readonly lanes: number
  readonly octets: number
}
export type Argon2Engine = (input: Argon2Input) => Promise<Uint8Array>

interface NodeArgon2 {
  readonly argon2?: (
    algorithm: string,
    parameters: { message: Uint8Array; nonce: Uint8Array; parallelism: number; tagLength: number; memory: number; passes: number },
    done: (error: Error | null, tag: Uint8Array) => void,
  ) => void
}

/** Node's own (24.7 and newer), else the optional package; undefined where there is neither. */
export async function loadArgon2(): Promise<Argon2Engine | undefined> {
  return nodeEngine() ?? (await packageEngine())
}

function nodeEngine(): Argon2Engine | undefined {
  // The types are those of the oldest Node supported, which lacks this function.
  const { argon2 } = crypto as NodeArgon2
  if (argon2 === undefined) return undefined
  return (input) =>
    new Promise((resolve, reject) => {
      const parameters = {
        message: input.password,
        nonce: input.salt,
        parallelism: input.lanes,
        tagLength: input.octets,
        memory: input.memoryKib,
        passes: input.passes,
      }
      argon2(input.variant, parameters, (error, tag) => (error === null ? resolve(tag) : reject(error)))
    })
}

async function packageEngine(): Promise<Argon2Engine | undefined> {
  try {
    const { hashRaw } = await import('@node-rs/argon2')
    // Its enumeration is declared, not exported: 1 is argon2i, 2 argon2id; its version 1 is 0x13.
    return (input) =>
      hashRaw(input.password, {
        algorithm: input.variant === 'argon2i' ? 1 : 2,
        version: 1,
        salt: input.salt,
        memoryCost: input.memoryKib,
        timeCost: input.passes,
        parallelism: input.lanes,
        outputLen: input.octets,
      })
  } catch {
    return undefined
  }
}
