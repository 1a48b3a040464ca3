// @ts-check
import { NT_HASH } from './ntlm.js'

/**
 * NT hashes in a text file, one `name:hash` per line, the hash in hexadecimal. Read anew for each login.
 * @param {string} path
 * @param {import('mailwright/api').Files} files
 * @returns {import('mailwright/api').PasswordBackend}
 */
export function createHashFile(path, files) {
  return {
    async lookup(user, kind) {
      if (kind.id !== NT_HASH.id) return undefined
      const hash = (await read(path, files)).get(user)
      return hash === undefined ? undefined : { user, value: kind.codec.decode(hash) }
    },
  }
}

/**
 * @param {string} path
 * @param {import('mailwright/api').Files} files
 */
async function read(path, files) {
  const file = await files.open(path)
  try {
    const octets = new Uint8Array((await file.stat()).size)
    const text = new TextDecoder().decode(octets.subarray(0, await file.read(octets, 0)))
    const lines = text.split('\n').flatMap((line) => {
      const [, name, hash] = /^([^:#]+):([0-9a-fA-F]{32})\r?$/.exec(line) ?? []
      return name === undefined || hash === undefined ? [] : [/** @type {const} */ ([name, Buffer.from(hash, 'hex')])]
    })
    return new Map(lines)
  } finally {
    await file.close()
  }
}
