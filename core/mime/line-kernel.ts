/*
 * Two loops over octets that JavaScript runs at a fraction of the disk's speed, as WebAssembly with 16 octets at a time:
 * `convert` writes CRLF for LF and drops CR, `count` counts an octet. The module is spelt out below, instruction by
 * instruction, so that no tool and no binary file is needed.
 */

const I32 = 0x7f
const V128 = 0x7b
const get = (local: number): number[] => [0x20, local]
const set = (local: number): number[] => [0x21, local]
const tee = (local: number): number[] => [0x22, local]
/** Signed LEB128, of numbers below 2^20. */
function i32(value: number): number[] {
  const out = [0x41]
  let rest = value
  for (;;) {
    const low = rest & 0x7f
    rest >>= 7
    if (rest === 0 && (low & 0x40) === 0) return [...out, low]
    out.push(low | 0x80)
  }
}
const ADD = [0x6a]
const EQ = [0x46]
const GREATER = [0x4b]
const NOT_LESS = [0x4f]
const LOW_BIT = [0x68]
const POPULATION = [0x69]
const LOAD8 = [0x2d, 0, 0]
const STORE8 = [0x3a, 0, 0]
const STORE16 = [0x3b, 0, 0]
const LOAD_VECTOR = [0xfd, 0x00, 0, 0]
const STORE_VECTOR = [0xfd, 0x0b, 0, 0]
const SPLAT = [0xfd, 0x0f]
const EQ_VECTOR = [0xfd, 0x23]
const OR_VECTOR = [0xfd, 0x50]
const BITMASK = [0xfd, 0x64]
const block = (...body: number[][]): number[] => [0x02, 0x40, ...body.flat(), 0x0b]
const loop = (...body: number[][]): number[] => [0x03, 0x40, ...body.flat(), 0x0b]
const when = (then: number[][], otherwise: number[][] = []): number[] => [0x04, 0x40, ...then.flat(), ...(otherwise.length > 0 ? [0x05, ...otherwise.flat()] : []), 0x0b]
const br = (depth: number): number[] => [0x0c, depth]
const brIf = (depth: number): number[] => [0x0d, depth]
const plus = (local: number, n: number): number[] => [...get(local), ...i32(n), ...ADD, ...set(local)]

const LF = 10
const CR = 13
const CRLF = 0x0a0d

/** convert(source 0, length 1, target 2) → end of target; locals: end 3, vector 4, mask 5, octet 6. */
const CONVERT = [
  get(0), get(1), ADD, set(3),
  block(
    loop(
      get(0), i32(16), ADD, get(3), GREATER, brIf(1),
      get(2), get(0), LOAD_VECTOR, tee(4), STORE_VECTOR,
      get(4), i32(LF), SPLAT, EQ_VECTOR,
      get(4), i32(CR), SPLAT, EQ_VECTOR,
      OR_VECTOR, BITMASK, tee(5),
      when(
        [
          // Up to the first line end 16 octets are right as they stand; the next round writes over the rest.
          get(5), LOW_BIT, set(5),
          get(0), get(5), ADD, tee(0), LOAD8, set(6),
          get(2), get(5), ADD, set(2),
          plus(0, 1),
          get(6), i32(LF), EQ,
          when([get(2), i32(CRLF), STORE16, plus(2, 2)]),
        ],
        [plus(0, 16), plus(2, 16)],
      ),
      br(0),
    ),
  ),
  block(
    loop(
      get(0), get(3), NOT_LESS, brIf(1),
      get(0), LOAD8, set(6), plus(0, 1),
      get(6), i32(CR), EQ, brIf(0),
      get(6), i32(LF), EQ,
      when([get(2), i32(CRLF), STORE16, plus(2, 2)], [get(2), get(6), STORE8, plus(2, 1)]),
      br(0),
    ),
  ),
  get(2),
].flat()

