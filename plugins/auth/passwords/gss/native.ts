import type { KerberosAnswer, KerberosQuestion } from './calls.js'

/** Three minutes: the ticket is used once, at once, and kept nowhere but in memory. */
const TICKET_SECONDS = 180
const UNPARSE_NO_REALM = 2
const SERVICE_HOST = 3
/** `krb5_creds` and `krb5_verify_init_creds_opt`, with room: 120 and 8 octets on machines of 64 bits. */
const CREDENTIALS_OCTETS = 256
const OPTIONS_OCTETS = 64

type Call = (...given: readonly unknown[]) => number
type Free = (...given: readonly unknown[]) => void

/** Checks of passwords with MIT's libkrb5; for a process of its own, since each waits for the KDC. Rejects where koffi or the library is missing. */
export async function loadKerberos(): Promise<(question: KerberosQuestion) => KerberosAnswer> {
  const { default: koffi } = await import('koffi')
  const library = koffi.load('libkrb5.so.3')
  // koffi calls are untyped; the prototypes say what they take, and what returns a number returns an error code.
  const call = (prototype: string): Call => library.func(`int ${prototype}`) as Call
  const free = (prototype: string): Free => library.func(`void ${prototype}`) as Free
  const initContext = call('krb5_init_context(_Out_ void **context)')
  const freeContext = free('krb5_free_context(void *context)')
  const setDefaultRealm = call('krb5_set_default_realm(void *context, const char *realm)')
  const parseName = call('krb5_parse_name(void *context, const char *name, _Out_ void **principal)')
  const unparseName = call('krb5_unparse_name_flags(void *context, void *principal, int flags, _Out_ void **name)')
  const freeName = free('krb5_free_unparsed_name(void *context, void *name)')
  const freePrincipal = free('krb5_free_principal(void *context, void *principal)')
  const sameRealm = call('krb5_realm_compare(void *context, void *first, void *second)')
  const serviceName = call('krb5_sname_to_principal(void *context, const char *host, const char *service, int32 type, _Out_ void **principal)')
  const allocOptions = call('krb5_get_init_creds_opt_alloc(void *context, _Out_ void **options)')
  const freeOptions = free('krb5_get_init_creds_opt_free(void *context, void *options)')
  const setLife = free('krb5_get_init_creds_opt_set_tkt_life(void *options, int32 seconds)')
  const setRenewal = free('krb5_get_init_creds_opt_set_renew_life(void *options, int32 seconds)')
  const setForwardable = free('krb5_get_init_creds_opt_set_forwardable(void *options, int on)')
  const setProxiable = free('krb5_get_init_creds_opt_set_proxiable(void *options, int on)')
  const setCanonical = free('krb5_get_init_creds_opt_set_canonicalize(void *options, int on)')
  const getCredentials = call('krb5_get_init_creds_password(void *context, void *credentials, void *client, const void *password, void *prompter, void *data, int32 start, const char *service, void *options)')
  const initVerifying = free('krb5_verify_init_creds_opt_init(void *options)')
  const mustVerify = free('krb5_verify_init_creds_opt_set_ap_req_nofail(void *options, int on)')
  const verifyCredentials = call('krb5_verify_init_creds(void *context, void *credentials, void *server, void *keytab, void *cache, void *options)')
  const freeCredentials = free('krb5_free_cred_contents(void *context, void *credentials)')
  const messageOf = library.func('void *krb5_get_error_message(void *context, int code)') as (context: unknown, code: number) => unknown
  const freeMessage = free('krb5_free_error_message(void *context, void *message)')
  const textAt = (pointer: unknown): string => String(koffi.decode(pointer, 'char', -1))
  const clientAt = (credentials: Uint8Array): unknown => koffi.decode(credentials, 8, 'void *')

  return (question) => {
    const [context, options, client, server]: [unknown[], unknown[], unknown[], unknown[]] = [[null], [null], [null], [null]]
    const credentials = Buffer.alloc(CREDENTIALS_OCTETS)
    const verifying = Buffer.alloc(OPTIONS_OCTETS)
    const password = Buffer.concat([question.password, Buffer.alloc(1)])
    let principal = question.principal
    let isOfRealm = true
    /** The calls in their order; the first that fails ends it. */
    const steps: readonly (readonly [KerberosAnswer['step'], () => number])[] = [
      ['kdc', () => (question.realm === undefined ? 0 : setDefaultRealm(context[0], question.realm))],
      ['name', () => parseName(context[0], question.principal, client)],
      ['kdc', () => allocOptions(context[0], options)],
      [
        'password',
        () => {
          setLife(options[0], TICKET_SECONDS)
          setRenewal(options[0], 0)
          setForwardable(options[0], 0)
          setProxiable(options[0], 0)
          setCanonical(options[0], 1)
          return getCredentials(context[0], credentials, client[0], password, null, null, 0, null, options[0])
        },
      ],
      ['kdc', () => serviceName(context[0], question.host, question.service, SERVICE_HOST, server)],
      [
        'kdc',
        () => {
          // Without a key that the KDC shares with this machine anybody could play the KDC.
          initVerifying(verifying)
          mustVerify(verifying, 1)
          return verifyCredentials(context[0], credentials, server[0], null, null, verifying)
        },
      ],
      [
        'name',
        () => {
          const name: unknown[] = [null]
          const code = unparseName(context[0], clientAt(credentials), UNPARSE_NO_REALM, name)
          if (code !== 0) return code
          principal = textAt(name[0])
          isOfRealm = sameRealm(context[0], clientAt(credentials), client[0]) !== 0
          freeName(context[0], name[0])
          return 0
        },
      ],
    ]
    const begun = initContext(context)
    if (begun !== 0) return { step: 'kdc', code: begun, words: `Kerberos cannot be set up (${begun})`, principal, isOfRealm }
    try {
      for (const [step, take] of steps) {
        const code = take()
        if (code === 0) continue
        const message = messageOf(context[0], code)
        const words = textAt(message)
        freeMessage(context[0], message)
        return { step, code, words, principal, isOfRealm }
      }
      return { step: 'done', code: 0, words: '', principal, isOfRealm }
    } finally {
      password.fill(0)
      freeCredentials(context[0], credentials)
      if (options[0] !== null) freeOptions(context[0], options[0])
      for (const [name] of [client, server]) if (name !== null) freePrincipal(context[0], name)
      freeContext(context[0])
    }
  }
}
