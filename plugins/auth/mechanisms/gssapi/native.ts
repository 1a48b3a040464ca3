/** A context or credential of the library. */
export type GssHandle = bigint
/** Why the library refuses, in its words; `major` and `minor` are its codes. */
export class GssFailure extends Error {
  override readonly name = 'GssFailure'
  readonly major: number
  readonly minor: number
  constructor(major: number, minor: number, words: string) {
    super(words)
    this.major = major
    this.minor = minor
  }
}
/** What became of the token of a client. */
export interface Accepted {
  /** The client has to say more first. */
  readonly goesOn: boolean
  readonly context: GssHandle
  /** For the client; may be empty. */
  readonly reply: Uint8Array
  readonly principal: string
  /** The account that the rules of Kerberos (auth_to_local) give the principal; undefined: none. */
  readonly local: string | undefined
  readonly integrity: boolean
  readonly confidentiality: boolean
}
/** The calls of the GSS-API that the server side of Kerberos V needs. All throw `GssFailure`. */
export interface Gss {
  /** Credentials from the key table; for `service@host`, for any host (`service`), or for whatever it holds. */
  acquire(name: string | undefined): GssHandle
  accept(credential: GssHandle, token: Uint8Array): Accepted
  /** GSS_Wrap. */
  wrap(context: GssHandle, plain: Uint8Array, confidential: boolean): Uint8Array
  /** GSS_Unwrap; a token that comes twice or out of order is refused too (RFC 4752 §3). */
  unwrap(context: GssHandle, token: Uint8Array): { readonly plain: Uint8Array; readonly confidential: boolean }
  /** How much fits into a token of so many octets. */
  sizeLimit(context: GssHandle, confidential: boolean, mostOctets: number): number
  /** The context as bytes; it is gone here. */
  export(context: GssHandle): Uint8Array
  import(bytes: Uint8Array): GssHandle
  forget(context: GssHandle): void
}

const COMPLETE = 0
const CONTINUE_NEEDED = 1
const ACCEPT = 2
const FLAG = { confidentiality: 16, integrity: 32 } as const
const STATUS = { gss: 1, mechanism: 2 } as const
/** 1.2.840.113554.1.2.2 and 1.2.840.113554.1.2.1.4, in DER. */
const KERBEROS = Buffer.from('2a864886f712010202', 'hex')
const HOSTBASED_SERVICE = Buffer.from('2a864886f71201020104', 'hex')
const LIBRARIES = ['libgssapi_krb5.so.2', 'libgssapi_krb5.dylib']
/** GSS_S_BAD_MECH, for a mechanism that is not Kerberos V. */
const BAD_MECHANISM = 0x10000

interface GssBuffer {
  readonly length: number
  readonly value: unknown
}
/** koffi fills it. */
type Filled = Partial<GssBuffer>

let loading: Promise<Gss> | undefined
/** MIT's library, once per process, because koffi defines a struct once. Rejects where koffi or the library is missing. */
export function loadGss(): Promise<Gss> {
  loading ??= load()
  return loading
}

