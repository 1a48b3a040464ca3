/** A seed of this run: printed, so that a failure can be repeated with MAILWRIGHT_SEED. */
export function seedOf(what: string): number {
  const given = process.env['MAILWRIGHT_SEED']
  const seed = given === undefined ? Math.floor(Math.random() * 0xffffffff) : Number(given)
  process.stdout.write(`${what}: MAILWRIGHT_SEED=${seed}\n`)
  return seed
}
/** Numbers from 0 up to 1, the same for the same seed (xorshift32). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0 || 1
  return () => {
    state ^= state << 13
    state >>>= 0
    state ^= state >>> 17
    state ^= state << 5
    state >>>= 0
    return state / 0x1_0000_0000
  }
}
/** Whether this is the long run (`npm run test:long`), where everything is done at full size. */
export const LONG = process.env['MAILWRIGHT_LONG'] !== undefined
