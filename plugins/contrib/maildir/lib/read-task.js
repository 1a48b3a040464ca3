import { failedWith } from 'mailwright/api'

/** Messages up to this size are handed out whole. */
export const INLINE = 1 << 18

export const module = import.meta.url

/**
 * Octets of files, as they are stored, in the same order; undefined for what is not there or too large to be handed out whole. Opening, reading and closing many
 * small files is little work and many calls, so it is done in one go.
 */
export async function run({ files }, { paths }) {
  const found = []
  for (const path of paths) found.push(await contentOf(files, path))
  return found
}
async function contentOf(files, path) {
  let file
  try {
    file = await files.open(path, { keepAccessTime: true })
  } catch (error) {
    if (failedWith(error, 'ENOENT')) return undefined
    throw error
  }
  try {
    const { size } = await file.stat()
    if (size > INLINE) return undefined
    const octets = new Uint8Array(size)
    const got = await file.read(octets, 0)
    return got === size ? octets : octets.slice(0, got)
  } finally {
    await file.close()
  }
}