async function load(): Promise<Gss> {
  const { default: koffi } = await import('koffi')
  const library = firstOf(LIBRARIES, (name) => koffi.load(name))
  koffi.struct('mailwright_gss_buffer', { length: 'size_t', value: 'void *' })
  koffi.struct('mailwright_gss_oid', { length: 'uint32', elements: 'void *' })
  koffi.struct('mailwright_gss_oids', { count: 'size_t', elements: 'void *' })
  /** A call and its arguments; the first is always the minor status. */
  const bind = (name: string, ...parameters: readonly string[]): ((minor: number[], ...given: readonly unknown[]) => number) =>
    // koffi calls are untyped; the parameters say what they take, and all of them return the major status.
    library.func(`uint32 ${name}(_Out_ uint32 *minor, ${parameters.join(', ')})`) as (minor: number[], ...given: readonly unknown[]) => number
  const [input, output, kept] = ['const mailwright_gss_buffer *', '_Out_ mailwright_gss_buffer *', '_Inout_ mailwright_gss_buffer *']
  const importName = bind('gss_import_name', `${input} text`, 'const mailwright_gss_oid *type', '_Out_ void **name')
  const displayName = bind('gss_display_name', 'void *name', `${output} text`, 'void **type')
  const localName = bind('gss_localname', 'void *name', 'void *mechanism', `${output} text`)
  const releaseName = bind('gss_release_name', '_Inout_ void **name')
  const acquireCred = bind('gss_acquire_cred', 'void *name', 'uint32 seconds', 'const mailwright_gss_oids *mechanisms', 'int usage', '_Out_ void **credential', 'void **actual', 'void *left')
  const acceptContext = bind('gss_accept_sec_context', '_Inout_ void **context', 'void *credential', `${input} token`, 'void *bindings', '_Out_ void **source', '_Out_ void **mechanism', `${output} reply`, '_Out_ uint32 *flags', 'void *left', 'void **delegated')
  const wrapMessage = bind('gss_wrap', 'void *context', 'int confidential', 'uint32 quality', `${input} plain`, '_Out_ int *state', `${output} token`)
  const unwrapMessage = bind('gss_unwrap', 'void *context', `${input} token`, `${output} plain`, '_Out_ int *state', 'void *quality')
  const wrapSizeLimit = bind('gss_wrap_size_limit', 'void *context', 'int confidential', 'uint32 quality', 'uint32 most', '_Out_ uint32 *fits')
  const exportContext = bind('gss_export_sec_context', '_Inout_ void **context', `${output} token`)
  const importContext = bind('gss_import_sec_context', `${input} token`, '_Out_ void **context')
  const deleteContext = bind('gss_delete_sec_context', '_Inout_ void **context', 'void *token')
  const releaseBuffer = bind('gss_release_buffer', `${kept} buffer`)
  const displayStatus = bind('gss_display_status', 'uint32 code', 'int type', 'void *mechanism', '_Inout_ uint32 *more', `${output} text`)

  const inputOf = (octets: Uint8Array): GssBuffer => ({ length: octets.length, value: octets.length === 0 ? null : octets })
  /** The octets of a buffer that the library made; it is released. */
  const taken = ({ length = 0, value = null }: Filled): Uint8Array => {
    if (value === null) return new Uint8Array(0)
    // koffi gives an array type of octets back as a typed array.
    const octets = length === 0 ? new Uint8Array(0) : Uint8Array.from(koffi.decode(value, koffi.array('uint8', length, 'Typed')) as Uint8Array)
    releaseBuffer([0], { length, value })
    return octets
  }
  const textOf = (buffer: Filled): string => Buffer.from(taken(buffer)).toString('utf8')
  const wordsOf = (code: number, type: number): string => {
    const lines: string[] = []
    const more = [0]
    do {
      const text: Filled = {}
      if (displayStatus([0], code, type, null, more, text) !== COMPLETE) break
      lines.push(textOf(text))
    } while (more[0] !== 0 && lines.length < 4)
    return lines.join(' ')
  }
  const checked = (major: number, [minor = 0]: readonly number[]): void => {
    if (major === COMPLETE) return
    const mechanism = minor === 0 ? '' : `: ${wordsOf(minor, STATUS.mechanism)}`
    throw new GssFailure(major, minor, `${wordsOf(major, STATUS.gss)}${mechanism}`)
  }
  const handleOf = ([handle]: readonly unknown[]): GssHandle => (typeof handle === 'bigint' ? handle : 0n)
  const oid = (elements: Uint8Array): object => ({ length: elements.length, elements })
  // Kept here, because the library looks at it behind a pointer.
  const kerberos = koffi.alloc('mailwright_gss_oid', 1)
  const kerberosOctets = koffi.alloc('uint8', KERBEROS.length)
  koffi.encode(kerberosOctets, koffi.array('uint8', KERBEROS.length), KERBEROS)
  koffi.encode(kerberos, 'mailwright_gss_oid', { length: KERBEROS.length, elements: kerberosOctets })
  const forget = (context: GssHandle): void => void deleteContext([0], [context], null)

  return {
    acquire(name) {
      const minor = [0]
      const names: unknown[] = [null]
      if (name !== undefined) checked(importName(minor, inputOf(Buffer.from(name)), oid(HOSTBASED_SERVICE), names), minor)
      const credential: unknown[] = [null]
      try {
        // Bounded by the key table alone; and by no other mechanism, such as one that negotiates.
        checked(acquireCred(minor, handleOf(names) === 0n ? null : names[0], 0xffffffff, { count: 1, elements: kerberos }, ACCEPT, credential, null, null), minor)
      } finally {
        if (handleOf(names) !== 0n) releaseName([0], names)
      }
      return handleOf(credential)
    },
    accept(credential, token) {
      const minor = [0]
      const context: unknown[] = [null]
      const [source, mechanism, reply, flags]: [unknown[], unknown[], Filled, number[]] = [[null], [null], {}, [0]]
      const major = acceptContext(minor, context, credential, inputOf(token), null, source, mechanism, reply, flags, null, null)
      const answer = taken(reply)
      try {
        if (major !== CONTINUE_NEEDED) checked(major, minor)
        if (major === COMPLETE && !isKerberos(mechanism[0])) throw new GssFailure(BAD_MECHANISM, 0, 'the mechanism is not Kerberos V')
        const text: Filled = {}
        const local: Filled = {}
        if (handleOf(source) !== 0n) checked(displayName(minor, source[0], text, null), minor)
        const isMapped = handleOf(source) !== 0n && localName([0], source[0], null, local) === COMPLETE
        const [granted = 0] = flags
        return {
          goesOn: major === CONTINUE_NEEDED,
          context: handleOf(context),
          reply: answer,
          principal: textOf(text),
          local: isMapped ? textOf(local) : undefined,
          integrity: (granted & FLAG.integrity) !== 0,
          confidentiality: (granted & FLAG.confidentiality) !== 0,
        }
      } catch (error) {
        if (handleOf(context) !== 0n) forget(handleOf(context))
        throw error
      } finally {
        if (handleOf(source) !== 0n) releaseName([0], source)
      }
    },
    wrap(context, plain, confidential) {
      const minor = [0]
      const [state, token]: [number[], Filled] = [[0], {}]
      checked(wrapMessage(minor, context, confidential ? 1 : 0, 0, inputOf(plain), state, token), minor)
      const octets = taken(token)
      if (confidential && state[0] === 0) throw new GssFailure(BAD_MECHANISM, 0, 'the context cannot encrypt')
      return octets
    },
    unwrap(context, token) {
      const minor = [0]
      const [plain, state]: [Filled, number[]] = [{}, [0]]
      const major = unwrapMessage(minor, context, inputOf(token), plain, state, null)
      const octets = taken(plain)
      checked(major, minor)
      return { plain: octets, confidential: state[0] !== 0 }
    },
    sizeLimit(context, confidential, mostOctets) {
      const minor = [0]
      const fits = [0]
      checked(wrapSizeLimit(minor, context, confidential ? 1 : 0, 0, mostOctets, fits), minor)
      return fits[0] ?? 0
    },
    export(context) {
      const minor = [0]
      const token: Filled = {}
      checked(exportContext(minor, [context], token), minor)
      return taken(token)
    },
    import(bytes) {
      const minor = [0]
      const context: unknown[] = [null]
      checked(importContext(minor, inputOf(bytes), context), minor)
      return handleOf(context)
    },
    forget,
  }

  function isKerberos(at: unknown): boolean {
    if (at === null || at === undefined) return false
    const { length, elements } = koffi.decode(at, 'mailwright_gss_oid') as { readonly length: number; readonly elements: unknown }
    return length === KERBEROS.length && Buffer.from(koffi.decode(elements, koffi.array('uint8', length, 'Typed')) as Uint8Array).equals(KERBEROS)
  }
}

function firstOf<T>(names: readonly string[], load_: (name: string) => T): T {
  const failures: string[] = []
  for (const name of names) {
    try {
      return load_(name)
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error))
    }
  }
  throw new Error(failures.join('; '))
}
