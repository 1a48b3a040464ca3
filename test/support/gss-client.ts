import koffi from 'koffi'
import type { ScriptedClient } from 'mailwright/testing'

const FLAGS = { mutual: 2, replay: 4, sequence: 8, confidentiality: 16, integrity: 32 } as const
const CONTINUE_NEEDED = 1
const BITS = { none: 1, integrity: 2, confidentiality: 4 } as const
const HOSTBASED_SERVICE = Buffer.from('2a864886f71201020104', 'hex')
const KERBEROS = Buffer.from('2a864886f712010202', 'hex')

interface GssBuffer {
  length?: number
  value?: unknown
}
/** One client of RFC 4752, with a context of its own. */
export interface GssClient extends ScriptedClient {
  readonly initial: Uint8Array
  /** Layer and size that the server offered. */
  readonly offer: { readonly layers: number; readonly mostOctets: number } | undefined
  wrap(plain: Uint8Array, confidential: boolean): Uint8Array
  unwrap(token: Uint8Array): Uint8Array
}
/** What a client asks for. */
export interface GssWish {
  readonly cache: string
  readonly service?: string
  readonly layer?: keyof typeof BITS
  readonly authzid?: string
  readonly mutual?: boolean
  /** Instead of the right choice of a layer. */
  readonly choice?: (right: Uint8Array) => Uint8Array
}

type Call = (...given: readonly unknown[]) => number
let bound: { readonly init: Call; readonly importName: Call; readonly wrap: Call; readonly unwrap: Call } | undefined
function library(): NonNullable<typeof bound> {
  if (bound !== undefined) return bound
  const gss = koffi.load('libgssapi_krb5.so.2')
  koffi.struct('test_gss_buffer', { length: 'size_t', value: 'void *' })
  koffi.struct('test_gss_oid', { length: 'uint32', elements: 'void *' })
  const input = 'const test_gss_buffer *'
  const bind = (text: string): Call => gss.func(text) as Call
  bound = {
    importName: bind(`uint32 gss_import_name(_Out_ uint32 *minor, ${input} text, const test_gss_oid *type, _Out_ void **name)`),
    init: bind(`uint32 gss_init_sec_context(_Out_ uint32 *minor, void *credential, _Inout_ void **context, void *target, const test_gss_oid *mechanism, uint32 flags, uint32 seconds, void *bindings, ${input} token, void **actual, _Out_ test_gss_buffer *reply, void *granted, void *left)`),
    wrap: bind(`uint32 gss_wrap(_Out_ uint32 *minor, void *context, int confidential, uint32 quality, ${input} plain, void *state, _Out_ test_gss_buffer *token)`),
    unwrap: bind(`uint32 gss_unwrap(_Out_ uint32 *minor, void *context, ${input} token, _Out_ test_gss_buffer *plain, void *state, void *quality)`),
  }
  return bound
}
const inputOf = (octets: Uint8Array): GssBuffer => ({ length: octets.length, value: octets.length === 0 ? null : octets })
const octetsOf = ({ length = 0, value = null }: GssBuffer): Uint8Array => (value === null || length === 0 ? new Uint8Array(0) : Uint8Array.from(koffi.decode(value, koffi.array('uint8', length, 'Typed')) as Uint8Array))
function mustBe(major: number, what: string): void {
  if (major !== 0) throw new Error(`${what}: ${major.toString(16)}`)
}

/** Speaks for whoever has the tickets of a cache. KRB5_CONFIG must be in the environment of this process. */
export function gssClient({ cache, service = 'imap@localhost', layer = 'none', authzid = '', mutual = true, choice = (right) => right }: GssWish): GssClient {
  const gss = library()
  const context: unknown[] = [null]
  const name: unknown[] = [null]
  mustBe(gss.importName([0], inputOf(Buffer.from(service)), { length: HOSTBASED_SERVICE.length, elements: HOSTBASED_SERVICE }, name), 'gss_import_name')
  const flags = FLAGS.replay | FLAGS.sequence | FLAGS.integrity | FLAGS.confidentiality | (mutual ? FLAGS.mutual : 0)
  let isComplete = false
  let offer: GssClient['offer']
  const step = (token: Uint8Array): Uint8Array => {
    const reply: GssBuffer = {}
    process.env['KRB5CCNAME'] = `FILE:${cache}`
    const major = gss.init([0], null, context, name[0], { length: KERBEROS.length, elements: KERBEROS }, flags, 0, null, inputOf(token), null, reply, null, null)
    if (major !== CONTINUE_NEEDED) mustBe(major, 'gss_init_sec_context')
    isComplete = major === 0
    return octetsOf(reply)
  }
  const wrap = (plain: Uint8Array, confidential: boolean): Uint8Array => {
    const token: GssBuffer = {}
    mustBe(gss.wrap([0], context[0], confidential ? 1 : 0, 0, inputOf(plain), null, token), 'gss_wrap')
    return octetsOf(token)
  }
  const unwrap = (token: Uint8Array): Uint8Array => {
    const plain: GssBuffer = {}
    mustBe(gss.unwrap([0], context[0], inputOf(token), plain, null, null), 'gss_unwrap')
    return octetsOf(plain)
  }
  const initial = step(new Uint8Array(0))
  return {
    initial,
    get offer() {
      return offer
    },
    wrap,
    unwrap,
    answer(challenge) {
      if (!isComplete) return step(challenge)
      const [layers = 0, a = 0, b = 0, c = 0] = unwrap(challenge)
      offer = { layers, mostOctets: (a << 16) | (b << 8) | c }
      const size = layer === 'none' ? 0 : 4096
      return wrap(choice(Buffer.concat([Buffer.from([BITS[layer], size >>> 16, (size >>> 8) & 0xff, size & 0xff]), Buffer.from(authzid)])), false)
    },
  }
}
