import { SYSTEM, uids, type UidSet } from 'mailwright/api'

/*
 * `.mh_sequences`: a line per sequence, `name: 1-3 5 9-12`. MH, mutt and others keep there what they know of messages: `unseen`, `flagged`, `replied`. Two more are this server's,
 * `deleted` and `draft`; keywords are sequences too. What is not understood is kept as it is.
 */

/** Sequences that say a flag; `unseen` says that one is missing. */
const FLAGS = [
  ['flagged', SYSTEM.flagged],
  ['replied', SYSTEM.answered],
  ['deleted', SYSTEM.deleted],
  ['draft', SYSTEM.draft],
] as const
const UNSEEN = 'unseen'
/** MH reads so many sequences of a folder at most. */
const MOST_KEYWORDS = 15
const KEYWORD = 'imap'

/** Names of sequences are letters and digits: others are written `z` and two hexadecimal digits. */
export function sequenceOf(keyword: string): string {
  return KEYWORD + keyword.toLowerCase().replaceAll(/[^a-y0-9]/g, (c) => `z${c.charCodeAt(0).toString(16).padStart(2, '0')}`)
}
export function keywordOf(sequence: string): string | undefined {
  if (!sequence.startsWith(KEYWORD) || sequence.length === KEYWORD.length || !/^imap(?:[a-y0-9]|z[0-9a-f]{2})+$/.test(sequence)) return undefined
  return sequence.slice(KEYWORD.length).replaceAll(/z([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}

/** Sequences of a folder, in the order of their file. */
export class Sequences {
  readonly #sets = new Map<string, UidSet>()
  /** Lines that are no sequences. */
  readonly others: string[] = []
  static parse(text: string): Sequences {
    const out = new Sequences()
    for (const line of text.split(/\r?\n/)) {
      const found = /^([A-Za-z][A-Za-z0-9-]*):[ \t]*([0-9 \t-]*)$/.exec(line)
      const set = found === null ? undefined : parseSet(found[2] ?? '')
      if (found !== null && set !== undefined) out.#sets.set(found[1] ?? '', set)
      else if (line !== '') out.others.push(line)
    }
    return out
  }
  get text(): string {
    const lines = [...this.#sets].filter(([, set]) => set.count > 0).map(([name, set]) => `${name}: ${setText(set)}`)
    return [...lines, ...this.others].map((line) => `${line}\n`).join('')
  }
  /** Somebody keeps track of what is unseen. */
  get knowsUnseen(): boolean {
    return this.#sets.has(UNSEEN)
  }
  get keywords(): readonly string[] {
    return [...this.#sets.keys()].flatMap((name) => keywordOf(name) ?? [])
  }
  get full(): boolean {
    return this.keywords.length >= MOST_KEYWORDS
  }
  /** Sets to ask for many messages in a row. */
  flagsOf(uid: number): { readonly system: number; readonly keywords: readonly string[] } {
    let system = this.#has(UNSEEN, uid) ? 0 : SYSTEM.seen
    for (const [name, bit] of FLAGS) if (this.#has(name, uid)) system |= bit
    const keywords: string[] = []
    for (const [name, set] of this.#sets) if (name.startsWith(KEYWORD) && set.has(uid)) keywords.push(keywordOf(name) ?? '')
    return { system, keywords: keywords.filter((k) => k !== '') }
  }
  #has(name: string, uid: number): boolean {
    return this.#sets.get(name)?.has(uid) ?? false
  }
  /** Messages get these flags; answers keywords that found no room. */
  set(flags: ReadonlyMap<number, { readonly system: number; readonly keywords: readonly string[] }>): void {
    const list = [...flags]
    const of = (wanted: (f: { readonly system: number; readonly keywords: readonly string[] }) => boolean): UidSet => uids.from(list.filter(([, f]) => wanted(f)).map(([uid]) => uid).sort((a, b) => a - b))
    const all = of(() => true)
    const put = (name: string, now: UidSet): void => {
      const before = this.#sets.get(name)
      if (before !== undefined || now.count > 0) this.#sets.set(name, (before ?? uids.none).minus(all).or(now))
    }
    put(UNSEEN, of((f) => (f.system & SYSTEM.seen) === 0))
    for (const [name, bit] of FLAGS) put(name, of((f) => (f.system & bit) !== 0))
    const known = new Set([...this.keywords, ...list.flatMap(([, f]) => f.keywords.map((k) => k.toLowerCase()))])
    for (const keyword of known) {
      if (this.full && !this.#sets.has(sequenceOf(keyword))) continue
      put(sequenceOf(keyword), of((f) => f.keywords.some((k) => k.toLowerCase() === keyword)))
    }
  }
  /** Messages are no more. */
  remove(gone: UidSet): boolean {
    let changed = false
    for (const [name, set] of this.#sets) {
      const left = set.minus(gone)
      if (left.count === set.count) continue
      this.#sets.set(name, left)
      changed = true
    }
    return changed
  }
}

function parseSet(text: string): UidSet | undefined {
  let set = uids.none
  const pairs: [number, number][] = []
  for (const part of text.split(/[ \t]+/)) {
    if (part === '') continue
    const [first, last = first] = part.split('-').map(Number)
    if (first === undefined || last === undefined || !(first >= 1 && last >= first && last <= 0xffffffff)) return undefined
    pairs.push([first, last])
  }
  for (const [first, last] of pairs) set = set.or(uids.ranges(Uint32Array.of(first, last)))
  return set
}
function setText({ ranges }: UidSet): string {
  const out: string[] = []
  for (let r = 0; r + 1 < ranges.length; r += 2) out.push(ranges[r] === ranges[r + 1] ? `${ranges[r]}` : `${ranges[r]}-${ranges[r + 1]}`)
  return out.join(' ')
}
