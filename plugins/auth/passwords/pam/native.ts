/** A `pam_handle_t *`. */
export type PamHandle = bigint
/** A question or a notice of a module. */
export interface PamMessage {
  readonly style: number
  readonly text: string
}
/** What modules say and ask: the answers in their order, undefined for none; undefined as a whole ends the conversation with an error. */
export type Converse = (messages: readonly PamMessage[]) => readonly (Uint8Array | undefined)[] | undefined

/** The calls of pam(3) that a login needs; each blocks as long as its modules do. */
export interface Pam {
  start(service: string, user: string, folder: string | undefined, converse: Converse): { readonly code: number; readonly handle: PamHandle }
  setRemoteHost(handle: PamHandle, host: string): number
  authenticate(handle: PamHandle, converse: Converse): number
  account(handle: PamHandle, converse: Converse): number
  credentials(handle: PamHandle, what: 'establish' | 'delete', converse: Converse): number
  userOf(handle: PamHandle): string | undefined
  words(handle: PamHandle, code: number): string
  end(handle: PamHandle, code: number): void
}

// The numbers of Linux-PAM (security/_pam_types.h).
export const PAM = { success: 0, bufferError: 5, conversationError: 19, promptEchoOff: 1, promptEchoOn: 2, errorMessage: 3, textInfo: 4 } as const
const ITEM = { user: 2, remoteHost: 4, failDelay: 10 } as const
const CREDENTIALS = { establish: 2, delete: 4 } as const
const DISALLOW_NULL_AUTHTOK = 1
/** `struct pam_response`: a string and a code that nobody uses. */
const RESPONSE_OCTETS = 16
const POINTER_OCTETS = 8

/** Binds libpam; for a process of its own, since everything here blocks. Rejects where koffi or libpam is missing. */
export async function loadPam(): Promise<Pam> {
  const { default: koffi } = await import('koffi')
  const library = koffi.load('libpam.so.0')
  const c = koffi.load('libc.so.6')
  koffi.struct('mailwright_pam_message', { style: 'int', text: 'const char *' })
  const conversation = koffi.proto('int mailwright_pam_converse(int count, void *messages, void *responses, void *data)')
  const delay = koffi.proto('void mailwright_pam_delay(int code, unsigned int usec, void *data)')
  koffi.struct('mailwright_pam_conv', { converse: 'void *', data: 'void *' })
  // koffi calls are untyped; the prototypes beside them say what they take and return.
  const calloc = c.func('void *calloc(size_t count, size_t size)') as (count: number, size: number) => bigint | null
  const strdup = c.func('void *strdup(const void *text)') as (text: Uint8Array) => bigint | null
  const start = library.func('int pam_start(const char *service, const char *user, const mailwright_pam_conv *conversation, _Out_ void **handle)') as (s: string, u: string, c: object, h: unknown[]) => number
  const startIn = library.func('int pam_start_confdir(const char *service, const char *user, const mailwright_pam_conv *conversation, const char *folder, _Out_ void **handle)') as (s: string, u: string, c: object, f: string, h: unknown[]) => number
  const setText = library.func('pam_set_item', 'int', ['void *', 'int', 'const char *']) as (h: PamHandle, item: number, value: string) => number
  const setPointer = library.func('pam_set_item', 'int', ['void *', 'int', 'void *']) as (h: PamHandle, item: number, value: unknown) => number
  const getText = library.func('pam_get_item', 'int', ['void *', 'int', koffi.out(koffi.pointer('const char *'))]) as (h: PamHandle, item: number, value: unknown[]) => number
  const authenticate = library.func('int pam_authenticate(void *handle, int flags)') as (h: PamHandle, flags: number) => number
  const account = library.func('int pam_acct_mgmt(void *handle, int flags)') as (h: PamHandle, flags: number) => number
  const setcred = library.func('int pam_setcred(void *handle, int flags)') as (h: PamHandle, flags: number) => number
  const strerror = library.func('const char *pam_strerror(void *handle, int code)') as (h: PamHandle, code: number) => string | null
  const end = library.func('int pam_end(void *handle, int code)') as (h: PamHandle, code: number) => number

  // Calls come one after the other, so there is one conversation at a time.
  let speaking: Converse | undefined
  const answer = (count: number, messages: bigint, responses: bigint): number => {
    const asked = Array.from({ length: count }, (_, i): PamMessage => {
      const at: unknown = koffi.decode(messages, i * POINTER_OCTETS, 'void *')
      const { style, text } = koffi.decode(at, 'mailwright_pam_message') as { readonly style: number; readonly text: string | null }
      return { style, text: text ?? '' }
    })
    const answers = speaking?.(asked)
    if (answers === undefined) return PAM.conversationError
    // The modules free what is given to them.
    const list = calloc(count, RESPONSE_OCTETS)
    if (list === null) return PAM.bufferError
    for (const [i, octets] of answers.entries()) {
      if (octets === undefined) continue
      const text = Buffer.alloc(octets.length + 1)
      text.set(octets)
      koffi.encode(list, i * RESPONSE_OCTETS, 'void *', strdup(text))
      text.fill(0)
    }
    koffi.encode(responses, 'void *', list)
    return PAM.success
  }
  const speak = { converse: koffi.register(answer, koffi.pointer(conversation)), data: null }
  // A refusal would otherwise be slept over for two seconds by this process, and the next login with it; the server has a delay of its own.
  const noDelay = koffi.register(() => undefined, koffi.pointer(delay))
  const during = <T>(converse: Converse, call: () => T): T => {
    speaking = converse
    try {
      return call()
    } finally {
      speaking = undefined
    }
  }
  return {
    start(service, user, folder, converse) {
      const out: unknown[] = [null]
      const code = during(converse, () => (folder === undefined ? start(service, user, speak, out) : startIn(service, user, speak, folder, out)))
      const [handle] = out
      if (typeof handle !== 'bigint') return { code: code === PAM.success ? PAM.bufferError : code, handle: 0n }
      if (code === PAM.success) setPointer(handle, ITEM.failDelay, noDelay)
      return { code, handle }
    },
    setRemoteHost: (handle, host) => setText(handle, ITEM.remoteHost, host),
    authenticate: (handle, converse) => during(converse, () => authenticate(handle, DISALLOW_NULL_AUTHTOK)),
    account: (handle, converse) => during(converse, () => account(handle, DISALLOW_NULL_AUTHTOK)),
    credentials: (handle, what, converse) => during(converse, () => setcred(handle, CREDENTIALS[what])),
    userOf(handle) {
      const out: unknown[] = [null]
      return getText(handle, ITEM.user, out) === PAM.success && typeof out[0] === 'string' ? out[0] : undefined
    },
    words: (handle, code) => strerror(handle, code) ?? `error ${code}`,
    end: (handle, code) => void end(handle, code),
  }
}
