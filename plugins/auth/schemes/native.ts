import type { Crypt } from './crypt.js'

/** libxcrypt's `struct crypt_data`; glibc's old one is larger. */
const DATA_OCTETS = 131_232
const LIBRARIES = ['libcrypt.so.1', 'libcrypt.so.2']

let loading: Promise<Crypt | undefined> | undefined
/** crypt_r(3) through koffi, on a thread of the pool; undefined where there is no koffi or no library. */
export function systemCrypt(): Promise<Crypt | undefined> {
  loading ??= load()
  return loading
}

async function load(): Promise<Crypt | undefined> {
  try {
    const { default: koffi } = await import('koffi')
    for (const name of LIBRARIES) {
      try {
        const crypt = koffi.load(name).func('const char *crypt_r(const void *phrase, const char *setting, void *data)')
        return (password, setting) =>
          new Promise((resolve, reject) => {
            // Zeroed: `initialized` has to be 0. Fresh for each call, because calls run side by side.
            const data = Buffer.alloc(DATA_OCTETS)
            const phrase = Buffer.alloc(password.length + 1)
            phrase.set(password)
            crypt.async(phrase, setting, data, (error: unknown, made: string | null) => {
              phrase.fill(0)
              data.fill(0)
              if (error !== null && error !== undefined) reject(error instanceof Error ? error : new Error(String(error)))
              else resolve(made ?? undefined)
            })
          })
      } catch {
        continue
      }
    }
    return undefined
  } catch {
    return undefined
  }
}
