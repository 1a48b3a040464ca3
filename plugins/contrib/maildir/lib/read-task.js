import { failedWith } from 'mailwright/api'

/** Messages up to this size are handed out whole. */
export const INLINE = 1 << 18
/** Octets in which the end of a header is looked for at first. */
export const HEAD = 1 << 14

export const module = import.meta.url

/**
 * Octets of files, as they are stored, in the same order, up to `most` of each, and how many it has; undefined for what is not there. Opening, reading and closing many
 * small files is little work and many calls, so it is done in one go.
 */
export async function run({ files }, { paths, most }) {
  const found = []
  for (const path of paths) found.push(await contentOf(files, path, most))
  return found
}
async function contentOf(files, path, most) {
  let file
  try {
    file = await files.open(path, { keepAccessTime: true })
  } catch (error) {
    if (failedWith(error, 'ENOENT')) return undefined
    throw error
  }
  try {
    return await beginningOf(file, most)
  } finally {
    await file.close()
  }
}
/** Its first octets, all of them where there are no more than `most`; what a link to a folder leads to has none. */
export async function beginningOf(file, most) {
  const { size, kind } = await file.stat()
  const stored = kind === 'file' ? size : 0
  const octets = new Uint8Array(Math.min(stored, most))
  const got = await file.read(octets, 0)
  // A file that was cut meanwhile has no more.
  return got === octets.length ? { octets, stored } : { octets: octets.slice(0, got), stored: got }
}
