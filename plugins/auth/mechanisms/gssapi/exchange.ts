import { LAYERS, MOST_RECEIVED_OCTETS, type AcceptAnswer, type AcceptQuestion, type ChooseAnswer, type ChooseQuestion, type GssCalls, type LayerName } from './calls.js'
import { GssFailure, type Accepted, type Gss, type GssHandle } from './native.js'

const DEFECTIVE_TOKEN = 9
const routine = (failure: GssFailure): number => (failure.major >>> 16) & 0xff
/** Minor codes that tell of this machine and not of the client: numbers of the system, those of the replay cache but a replay, and no key at all (krb5.h). */
const KERBEROS_BASE = -1765328384
const NO_KEY = 45
const REPLAY_CACHE = { first: 159, last: 172, replay: 163 } as const

/** The server side of RFC 4752 §3.2, one call per message of the client; between them the context is bytes. */
export class GssExchange {
  readonly #gss: Gss
  /** By the name of the service; the library reads the keys anew for each use. */
  readonly #credentials = new Map<string, GssHandle>()
  constructor(gss: Gss) {
    this.#gss = gss
  }

  readonly calls: GssCalls = {
    missing: () => this.#missing(),
    accept: (question) => this.#accept(question),
    choose: (question) => this.#choose(question),
  }

  #missing(): string | undefined {
    try {
      this.#gss.acquire(undefined)
      return undefined
    } catch (error) {
      return wordsOf(error)
    }
  }

  #accept({ name, token, layers }: AcceptQuestion): AcceptAnswer {
    let credential: GssHandle
    try {
      credential = this.#credentials.get(name) ?? this.#gss.acquire(name)
      this.#credentials.set(name, credential)
    } catch (error) {
      return { kind: 'no-credentials', why: wordsOf(error) }
    }
    let accepted: Accepted
    try {
      accepted = this.#gss.accept(credential, token)
    } catch (error) {
      if (!(error instanceof GssFailure)) throw error
      return { kind: isOurs(error) ? 'unable' : routine(error) === DEFECTIVE_TOKEN ? 'malformed' : 'refused', why: error.message }
    }
    const { context, goesOn, reply, principal, local } = accepted
    if (goesOn) {
      this.#gss.forget(context)
      // Kerberos has one message each way, except in a form that SASL does not use.
      return { kind: 'malformed', why: 'the client wants more than one step' }
    }
    return this.#using(context, () => {
      const offered = layersOf(accepted, layers)
      const size = offered === LAYERS.none ? 0 : MOST_RECEIVED_OCTETS
      const offer = this.#gss.wrap(context, Uint8Array.of(offered, size >>> 16, (size >>> 8) & 0xff, size & 0xff), false)
      return { kind: 'accepted', principal, local, reply, offer, offered, context: this.#gss.export(context) }
    })
  }

  #choose({ context: bytes, offered, token }: ChooseQuestion): ChooseAnswer {
    const context = this.#gss.import(bytes)
    return this.#using(context, (): ChooseAnswer => {
      let plain: Uint8Array
      try {
        plain = this.#gss.unwrap(context, token).plain
      } catch (error) {
        this.#gss.forget(context)
        return { kind: 'malformed', why: wordsOf(error) }
      }
      const layer = layerOf(plain[0] ?? 0, offered)
      const size = ((plain[1] ?? 0) << 16) | ((plain[2] ?? 0) << 8) | (plain[3] ?? 0)
      const mostOctets = layer === undefined || layer === 'none' ? 0 : this.#gss.sizeLimit(context, layer === 'confidentiality', Math.min(size, MOST_RECEIVED_OCTETS))
      if (plain.length < 4 || layer === undefined || (layer !== 'none' && mostOctets === 0)) {
        this.#gss.forget(context)
        return { kind: 'malformed', why: 'the client chose no layer that was offered, or takes no octets under it' }
      }
      const chosen = { kind: 'chosen', layer, authzid: plain.slice(4), mostOctets } as const
      if (layer !== 'none') return { ...chosen, context: this.#gss.export(context) }
      this.#gss.forget(context)
      return { ...chosen, context: new Uint8Array(0) }
    })
  }

  /** A context that was not given back as bytes is gone when something fails. */
  #using<T>(context: GssHandle, work: () => T): T {
    try {
      return work()
    } catch (error) {
      this.#gss.forget(context)
      throw error
    }
  }
}

function isOurs({ minor }: GssFailure): boolean {
  const code = (minor | 0) - KERBEROS_BASE
  const ofCache = code >= REPLAY_CACHE.first && code <= REPLAY_CACHE.last && code !== REPLAY_CACHE.replay
  return (minor > 0 && minor < 4096) || ofCache || code === NO_KEY
}
/** What the host offers, as far as the context can protect it. */
function layersOf({ integrity, confidentiality }: Accepted, layers: readonly LayerName[]): number {
  const can: Readonly<Record<LayerName, boolean>> = { none: true, integrity, confidentiality: integrity && confidentiality }
  return layers.reduce((mask, layer) => (can[layer] ? mask | LAYERS[layer] : mask), 0)
}
/** The one layer that a client has chosen; undefined when it is none, several, or was not offered. */
function layerOf(bits: number, offered: number): LayerName | undefined {
  const names: readonly LayerName[] = ['none', 'integrity', 'confidentiality']
  return names.find((name) => LAYERS[name] === bits && (offered & bits) !== 0)
}
function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