/** count(source 0, length 1, octet 2) → number; locals: end 3, number 4, pattern 5. */
const COUNT = [
  get(0), get(1), ADD, set(3),
  get(2), SPLAT, set(5),
  block(
    loop(
      get(0), i32(16), ADD, get(3), GREATER, brIf(1),
      get(0), LOAD_VECTOR, get(5), EQ_VECTOR, BITMASK, POPULATION, get(4), ADD, set(4),
      plus(0, 16),
      br(0),
    ),
  ),
  block(
    loop(
      get(0), get(3), NOT_LESS, brIf(1),
      get(0), LOAD8, get(2), EQ, get(4), ADD, set(4),
      plus(0, 1),
      br(0),
    ),
  ),
  get(4),
].flat()

/** Octets that one call takes. */
export const KERNEL_ROOM = (1 << 20) + (1 << 17)
/** Conversion at most doubles, and writes up to a vector further. */
const TARGET = KERNEL_ROOM + 64
const PAGES = Math.ceil((TARGET + 2 * KERNEL_ROOM + 64) / 65536)

const length = (n: number): number[] => (n < 0x80 ? [n] : [(n & 0x7f) | 0x80, n >> 7])
const section = (id: number, body: number[]): number[] => [id, ...length(body.length), ...body]
const code = (locals: number[], body: number[]): number[] => {
  const whole = [...locals, ...body, 0x0b]
  return [...length(whole.length), ...whole]
}
const name = (text: string): number[] => [text.length, ...Buffer.from(text, 'latin1')]
const MODULE = [
  0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
  ...section(1, [1, 0x60, 3, I32, I32, I32, 1, I32]),
  ...section(3, [2, 0, 0]),
  ...section(5, [1, 1, ...length(PAGES), ...length(PAGES)]),
  ...section(7, [3, ...name('memory'), 2, 0, ...name('convert'), 0, 0, ...name('count'), 0, 1]),
  ...section(10, [2, ...code([3, 1, I32, 1, V128, 2, I32], CONVERT), ...code([2, 2, I32, 1, V128], COUNT)]),
]

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer }
  convert(source: number, octets: number, target: number): number
  count(source: number, octets: number, octet: number): number
}

interface Wasm {
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (module: object) => { readonly exports: Exports }
}

/** Scratch memory with the two loops over it. Nothing stays in it between two turns of the event loop. */
export class LineKernel {
  readonly #memory: Buffer
  readonly #run: Exports
  constructor() {
    // Every Node has it, though its types come with those of browsers; what MODULE exports is said by Exports.
    const { WebAssembly: wasm } = globalThis as unknown as { readonly WebAssembly: Wasm }
    this.#run = new wasm.Instance(new wasm.Module(Uint8Array.from(MODULE))).exports
    this.#memory = Buffer.from(this.#run.memory.buffer)
  }
  /** Who loaded last, and may count on finding it again within the turn. */
  holder: object | undefined
  /** Takes up to `KERNEL_ROOM` octets to work on. */
  load(octets: Uint8Array): void {
    this.holder = undefined
    this.#memory.set(octets, 0)
  }
  /** Converts a part of what was loaded to `at` of the result; returns the index after it. */
  convert(start: number, end: number, at: number): number {
    return this.#run.convert(start, end - start, TARGET + at) - TARGET
  }
  /** A part of the result, valid until the next use. */
  result(start: number, end: number): Buffer {
    return this.#memory.subarray(TARGET + start, TARGET + end)
  }
  /** How often an octet stands in a part of what was loaded. */
  count(start: number, end: number, octet: number): number {
    return this.#run.count(start, end - start, octet)
  }
}

let shared: LineKernel | undefined
/** One for the process: it is used within a turn and holds nothing. */
export function lineKernel(): LineKernel {
  return (shared ??= new LineKernel())
}

/** Below, a plain loop is over before the kernel has its octets. */
const SHORT = 256

/** How often an octet stands in `octets[from…to)`. */
export function countOctet(octets: Uint8Array, octet: number, from: number, to: number): number {
  let found = 0
  if (to - from < SHORT) {
    for (let i = from; i < to; i++) if (octets[i] === octet) found++
    return found
  }
  const kernel = lineKernel()
  for (let at = from; at < to; at += KERNEL_ROOM) {
    const part = octets.subarray(at, Math.min(to, at + KERNEL_ROOM))
    kernel.load(part)
    found += kernel.count(0, part.length, octet)
  }
  return found
}
